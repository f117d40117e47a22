//! `lkroute import`: the rows of an existing database as files. Imports the
//! store, the files, and what commands share.

use std::path::PathBuf;

use clap::Args;
use uuid::Uuid;

use super::database::{self, Target};
use super::globals::{Format, Formatted};
use super::shell::Shell;
use super::{Stop, lookup};
use crate::app::Total;
use crate::error::{Error, Exit, Result};
use crate::files::{self, Tree};
use crate::import::{Import, ImportFile, ImportFilter, Importer};
use crate::render::import::{ImportReport, text};
use crate::render::json;
use crate::snapshot::{NumberRow, Snapshot};
use crate::source::{self, LoadOptions, Sources, Texts};
use crate::store::Mode;

const EXAMPLES: &str = "\
Examples:
  lkroute import --out routing                       everything that is routed
  lkroute import --out routing --config uae-vm-selfhosted
                                                     one config and its numbers
  lkroute import --out routing --format json         a report of every row

Nothing is written to the database, and no key is needed: sealed secrets are
carried over as they are. `lkroute plan` then shows nothing but adoptions.";

/// Write what the database holds as routing files
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// The directory to write to; it must not hold .toml files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Only numbers of this tenant, by uuid, and the configs they use; again
    /// for more
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<String>,

    /// Only this config and its numbers; again for more
    #[arg(long, value_name = "NAME")]
    config: Vec<String>,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ImportArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        self.refuse_to_overwrite()?;
        let target = lookup::target(&shell.context())?;
        let import = database::block_on(self.read(shell, &target))?;
        let named = |file: &ImportFile| self.out.join(&file.name).display().to_string();
        let paths: Vec<String> = import.files.iter().map(named).collect();
        check(&import, &paths)?;
        if !paths.is_empty() {
            let files = import.files.iter();
            let files: Vec<_> = files
                .map(|file| (file.name.clone(), file.text.clone()))
                .collect();
            files::create(&self.out, &files)?;
        }
        let report = match self.formatted.format {
            Format::Json => json::text(&ImportReport::new(&import, &paths))?,
            Format::Text => text(&import, &paths, shell.view(shell.globals.verbose > 0)),
        };
        shell.print(&report)?;
        Ok(Exit::Done)
    }

    /// Told before the database is read.
    fn refuse_to_overwrite(&self) -> Result<()> {
        match Tree::open(&self.out).paths().first() {
            None => Ok(()),
            Some(path) => Err(Error::new(format!("{path} is there already"))
                .hint("an import overwrites nothing: name a new directory with --out")),
        }
    }

    async fn read(&self, shell: &Shell, target: &Target) -> Result<Import> {
        let mut store = database::open_current(&shell.context(), target, Mode::Read).await?;
        store.begin_read().await?;
        let snapshot = store.snapshot().await?;
        lookup::same_environment(&shell.context(), snapshot.environment.as_deref())?;
        let mut importer = Importer::new(self.filter(&snapshot)?, &snapshot);
        let progress = shell.count("reading numbers", Total::Unknown);
        let mut told = |rows| progress.at(rows);
        let mut take = |row: &NumberRow<'_>| importer.row(row);
        store.numbers(&mut take, &mut told).await?;
        store.end_read().await?;
        drop(progress);
        missing(&importer)?;
        let origin = match &target.schema {
            Some(schema) => format!("the schema {schema:?} of a PostgreSQL database"),
            None => "a database".to_owned(),
        };
        let environment = shell.globals.env.clone().or(snapshot.environment);
        Ok(Import {
            environment,
            ..importer.finish(&origin)
        })
    }

    fn filter(&self, snapshot: &Snapshot) -> Result<ImportFilter> {
        let named = |name: &String| {
            let mut known = snapshot.tenants.iter();
            let known = known.find(|(_, alias)| alias == name).map(|(id, _)| *id);
            let tenant = known.or_else(|| Uuid::parse_str(name).ok());
            tenant.ok_or_else(|| {
                Error::new(format!("no tenant is called {name:?}"))
                    .hint("name it by its uuid, as in the column tenant_id")
            })
        };
        Ok(ImportFilter {
            tenants: self.tenant.iter().map(named).collect::<Result<_>>()?,
            configs: self.config.iter().cloned().collect(),
        })
    }
}

/// What was asked for by name has to be there.
fn missing(importer: &Importer) -> Result<()> {
    let (configs, tenants) = importer.missing();
    let configs = configs.iter().map(|name| format!("config {name:?}"));
    let tenants = tenants.iter().map(|id| format!("number of tenant {id}"));
    match configs.chain(tenants).next() {
        None => Ok(()),
        Some(what) => Err(Error::new(format!("the database holds no {what}"))),
    }
}

/// Nothing is written that could not be loaded again.
fn check(import: &Import, paths: &[String]) -> Result<(), Stop> {
    if import.files.is_empty() {
        return Ok(());
    }
    let texts = import
        .files
        .iter()
        .map(|file| file.text.clone().into_bytes());
    let sources = Texts::new(paths.iter().cloned().zip(texts));
    let loaded = source::load(&sources, &LoadOptions::default());
    match loaded.has_errors() {
        false => Ok(()),
        true => Err(Stop::Invalid(loaded.findings)),
    }
}
