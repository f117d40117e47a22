//! What the contract (docs/semantics.md) says becomes of number rows, written
//! down a second time: shares no code with the planner or the store.

use std::collections::BTreeMap;

use crate::store::base::{CONFIG_INDIA, CONFIG_UAE};

/// A value of a key of `rules`, as JSON.
pub type Json = &'static str;

/// A row of a number. `config` and `outbound` are keys of its `rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub key: usize,
    pub active: bool,
    pub config: Option<String>,
    pub outbound: Option<String>,
    /// A key that is never ours.
    pub note: Option<String>,
}

/// What the files say of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    pub uae: bool,
    pub outbound: Option<bool>,
    /// Whether every field may be taken over.
    pub adopt: bool,
}

impl Declared {
    fn config(&self) -> String {
        let id = if self.uae { CONFIG_UAE } else { CONFIG_INDIA };
        format!("\"{id}\"")
    }

    fn outbound(&self) -> Option<String> {
        self.outbound.map(|outbound| outbound.to_string())
    }
}

/// What the last apply set a number to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owned {
    row: String,
    config: String,
    outbound: Option<String>,
    /// lkroute inserted the row.
    inserted: bool,
    /// It was removed since, and is kept in mind.
    retired: bool,
}

/// The rows by id, and what is lkroute's of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub rows: BTreeMap<String, Row>,
    owned: BTreeMap<usize, Owned>,
}

/// Something that nobody may decide but people.
#[derive(Debug, PartialEq, Eq)]
pub struct Conflict(pub usize);

/// What an apply does to a number.
#[derive(Debug, Clone)]
pub struct Effect {
    pub key: usize,
    /// The row afterwards, by its id; a new one has none yet.
    pub row: Option<(Option<String>, Row)>,
    owned: Option<Owned>,
}

impl Model {
    /// What an apply of these files would do, or why it does nothing.
    pub fn plan(&self, declared: &BTreeMap<usize, Declared>) -> Result<Vec<Effect>, Conflict> {
        let mut effects = Vec::new();
        let keys: std::collections::BTreeSet<usize> =
            declared.keys().chain(self.owned.keys()).copied().collect();
        for key in keys {
            let effect = match declared.get(&key) {
                Some(declared) => self.declare(key, declared)?,
                None => self.remove(key)?,
            };
            effects.extend(effect);
        }
        Ok(effects)
    }

    /// Carries a plan out; `ids` gives the ids of new rows.
    pub fn apply(&mut self, effects: Vec<Effect>, mut ids: impl FnMut(usize) -> String) {
        for effect in effects {
            let mut id = None;
            if let Some((known, row)) = effect.row {
                let known = known.unwrap_or_else(|| ids(effect.key));
                self.rows.insert(known.clone(), row);
                id = Some(known);
            }
            match effect.owned {
                None => drop(self.owned.remove(&effect.key)),
                Some(mut owned) => {
                    owned.row = id.unwrap_or(owned.row);
                    self.owned.insert(effect.key, owned);
                }
            }
        }
    }

    fn of_key(&self, key: usize) -> impl Iterator<Item = (&String, &Row)> {
        self.rows.iter().filter(move |(_, row)| row.key == key)
    }

    /// Ours, whatever it is; else the active one; else any.
    fn kept(&self, key: usize) -> Option<(&String, &Row)> {
        let ours = self.owned.get(&key).map(|owned| &owned.row);
        self.of_key(key)
            .max_by_key(|(id, row)| (Some(*id) == ours, row.active))
    }

    fn rivals(&self, key: usize, kept: &str) -> bool {
        self.of_key(key)
            .any(|(id, row)| row.active && id.as_str() != kept)
    }

    fn declare(&self, key: usize, declared: &Declared) -> Result<Option<Effect>, Conflict> {
        let (config, outbound) = (declared.config(), declared.outbound());
        let becomes = |row: &str, inserted| Owned {
            row: row.to_owned(),
            config: config.clone(),
            outbound: outbound.clone(),
            inserted,
            retired: false,
        };
        let Some((id, row)) = self.kept(key) else {
            let row = Row {
                key,
                active: true,
                config: Some(config.clone()),
                outbound: outbound.clone(),
                note: None,
            };
            return Ok(Some(Effect {
                key,
                row: Some((None, row)),
                owned: Some(becomes("", true)),
            }));
        };
        let ours = self.owned.get(&key).filter(|owned| owned.row == *id);
        let retired = ours.is_some_and(|owned| owned.retired);
        let counts = ours.filter(|owned| !owned.retired);
        let mut after = row.clone();
        let mut changed = false;
        let field = |declared: Option<&String>,
                     owned: Option<&String>,
                     live: &mut Option<String>,
                     changed: &mut bool,
                     adopt: bool| {
            let next = settle(declared, owned, live.as_ref(), adopt).ok_or(Conflict(key))?;
            *changed |= next.recorded || *live != next.value;
            *live = next.value;
            Ok(())
        };
        field(
            Some(&config),
            counts.map(|owned| &owned.config),
            &mut after.config,
            &mut changed,
            declared.adopt,
        )?;
        field(
            outbound.as_ref(),
            counts.and_then(|owned| owned.outbound.as_ref()),
            &mut after.outbound,
            &mut changed,
            declared.adopt,
        )?;
        if !row.active {
            if !retired && !declared.adopt {
                return Err(Conflict(key));
            }
            after.active = true;
            changed = true;
        }
        if !changed {
            return Ok(None);
        }
        if after.active && self.rivals(key, id) {
            return Err(Conflict(key));
        }
        let inserted = ours.is_some_and(|owned| owned.inserted);
        Ok(Some(Effect {
            key,
            row: Some((Some(id.clone()), after)),
            owned: Some(becomes(id, inserted)),
        }))
    }

    fn remove(&self, key: usize) -> Result<Option<Effect>, Conflict> {
        let Some(owned) = self.owned.get(&key).filter(|owned| !owned.retired) else {
            return Ok(None);
        };
        let forget = |row| {
            Ok(Some(Effect {
                key,
                row,
                owned: None,
            }))
        };
        let Some(row) = self.rows.get(&owned.row) else {
            return forget(None);
        };
        if row.active && self.rivals(key, &owned.row) {
            return Err(Conflict(key));
        }
        let mut after = row.clone();
        let gone = |owned: Option<&String>, live: &Option<String>| {
            let next = settle(None, owned, live.as_ref(), false).ok_or(Conflict(key))?;
            Ok(next.value)
        };
        after.config = gone(Some(&owned.config), &row.config)?;
        after.outbound = gone(owned.outbound.as_ref(), &row.outbound)?;
        after.active = row.active && !owned.inserted;
        let kept = owned.inserted.then(|| Owned {
            retired: true,
            ..owned.clone()
        });
        Ok(Some(Effect {
            key,
            row: Some((Some(owned.row.clone()), after)),
            owned: kept,
        }))
    }
}

struct Settled {
    value: Option<String>,
    /// Our record of it changes, though the row may not.
    recorded: bool,
}

/// One field, by what the files say, what the last apply set, and what is
/// there; `None` is a conflict.
fn settle(
    declared: Option<&String>,
    owned: Option<&String>,
    live: Option<&String>,
    adopt: bool,
) -> Option<Settled> {
    let to = |value: Option<&String>, recorded| {
        Some(Settled {
            value: value.cloned(),
            recorded,
        })
    };
    match (declared, owned) {
        (None, None) => to(live, false),
        (Some(_), None) if live == declared => to(declared, true),
        (Some(_), None) if live.is_none_or(|live| live == "null") || adopt => to(declared, true),
        (Some(_), Some(_)) if live == owned || declared == owned => to(declared, declared != owned),
        (Some(_), Some(_)) if live == declared || adopt => to(declared, true),
        (None, Some(_)) if live == owned || live.is_none() || adopt => to(None, true),
        _ => None,
    }
}
