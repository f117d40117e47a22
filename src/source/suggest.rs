//! "Did you mean". Core; imports nothing of lkroute.

/// How alike two names have to be for one to be offered for the other.
const ALIKE: f64 = 0.75;

/// The candidate that was most likely meant.
pub(crate) fn closest_name<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(name);
    let scored = candidates.into_iter().map(|candidate| {
        let other = plain(candidate);
        // One wrong character is taken for a typing error even in a short name.
        let slip = strsim::osa_distance(&wanted, &other) == 1;
        let alike = strsim::jaro_winkler(&wanted, &other);
        (if slip { alike.max(0.9) } else { alike }, candidate)
    });
    scored
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The candidate that differs by a slip of one letter. Another digit is another
/// name: `uae-2` is not offered for `uae-1`.
pub(crate) fn same_but_a_slip<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let mut candidates = candidates.into_iter();
    candidates.find(|candidate| {
        let plain = |text: &str| text.to_lowercase().replace('-', "_");
        strsim::osa_distance(&plain(name), &plain(candidate)) <= 1
            && digits(name) == digits(candidate)
    })
}

/// A hint that offers the closest candidate, or lists them where they are few.
pub(crate) fn suggestion_hint<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let all: Vec<&str> = candidates.into_iter().collect();
    if let Some(found) = closest_name(name, all.iter().copied()) {
        return Some(format!("did you mean `{found}`?"));
    }
    let listed = || format!("there is {}", quoted_list(&all));
    (1..=20).contains(&all.len()).then(listed)
}

/// `` `a`, `b` and `c` ``
pub(crate) fn quoted_list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_what_is_alike() {
        let names = ["worker_name", "trunk_id", "url"];
        assert_eq!(closest_name("worker-name", names), Some("worker_name"));
        assert_eq!(closest_name("workername", names), Some("worker_name"));
        assert_eq!(closest_name("trunkid", names), Some("trunk_id"));
        assert_eq!(closest_name("colour", names), None);
        assert_eq!(
            suggestion_hint("colour", names).as_deref(),
            Some("there is `worker_name`, `trunk_id` and `url`")
        );
        assert_eq!(suggestion_hint("colour", []), None);
        assert_eq!(
            same_but_a_slip("uae-wm", ["india", "uae-vm"]),
            Some("uae-vm")
        );
        assert_eq!(same_but_a_slip("uae-1", ["uae-2", "uae-vm"]), None);
    }
}
