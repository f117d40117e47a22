//! One number that a plan is to be looked at for. Imports core and `lookup`.

use super::lookup::{self, TenantSelector};
use crate::error::Result;
use crate::impact::one_number::OneNumber;
use crate::phone::E164;
use crate::resolve::{Facts, TenantChoice};

/// The number, and whose it is.
#[derive(Debug, Clone)]
pub struct NumberRequest {
    pub number: E164,
    /// A name of the files, or a uuid; without it every tenant's that has it.
    pub tenant: Option<String>,
}

impl NumberRequest {
    /// The number, resolved on both sides.
    ///
    /// # Errors
    /// The tenant's name is not known.
    pub(super) fn resolve(&self, before: &Facts, after: &Facts) -> Result<OneNumber> {
        let selector = self
            .tenant
            .clone()
            .map_or(TenantSelector::Any, TenantSelector::Tenant);
        let tenant = match lookup::choose_tenant(&selector, after)? {
            TenantChoice::Given(id) => Some(id),
            _ => None,
        };
        Ok(OneNumber::new(self.number, tenant, before, after))
    }
}
