-- What an apply keeps for the budgets of later ones, as JSON; NULL where its
-- lkroute knew no window of budgets.
ALTER TABLE lkroute_applies ADD COLUMN account text;
