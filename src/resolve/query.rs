//! What is asked of the resolver. Core.

use uuid::Uuid;

use crate::phone::E164;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The calling number.
    pub from: E164,
    pub tenant: TenantChoice,
    /// The called number, as typed.
    pub to: Option<String>,
    /// The environment must not be the source of credentials.
    pub strict: bool,
    /// The name under which files and database are meant (`--env`).
    pub environment: Option<String>,
}

impl Query {
    pub fn new(from: E164, tenant: TenantChoice) -> Query {
        Query {
            from,
            tenant,
            to: None,
            strict: false,
            environment: None,
        }
    }
}

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantChoice {
    /// Not said: exactly one tenant must have the number.
    Any,
    Given(Uuid),
    /// The tenant of this user, which [`super::Facts::user`] holds.
    OfUser(Uuid),
}
