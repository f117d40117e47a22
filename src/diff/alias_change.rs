//! A name of a tenant that an apply changes. Core: imports nothing of lkroute.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// The name of a tenant, which becomes another one, or ends because another
/// tenant gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AliasChange {
    pub tenant: Uuid,
    pub before: Option<String>,
    pub after: Option<String>,
}
