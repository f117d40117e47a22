//! The order in which a carrier wants a called number written.

use super::E164;
use std::fmt;
use thiserror::Error;

/// One part of `rules.required_lead_format`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeadPart {
    /// `"country_code"`: the calling code.
    CountryCode,
    /// `"base_number"`: the national number, its significant zeros kept.
    BaseNumber,
    /// Anything that is dialled as it stands, such as `"0"`.
    Literal(String),
}

/// The order where `required_lead_format` is absent: calling code, national
/// number; that is E.164.
pub const DEFAULT_LEAD: [LeadPart; 2] = [LeadPart::CountryCode, LeadPart::BaseNumber];

/// A part that is neither a name nor something to dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a part is \"country_code\", \"base_number\", or 1 to 8 of the characters 0-9, +, * and #")]
pub struct BadLeadPart;

impl LeadPart {
    /// Reads a part as it stands in `required_lead_format`.
    ///
    /// # Errors
    /// [`BadLeadPart`].
    pub fn parse(text: &str) -> Result<Self, BadLeadPart> {
        let dialled = |c| matches!(c, '0'..='9' | '+' | '*' | '#');
        match text {
            "country_code" => Ok(LeadPart::CountryCode),
            "base_number" => Ok(LeadPart::BaseNumber),
            _ if (1..=8).contains(&text.len()) && text.chars().all(dialled) => {
                Ok(LeadPart::Literal(text.to_owned()))
            }
            _ => Err(BadLeadPart),
        }
    }
}

impl fmt::Display for LeadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeadPart::CountryCode => "country_code",
            LeadPart::BaseNumber => "base_number",
            LeadPart::Literal(text) => text,
        })
    }
}

/// Writes a number in a carrier's order: `["0", "base_number"]` gives
/// `09513456728`.
///
/// The calling code is written as the column `country_code` holds it, with its
/// `+`, so that `["country_code", "base_number"]` gives E.164, `+919513456728`.
/// After another part the `+` would not be dialled and is left out:
/// `["00", "country_code", "base_number"]` gives `00919513456728`.
pub fn format_lead(number: E164, parts: &[LeadPart]) -> String {
    parts.iter().fold(String::new(), |mut written, part| {
        match part {
            LeadPart::CountryCode => {
                if written.is_empty() {
                    written.push('+');
                }
                written.push_str(&number.calling_code().to_string());
            }
            LeadPart::BaseNumber => written.push_str(&number.national()),
            LeadPart::Literal(text) => written.push_str(text),
        }
        written
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: &str, parts: &[&str]) -> String {
        let parts: Vec<_> = parts.iter().map(|p| LeadPart::parse(p).unwrap()).collect();
        format_lead(E164::parse(number).unwrap(), &parts)
    }

    #[test]
    fn orders() {
        let india = "+919513456728";
        assert_eq!(written(india, &["0", "base_number"]), "09513456728");
        assert_eq!(written(india, &["country_code", "base_number"]), india);
        assert_eq!(
            written(india, &["00", "country_code", "base_number"]),
            "00919513456728"
        );
        assert_eq!(written(india, &["base_number"]), "9513456728");
        assert_eq!(written("+390612345678", &["base_number"]), "0612345678");
        let rome = E164::parse("+390612345678").unwrap();
        assert_eq!(format_lead(rome, &DEFAULT_LEAD), rome.to_string());
    }

    #[test]
    fn parts_are_names_or_dialled() {
        for text in ["country_code", "base_number", "0", "00", "*31#", "+"] {
            assert_eq!(LeadPart::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "Country_Code",
            "base number",
            "0 ",
            "x",
            "123456789",
            "٠",
        ] {
            assert_eq!(LeadPart::parse(text), Err(BadLeadPart), "{text}");
        }
    }
}
