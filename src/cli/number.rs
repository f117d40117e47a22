//! `--number`: one number before and after a plan. Imports `app`.

use clap::Args;

use super::names;
use super::words::name;
use crate::app::number_request::NumberRequest;
use crate::phone::E164;

#[derive(Args, Clone, Debug, Default)]
pub struct NumberArgs {
    /// One number: where its calls go before and after, step by step
    #[arg(long, value_name = "NUMBER", value_parser = names::number)]
    number: Option<E164>,

    /// Whose number it is: a name of the files, or a uuid; without it every
    /// tenant's that has it
    #[arg(long, value_name = "TENANT", value_parser = name, requires = "number")]
    tenant: Option<String>,
}

impl NumberArgs {
    pub fn request(&self) -> Option<NumberRequest> {
        Some(NumberRequest {
            number: self.number?,
            tenant: self.tenant.clone(),
        })
    }
}
