//! What was changed in the database since the last apply, told without the
//! files: what lkroute set against what is there. Core.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use crate::address::Address;
use crate::diff::row_reader::RowReader;
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::phone::E164;
use crate::resolve::Aliases;
use crate::snapshot::{NumberRow, OwnedBinding, Snapshot};

/// Takes in what is owned, then every row; gives the addresses that drifted.
pub struct DriftSurvey<'a> {
    aliases: &'a Aliases,
    reader: RowReader,
    /// By row; those not seen yet.
    owned: HashMap<Uuid, Owned, RandomState>,
    /// Whether a row says what was set, for each distinct pair.
    same: HashMap<(FieldsIx, FieldsIx), bool, RandomState>,
    drifted: Vec<Address>,
}

#[derive(Debug, Clone, Copy)]
struct Owned {
    tenant: Uuid,
    number: E164,
    fields: FieldsIx,
}

impl<'a> DriftSurvey<'a> {
    /// Compares the configs, and makes ready for the numbers.
    pub fn new(snapshot: &Snapshot, aliases: &'a Aliases) -> DriftSurvey<'a> {
        let live = |id: Uuid| snapshot.configs.iter().find(|config| config.id == id);
        let drifted = snapshot.owned_configs.iter().filter(|owned| {
            let mut fields = Field::OF_CONFIG.iter();
            live(owned.id).is_none_or(|live| {
                fields.any(|f| !f.is_ours_only() && owned.fields.get(*f) != live.fields.get(*f))
            })
        });
        let name = |fields: &Fields| fields.text(Field::Name).unwrap_or_default().to_owned();
        DriftSurvey {
            aliases,
            reader: RowReader::default(),
            owned: HashMap::default(),
            same: HashMap::default(),
            drifted: drifted
                .map(|owned| Address::Config(name(&owned.fields)))
                .collect(),
        }
    }

    /// Takes in what the last apply set a binding to.
    pub fn owned(&mut self, owned: OwnedBinding) {
        if !owned.retired {
            let kept = Owned {
                tenant: owned.tenant,
                number: owned.number,
                fields: owned.fields,
            };
            self.owned.insert(owned.row, kept);
        }
    }

    /// Takes in a number row; all that is owned must have been taken in, its
    /// fields interned in this pool.
    pub fn row(&mut self, row: &NumberRow<'_>, pool: &mut FieldsPool) {
        let Some(owned) = self.owned.remove(&row.id) else {
            return;
        };
        let same = match self.reader.read(row, pool) {
            Err(_) => false,
            Ok(live) => {
                let pair = self.same.entry((owned.fields, live));
                *pair.or_insert_with(|| still_holds(pool.get(owned.fields), pool.get(live)))
            }
        };
        if !same {
            self.add(owned);
        }
    }

    fn add(&mut self, owned: Owned) {
        let tenant = self.aliases.get(&owned.tenant);
        let tenant = tenant.map_or_else(|| owned.tenant.to_string(), String::clone);
        self.drifted.push(Address::Binding(owned.number, tenant));
    }

    /// The addresses, sorted; a row that never came is gone.
    pub fn finish(mut self) -> Vec<String> {
        let gone: Vec<Owned> = self.owned.drain().map(|(_, owned)| owned).collect();
        gone.into_iter().for_each(|owned| self.add(owned));
        self.drifted.sort();
        self.drifted.iter().map(Address::to_string).collect()
    }
}

/// Whether an active row holds every value that was set.
fn still_holds(owned: &Fields, live: &Fields) -> bool {
    !live.contains(Field::Status)
        && owned
            .iter()
            .all(|(field, value)| live.get(field) == Some(value))
}
