//! Rows of either engine as the core's values. Imports core.
//!
//! Each function names the columns that it reads, in order; both engines
//! select them so.

use std::borrow::Cow;

use serde_json::Value;
use sqlx::Error;
use uuid::Uuid;

use super::row_ext::{RowExt, null};
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::guards::account::BudgetAccount;
use crate::history::window::WindowApply;
use crate::history::{ConfigVersion, RegionVersion};
use crate::routing::CipherText;
use crate::snapshot::{
    ApplyRecord, LiveConfig, OddConfigRow, OwnedConfig, OwnedRegion, SourceLine,
};

/// Columns of `voice_agent_livekit`, from `first` on: id, those of
/// [`Field::COLUMNS_OF_CONFIG`], updated_at as RFC 3339.
pub(super) fn live_config(row: &impl RowExt, first: usize) -> Result<LiveConfig, Error> {
    let mut fields = Fields::new();
    let mut secret = CipherText::new("");
    let mut broken = Vec::new();
    let mut at = first;
    for field in Field::COLUMNS_OF_CONFIG {
        at += 1;
        let text = row.any_text(at)?;
        if matches!(text, Some(Cow::Owned(_))) {
            broken.push(field);
        }
        if field == Field::ApiSecret {
            let text = text.ok_or_else(|| null(at))?;
            secret = CipherText::new(text);
            fields.set(field, Some(secret.digest().into()));
        } else {
            fields.set_text(field, text.as_deref());
        }
    }
    Ok(LiveConfig {
        id: row.some_uuid(first)?,
        fields,
        secret,
        updated_at: row.any_text(at + 1)?.map(Cow::into_owned),
        broken,
    })
}

/// A row of `voice_agent_livekit`, as for [`live_config`], whose id is no uuid:
/// SQLite takes any text, and either engine none without a primary key.
pub(super) fn odd_config(row: &impl RowExt) -> Result<Option<OddConfigRow>, Error> {
    let id = row.any_text(0)?.unwrap_or(Cow::Borrowed("NULL"));
    if Uuid::parse_str(&id).is_ok() {
        return Ok(None);
    }
    let name = Field::COLUMNS_OF_CONFIG
        .iter()
        .position(|field| *field == Field::Name);
    let name = name.map(|at| row.any_text(at + 1)).transpose()?.flatten();
    Ok(Some(OddConfigRow {
        id: id.into_owned(),
        name: name.unwrap_or_default().into_owned(),
    }))
}

/// Columns of `lkroute_configs`: id, since, fields, secret_source,
/// fingerprint, file, line, inserted.
pub(super) fn owned_config(row: &impl RowExt) -> Result<OwnedConfig, Error> {
    Ok(OwnedConfig {
        id: row.some_uuid(0)?,
        since: row.some_int(1)?,
        fields: fields(row.some_text(2)?)?,
        secret_source: row.some_text(3)?.to_owned(),
        fingerprint: row.text(4)?.map(str::to_owned),
        source: source(row, 5)?,
        inserted: row.flag(7)?,
    })
}

/// Columns of `lkroute_configs`: those of [`owned_config`], then until,
/// sealed, found, found_sealed.
pub(super) fn config_version(row: &impl RowExt) -> Result<ConfigVersion, Error> {
    Ok(ConfigVersion {
        owned: owned_config(row)?,
        until: row.int(8)?,
        sealed: row.text(9)?.map(CipherText::new),
        found: row.text(10)?.map(fields).transpose()?.unwrap_or_default(),
        found_sealed: row.text(11)?.map(CipherText::new),
    })
}

/// Columns of `lkroute_regions`: those of [`owned_region`], then until.
pub(super) fn region_version(row: &impl RowExt) -> Result<RegionVersion, Error> {
    Ok(RegionVersion {
        owned: owned_region(row)?,
        until: row.int(5)?,
    })
}

/// Columns of `lkroute_regions`: name, since, fields, file, line.
pub(super) fn owned_region(row: &impl RowExt) -> Result<OwnedRegion, Error> {
    Ok(OwnedRegion {
        name: row.some_text(0)?.to_owned(),
        since: row.some_int(1)?,
        fields: fields(row.some_text(2)?)?,
        source: source(row, 3)?,
    })
}

/// Columns of `lkroute_applies`: id, at, actor, revision, dirty, kind, reason,
/// version, counts, files, restores.
pub(super) fn apply_record(row: &impl RowExt) -> Result<ApplyRecord, Error> {
    let json = |ix| serde_json::from_str(row.some_text(ix)?).map_err(|e| Error::Decode(e.into()));
    Ok(ApplyRecord {
        id: row.some_int(0)?,
        at: row.some_text(1)?.to_owned(),
        actor: row.some_text(2)?.to_owned(),
        revision: row.text(3)?.map(str::to_owned),
        dirty: row.flag(4)?,
        kind: row.some_text(5)?.to_owned(),
        reason: row.text(6)?.map(str::to_owned),
        version: row.some_text(7)?.to_owned(),
        counts: json(8)?,
        files: row.text(9)?.map(str::to_owned),
        restores: row.int(10)?,
    })
}

/// Columns of `lkroute_applies`: id, account.
pub(super) fn window_apply(row: &impl RowExt) -> Result<WindowApply, Error> {
    Ok(WindowApply {
        id: row.some_int(0)?,
        account: row.text(1)?.map(BudgetAccount::read),
    })
}

/// A number whose default agent is of another tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentMismatchRow {
    /// As the row spells it.
    pub country_code: Option<String>,
    pub base_number: Option<i64>,
    pub tenant: Uuid,
    pub agent: i64,
    pub agent_tenant: Uuid,
}

/// Columns: country code, base number and tenant of a number, its agent, and
/// the agent's tenant.
pub(super) fn agent_mismatch(row: &impl RowExt) -> Result<AgentMismatchRow, Error> {
    Ok(AgentMismatchRow {
        country_code: row.text(0)?.map(str::to_owned),
        base_number: row.int(1)?,
        tenant: row.some_uuid(2)?,
        agent: row.some_int(3)?,
        agent_tenant: row.some_uuid(4)?,
    })
}

/// The file and line in two columns.
pub(super) fn source(row: &impl RowExt, first: usize) -> Result<Option<SourceLine>, Error> {
    let (file, line) = (row.int(first)?, row.int(first + 1)?);
    Ok(file.zip(line).and_then(|(file, line)| {
        Some(SourceLine {
            file: file.try_into().ok()?,
            line: line.try_into().ok()?,
        })
    }))
}

/// The JSON text of [`Fields::to_json`].
pub(super) fn fields(text: &str) -> Result<Fields, Error> {
    let value: Value = serde_json::from_str(text).map_err(|error| Error::Decode(error.into()))?;
    Ok(Fields::from_json(&value))
}

/// Values by small numbers, as lkroute's tables keep what many rows share.
/// A number that is not in use gives the default.
#[derive(Debug, Clone)]
pub(super) struct ValuesById<T>(pub Vec<T>);

impl<T> Default for ValuesById<T> {
    fn default() -> ValuesById<T> {
        ValuesById(Vec::new())
    }
}

impl<T: Default + Clone> ValuesById<T> {
    pub(super) fn put(&mut self, ix: i64, value: T) -> Result<(), Error> {
        let ix = usize::try_from(ix).map_err(|error| Error::Decode(error.into()))?;
        if self.0.len() <= ix {
            self.0.resize(ix + 1, T::default());
        }
        self.0[ix] = value;
        Ok(())
    }

    pub(super) fn get(&self, ix: i64) -> Option<&T> {
        self.0.get(usize::try_from(ix).ok()?)
    }
}

impl ValuesById<Option<Fields>> {
    /// Columns of `lkroute_settings`: id, fields.
    pub(super) fn settings<'a, R: RowExt + 'a>(
        rows: impl Iterator<Item = &'a R>,
    ) -> Result<ValuesById<Option<Fields>>, Error> {
        let mut settings = ValuesById::default();
        for row in rows {
            settings.put(row.some_int(0)?, Some(fields(row.some_text(1)?)?))?;
        }
        Ok(settings)
    }

    pub(super) fn interned(self, pool: &mut FieldsPool) -> ValuesById<Option<FieldsIx>> {
        let sets = self.0.into_iter();
        ValuesById(
            sets.map(|set| set.map(|fields| pool.intern(fields)))
                .collect(),
        )
    }
}
