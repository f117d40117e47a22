//! `--number`: one number before and after a plan. Imports core and what
//! commands share.

use clap::Args;

use super::lookup::{self, Whose};
use crate::error::Result;
use crate::impact::one_number::OneNumber;
use crate::phone::E164;
use crate::resolve::{Facts, TenantChoice};

#[derive(Args, Clone, Debug, Default)]
pub struct NumberArgs {
    /// One number: where its calls go before and after, step by step
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<E164>,

    /// Whose number it is: a name of the files, or a uuid; without it every
    /// tenant's that has it
    #[arg(long, value_name = "TENANT", requires = "number")]
    tenant: Option<String>,
}

impl NumberArgs {
    /// The number that was asked for, resolved on both sides.
    ///
    /// # Errors
    /// The tenant's name is not known.
    pub fn resolve(&self, before: &Facts, after: &Facts) -> Result<Option<OneNumber>> {
        let Some(number) = self.number else {
            return Ok(None);
        };
        let whose = self.tenant.clone().map_or(Whose::Any, Whose::Tenant);
        let tenant = match lookup::tenant(&whose, after)? {
            TenantChoice::Given(id) => Some(id),
            _ => None,
        };
        Ok(Some(OneNumber::new(number, tenant, before, after)))
    }
}
