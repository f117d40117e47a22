//! What every apply left: applies and versions, the same questions for both
//! engines. Imports core.

use std::collections::HashMap;

use uuid::Uuid;

use super::engine::StoreEngine;
use super::{Engine, Store};
use crate::error::Result;
use crate::fields::FieldsPool;
use crate::history::window::WindowApply;
use crate::history::{BindingVersion, Versions};
use crate::phone::E164;
use crate::routing::window::Window;
use crate::snapshot::{ApplyId, ApplyRecord};

/// Versions of bindings to read.
#[derive(Debug, Clone)]
pub enum VersionFilter {
    /// Those that outlived an apply, or began after it.
    After(ApplyId),
    /// Those that an apply began or ended.
    Of(ApplyId),
    /// Those that are current.
    Current,
    /// The same in whatever order they come.
    CurrentUnordered,
    /// Those of these numbers, whoever's they are.
    Numbers(Vec<E164>),
    /// Those of these number rows.
    Rows(Vec<Uuid>),
    /// All of the number rows that one of these applies touched.
    TouchedBy(Vec<ApplyId>),
    /// All of the number rows that an apply after this one changed or took over.
    /// One that it inserted, and that is as it was then, is not among them.
    ChangedAfter(ApplyId),
}

impl VersionFilter {
    /// The condition in SQL; `prefix` precedes a table's name.
    pub(super) fn condition(&self, prefix: &str) -> String {
        match self {
            VersionFilter::After(apply) => format!("until IS NULL OR until > {apply}"),
            VersionFilter::Of(apply) => format!("since = {apply} OR until = {apply}"),
            VersionFilter::Current | VersionFilter::CurrentUnordered => "until IS NULL".to_owned(),
            VersionFilter::Numbers(numbers) => {
                let digits = numbers.iter().map(|number| number.digits().to_string());
                among("number", digits.collect())
            }
            VersionFilter::TouchedBy(applies) => {
                let applies: Vec<String> = applies.iter().map(ToString::to_string).collect();
                let (began, ended) = (among("since", applies.clone()), among("until", applies));
                format!(
                    "number_id IN (SELECT number_id FROM {prefix}lkroute_bindings
                                   WHERE {began} OR {ended})"
                )
            }
            // Most rows of a first apply are not wanted, which comes to a fifth of
            // the time of a plan.
            VersionFilter::ChangedAfter(apply) => format!(
                "number_id IN (SELECT number_id FROM {prefix}lkroute_bindings
                               WHERE until > {apply} OR (since > {apply} AND NOT inserted))"
            ),
            VersionFilter::Rows(rows) => {
                let quoted = rows.iter().map(|row| format!("'{row}'"));
                among("number_id", quoted.collect())
            }
        }
    }
}

impl VersionFilter {
    /// How they are put in order: sorting a million takes longer than reading
    /// them.
    pub(super) fn order(&self) -> &'static str {
        match self {
            VersionFilter::CurrentUnordered => "",
            _ => " ORDER BY number_id, since",
        }
    }
}

fn among(column: &str, values: Vec<String>) -> String {
    if values.is_empty() {
        "1 = 0".to_owned()
    } else {
        format!("{column} IN ({})", values.join(", "))
    }
}

/// Is handed versions of bindings, and the pool of their fields.
pub type EachVersion<'a> = dyn FnMut(&mut FieldsPool, BindingVersion) + 'a;

impl Store {
    /// All applies, the newest first.
    pub async fn applies(&mut self) -> Result<Vec<ApplyRecord>> {
        if !self.has_own_tables() {
            return Ok(Vec::new());
        }
        on!(self, engine => engine.applies().await)
    }

    /// The applies within a window, by the clock of the database, the oldest
    /// first.
    pub async fn recent_applies(&mut self, window: Window) -> Result<Vec<WindowApply>> {
        on!(self, engine => engine.recent_applies(window.seconds()).await)
    }

    /// All versions of regions and configs.
    pub async fn versions(&mut self) -> Result<Versions> {
        if !self.has_own_tables() {
            return Ok(Versions::default());
        }
        on!(self, engine => engine.versions().await)
    }

    /// Hands versions of bindings to `each`: those of a row one after the
    /// other, the oldest first. After [`Store::snapshot`].
    pub async fn binding_versions(
        &mut self,
        select: &VersionFilter,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        if !self.has_own_tables() {
            return Ok(());
        }
        on!(self, engine => engine.binding_versions(select, pool, each).await)
    }

    /// When these number rows were last written to, RFC 3339, as far as they
    /// say it.
    pub async fn touched(&mut self, rows: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        on!(self, engine => engine.touched(rows).await)
    }
}
