//! `[guards]`: how much one change may do, what it may not touch, and what
//! every config must look like. The types; the room `guards` checks plans
//! against them. Core: imports only the model.
//!
//! They are reviewed lines in the files, and stored with each apply, so that
//! a change can't loosen the guard that it would trip.

use std::collections::{BTreeMap, BTreeSet};

/// The codes of the guards that an exception can name.
pub const CODES: [&str; 16] = [
    "route-lost",
    "tenant-rerouted",
    "budget-deletes",
    "budget-updates",
    "budget-reroutes",
    "protected",
    "cross-region",
    "plain-http",
    "host-not-allowed",
    "worker-not-allowed",
    "field-required",
    "policy-uncovered",
    "secret-shared",
    "terms-widened",
    "trunk-lacks-number",
    "undone",
];

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::quoted;
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::finding::Place;
use crate::routing::window::Window;

/// Everything under `[guards]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Guards {
    pub deletes: Budget,
    pub updates: Budget,
    pub reroutes: Budget,
    /// Globs over addresses: no delete, no reroute.
    pub protected: Vec<String>,
    pub policy: Policy,
    /// `secrets.env`: the variables that secrets may come from, beside those
    /// that are named for it. Stored with each apply, so that a change can't
    /// list what it reads itself; `None` where it was never stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<Vec<String>>,
    /// How long applies count together against the budgets of reroutes. The
    /// one that is stored counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Reviewed exceptions; never stored: they count for the files they are in.
    #[serde(skip)]
    pub allow: Vec<Allowance>,
}

/// A limit overall, for each region and for each tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    pub overall: Limit,
    pub per_region: Limit,
    pub per_tenant: Limit,
}

/// An absolute number and a share of all that there is; both must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    pub max: Option<u64>,
    /// 0 to 100.
    pub percent: Option<f64>,
}

/// Rules about configs, whatever the change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// `plain_http = "deny"`: no `http` or `ws` to a public host.
    pub deny_plain_http: bool,
    /// Allowed hosts, as globs, by region.
    pub hosts: BTreeMap<String, Vec<String>>,
    /// Allowed worker names, as globs, by environment (`*` for any).
    pub workers: BTreeMap<String, Vec<String>>,
    /// `cross_region = "deny"`: no number moves from a region to another.
    pub deny_cross_region: bool,
    /// `widen = "deny"`: no number may call more countries than before, or
    /// dial other digits.
    pub deny_widen: bool,
    /// Fields that every config must set.
    pub require: Vec<Field>,
}

/// The guards that a database keeps: those of the last apply that had any.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum StoredGuards {
    /// No apply has stored any.
    #[default]
    None,
    Guards(Box<Guards>),
    /// Why they can't be read. They are never taken for none.
    Unreadable(String),
}

impl StoredGuards {
    /// Of the text that an apply stored, if one did.
    pub fn read(text: Option<&str>) -> StoredGuards {
        match text.map(serde_json::from_str::<Option<Box<Guards>>>) {
            None | Some(Ok(None)) => StoredGuards::None,
            Some(Ok(Some(guards))) => StoredGuards::Guards(guards),
            Some(Err(error)) => StoredGuards::Unreadable(error.to_string()),
        }
    }

    /// The window of budgets, which a change can't set for itself.
    pub fn window(&self) -> Window {
        let StoredGuards::Guards(guards) = self else {
            return Window::default();
        };
        guards.window.unwrap_or_default()
    }

    /// The guards, where there are any.
    ///
    /// # Errors
    /// They can't be read.
    pub fn readable(&self) -> Result<Option<&Guards>> {
        match self {
            StoredGuards::None => Ok(None),
            StoredGuards::Guards(guards) => Ok(Some(guards)),
            StoredGuards::Unreadable(why) => Err(Error::new(format!(
                "the guards that the last apply stored can't be read: {why}"
            ))
            .hint(
                "a newer lkroute may read them; `lkroute migrate --reset-guards --reason TEXT` \
                 forgets them, and keeps a record of it: then only those of the files hold",
            )),
        }
    }
}

/// What an apply stores as guards where that is not what is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardsChange {
    pub before: Guards,
    pub after: Guards,
}

/// One setting of the guards, before and after, by its name in the files.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingChange {
    pub name: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl GuardsChange {
    /// Where they differ; exceptions are not stored and don't count.
    pub fn between(stored: Option<&Guards>, declared: &Guards) -> Option<GuardsChange> {
        // A list that was never stored allows as much as an empty one.
        let stored_form = |guards: Guards| Guards {
            allow: Vec::new(),
            secret_env: Some(guards.secret_env.unwrap_or_default()),
            ..guards
        };
        let before = stored_form(stored.cloned().unwrap_or_default());
        let after = stored_form(declared.clone());
        (before != after).then_some(GuardsChange { before, after })
    }

    /// The settings that differ, by name.
    pub fn settings(&self) -> Vec<SettingChange> {
        let (before, after) = (self.before.settings(), self.after.settings());
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let both = names.into_iter().map(|name| SettingChange {
            name: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        });
        both.filter(|setting| setting.before != setting.after)
            .collect()
    }
}

/// `[[guards.allow]]`: an exception, by name, with a reason and an end.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// The code of the guard, as the refusal prints it.
    pub guard: String,
    /// Exact addresses.
    pub addresses: Vec<String>,
    /// How many numbers or objects at most.
    pub max: Option<u64>,
    pub reason: String,
    /// The last day on which it counts, `YYYY-MM-DD`.
    pub expires: String,
    pub place: Place,
}

impl Limit {
    /// The stricter of two limits, each part for itself.
    pub fn stricter(self, other: Limit) -> Limit {
        let least = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let max = match (self.max, other.max) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Limit {
            max,
            percent: least(self.percent, other.percent),
        }
    }

    /// Whether `count` of `total` is too many.
    pub fn exceeded(self, count: u64, total: u64) -> bool {
        let share = |percent: f64| count as f64 * 100.0 > percent * total as f64;
        self.max.is_some_and(|max| count > max) || self.percent.is_some_and(share)
    }
}

impl Budget {
    fn settings(&self, name: &str, settings: &mut BTreeMap<String, Value>) {
        let Budget {
            overall,
            per_region,
            per_tenant,
        } = self;
        for (part, limit) in [
            ("", overall),
            (".per_region", per_region),
            (".per_tenant", per_tenant),
        ] {
            let Limit { max, percent } = limit;
            let mut set = |what: &str, value: Option<Value>| {
                settings.extend(value.map(|value| (format!("{name}{part}.{what}"), value)));
            };
            set("max", max.map(Value::from));
            set("percent", percent.map(Value::from));
        }
    }

    fn stricter(self, other: Budget) -> Budget {
        Budget {
            overall: self.overall.stricter(other.overall),
            per_region: self.per_region.stricter(other.per_region),
            per_tenant: self.per_tenant.stricter(other.per_tenant),
        }
    }
}

impl Guards {
    /// What is set, by its name below `[guards]` in the files; `secrets.env` by
    /// its own.
    pub fn settings(&self) -> BTreeMap<String, Value> {
        let Guards {
            deletes,
            updates,
            reroutes,
            protected,
            policy,
            secret_env,
            window,
            allow: _,
        } = self;
        let mut settings = BTreeMap::new();
        for (name, budget) in [
            ("deletes", deletes),
            ("updates", updates),
            ("reroutes", reroutes),
        ] {
            budget.settings(name, &mut settings);
        }
        if !protected.is_empty() {
            settings.insert("protected".to_owned(), protected.clone().into());
        }
        policy.settings(&mut settings);
        if let Some(window) = window {
            settings.insert("window".to_owned(), window.to_string().into());
        }
        if let Some(names) = secret_env.as_ref().filter(|names| !names.is_empty()) {
            settings.insert("secrets.env".to_owned(), names.clone().into());
        }
        settings
    }

    /// The budgets and the protection that are enforced: the stricter of those
    /// in the files and those of the last apply. Policies, which are judged one
    /// by one, and exceptions are those of the files.
    pub fn stricter(&self, applied: &Guards) -> Guards {
        let mut protected = self.protected.clone();
        let more = applied
            .protected
            .iter()
            .filter(|glob| !self.protected.contains(glob));
        protected.extend(more.cloned());
        Guards {
            deletes: self.deletes.stricter(applied.deletes),
            updates: self.updates.stricter(applied.updates),
            reroutes: self.reroutes.stricter(applied.reroutes),
            protected,
            policy: self.policy.clone(),
            secret_env: applied
                .secret_env
                .clone()
                .or_else(|| self.secret_env.clone()),
            window: self.window,
            allow: self.allow.clone(),
        }
    }
}

impl Policy {
    fn settings(&self, settings: &mut BTreeMap<String, Value>) {
        let Policy {
            deny_plain_http,
            hosts,
            workers,
            deny_cross_region,
            deny_widen,
            require,
        } = self;
        let mut set = |name: String, value: Value| {
            settings.insert(format!("policy.{name}"), value);
        };
        for (name, denied) in [
            ("plain_http", deny_plain_http),
            ("cross_region", deny_cross_region),
            ("widen", deny_widen),
        ] {
            if *denied {
                set(name.to_owned(), "deny".into());
            }
        }
        for (name, lists) in [("hosts", hosts), ("workers", workers)] {
            for (of, allowed) in lists {
                set(format!("{name}.{}", quoted(of)), allowed.clone().into());
            }
        }
        if !require.is_empty() {
            let fields = require.iter().map(|field| field.as_str());
            set("require".to_owned(), fields.collect::<Vec<_>>().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_cannot_loosen_its_own_guard() {
        let strict = Limit {
            max: Some(1),
            percent: None,
        };
        let loose = Limit {
            max: Some(10),
            percent: Some(50.0),
        };
        let enforced = loose.stricter(strict);
        assert_eq!((enforced.max, enforced.percent), (Some(1), Some(50.0)));
        assert!(enforced.exceeded(2, 100));
        assert!(enforced.exceeded(1, 1));
        assert!(!enforced.exceeded(1, 2));
    }
}
