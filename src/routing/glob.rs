//! Patterns in which `*` stands for any run of characters. Core: imports
//! nothing of lkroute.

/// Whether a glob, in which `*` stands for any run of characters, matches the
/// whole text. The earliest place of each piece leaves the most text for the
/// next, so that no piece is looked for twice: linear.
pub(crate) fn matches_glob(glob: &str, text: &str) -> bool {
    let mut pieces = glob.split('*');
    let head = pieces.next().unwrap_or_default();
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    let Some(tail) = pieces.next_back() else {
        return rest.is_empty();
    };
    let Some(mut rest) = rest.strip_suffix(tail) else {
        return false;
    };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (glob, text, expected) in [
            ("config.uae-*", "config.uae-vm", true),
            ("config.uae-*", "config.uae", false),
            (
                "binding.+971545335200@*",
                "binding.+971545335200@sasya",
                true,
            ),
            ("*.uae.example", "livekit.uae.example", true),
            ("*.uae.example", "livekit.uae.example.evil", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*ba", "aba", true),
            ("ab*ba", "aba", false),
            ("a**c", "ac", true),
            ("*ab*ab", "xabab", true),
            ("*ab*ab*ab", "xabab", false),
        ] {
            assert_eq!(matches_glob(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let (stars, text) = ("*".repeat(50_000) + "x", "y".repeat(50_000));
        assert!(!matches_glob(&stars, &text));
        let (pairs, text) = ("*a".repeat(5_000) + "b", "a".repeat(50_000));
        assert!(!matches_glob(&pairs, &text));
    }

    proptest::proptest! {
        #[test]
        fn globs_match_as_their_definition_says(glob in "[ab*]{0,8}", text in "[ab]{0,8}") {
            proptest::prop_assert_eq!(matches_glob(&glob, &text), by_definition(&glob, &text));
        }
    }

    /// Every way to fill the first star.
    fn by_definition(glob: &str, text: &str) -> bool {
        match glob.split_once('*') {
            None => glob == text,
            Some((head, tail)) => text
                .strip_prefix(head)
                .is_some_and(|rest| (0..=rest.len()).any(|at| by_definition(tail, &rest[at..]))),
        }
    }
}
