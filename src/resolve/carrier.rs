//! The carrier rules of a number, applied to the number it calls. Core.
//!
//! A rule that can't be read refuses: a call that a rule may forbid is not
//! placed.

use serde_json::Value;

use super::countries::{CountriesRule, unreadable};
use super::facts::Regions;
use super::trace::{ResolveError, Topic, Trace, Verdict};
use crate::fields::{Field, Fields};
use crate::phone::{
    Country, DEFAULT_LEAD, E164, LeadPart, PhoneError, Prefix, format_lead, parse_dialled,
};

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
pub(crate) fn as_given(to: &str) -> Called {
    let number = parse_dialled(to, None).ok();
    Called {
        input: to.to_owned(),
        number,
        formatted: to.trim().to_owned(),
        country: number.and_then(E164::iso_country),
    }
}

/// Whether the row lets calls out at all.
pub(crate) fn allows_calls(fields: &Fields, trace: &mut Trace) -> Result<(), ResolveError> {
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
        Some(other) => unreadable(Field::Outbound, other, SWITCH),
    };
    trace.push(Topic::Rules, Verdict::Refused, &error.message);
    Err(error)
}

/// Reads `to` and writes it as the carrier wants it, or says which rule
/// refuses it. `fields` are those of the calling number's row.
pub(crate) fn call(
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
            country: number.iso_country(),
        })
    });
    called.inspect_err(|error| trace.push(Topic::Rules, Verdict::Refused, &error.message))
}

/// The called number, and which rule lets it pass.
fn read(fields: &Fields, to: &str, regions: &Regions) -> Result<(E164, String), ResolveError> {
    let rule = CountriesRule::read(fields, regions)?;
    let text = rule.text();
    let CountriesRule::Region(region) = &rule else {
        let number = parse_dialled(to, None).map_err(|error| not_read(to, error, text))?;
        let why = text.map_or("no rule on countries", |_| "allowed_outbound = \"global\"");
        return Ok((number, why.to_owned()));
    };
    let home = home(&region.codes);
    let number = parse_dialled(to, home).map_err(|error| not_read(to, error, text))?;
    let (name, whence, shown) = (region.name, &region.whence, shown(&region.codes));
    if region.allowed().holds(number) {
        let why = format!("allowed_outbound = \"{name}\" allows {shown} ({whence})");
        return Ok((number, why));
    }
    let why = match region.taken_by(number) {
        Some((other, code)) => format!(
            "it is of region `{other}` ({code}), which is another country than {shown} stands for"
        ),
        None => format!("it allows {shown} only ({whence})"),
    };
    let message =
        format!("the number's rule `allowed_outbound = \"{name}\"` refuses {number}: {why}");
    Err(ResolveError::refused("country-refused", message))
}

fn shown(codes: &[Prefix]) -> String {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    codes.join(", ")
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

/// The rules that can't be followed, whoever calls or is called: each refuses
/// all calls that it is about.
pub(crate) fn broken_rules(fields: &Fields, regions: &Regions) -> Vec<ResolveError> {
    // A row that is not active has no rules.
    if fields.contains(Field::Status) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    if let Some(odd) = odd_switch(fields.get(Field::Inbound)) {
        broken.push(unreadable(Field::Inbound, odd, SWITCH));
    }
    match fields.get(Field::Outbound) {
        // Nothing else is looked at then.
        Some(Value::Bool(false)) => return broken,
        value => {
            let odd = odd_switch(value);
            broken.extend(odd.map(|odd| unreadable(Field::Outbound, odd, SWITCH)));
        }
    }
    broken.extend(CountriesRule::read(fields, regions).err());
    broken.extend(lead_parts(fields).err());
    broken
}

const SWITCH: &str = "it is `true` or `false`";

fn odd_switch(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !matches!(value, Value::Null | Value::Bool(_)))
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
