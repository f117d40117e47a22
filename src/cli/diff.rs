//! `lkroute diff`: the plan between two states of the files. Imports `git`,
//! `files` and what commands share; no store, no secrets.

use std::path::{Path, PathBuf};

use clap::Args;

use super::globals::ReviewFormatted;
use super::number::NumberArgs;
use super::report::Report;
use super::shell::Shell;
use super::{Stop, planning, revision, routing_files};
use crate::diff::offline;
use crate::error::{Error, Exit, Result};
use crate::files::{self, Tree};
use crate::finding::{Finding, Place};
use crate::git::Repository;
use crate::guards::{Basis, GuardContext, evaluate};
use crate::impact::one_number::OneNumber;
use crate::impact::reroutes;
use crate::impact::slips;
use crate::render::findings;
use crate::resolve::Facts;
use crate::routing::Routing;
use crate::routing::guards::GuardsChange;
use crate::source::{self, LoadOptions, Loaded, Texts};

const EXAMPLES: &str = "\
Examples:
  lkroute diff                        what is not committed yet
  lkroute diff main                   the work tree against a branch
  lkroute diff origin/main HEAD       between two revisions
  lkroute diff HEAD^1 HEAD --format markdown
                                      what a merge changes, for its reviewers

It reads files only: no database, no key, no credential. It says what applying
the second state would do where the first had just been applied; what others
changed in the database since is not in it. Moving a definition to another
file, or writing it in another way, is no change.";

/// Show what changes between two revisions of the files, offline
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// The revision before: a commit, a branch, a tag
    #[arg(value_name = "REV1", default_value = "HEAD")]
    before: String,

    /// The revision after; without it the files as they are now
    #[arg(value_name = "REV2")]
    after: Option<String>,

    /// Exit 2 where something changes
    #[arg(long)]
    detailed_exitcode: bool,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    number: NumberArgs,

    #[command(flatten)]
    pub formatted: ReviewFormatted,
}

impl DiffArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let after = self.after.clone().map_or(State::Files, State::Revision);
        let before = State::Revision(self.before.clone());
        let compared = Compared::new(shell, &before, &after, &self.number)?;
        let format = self.formatted.format;
        let report = compared.report();
        report.print(shell, format, self.full, self.detailed_exitcode)
    }
}

/// A state of the files.
pub enum State {
    /// As they are in the directory now.
    Files,
    /// As they are in another directory.
    Dir(PathBuf),
    Revision(String),
}

impl State {
    /// What `--against` names: a directory, or a revision.
    ///
    /// # Errors
    /// It is both: whoever makes such a directory would be compared with it.
    pub fn named(shell: &Shell, text: &str) -> Result<State> {
        if !Path::new(text).is_dir() {
            return Ok(State::Revision(text.to_owned()));
        }
        if let Some(checkout) = files::find_checkout(&shell.globals.routing)?
            && Repository::open(&checkout.top)?.is_revision(text)?
        {
            let message = format!("`{text}` is a directory and a revision");
            let hint = format!("say which: the directory is ./{text}, a branch refs/heads/{text}");
            return Err(Error::new(message).hint(hint));
        }
        Ok(State::Dir(text.into()))
    }
}

/// The plan between two states, and what is said of it.
pub struct Compared {
    plan: crate::diff::plan::Plan,
    reroutes: reroutes::Reroutes,
    refusals: Vec<Finding>,
    what: String,
    number: Option<OneNumber>,
}

impl Compared {
    pub fn new(
        shell: &Shell,
        before: &State,
        after: &State,
        number: &NumberArgs,
    ) -> Result<Compared, Stop> {
        let environment = shell.globals.env.clone();
        let (old, old_name) = load_before(shell, before)?;
        let (new, new_name) = load(shell, after, environment)?;
        let Some(new) = new.map(routing_files::checked) else {
            let message = format!("there is no {} at {new_name}", dir(shell));
            return Err(Stop::Invalid(vec![Finding::error("no-directory", message)]));
        };
        let new = routing_files::valid(new)?;
        let snapshot = offline::applied(&old);
        let mut plan = offline::between(&old, &new.routing);
        plan.guards = GuardsChange::between(Some(&old.guards), &new.routing.guards);
        plan.findings.splice(0..0, new.findings);
        let reroutes = reroutes::reroutes(&plan);
        let context = GuardContext {
            routing: &new.routing,
            snapshot: &snapshot,
            reroutes: &reroutes,
            applied: Some(&old.guards),
            today: planning::today(),
            basis: Basis::Files,
            secrets: None,
        };
        let guard_report = evaluate(&plan, &context);
        plan.findings.extend(guard_report.warnings);
        let aliases = old.tenants.iter();
        let aliases: Vec<_> = aliases
            .filter_map(|tenant| Some((tenant.id, tenant.alias.clone()?)))
            .collect();
        let slips = slips::slips(&plan, &aliases, &new.routing.tenants);
        plan.findings.extend(slips);
        let number = match number.number {
            Some(n) => {
                let sides = (Facts::of_files(&old, n), Facts::of_files(&new.routing, n));
                let number = number.resolve(&sides.0, &sides.1)?;
                number.map(|number| number.with_secrets(&plan))
            }
            None => None,
        };
        Ok(Compared {
            number,
            plan,
            reroutes,
            refusals: guard_report.refusals,
            what: format!("{old_name} … {new_name}"),
        })
    }

    pub fn report(&self) -> Report<'_> {
        Report {
            plan: &self.plan,
            reroutes: &self.reroutes,
            refusals: &self.refusals,
            offline: Some(&self.what),
            number: self.number.as_ref(),
            saved: false,
        }
    }
}

/// What was there before, with its name. Before the first commit of the
/// directory there was nothing: everything is new.
fn load_before(shell: &Shell, state: &State) -> Result<(Routing, String), Stop> {
    let environment = shell.globals.env.clone();
    let (mut loaded, name) = load(shell, state, environment)?;
    // Files that declare no environment yet are those of every environment.
    let none_yet = |loaded: &Loaded| loaded.has_errors() && loaded.environments.is_empty();
    if shell.globals.env.is_some() && loaded.as_ref().is_some_and(none_yet) {
        (loaded, _) = load(shell, state, None)?;
    }
    let Some(loaded) = loaded else {
        shell.note(&format!(
            "there is no {} at {name}: everything is new",
            dir(shell)
        ));
        return Ok((Routing::default(), name));
    };
    if loaded.has_errors() {
        let count = findings::summary(&loaded.findings);
        let errors = loaded.findings.iter().filter(|finding| finding.is_error());
        let first = errors.map(|finding| match &finding.place {
            Some(place) => format!(": {} at {}:{}", finding.message, place.file, place.line),
            None => format!(": {}", finding.message),
        });
        let first = first.take(1).collect::<String>();
        let message = format!("the files at {name} are invalid ({count}){first}");
        let error = Error::exit(Exit::Invalid, message);
        return Err(error
            .hint("compare with a revision whose files are valid")
            .into());
    }
    Ok((loaded.routing, name))
}

/// The files of a state, where it has the directory, and its name.
fn load(
    shell: &Shell,
    state: &State,
    environment: Option<String>,
) -> Result<(Option<Loaded>, String)> {
    let options = LoadOptions {
        environment,
        ..shell.settings.load_options()
    };
    let routing = &shell.globals.routing;
    let (dir, name) = match state {
        State::Revision(revision) => return at(routing, revision, &options),
        State::Files => (routing, "the work tree".to_owned()),
        State::Dir(dir) => (dir, dir.display().to_string()),
    };
    Ok((Some(source::load(&Tree::open(dir), &options)), name))
}

fn at(routing: &Path, revision: &str, options: &LoadOptions) -> Result<(Option<Loaded>, String)> {
    let Some(checkout) = files::find_checkout(routing)? else {
        let message = format!("`{}` is in no git repository", files::shown(routing));
        return Err(Error::new(message).hint("revisions are read from a clone of the repository"));
    };
    let repository = Repository::open(&checkout.top)?;
    let commit = repository.commit(revision)?;
    let Some(tree) = repository.tree(&commit, &checkout.inside)? else {
        return Ok((None, revision.to_owned()));
    };
    let below = |path: &str| revision::below(routing, path);
    let problems = tree.problems.iter();
    let problems = problems.map(|(path, finding)| finding.clone().at(Place::file(below(path))));
    let problems = problems.collect();
    let mut found = Vec::new();
    tree.read(|path, content| {
        found.push((below(path), content));
        Ok(())
    })?;
    let short = commit.get(..12).unwrap_or(&commit);
    let name = match commit.starts_with(revision) {
        true => short.to_owned(),
        false => format!("{revision} ({short})"),
    };
    let texts = Texts::with_problems(found, problems);
    Ok((Some(source::load(&texts, options)), name))
}

fn dir(shell: &Shell) -> String {
    format!("directory `{}`", files::shown(&shell.globals.routing))
}
