//! The names of objects in reports and on the command line. Core.
//!
//! `region.<name>`, `config.<name>`, `binding.<E.164>@<tenant alias or uuid>`;
//! names outside `[a-z0-9._-]` are quoted as in TOML.

use std::fmt;
use std::str::FromStr;

use crate::invisible_chars::{in_nfc, toml_string};
use crate::phone::E164;

/// An object, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    Region(String),
    Config(String),
    /// The tenant by alias, else by uuid.
    Binding(E164, String),
}

impl Address {
    /// `region`, `config` or `binding`.
    pub fn kind(&self) -> &'static str {
        match self {
            Address::Region(_) => "region",
            Address::Config(_) => "config",
            Address::Binding(..) => "binding",
        }
    }

    /// As it is written, and where its name is quoted, without the quotes too.
    pub(crate) fn spellings(&self) -> Vec<String> {
        let name = match self {
            Address::Region(name) | Address::Config(name) | Address::Binding(_, name) => name,
        };
        let plain = match self {
            _ if !quoted(name).starts_with('"') => None,
            Address::Binding(number, _) => Some(format!("binding.{number}@{name}")),
            Address::Region(_) | Address::Config(_) => Some(format!("{}.{name}", self.kind())),
        };
        [self.to_string()].into_iter().chain(plain).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Region(name) => write!(f, "region.{}", quoted(name)),
            Address::Config(name) => write!(f, "config.{}", quoted(name)),
            Address::Binding(number, tenant) => write!(f, "binding.{number}@{}", quoted(tenant)),
        }
    }
}

fn is_bare(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')
}

/// The name itself, or a TOML basic string where it holds anything unusual.
pub(crate) fn quoted(name: &str) -> String {
    if !name.is_empty() && name.chars().all(is_bare) {
        return name.to_owned();
    }
    toml_string(name)
}

fn unquoted(text: &str) -> Option<String> {
    if !text.starts_with(['"', '\'']) {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let table: toml::Table = format!("name = {text}").parse().ok()?;
    Some(table.get("name")?.as_str()?.to_owned())
}

/// The text is no address; says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address: write region.NAME, config.NAME or binding.+NUMBER@TENANT, e.g. config.uae-vm-selfhosted"
)]
pub struct NoAddress(pub String);

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Address, NoAddress> {
        parse(&in_nfc(text)).ok_or_else(|| NoAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Address> {
    match text.split_once('.')? {
        ("region", name) => Some(Address::Region(unquoted(name)?)),
        ("config", name) => Some(Address::Config(unquoted(name)?)),
        ("binding", rest) => {
            let (number, tenant) = rest.split_once('@')?;
            Some(Address::Binding(
                E164::parse(number).ok()?,
                unquoted(tenant)?,
            ))
        }
        _ => None,
    }
}
