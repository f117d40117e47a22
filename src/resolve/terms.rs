//! The terms of a number: whom it may call, whether it may be called, and in
//! which form the called number is dialled. Core; imports `fields` and
//! `phone`.
//!
//! They follow from the carrier rules of the number's row and from the
//! `country_codes` of all regions, by the same reading as a call's
//! ([`super::carrier`], [`super::countries`]): a rule that can't be understood
//! refuses.

use std::fmt;

use serde_json::Value;

use super::carrier;
use super::countries::CountriesRule;
use super::facts::Regions;
use crate::fields::{Field, Fields};
use crate::phone::{DEFAULT_LEAD, LeadPart, PrefixSet};

/// On what terms a number calls and is called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Terms {
    pub inbound: Switch,
    pub outbound: Switch,
    /// The countries that `allowed_outbound` lets through; everywhere where
    /// it sets no limit, nowhere where it can't be understood.
    pub countries: PrefixSet,
    pub dialled: DialledForm,
}

enum_words! {
    /// A rule that is on or off; one that is absent is on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Switch {
        On = "allowed",
        Off = "refused",
        /// Neither `true` nor `false`: it refuses.
        Unreadable = "refused (the rule can't be read)",
    }
}

impl Switch {
    fn read(value: Option<&Value>) -> Switch {
        match value {
            None | Some(Value::Null | Value::Bool(true)) => Switch::On,
            Some(Value::Bool(false)) => Switch::Off,
            Some(_) => Switch::Unreadable,
        }
    }
}

/// The form in which the called number is written for the carrier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialledForm {
    Parts(Vec<LeadPart>),
    /// `required_lead_format` can't be understood: every call is refused.
    Unreadable,
}

impl DialledForm {
    /// What is dialled before, between and after the digits of the called
    /// number, as it stands in the rule.
    fn literals(&self) -> Vec<&str> {
        let parts = match self {
            DialledForm::Parts(parts) => parts.as_slice(),
            DialledForm::Unreadable => &[],
        };
        let parts = parts.iter();
        let literals = parts.filter_map(|part| match part {
            LeadPart::Literal(text) => Some(text.as_str()),
            LeadPart::CountryCode | LeadPart::BaseNumber => None,
        });
        literals.collect()
    }

    /// Whether digits are dialled that were not dialled in `before`: they can
    /// send a call to another country.
    fn adds_digits_to(&self, before: &DialledForm) -> bool {
        let literals = self.literals();
        !literals.is_empty() && literals != before.literals()
    }
}

/// `0…`, `0088216…`; `CC` stands for the country code of the called number:
/// `+CC…`, `00CC…`.
impl fmt::Display for DialledForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DialledForm::Parts(parts) = self else {
            return f.write_str("refused (the rule can't be read)");
        };
        for (ix, part) in parts.iter().enumerate() {
            match part {
                LeadPart::CountryCode if ix == 0 => f.write_str("+CC")?,
                LeadPart::CountryCode => f.write_str("CC")?,
                LeadPart::BaseNumber => f.write_str("…")?,
                LeadPart::Literal(text) => f.write_str(text)?,
            }
        }
        Ok(())
    }
}

impl Default for Terms {
    /// Where no rule is set.
    fn default() -> Terms {
        Terms {
            inbound: Switch::On,
            outbound: Switch::On,
            countries: PrefixSet::all(),
            dialled: DialledForm::Parts(DEFAULT_LEAD.to_vec()),
        }
    }
}

impl Terms {
    /// The terms of a number whose row has these fields.
    pub fn new(fields: &Fields, regions: &Regions) -> Terms {
        let dialled = match carrier::lead_parts(fields) {
            Ok(parts) => DialledForm::Parts(parts),
            Err(_) => DialledForm::Unreadable,
        };
        Terms {
            inbound: Switch::read(fields.get(Field::Inbound)),
            outbound: Switch::read(fields.get(Field::Outbound)),
            countries: CountriesRule::read(fields, regions)
                .map_or_else(|_| PrefixSet::default(), |rule| rule.allowed()),
            dialled,
        }
    }

    /// The countries that can really be called: none where calls out are
    /// refused altogether.
    pub fn callable(&self) -> PrefixSet {
        let refused = self.outbound != Switch::On || self.dialled == DialledForm::Unreadable;
        if refused {
            PrefixSet::default()
        } else {
            self.countries.clone()
        }
    }

    /// Whether calls out stop: some could be made, and of those none can.
    pub fn stop_in(&self, after: &Terms) -> bool {
        let before = self.callable();
        !before.is_empty() && before.both(&after.callable()).is_empty()
    }

    /// Whether more can be called than before, or another number than the
    /// called one may be dialled: what toll fraud looks like.
    pub fn widen_in(&self, after: &Terms) -> bool {
        let gained = after.callable().without(&self.callable());
        let dials = !after.callable().is_empty() && after.dialled.adds_digits_to(&self.dialled);
        !gained.is_empty() || dials
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::Prefix;
    use serde_json::json;

    fn regions() -> Regions {
        let codes = |codes: &[&str]| codes.iter().map(|c| Prefix::parse(c).unwrap()).collect();
        Regions(
            [
                ("uae".to_owned(), codes(&["+971"])),
                ("gulf".to_owned(), codes(&["+971", "+966"])),
            ]
            .into(),
        )
    }

    fn terms(rules: Value) -> Terms {
        let fields: Fields = rules
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.parse::<Field>().unwrap(), value.clone()))
            .collect();
        Terms::new(&fields, &regions())
    }

    #[test]
    fn what_is_not_said_sets_no_limit_and_what_is_odd_refuses() {
        assert_eq!(terms(json!({})), Terms::default());
        let plain = json!({"inbound": true, "outbound": null, "allowed_outbound": "global",
            "required_lead_format": ["country_code", "base_number"]});
        assert_eq!(terms(plain), Terms::default());
        for odd in [
            json!({"outbound": false}),
            json!({"outbound": "yes"}),
            json!({"allowed_outbound": "mars"}),
            json!({"allowed_outbound": 971}),
            json!({"required_lead_format": "0"}),
            json!({"required_lead_format": ["0"]}),
        ] {
            assert!(terms(odd.clone()).callable().is_empty(), "{odd}");
            assert!(Terms::default().stop_in(&terms(odd.clone())), "{odd}");
            assert!(!terms(odd.clone()).stop_in(&terms(odd)));
        }
    }

    #[test]
    fn calls_stop_where_nothing_is_left_that_was_allowed() {
        let allowed = |name: &str| terms(json!({"allowed_outbound": name}));
        assert!(allowed("uae").stop_in(&allowed("india")));
        assert!(!allowed("uae").stop_in(&allowed("gulf")));
        assert!(!allowed("gulf").stop_in(&allowed("uae")));
        assert!(!allowed("mars").stop_in(&allowed("uae")));
    }

    #[test]
    fn more_countries_and_new_digits_widen() {
        let allowed = |name: &str| terms(json!({"allowed_outbound": name}));
        assert!(allowed("uae").widen_in(&allowed("gulf")));
        assert!(allowed("uae").widen_in(&Terms::default()));
        assert!(allowed("uae").widen_in(&allowed("india")));
        assert!(!allowed("gulf").widen_in(&allowed("uae")));
        let off = terms(json!({"outbound": false, "allowed_outbound": "global"}));
        assert!(!allowed("uae").widen_in(&off));
        assert!(off.widen_in(&allowed("uae")));
        let lead = |parts: Value| terms(json!({"required_lead_format": parts}));
        let (zero, abroad) = (
            lead(json!(["0", "base_number"])),
            lead(json!(["0088216", "base_number"])),
        );
        assert!(zero.widen_in(&abroad));
        assert!(!abroad.widen_in(&Terms::default()));
        assert_eq!(zero.dialled.to_string(), "0…");
        assert_eq!(abroad.dialled.to_string(), "0088216…");
        assert_eq!(Terms::default().dialled.to_string(), "+CC…");
        let code = lead(json!(["00", "country_code", "base_number"]));
        assert_eq!(code.dialled.to_string(), "00CC…");
    }
}
