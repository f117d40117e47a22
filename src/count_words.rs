//! Counts in words, as people write them. Imports nothing of lkroute.

/// `1,234,567`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (ix, digit) in digits.chars().enumerate() {
        if ix > 0 && (digits.len() - ix).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 error`, `2 errors`; the plural by an `s`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", thousands(count)),
    }
}

/// What a sentence about one thing of a line adds for the others there.
pub(crate) fn so_are_more(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; so is 1 more here".to_owned(),
        _ => format!("; so are {} more here", thousands(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_people_write_them() {
        assert_eq!(counted(1, "error"), "1 error");
        assert_eq!(counted(0, "error"), "0 errors");
        assert_eq!(counted(1234567, "number"), "1,234,567 numbers");
        assert_eq!(so_are_more(0), "");
        assert_eq!(so_are_more(1), "; so is 1 more here");
        assert_eq!(so_are_more(1000), "; so are 1,000 more here");
        assert_eq!(
            (thousands(999), thousands(1000)),
            ("999".into(), "1,000".into())
        );
    }
}
