//! Numbers that libphonenumber doubts: judged where a person asks (validate),
//! never on the way to a plan. Core; imports only core.

use super::findings::Findings;
use super::locate::BindingLocator;
use super::sources::Sources;
use crate::count_words::so_are_more;
use crate::finding::Finding;
use crate::phone;
use crate::routing::Routing;

/// A warning for each line with doubtful numbers. Costs two microseconds a
/// number.
pub fn doubtful_numbers(routing: &Routing, sources: &dyn Sources) -> Vec<Finding> {
    let mut findings = Findings::default();
    let mut relook = BindingLocator::new(sources);
    for line in routing.bindings.chunk_by(|a, b| a.origin == b.origin) {
        let mut doubtful = line
            .iter()
            .filter_map(|binding| Some((binding, phone::number_doubt(binding.number)?)));
        let Some((binding, doubt)) = doubtful.next() else {
            continue;
        };
        let more = doubtful.count();
        findings.add_many("doubtful-number", || {
            let message = doubt + &so_are_more(more as u64);
            Finding::warning("doubtful-number", message).at(relook.place_of(binding))
        });
    }
    findings.into_findings(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{LoadOptions, Texts, load_routing};

    #[test]
    fn one_warning_a_line() {
        let text = "[regions.uae]\ncountry_codes = [\"+971\"]\ndefault_config = \"x\"\n\
            [[bindings]]\ntenant = \"734cd516-e252-4728-9c52-4663ee552653\"\n\
            numbers = [\"+971545335200\", \"+971111111111\", \"+971111111112\",\n\"+971111111113\"]\n";
        let files = [("routing/a.toml".to_owned(), text.as_bytes().to_vec())];
        let sources = Texts::new(files);
        let routing = load_routing(&sources, &LoadOptions::default()).routing;
        let found = doubtful_numbers(&routing, &sources);
        let places = found
            .iter()
            .map(|finding| finding.place.clone().unwrap().to_string());
        let places: Vec<String> = places.collect();
        assert_eq!(places, ["routing/a.toml:6:29", "routing/a.toml:7:1"]);
        assert!(
            found[0].message.contains("so is 1 more here"),
            "{}",
            found[0].message
        );
        assert!(found.iter().all(|finding| !finding.is_error()));
    }
}
