//! A page that is not there helps nobody at night.

use std::fs;

use crate::support::pages::{pages, read_page, root};

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    for name in pages() {
        let page = root().join(&name);
        let text = read_page(&name);
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().expect("an end");
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            if path.contains("://") {
                continue;
            }
            let linked = page.parent().expect("a directory").join(path);
            let linked = if path.is_empty() {
                page.clone()
            } else {
                linked
            };
            assert!(linked.exists(), "{name}: {target}");
            if !heading.is_empty() {
                let text = fs::read_to_string(&linked).expect("a page");
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let found = headings.into_iter().any(|line| anchor(line) == heading);
                assert!(found, "{name}: no heading {target}");
            }
        }
    }
}

/// A heading as GitHub names it in a link.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
