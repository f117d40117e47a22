//! The carrier rules of a number, applied to the number it calls. Core.
//!
//! A rule that can't be read refuses: a call that a rule may forbid is not
//! placed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::Regions;
use super::trace::{ResolveError, Topic, Trace, Verdict};
use crate::fields::{Field, Fields};
use crate::phone::{
    Country, DEFAULT_LEAD, E164, LeadPart, PhoneError, Prefix, PrefixSet, format_lead,
    parse_dialled,
};

/// Regions that today's Python reader knows by name, for databases where no
/// region is declared.
const KNOWN: [(&str, &str); 2] = [("india", "+91"), ("uae", "+971")];

/// The called number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// As given.
    pub input: String,
    /// Absent only where no rule applied and the text is no number.
    pub number: Option<E164>,
    /// As the carrier wants it dialled.
    pub formatted: String,
    /// ISO 3166, where it is known.
    pub country: Option<&'static str>,
}

/// The number as given, with no rule applied.
pub fn as_given(to: &str) -> Called {
    let number = parse_dialled(to, None).ok();
    Called {
        input: to.to_owned(),
        number,
        formatted: to.trim().to_owned(),
        country: number.and_then(E164::country),
    }
}

/// Whether the row lets calls out at all.
pub fn allows_calls(fields: &Fields, trace: &mut Trace) -> Result<(), ResolveError> {
    let error = match fields.get(Field::Outbound) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Bool(true)) => {
            trace.push(
                Topic::Rules,
                Verdict::Found,
                "outbound = true: calls out are allowed",
            );
            return Ok(());
        }
        Some(Value::Bool(false)) => ResolveError::refused(
            "outbound-refused",
            "the number's rule `outbound = false` refuses calls out",
        )
        .hint("set `outbound = true` in the binding's rules if it may call"),
        Some(other) => unreadable(Field::Outbound, other, "it is `true` or `false`"),
    };
    trace.push(Topic::Rules, Verdict::Refused, &error.message);
    Err(error)
}

/// Reads `to` and writes it as the carrier wants it, or says which rule
/// refuses it. `fields` are those of the calling number's row.
pub fn call(
    fields: &Fields,
    to: &str,
    regions: &Regions,
    trace: &mut Trace,
) -> Result<Called, ResolveError> {
    let called = read(fields, to, regions).and_then(|(number, why)| {
        let (formatted, order) = format(fields, number)?;
        trace.push(
            Topic::Rules,
            Verdict::Found,
            format!("{to} is {number}: {why}"),
        );
        let detail = format!("dialled as {formatted}: {order}");
        trace.push(Topic::Rules, Verdict::Found, detail);
        Ok(Called {
            input: to.to_owned(),
            number: Some(number),
            formatted,
            country: number.country(),
        })
    });
    called.inspect_err(|error| trace.push(Topic::Rules, Verdict::Refused, &error.message))
}

/// The value of `allowed_outbound`, where one is set.
fn countries_rule(fields: &Fields) -> Result<Option<&str>, ResolveError> {
    match fields.get(Field::AllowedOutbound) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.as_str())),
        Some(other) => {
            let wanted = "it is \"global\" or the name of a region";
            Err(unreadable(Field::AllowedOutbound, other, wanted))
        }
    }
}

/// The countries that `allowed_outbound` lets through.
pub(super) fn allowed_countries(
    fields: &Fields,
    regions: &Regions,
) -> Result<PrefixSet, ResolveError> {
    match countries_rule(fields)? {
        None | Some("global") => Ok(PrefixSet::all()),
        Some(name) => Ok(codes(name, regions)?.0.into_iter().collect()),
    }
}

/// The called number, and which rule lets it pass.
fn read(fields: &Fields, to: &str, regions: &Regions) -> Result<(E164, String), ResolveError> {
    let rule = countries_rule(fields)?;
    let Some(name) = rule.filter(|name| *name != "global") else {
        let number = parse_dialled(to, None).map_err(|error| not_read(to, error, rule))?;
        let why = rule.map_or("no rule on countries", |_| "allowed_outbound = \"global\"");
        return Ok((number, why.to_owned()));
    };
    let (codes, whence) = codes(name, regions)?;
    let home = home(&codes);
    let number = parse_dialled(to, home).map_err(|error| not_read(to, error, rule))?;
    let shown = shown(&codes);
    let Some(own) = Prefix::longest(number, codes.iter().copied()) else {
        let message = format!(
            "the number's rule `allowed_outbound = \"{name}\"` refuses {number}: it allows {shown} only ({whence})"
        );
        return Err(ResolveError::refused("country-refused", message));
    };
    if let Some((other, code)) = region_of_its_own(number, own, name, regions) {
        let message = format!(
            "the number's rule `allowed_outbound = \"{name}\"` refuses {number}: it is of region `{other}` ({code}), another country than {own} stands for"
        );
        return Err(ResolveError::refused("country-refused", message));
    }
    let why = format!("allowed_outbound = \"{name}\" allows {shown} ({whence})");
    Ok((number, why))
}

/// The other region that takes a number out of what `own` lets through: its
/// prefix is longer, and the number is of another country than the main one of
/// `own`, so that `+1876` is taken from `+1` and `+9714` nothing from `+971`.
fn region_of_its_own<'r>(
    number: E164,
    own: Prefix,
    name: &str,
    regions: &'r Regions,
) -> Option<(&'r str, Prefix)> {
    let others = regions.0.iter().filter(|(other, _)| *other != name);
    let longest = others.filter_map(|(other, codes)| {
        let code = Prefix::longest(number, codes.iter().copied())?;
        Some((other.as_str(), code))
    });
    let (other, code) = longest.max_by_key(|(_, code)| code.len())?;
    let main = own.main_country().map(Country::code);
    (code.len() > own.len() && number.country() != main).then_some((other, code))
}

fn shown(codes: &[Prefix]) -> String {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    codes.join(", ")
}

/// The codes that a value of `allowed_outbound` stands for, and whence.
fn codes(name: &str, regions: &Regions) -> Result<(Vec<Prefix>, String), ResolveError> {
    if let Some(codes) = regions.0.get(name).filter(|codes| !codes.is_empty()) {
        return Ok((codes.clone(), format!("country_codes of region {name}")));
    }
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    if let Some(code) = known.and_then(|(_, code)| Prefix::parse(code).ok()) {
        return Ok((vec![code], "no region of that name is declared".to_owned()));
    }
    let declared: BTreeSet<&str> = regions.0.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
    let names: Vec<&str> = declared.union(&known).copied().collect();
    let message = format!(
        "the number's rule `allowed_outbound = \"{name}\"` names no known region, so nothing says whom it may call"
    );
    let hint = format!("it can be \"global\" or one of: {}", names.join(", "));
    Err(ResolveError::refused("rule-unknown-region", message).hint(hint))
}

/// The country of bare national numbers, if all codes are of one.
fn home(codes: &[Prefix]) -> Option<Country> {
    let mut countries = codes.iter().map(|code| code.main_country());
    let first = countries.next()??;
    countries.all(|other| other == Some(first)).then_some(first)
}

/// The order in which the row's carrier wants the parts of a called number.
pub(super) fn lead_parts(fields: &Fields) -> Result<Vec<LeadPart>, ResolveError> {
    let value = match fields.get(Field::RequiredLeadFormat) {
        None | Some(Value::Null) => return Ok(DEFAULT_LEAD.to_vec()),
        Some(value) => value,
    };
    let parts = value.as_array().filter(|parts| !parts.is_empty());
    let parts: Option<Vec<LeadPart>> = parts.and_then(|parts| {
        let parts = parts
            .iter()
            .map(|part| LeadPart::parse(part.as_str()?).ok());
        parts.collect()
    });
    let wanted = "it is a list of \"country_code\", \"base_number\" and digits to dial";
    let parts = parts.ok_or_else(|| unreadable(Field::RequiredLeadFormat, value, wanted))?;
    if !parts.contains(&LeadPart::BaseNumber) {
        let wanted = "it has to hold \"base_number\", or nothing of the called number is dialled";
        return Err(unreadable(Field::RequiredLeadFormat, value, wanted));
    }
    Ok(parts)
}

/// The number in the carrier's order, and the rule that gave it.
fn format(fields: &Fields, number: E164) -> Result<(String, String), ResolveError> {
    let parts = lead_parts(fields)?;
    let order = match fields.get(Field::RequiredLeadFormat) {
        None | Some(Value::Null) => {
            "country code and national number, as no required_lead_format is set".to_owned()
        }
        Some(value) => format!("required_lead_format = {value}"),
    };
    Ok((format_lead(number, &parts), order))
}

fn unreadable(field: Field, value: &Value, wanted: &str) -> ResolveError {
    let key = field.rules_key().unwrap_or(field.as_str());
    let message = format!("the number's rule `{key}` holds {value}, which can't be understood");
    ResolveError::refused("rule-unreadable", message).hint(wanted)
}

fn not_read(to: &str, error: PhoneError, rule: Option<&str>) -> ResolveError {
    let message = format!("the called number `{to}`: {error}");
    let hint = match (error.guess(), rule) {
        (Some(guess), _) => format!("did you mean {guess}?"),
        _ => "write it in E.164 form, such as +971545335200".to_owned(),
    };
    match (&error, rule) {
        (PhoneError::NoCountry, Some(rule)) => {
            let message = format!(
                "the number's rule `allowed_outbound = \"{rule}\"` does not say of which country `{to}` is"
            );
            ResolveError::refused("called-number-needs-country", message).hint(hint)
        }
        _ => ResolveError::new("called-number", message).hint(hint),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;
    use serde_json::json;

    fn regions() -> Regions {
        let codes = |codes: &[&str]| codes.iter().map(|c| Prefix::parse(c).unwrap()).collect();
        Regions(
            [
                ("gulf".to_owned(), codes(&["+971", "+974"])),
                ("bahamas".to_owned(), codes(&["+1242"])),
            ]
            .into(),
        )
    }

    fn dial(fields: &Fields, to: &str) -> Result<String, (Exit, &'static str)> {
        call(fields, to, &regions(), &mut Trace::default())
            .map(|called| called.formatted)
            .map_err(|error| (error.exit, error.code))
    }

    fn allowed(value: impl Into<Value>) -> Fields {
        Fields::new().with(Field::AllowedOutbound, value)
    }

    #[test]
    fn outbound_decides_first_and_odd_values_refuse() {
        let code = |value: Value| {
            let fields = Fields::new().with(Field::Outbound, value);
            allows_calls(&fields, &mut Trace::default())
                .map_err(|error| (error.exit, error.code))
                .err()
        };
        assert_eq!(allows_calls(&Fields::new(), &mut Trace::default()), Ok(()));
        assert_eq!(code(json!(true)), None);
        assert_eq!(code(Value::Null), None);
        let refused = |code| Some((Exit::CallRefused, code));
        assert_eq!(code(json!(false)), refused("outbound-refused"));
        for odd in [json!("false"), json!(0), json!([])] {
            assert_eq!(code(odd), refused("rule-unreadable"));
        }
    }

    #[test]
    fn a_region_allows_its_codes_and_lends_its_country() {
        let india = allowed("india");
        assert_eq!(dial(&india, "+919513456728").unwrap(), "+919513456728");
        assert_eq!(dial(&india, "095134 56728").unwrap(), "+919513456728");
        assert_eq!(
            dial(&india, "+971545335200"),
            Err((Exit::CallRefused, "country-refused"))
        );
        assert_eq!(
            dial(&allowed("uae"), "0545335200").unwrap(),
            "+971545335200"
        );
        assert_eq!(
            dial(&allowed("bahamas"), "2423456789").unwrap(),
            "+12423456789"
        );
        assert_eq!(
            dial(&allowed("bahamas"), "+12125550123"),
            Err((Exit::CallRefused, "country-refused"))
        );
    }

    #[test]
    fn a_longer_prefix_takes_out_what_is_of_another_country() {
        let of = |codes: &[&str]| codes.iter().map(|c| Prefix::parse(c).unwrap()).collect();
        let regions = Regions(
            [
                ("us".to_owned(), of(&["+1"])),
                ("jamaica".to_owned(), of(&["+1876", "+1658"])),
                ("uae".to_owned(), of(&["+971"])),
                ("dubai".to_owned(), of(&["+9714"])),
            ]
            .into(),
        );
        let dial = |rule: &str, to: &str| {
            call(&allowed(rule), to, &regions, &mut Trace::default())
                .map(|called| called.formatted)
                .map_err(|error| error.code)
        };
        let refused = Err("country-refused");
        assert_eq!(dial("us", "+18765550123"), refused);
        assert_eq!(dial("us", "+16585550123"), refused);
        assert_eq!(dial("us", "+12125550123").as_deref(), Ok("+12125550123"));
        assert_eq!(dial("us", "+14165550123").as_deref(), Ok("+14165550123"));
        assert_eq!(
            dial("jamaica", "+18765550123").as_deref(),
            Ok("+18765550123")
        );
        assert_eq!(dial("uae", "+97141234567").as_deref(), Ok("+97141234567"));
        assert_eq!(dial("dubai", "+971545335200"), refused);
        assert_eq!(
            dial("global", "+18765550123").as_deref(),
            Ok("+18765550123")
        );
    }

    #[test]
    fn a_declared_region_wins_over_the_known_name() {
        let regions = Regions([("india".to_owned(), vec![Prefix::parse("+974").unwrap()])].into());
        let error = call(
            &allowed("india"),
            "+919513456728",
            &regions,
            &mut Trace::default(),
        );
        assert_eq!(error.unwrap_err().code, "country-refused");
    }

    #[test]
    fn a_bare_number_needs_one_country() {
        let refused = Err((Exit::CallRefused, "called-number-needs-country"));
        assert_eq!(dial(&allowed("global"), "9513456728"), refused);
        assert_eq!(dial(&allowed("gulf"), "545335200"), refused);
        assert_eq!(
            dial(&Fields::new(), "9513456728"),
            Err((Exit::Error, "called-number"))
        );
        assert_eq!(
            dial(&allowed("global"), "+12125550123").unwrap(),
            "+12125550123"
        );
        assert_eq!(
            dial(&allowed("india"), "call me"),
            Err((Exit::Error, "called-number"))
        );
    }

    #[test]
    fn the_order_of_the_carrier_is_kept() {
        let lead = |lead: Value| Fields::new().with(Field::RequiredLeadFormat, lead);
        let to = "+919513456728";
        assert_eq!(
            dial(&lead(json!(["0", "base_number"])), to).unwrap(),
            "09513456728"
        );
        assert_eq!(
            dial(&lead(json!(["country_code", "base_number"])), to).unwrap(),
            to
        );
        assert_eq!(dial(&lead(Value::Null), to).unwrap(), to);
        let refused = Err((Exit::CallRefused, "rule-unreadable"));
        for odd in [
            json!([]),
            json!("0"),
            json!(["0"]),
            json!(["area", "base_number"]),
            json!([0]),
        ] {
            assert_eq!(dial(&lead(odd.clone()), to), refused, "{odd}");
        }
    }

    #[test]
    fn unknown_values_refuse_and_are_named() {
        for odd in [json!("mars"), json!(""), json!(91), json!(["india"])] {
            let error = call(
                &allowed(odd.clone()),
                "+919513456728",
                &regions(),
                &mut Trace::default(),
            );
            let error = error.unwrap_err();
            assert_eq!(error.exit, Exit::CallRefused);
            let text = odd.as_str().map_or_else(|| odd.to_string(), str::to_owned);
            assert!(error.message.contains(&text), "{}", error.message);
        }
    }

    #[test]
    fn an_italian_zero_is_dialled() {
        let fields = Fields::new().with(Field::RequiredLeadFormat, json!(["base_number"]));
        assert_eq!(dial(&fields, "+390612345678").unwrap(), "0612345678");
    }
}
