//! Objects on the command line: every option takes a name or an address.
//! Imports `app`'s lookup and core.

use std::convert::Infallible;

use uuid::Uuid;

use crate::address::Address;
use crate::app::lookup::{LEAVE_TENANT_OUT, TenantSelector};
use crate::error::{Error, Result as Answered};
use crate::invisible_chars::in_nfc;
use crate::phone::E164;

/// A name of the files: letters with their marks as the files have them,
/// however the keyboard wrote them.
pub(super) fn nfc_name(text: &str) -> Result<String, Infallible> {
    Ok(in_nfc(text))
}

/// A number of things, at most what `T` holds.
pub(super) fn count<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let count = text
        .parse::<u64>()
        .ok()
        .and_then(|count| T::try_from(count).ok());
    count.ok_or_else(|| "a whole number is wanted, such as 20".to_owned())
}

/// A config, as NAME or `config.NAME`.
pub(super) fn config_name(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(Address::Config(name)) => Ok(name),
        Ok(other) => Err(of_kind(&other, "config")),
        Err(_) => Ok(in_nfc(text)),
    }
}

/// A region, as NAME or `region.NAME`.
pub(super) fn region_name(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(Address::Region(name)) => Ok(name),
        Ok(other) => Err(of_kind(&other, "region")),
        Err(_) => Ok(in_nfc(text)),
    }
}

/// A number, as itself or by the address of its binding.
pub(super) fn number(text: &str) -> Result<E164, String> {
    match text.parse() {
        Ok(Address::Binding(number, _)) => Ok(number),
        Ok(other) => Err(of_kind(&other, "number")),
        Err(_) => E164::parse(text).map_err(|error| match error.guess() {
            Some(guess) => format!("{error}: did you mean {guess}?"),
            None => error.to_string(),
        }),
    }
}

/// A number and, by the address of its binding, whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedNumber {
    pub number: E164,
    tenant: Option<String>,
}

/// A number, as itself or by the address of its binding, which names the
/// tenant too.
pub(super) fn named_number(text: &str) -> Result<NamedNumber, String> {
    let tenant = match text.parse() {
        Ok(Address::Binding(_, tenant)) => Some(tenant),
        _ => None,
    };
    let number = number(text)?;
    Ok(NamedNumber { number, tenant })
}

impl NamedNumber {
    /// Whose number it is, by the address or by one of the two options.
    ///
    /// # Errors
    /// They name two.
    pub(super) fn tenant_selector(
        &self,
        tenant: Option<&str>,
        user: Option<Uuid>,
    ) -> Answered<TenantSelector> {
        match (self.tenant.as_deref(), tenant, user) {
            (Some(named), _, Some(_)) => Err(Error::new(format!(
                "the address is of the tenant `{named}`, and --initiated-by asks for the user's"
            ))
            .hint("leave --initiated-by out, or name the number alone")),
            (Some(named), Some(option), None) if named != option => one_tenant(named, option),
            (Some(tenant), _, None) | (None, Some(tenant), None) => {
                Ok(TenantSelector::Tenant(tenant.to_owned()))
            }
            (None, _, Some(user)) => Ok(TenantSelector::User(user)),
            (None, None, None) => Ok(TenantSelector::Any),
        }
    }
}

/// Two names of a tenant, which are one where they are an alias and its uuid;
/// that is for the database, or the files, to say.
fn one_tenant(named: &str, option: &str) -> Answered<TenantSelector> {
    let id = |text: &str| Uuid::parse_str(text).ok();
    match (id(named), id(option)) {
        (Some(one), Some(other)) if one == other => Ok(TenantSelector::Tenant(named.to_owned())),
        (Some(id), None) => Ok(TenantSelector::Both(option.to_owned(), id)),
        (None, Some(id)) => Ok(TenantSelector::Both(named.to_owned(), id)),
        _ => {
            let message =
                format!("the address is of the tenant `{named}`, --tenant says `{option}`");
            Err(Error::new(message).hint(LEAVE_TENANT_OUT))
        }
    }
}

/// Any object, by its address; a bare name is that of a config.
pub(super) fn object(text: &str) -> Result<Address, String> {
    let kinds = ["region", "config", "binding"];
    match text.parse::<Address>() {
        Ok(address) => Ok(address),
        Err(error) => match text.split_once('.') {
            Some((kind, _)) if kinds.contains(&kind) => Err(error.to_string()),
            _ if text.is_empty() || text.starts_with(['*', '"', '\'']) => Err(error.to_string()),
            _ => match E164::parse(text) {
                Ok(number) => Err(format!(
                    "say whose number it is: binding.{number}@TENANT (`lkroute list` shows it)"
                )),
                Err(_) => Ok(Address::Config(in_nfc(text))),
            },
        },
    }
}

/// Why something is done, for the record: some words.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let has_words = text.chars().any(char::is_alphanumeric);
    if has_words {
        Ok(text.trim().to_owned())
    } else {
        Err("a reason says why, in words".to_owned())
    }
}

fn of_kind(address: &Address, wanted: &str) -> String {
    format!(
        "{address} is a {}, and a {wanted} is asked for",
        address.kind()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_mean_the_same() {
        for text in ["uae-vm", "config.uae-vm", "config.\"uae-vm\""] {
            assert_eq!(config_name(text).unwrap(), "uae-vm", "{text}");
            let address = Address::Config("uae-vm".to_owned());
            assert_eq!(object(text), Ok(address), "{text}");
        }
        assert_eq!(region_name("region.uae").unwrap(), "uae");
        assert_eq!(object("region.uae"), Ok(Address::Region("uae".to_owned())));
        let number_of = |text| number(text).unwrap().to_string();
        assert_eq!(number_of("+971545335200"), "+971545335200");
        assert_eq!(number_of("binding.+971545335200@sasya"), "+971545335200");
        for wrong in ["region.uae", "binding.+971545335200@sasya"] {
            assert!(config_name(wrong).is_err(), "{wrong}");
        }
        for odd in ["+971545335200", "binding.x", "config.", ""] {
            assert!(object(odd).is_err(), "{odd}");
        }
        assert!(
            number("971545335200")
                .unwrap_err()
                .contains("+971545335200?")
        );
    }
}
