//! What every apply left: applies and versions, the same questions for both
//! engines. Imports core.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Engine, PreparedSecret, Store};
use crate::address::Address;
use crate::diff::differ::Differ;
use crate::diff::earlier::Earlier;
use crate::diff::plan::{Object, Plan};
use crate::diff::secret::SecretFacts;
use crate::error::{Error, Result};
use crate::fields::FieldsPool;
use crate::history::drift::Drift;
use crate::history::release::ReleasePlan;
use crate::history::undone::Undone;
use crate::history::window::WindowReader;
use crate::history::{AppliedState, BindingVersion, Versions};
use crate::phone::E164;
use crate::routing::window::Window;
use crate::snapshot::{ApplyId, ApplyRecord, Snapshot};

/// Rows that are asked for at a time.
const CHUNK: usize = 1000;

/// Versions of bindings to read.
#[derive(Debug, Clone)]
pub enum Select {
    /// Those that outlived an apply, or began after it.
    After(ApplyId),
    /// Those that an apply began or ended.
    Of(ApplyId),
    /// Those that are current.
    Current,
    /// Those of these numbers, whoever's they are.
    Numbers(Vec<E164>),
    /// Those of these number rows.
    Rows(Vec<Uuid>),
    /// All of the number rows that one of these applies touched.
    TouchedBy(Vec<ApplyId>),
    /// All of the number rows that an apply after this one touched.
    TouchedAfter(ApplyId),
}

impl Select {
    /// The condition in SQL; `q` precedes a table's name.
    pub(super) fn condition(&self, q: &str) -> String {
        match self {
            Select::After(apply) => format!("until IS NULL OR until > {apply}"),
            Select::Of(apply) => format!("since = {apply} OR until = {apply}"),
            Select::Current => "until IS NULL".to_owned(),
            Select::Numbers(numbers) => {
                let digits = numbers.iter().map(|number| number.digits().to_string());
                among("number", digits.collect())
            }
            Select::TouchedBy(applies) => {
                let applies: Vec<String> = applies.iter().map(ToString::to_string).collect();
                let (began, ended) = (among("since", applies.clone()), among("until", applies));
                format!(
                    "number_id IN (SELECT number_id FROM {q}lkroute_bindings
                                   WHERE {began} OR {ended})"
                )
            }
            Select::TouchedAfter(apply) => format!(
                "number_id IN (SELECT number_id FROM {q}lkroute_bindings
                               WHERE since > {apply} OR until > {apply})"
            ),
            Select::Rows(rows) => {
                let quoted = rows.iter().map(|row| format!("'{row}'"));
                among("number_id", quoted.collect())
            }
        }
    }
}

fn among(column: &str, values: Vec<String>) -> String {
    match values.is_empty() {
        true => "1 = 0".to_owned(),
        false => format!("{column} IN ({})", values.join(", ")),
    }
}

/// Is handed versions of bindings, and the pool of their fields.
pub type EachVersion<'a> = dyn FnMut(&mut FieldsPool, BindingVersion) + 'a;

/// The way back to what an apply left.
#[derive(Debug)]
pub struct Back {
    pub snapshot: Snapshot,
    /// All of them, the newest first.
    pub applies: Vec<ApplyRecord>,
    pub versions: Versions,
    pub state: AppliedState,
    pub plan: Plan,
}

impl Back {
    /// The secrets that the plan writes, as they were stored then; nothing is
    /// opened or sealed for it.
    pub fn secrets(&self) -> HashMap<Uuid, PreparedSecret> {
        let mut secrets = HashMap::new();
        let configs = self
            .plan
            .changes
            .iter()
            .filter_map(|change| match change.object {
                Object::Config(_) => Some((change, change.row?)),
                Object::Region(_) | Object::Binding { .. } => None,
            });
        for (change, row) in configs {
            let then = self.state.configs.get(&row);
            let found = self.state.found.configs.get(&row);
            let text = match then {
                Some(then) => then.sealed.clone(),
                None => found.and_then(|found| found.sealed.clone()),
            };
            let prepared = PreparedSecret {
                text: text.filter(|_| self.plan.writes_secret(change)),
                fingerprint: then.and_then(|then| then.owned.fingerprint.clone()),
                source: then.map(|then| then.owned.secret_source.clone()),
            };
            secrets.insert(row, prepared);
        }
        secrets
    }
}

fn no_apply(wanted: Option<ApplyId>, last: Option<&ApplyRecord>) -> Error {
    match (wanted, last) {
        (Some(wanted), Some(last)) => Error::new(format!(
            "there is no apply {wanted}: the last one is {}",
            last.id
        ))
        .hint("`lkroute history` lists them"),
        _ => Error::new("nothing has been applied to this database"),
    }
}

impl Store {
    /// All applies, the newest first.
    pub async fn applies(&mut self) -> Result<Vec<ApplyRecord>> {
        if !self.has_own_tables() {
            return Ok(Vec::new());
        }
        on!(self, engine => engine.applies().await)
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
        select: &Select,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        if !self.has_own_tables() {
            return Ok(());
        }
        on!(self, engine => engine.binding_versions(select, pool, each).await)
    }

    /// The state that an apply left, the last where none is named, and the
    /// plan that brings it back. Reads from first to last in one moment; the
    /// ids that the plan needs come from `new_id`.
    ///
    /// # Errors
    /// No apply of that number.
    pub async fn back_to(
        &mut self,
        apply: Option<ApplyId>,
        progress: &mut dyn FnMut(u64),
        new_id: fn() -> Uuid,
    ) -> Result<Back> {
        let back = self.way_back(apply, progress, new_id).await?;
        self.end_read().await?;
        Ok(back)
    }

    async fn way_back(
        &mut self,
        apply: Option<ApplyId>,
        progress: &mut dyn FnMut(u64),
        new_id: fn() -> Uuid,
    ) -> Result<Back> {
        self.begin_read().await?;
        let snapshot = self.snapshot().await?;
        let applies = self.applies().await?;
        let apply = match (apply, &snapshot.last_apply) {
            (Some(apply), _) if applies.iter().any(|known| known.id == apply) => apply,
            (None, Some(last)) => last.id,
            (apply, last) => return Err(no_apply(apply, last.as_ref())),
        };
        let versions = self.versions().await?;
        let mut pool = FieldsPool::default();
        let mut state = AppliedState::at(apply, &versions, &snapshot);
        self.binding_versions(&Select::After(apply), &mut pool, &mut |pool, version| {
            state.binding(&version, pool);
        })
        .await?;
        let facts = SecretFacts::default();
        let earlier = self.earlier(snapshot.guards.window(), &applies).await?;
        let mut differ = Differ::new(&state.routing, &snapshot, &facts, new_id);
        differ.since(earlier);
        self.feed(&mut differ, progress).await?;
        let plan = differ.finish(new_id).giving_back(&state.found, &pool);
        Ok(Back {
            snapshot,
            applies,
            versions,
            state,
            plan,
        })
    }

    /// What rollbacks undid, told from the versions. After
    /// [`Store::snapshot`], in the same read.
    pub async fn undone(&mut self, applies: &[ApplyRecord]) -> Result<Undone> {
        let rollbacks = Undone::rollbacks(applies);
        if rollbacks.is_empty() {
            return Ok(Undone::default());
        }
        let versions = self.versions().await?;
        let mut undone = Undone::new(applies, &versions);
        let mut pool = FieldsPool::default();
        let mut take =
            |pool: &mut FieldsPool, version: BindingVersion| undone.binding(&version, pool);
        let select = Select::TouchedBy(rollbacks);
        self.binding_versions(&select, &mut pool, &mut take).await?;
        undone.end(&pool);
        Ok(undone)
    }

    /// What there was when the window of the budgets began, by the clock of the
    /// database. After [`Store::snapshot`], in the same read.
    pub async fn earlier(
        &mut self,
        window: Window,
        applies: &[ApplyRecord],
    ) -> Result<Option<Earlier>> {
        if applies.is_empty() {
            return Ok(None);
        }
        let recent = on!(self, engine => engine.recent_applies(window.seconds()).await)?;
        let Some(mut reader) = WindowReader::new(window, recent, applies) else {
            return Ok(None);
        };
        reader.objects(&self.versions().await?);
        let mut pool = FieldsPool::default();
        let select = Select::TouchedAfter(reader.start());
        let mut take =
            |pool: &mut FieldsPool, version: BindingVersion| reader.binding(&version, pool);
        self.binding_versions(&select, &mut pool, &mut take).await?;
        Ok(Some(reader.finish(&pool)))
    }

    /// What has drifted since the last apply, and what was read for that.
    ///
    /// # Errors
    /// Nothing has been applied yet.
    pub async fn drift(
        &mut self,
        progress: &mut dyn FnMut(u64),
        new_id: fn() -> Uuid,
    ) -> Result<(Drift, Snapshot)> {
        let back = self.way_back(None, progress, new_id).await?;
        let mut pool = FieldsPool::default();
        let mut bindings = Vec::new();
        let mut touched = HashMap::new();
        for rows in Drift::rows(&back.plan).chunks(CHUNK) {
            let select = Select::Rows(rows.to_vec());
            let mut take = |_: &mut FieldsPool, version| bindings.push(version);
            self.binding_versions(&select, &mut pool, &mut take).await?;
            touched.extend(self.touched(rows).await?);
        }
        self.end_read().await?;
        let live = back.snapshot.configs.iter();
        touched.extend(live.filter_map(|row| Some((row.id, row.updated_at.clone()?))));
        let history = (&back.versions, bindings.as_slice(), &pool);
        let drift = Drift::new(back.plan, history, &back.applies, touched);
        Ok((drift, back.snapshot))
    }

    /// The plan that gives objects back, or everything; else the objects that
    /// lkroute does not have.
    pub async fn release(
        &mut self,
        wanted: Option<&[Address]>,
    ) -> Result<(Result<Plan, Vec<Address>>, Snapshot)> {
        self.begin_read().await?;
        let snapshot = self.snapshot().await?;
        let mut release = ReleasePlan::new(wanted, &snapshot);
        let select = release.numbers().map_or(Select::Current, Select::Numbers);
        let mut pool = FieldsPool::default();
        let mut take = |pool: &mut FieldsPool, version: BindingVersion| {
            if version.until.is_none() {
                release.binding(&version.owned, pool);
            }
        };
        self.binding_versions(&select, &mut pool, &mut take).await?;
        self.end_read().await?;
        Ok((release.finish(), snapshot))
    }

    /// When these number rows were last written to, RFC 3339, as far as they
    /// say it.
    pub async fn touched(&mut self, rows: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        on!(self, engine => engine.touched(rows).await)
    }
}
