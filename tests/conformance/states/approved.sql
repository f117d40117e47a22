-- As it is after an apply.
SELECT 1;
