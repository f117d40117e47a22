//! The routing files as a use case needs them: loaded, and valid. Imports core
//! and `files`.

use std::path::Path;

use super::database::EnvironmentDatabase;
use super::{Context, Stop};
use crate::files::Tree;
use crate::impact::expectations;
use crate::source::{self, LoadOptions, Loaded, doubtful_numbers};

/// Loads the files, for the environment of the settings.
pub(crate) fn load_files(context: &Context<'_>) -> Loaded {
    let settings = context.settings;
    read_files(&settings.routing, &settings.load_options())
}

/// Loads the files, with the doubts about each number in them.
pub(crate) fn load_with_warnings(context: &Context<'_>) -> Loaded {
    let mut loaded = load_files(context);
    if !loaded.has_errors() {
        let tree = Tree::open(&context.settings.routing);
        loaded
            .findings
            .extend(doubtful_numbers(&loaded.routing, &tree));
    }
    loaded
}

/// Loads the files of a directory, and tries the routing tests in them.
pub(crate) fn read_files(dir: &Path, options: &LoadOptions) -> Loaded {
    checked(source::load_routing(&Tree::open(dir), options))
}

/// With the routing tests of the files tried.
pub(crate) fn checked(mut loaded: Loaded) -> Loaded {
    if !loaded.has_errors() {
        loaded
            .findings
            .extend(expectations::check_expectations(&loaded.routing));
    }
    loaded
}

/// Loads the files, which must be valid.
pub(crate) fn load_valid(context: &Context<'_>) -> Result<Loaded, Stop> {
    valid(load_files(context))
}

/// Loaded files that are valid.
pub(crate) fn valid(loaded: Loaded) -> Result<Loaded, Stop> {
    if loaded.has_errors() {
        Err(Stop::Invalid(loaded.findings))
    } else {
        Ok(loaded)
    }
}

/// What the chosen environment says about its database.
pub(crate) fn environment_database(
    context: &Context<'_>,
    loaded: &Loaded,
) -> Option<EnvironmentDatabase> {
    let name = context.settings.environment.clone()?;
    Some(EnvironmentDatabase {
        name,
        variable: loaded.database.clone(),
        schema: loaded.schema.clone(),
    })
}
