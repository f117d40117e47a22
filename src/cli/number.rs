//! `--number`: one number before and after a plan. Imports `app`.

use clap::Args;

use super::names::{NamedNumber, named_number, nfc_name};
use crate::app::number_request::NumberRequest;
use crate::error::Result;

#[derive(Args, Clone, Debug, Default)]
pub(super) struct NumberArgs {
    /// One number: where its calls go before and after, step by step
    #[arg(long, value_name = "NUMBER", value_parser = named_number)]
    number: Option<NamedNumber>,

    /// Whose number it is: a name of the files, or a uuid; without it every
    /// tenant's that has it
    #[arg(long, value_name = "TENANT", value_parser = nfc_name, requires = "number")]
    tenant: Option<String>,
}

impl NumberArgs {
    /// What is asked for, if anything.
    ///
    /// # Errors
    /// The address and `--tenant` name two tenants.
    pub(super) fn request(&self) -> Result<Option<NumberRequest>> {
        let Some(named) = &self.number else {
            return Ok(None);
        };
        Ok(Some(NumberRequest {
            number: named.number,
            selector: named.tenant_selector(self.tenant.as_deref(), None)?,
        }))
    }
}
