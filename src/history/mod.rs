//! What every apply left behind: regions, configs and bindings as versions,
//! each set by one apply and ended by another. Core: imports all rooms of the
//! core from the model to `guards`; `store` reads versions, and this room tells from them what was ([`State`]),
//! what an apply changed ([`changes`]), and what came from outside ([`drift`]).

pub mod changes;
pub(crate) mod drift;
mod give_back;
pub(crate) mod lineage;
mod previous_values;
pub mod release;
mod state;
#[cfg(test)]
mod tests;
pub(crate) mod undone;
mod undone_object;
pub mod window;

pub use previous_values::PreviousValues;
pub use state::AppliedState;

use crate::fields::{Fields, FieldsIx};
use crate::routing::CipherText;
use crate::snapshot::{ApplyId, OwnedBinding, OwnedConfig, OwnedRegion};

/// A version of a region.
#[derive(Debug, Clone)]
pub struct RegionVersion {
    pub owned: OwnedRegion,
    /// The apply that ended it; `None` for a current one.
    pub until: Option<ApplyId>,
}

/// A version of a config.
#[derive(Debug, Clone)]
pub struct ConfigVersion {
    pub owned: OwnedConfig,
    pub until: Option<ApplyId>,
    /// What the row held as its secret; `None` where that was no sealed text.
    pub sealed: Option<CipherText>,
    /// What the row held before, of the fields that this version changed or
    /// took over.
    pub found: Fields,
    pub found_sealed: Option<CipherText>,
}

/// A version of a binding.
#[derive(Debug, Clone, Copy)]
pub struct BindingVersion {
    pub owned: OwnedBinding,
    pub since: ApplyId,
    pub until: Option<ApplyId>,
    /// As in [`ConfigVersion::found`]; in the same pool as the fields.
    pub found: Option<FieldsIx>,
}

/// All versions of regions and configs, of which there are few.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    pub regions: Vec<RegionVersion>,
    pub configs: Vec<ConfigVersion>,
}

/// Whether a version was current right after an apply.
fn was_current(since: ApplyId, until: Option<ApplyId>, apply: ApplyId) -> bool {
    since <= apply && until.is_none_or(|until| until > apply)
}

impl RegionVersion {
    pub fn was_current(&self, apply: ApplyId) -> bool {
        was_current(self.owned.since, self.until, apply)
    }
}

impl ConfigVersion {
    pub fn was_current(&self, apply: ApplyId) -> bool {
        was_current(self.owned.since, self.until, apply)
    }
}

impl BindingVersion {
    /// Not of a binding that was removed, and whose row is only remembered.
    pub fn was_current(&self, apply: ApplyId) -> bool {
        !self.owned.retired && was_current(self.since, self.until, apply)
    }
}
