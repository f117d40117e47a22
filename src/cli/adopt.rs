//! `lkroute adopt`: writes the lines that take over what is in conflict. It
//! touches files, never the database. Imports what commands share.

use std::collections::BTreeMap;

use clap::Args;

use super::keys::KeyArgs;
use super::planning::{self, Planned, Wish};
use super::shell::Shell;
use super::{Stop, database, editing};
use crate::address::Address;
use crate::diff::plan::{Action, Change, Kind, Object};
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::render::escape::visible;
use crate::render::style::counted;
use crate::source::write::edit::{Edit, Edits};

const EXAMPLES: &str = "\
Examples:
  lkroute adopt config.uae-vm-selfhosted
  lkroute adopt --all

A field in conflict holds a value that lkroute did not set. An `adopt` line in
the files says that it may be set to what the files say: somebody reviews it
like any other line. Nothing changes in the database until the next apply, and
a line that is no longer needed is a warning.";

/// Write the lines that take over values of others
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct AdoptArgs {
    /// The config or binding in conflict; may be repeated
    #[arg(value_name = "ADDRESS", required_unless_present = "all")]
    addresses: Vec<Address>,

    /// All that is in conflict
    #[arg(long, conflicts_with = "addresses")]
    all: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

impl AdoptArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let wish = Wish::default();
        let planned = database::block_on(planning::plan(shell, &ring, wish))?;
        let takeovers = self.takeovers(&planned)?;
        if takeovers.is_empty() {
            shell.note(match planned.plan.conflicts().count() {
                0 => "nothing is in conflict, so there is nothing to adopt",
                _ => "no adopt line helps in these conflicts; `lkroute plan` says what does",
            });
            return Ok(Exit::Done);
        }
        editing::write(shell, &edits(shell, &planned, &takeovers))?;
        let mut report = String::new();
        for takeover in &takeovers {
            let fields: Vec<&str> = takeover.fields.iter().map(|field| field.as_str()).collect();
            let address = planned.plan.address(takeover.change.object);
            report += &format!(
                "{}: {address}: adopt {}\n",
                visible(takeover.file),
                fields.join(", ")
            );
        }
        shell.print(&report)?;
        let what = counted(takeovers.len() as u64, "object");
        shell.note(&format!(
            "{what} taken over in the files; look at `lkroute plan` next"
        ));
        Ok(Exit::Done)
    }

    fn takeovers<'a>(&self, planned: &'a Planned) -> Result<Vec<TakeOver<'a>>> {
        let plan = &planned.plan;
        let mut takeovers = Vec::new();
        let mut asked = self.addresses.clone();
        for change in plan.conflicts() {
            let address = plan.address(change.object);
            let wanted = self.all || asked.contains(&address);
            asked.retain(|other| *other != address);
            if !wanted {
                continue;
            }
            match TakeOver::of(planned, change) {
                Some(takeover) => takeovers.push(takeover),
                None if self.all => {}
                None => {
                    let message = format!("{address}: this conflict can't be solved by adopting");
                    return Err(Error::new(message).hint("`lkroute plan` says what to do"));
                }
            }
        }
        match asked.first() {
            Some(address) => Err(Error::new(format!("{address} is not in conflict"))
                .hint("`lkroute plan` lists what is")),
            None => Ok(takeovers),
        }
    }
}

/// Fields of one object that are to be taken over, and where it is declared.
struct TakeOver<'a> {
    change: &'a Change,
    file: &'a str,
    fields: Vec<Field>,
}

impl<'a> TakeOver<'a> {
    /// None where an `adopt` line would not help.
    fn of(planned: &'a Planned, change: &'a Change) -> Option<TakeOver<'a>> {
        let patch = planned.plan.patch(change);
        if patch.has(Kind::Blocked) || change.action == Action::Delete {
            return None;
        }
        let fields = patch
            .fields
            .iter()
            .filter(|field| field.kind == Kind::Conflict);
        Some(TakeOver {
            change,
            file: planned.plan.source(change)?.0,
            fields: fields.map(|field| field.field).collect(),
        })
    }
}

fn edits(shell: &Shell, planned: &Planned, takeovers: &[TakeOver<'_>]) -> BTreeMap<String, Edits> {
    let plan = &planned.plan;
    let tenants = planned.routing.tenants.iter();
    let aliases: BTreeMap<_, _> = tenants
        .filter_map(|tenant| Some((tenant.alias.clone()?, tenant.id)))
        .collect();
    let mut files: BTreeMap<String, Edits> = BTreeMap::new();
    for takeover in takeovers {
        let edits = files
            .entry(takeover.file.to_owned())
            .or_insert_with(|| Edits {
                aliases: aliases.clone(),
                environment: shell.globals.env.clone(),
                ..Edits::default()
            });
        let lines = takeover
            .fields
            .iter()
            .map(|field| Edit::Adopt(*field))
            .collect();
        match takeover.change.object {
            Object::Config(ix) => {
                edits.configs.insert(plan.names[ix as usize].clone(), lines);
            }
            Object::Binding { number, tenant } => {
                let tenant = plan.tenants[tenant as usize].id;
                edits.bindings.insert((number, tenant), lines);
            }
            Object::Region(_) => {}
        }
    }
    files
}
