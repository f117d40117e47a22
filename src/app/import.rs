//! The rows of a database, as files. Imports core, the files and the store.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::database::{self, Target};
use super::{Context, Stop, Total, lookup, no_such};
use crate::error::{Error, Result};
use crate::files::{self, Tree};
use crate::import::{Import, ImportFile, ImportFilter, Importer};
use crate::snapshot::{NumberRow, Snapshot};
use crate::source::{self, LoadOptions, Sources, Texts, suggest};
use crate::store::Mode;

/// What is taken into files, and where they go.
pub struct ImportRequest {
    /// A directory that holds no routing files yet.
    pub out: PathBuf,
    /// Only numbers of these tenants, by alias or uuid; all where empty.
    pub tenants: Vec<String>,
    /// Only these configs and their numbers; all where empty.
    pub configs: Vec<String>,
}

/// Reads the rows and writes the files; what was imported, and their paths.
///
/// # Errors
/// There are files already, something asked for is not there, or what would
/// be written could not be loaded again; nothing was written.
pub async fn import_rows(
    context: &Context<'_>,
    request: &ImportRequest,
) -> Result<(Import, Vec<String>), Stop> {
    refuse_to_overwrite(&request.out)?;
    let target = lookup::target(context)?;
    let import = read_rows(context, &target, request).await?;
    let named = |file: &ImportFile| request.out.join(&file.name).display().to_string();
    let paths: Vec<String> = import.files.iter().map(named).collect();
    check_files(&import, &paths)?;
    if !paths.is_empty() {
        let files = import.files.iter();
        let files = files.map(|file| (file.name.clone(), file.text.clone()));
        files::create_files(&request.out, &files.collect::<Vec<_>>())?;
    }
    Ok((import, paths))
}

/// Told before the database is read.
fn refuse_to_overwrite(out: &Path) -> Result<()> {
    match Tree::open(out).paths().first() {
        None => Ok(()),
        Some(path) => {
            Err(Error::new(format!("{path} is there already")).hint(files::NEW_DIRECTORY))
        }
    }
}

async fn read_rows(
    context: &Context<'_>,
    target: &Target,
    request: &ImportRequest,
) -> Result<Import> {
    let mut store = database::open_current(context, target, Mode::Read).await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    database::same_environment(context, snapshot.environment.as_deref())?;
    let mut importer = Importer::new(request.filter(&snapshot)?, &snapshot);
    let progress = context.progress.count("reading numbers", Total::Unknown);
    let mut told = |rows| progress.at(rows);
    let mut take = |row: &NumberRow<'_>| importer.add_row(row);
    store.numbers(&mut take, &mut told).await?;
    store.end_read().await?;
    drop(progress);
    refuse_missing(&importer)?;
    let origin = match &target.schema {
        Some(schema) => format!("the schema {schema:?} of a PostgreSQL database"),
        None => "a database".to_owned(),
    };
    let environment = context
        .settings
        .environment
        .clone()
        .or(snapshot.environment);
    Ok(Import {
        environment,
        ..importer.into_import(&origin)
    })
}

impl ImportRequest {
    fn filter(&self, snapshot: &Snapshot) -> Result<ImportFilter> {
        let named = |name: &String| {
            let mut known = snapshot.tenants.iter();
            let known = known.find(|(_, alias)| alias == name).map(|(id, _)| *id);
            let tenant = known.or_else(|| Uuid::parse_str(name).ok());
            tenant.ok_or_else(|| {
                let known = snapshot.tenants.iter().map(|(_, alias)| alias.as_str());
                let by_uuid = "name it by its uuid, as in the column tenant_id";
                let hint =
                    suggest::suggestion_hint(name, known).unwrap_or_else(|| by_uuid.to_owned());
                Error::new(format!("no tenant is called `{name}` here")).hint(hint)
            })
        };
        Ok(ImportFilter {
            tenants: self.tenants.iter().map(named).collect::<Result<_>>()?,
            configs: self.configs.iter().cloned().collect(),
        })
    }
}

/// What was asked for by name has to be there.
fn refuse_missing(importer: &Importer) -> Result<()> {
    let (configs, tenants) = importer.not_found();
    if let Some(name) = configs.first() {
        return Err(no_such("config", name, importer.config_names()));
    }
    match tenants.first() {
        None => Ok(()),
        Some(id) => {
            let message = format!("the database holds no number of tenant {id}");
            Err(Error::new(message).hint("`lkroute list` shows whose numbers there are"))
        }
    }
}

/// Nothing is written that could not be loaded again.
fn check_files(import: &Import, paths: &[String]) -> Result<(), Stop> {
    if import.files.is_empty() {
        return Ok(());
    }
    let texts = import
        .files
        .iter()
        .map(|file| file.text.clone().into_bytes());
    let sources = Texts::new(paths.iter().cloned().zip(texts));
    let loaded = source::load_routing(&sources, &LoadOptions::default());
    if !loaded.has_errors() {
        Ok(())
    } else {
        Err(Stop::Invalid(loaded.findings))
    }
}
