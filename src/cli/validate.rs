//! `lkroute validate`: what is wrong with the files. Imports what commands
//! share and `render`.

use clap::Args;

use super::globals::{ReviewFormat, ReviewFormatted};
use super::shell::Shell;
use super::{Stop, report};
use crate::app::routing_files;
use crate::error::{Exit, Result};
use crate::finding::count_by_severity;
use crate::render::markdown::{self, ReportContext};
use crate::render::style::counted;
use crate::render::{findings, github, json, sarif};
use crate::source::Loaded;

const EXAMPLES: &str = "\
Examples:
  lkroute validate
  lkroute validate --routing deploy/routing --env production
  lkroute validate --format json
  lkroute validate --format github            annotations, in GitHub Actions

It needs no database and no key.";

/// Check the files: every problem at once, each at its line
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ValidateArgs {
    #[command(flatten)]
    pub formatted: ReviewFormatted,
}

impl ValidateArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let loaded = routing_files::load_with_warnings(&shell.context());
        let report = match self.formatted.format {
            ReviewFormat::Text => validate_text(&loaded, shell),
            ReviewFormat::Json => {
                let environment = shell.globals.env.as_deref();
                json::json_text(&json::ValidateReport::new(environment, &loaded.findings))?
            }
            ReviewFormat::Markdown => {
                let environment = shell.globals.env.as_deref();
                markdown::files_markdown(environment, &loaded.findings, &ReportContext::default())
            }
            ReviewFormat::Github => github::github_commands(&loaded.findings, None),
            ReviewFormat::Sarif => {
                sarif::sarif_log(&loaded.findings, &report::placeless_file(shell))?
            }
        };
        report::print(shell, self.formatted.format, &report)?;
        Ok(if loaded.has_errors() {
            Exit::Invalid
        } else {
            Exit::Done
        })
    }
}

fn validate_text(loaded: &Loaded, shell: &Shell) -> String {
    let told = loaded.findings.iter();
    let told = told.filter(|finding| finding.is_error() || !shell.globals.quiet);
    let told: Vec<_> = told.cloned().collect();
    let drawn = findings::findings_text(&told, shell.width());
    let count = count_by_severity(&loaded.findings);
    let routing = &loaded.routing;
    let last = match (loaded.has_errors(), count.is_empty()) {
        (true, _) => count,
        (false, some) => {
            let what = [
                counted(routing.regions.len() as u64, "region"),
                counted(routing.configs.len() as u64, "config"),
                counted(routing.bindings.len() as u64, "binding"),
                counted(routing.tenants.len() as u64, "tenant"),
            ];
            let warnings = if some {
                String::new()
            } else {
                format!("; {count}")
            };
            let environment = shell.globals.env.as_ref();
            let within = environment.map_or(String::new(), |name| format!(" for {name}"));
            format!("valid{within}: {}{warnings}", what.join(", "))
        }
    };
    if drawn.is_empty() {
        format!("{last}\n")
    } else {
        format!("{drawn}\n{last}\n")
    }
}
