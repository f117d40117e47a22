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
    /// By a name of the files, or a uuid; `Any` is every tenant that has it.
    pub selector: TenantSelector,
}

impl NumberRequest {
    /// The number, resolved on both sides.
    ///
    /// # Errors
    /// The tenant's name is not known.
    pub(super) fn resolve(&self, before: &Facts, after: &Facts) -> Result<OneNumber> {
        let tenant = match lookup::choose_tenant(&self.selector, after)? {
            TenantChoice::Given(id) => Some(id),
            TenantChoice::Any | TenantChoice::OfUser(_) => None,
        };
        Ok(OneNumber::new(self.number, tenant, before, after))
    }
}
