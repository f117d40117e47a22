//! The plan between two states of the files, without a database. Imports core,
//! `git` and `files`; no store, no secrets.

use std::path::{Path, PathBuf};

use super::number_request::NumberRequest;
use super::planning::today;
use super::{Context, Stop, revision, routing_files};
use crate::diff::aliases::alias_changes;
use crate::diff::offline;
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::files::{self, Tree};
use crate::finding::{Finding, Place, count_by_severity};
use crate::git::Repository;
use crate::guards::{Basis, GuardContext, evaluate};
use crate::impact::one_number::OneNumber;
use crate::impact::reroutes::{self, Reroutes};
use crate::impact::slips;
use crate::resolve::Facts;
use crate::routing::guards::GuardsChange;
use crate::routing::{Routing, Tenant};
use crate::source::{self, LoadOptions, Loaded, Texts};

/// A state of the files.
pub(crate) enum FilesState {
    /// As they are in the directory now.
    WorkTree,
    /// As they are in another directory.
    Dir(PathBuf),
    Revision(String),
}

impl FilesState {
    /// What `--against` names: a directory, or a revision.
    ///
    /// # Errors
    /// It is both: whoever makes such a directory would be compared with it.
    pub(crate) fn named(context: &Context<'_>, text: &str) -> Result<FilesState> {
        if !Path::new(text).is_dir() {
            return Ok(FilesState::Revision(text.to_owned()));
        }
        if let Some(checkout) = files::find_checkout(&context.settings.routing)?
            && Repository::open(&checkout.top)?.is_revision(text)?
        {
            let message = format!("`{text}` is a directory and a revision");
            let hint = format!("say which: the directory is ./{text}, a branch refs/heads/{text}");
            return Err(Error::new(message).hint(hint));
        }
        Ok(FilesState::Dir(text.into()))
    }
}

/// The plan between two states, and what is said of it.
pub(crate) struct FilesComparison {
    pub plan: Plan,
    pub reroutes: Reroutes,
    /// What guards refuse.
    pub refusals: Vec<Finding>,
    /// What was compared.
    pub what: String,
    pub number: Option<OneNumber>,
}

/// What applying the second state would do, had the first one just been
/// applied.
///
/// # Errors
/// A state that can't be read, or is invalid.
pub(crate) fn compare_files(
    context: &Context<'_>,
    before: &FilesState,
    after: &FilesState,
    number: Option<NumberRequest>,
) -> Result<FilesComparison, Stop> {
    let environment = context.settings.environment.clone();
    let (old, old_name) = load_before(context, before)?;
    let (new, new_name) = load(context, after, environment)?;
    let Some(new) = new.map(routing_files::checked) else {
        let message = format!("there is no {} at {new_name}", dir(context));
        return Err(Stop::Invalid(vec![Finding::error("no-directory", message)]));
    };
    let new = routing_files::valid(new)?;
    let snapshot = offline::applied(&old);
    let mut plan = offline::between(&old, &new.routing);
    plan.guards = GuardsChange::between(Some(&old.guards), &new.routing.guards);
    let aliases: Vec<_> = old.tenants.iter().filter_map(Tenant::aliased).collect();
    plan.aliases = alias_changes(&aliases, &new.routing, &plan);
    plan.findings.splice(0..0, new.findings);
    let reroutes = reroutes::reroutes(&plan);
    let guard_context = GuardContext {
        routing: &new.routing,
        snapshot: &snapshot,
        reroutes: &reroutes,
        applied: Some(&old.guards),
        today: today(),
        basis: Basis::Files,
        secrets: None,
    };
    let guard_report = evaluate(&plan, &guard_context);
    plan.findings.extend(guard_report.warnings);
    let slips = slips::find_slips(&plan, &aliases, &new.routing);
    plan.findings.extend(slips);
    let number = match number {
        Some(asked) => {
            let facts = |routing| Facts::of_files(routing, asked.number);
            let resolved = asked.resolve(&facts(&old), &facts(&new.routing))?;
            Some(resolved.with_secrets(&plan))
        }
        None => None,
    };
    Ok(FilesComparison {
        number,
        plan,
        reroutes,
        refusals: guard_report.refusals,
        what: format!("{old_name} … {new_name}"),
    })
}

/// What was there before, with its name. Before the first commit of the
/// directory there was nothing: everything is new.
fn load_before(context: &Context<'_>, state: &FilesState) -> Result<(Routing, String), Stop> {
    let environment = context.settings.environment.clone();
    let (mut loaded, name) = load(context, state, environment)?;
    // Files that declare no environment yet are those of every environment.
    let none_yet = |loaded: &Loaded| loaded.has_errors() && loaded.environments.is_empty();
    if context.settings.environment.is_some() && loaded.as_ref().is_some_and(none_yet) {
        (loaded, _) = load(context, state, None)?;
    }
    let Some(loaded) = loaded else {
        context.progress.note(&format!(
            "there is no {} at {name}: everything is new",
            dir(context)
        ));
        return Ok((Routing::default(), name));
    };
    if loaded.has_errors() {
        let count = count_by_severity(&loaded.findings);
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
    context: &Context<'_>,
    state: &FilesState,
    environment: Option<String>,
) -> Result<(Option<Loaded>, String)> {
    let options = LoadOptions {
        environment,
        ..context.settings.load_options()
    };
    let routing = &context.settings.routing;
    let (dir, name) = match state {
        FilesState::Revision(revision) => return at(routing, revision, &options),
        FilesState::WorkTree => (routing, "the work tree".to_owned()),
        FilesState::Dir(dir) => (dir, dir.display().to_string()),
    };
    Ok((Some(source::load_routing(&Tree::open(dir), &options)), name))
}

fn at(routing: &Path, revision: &str, options: &LoadOptions) -> Result<(Option<Loaded>, String)> {
    let Some(checkout) = files::find_checkout(routing)? else {
        let message = format!("`{}` is in no git repository", files::shown(routing));
        return Err(Error::new(message).hint("revisions are read from a clone of the repository"));
    };
    let repository = Repository::open(&checkout.top)?;
    let commit = repository.named_commit(revision)?;
    let Some(tree) = repository.commit_tree(&commit, &checkout.inside)? else {
        return Ok((None, revision.to_owned()));
    };
    let below = |path: &str| revision::path_below(routing, path);
    let problems = tree.problems.iter();
    let problems = problems.map(|(path, finding)| finding.clone().at(Place::file(below(path))));
    let problems = problems.collect();
    let mut found = Vec::new();
    tree.read_files(|path, content| {
        found.push((below(path), content));
        Ok(())
    })?;
    let short = commit.get(..12).unwrap_or(&commit);
    let name = if commit.starts_with(revision) {
        short.to_owned()
    } else {
        format!("{revision} ({short})")
    };
    let texts = Texts::with_problems(found, problems);
    Ok((Some(source::load_routing(&texts, options)), name))
}

fn dir(context: &Context<'_>) -> String {
    format!("directory `{}`", files::shown(&context.settings.routing))
}
