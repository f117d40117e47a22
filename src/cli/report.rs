//! What people review, in every format, and what it means for the exit code:
//! what `plan`, `diff`, `apply` and `validate` share. Imports core and
//! `render`.

use super::Stop;
use super::globals::ReviewFormat;
use super::shell::Shell;
use crate::app::planning::Planned;
use crate::app::revision::CheckedOut;
use crate::app::verdict::verdict;
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::finding::Finding;
use crate::impact::digest::digest;
use crate::impact::one_number::OneNumber;
use crate::impact::reroutes::Reroutes;
use crate::impact::saved_plan::{NOT_COVERED, not_covered};
use crate::render::findings;
use crate::render::github::{conflict_findings, github_commands};
use crate::render::json::{self, PlanReport};
use crate::render::markdown::{self, ReportContext};
use crate::render::number;
use crate::render::sarif::sarif_log;
use crate::render::style::wrapped;
use crate::render::text::{self, View};

/// A plan with all that is said of it.
#[derive(Clone, Copy)]
pub(super) struct PlanReview<'a> {
    pub plan: &'a Plan,
    pub reroutes: &'a Reroutes,
    /// What guards refuse.
    pub refusals: &'a [Finding],
    /// What was compared, where that was not a database.
    pub offline: Option<&'a str>,
    /// The number of `--number`.
    pub number: Option<&'a OneNumber>,
    /// Whether it was read from a file.
    pub saved: bool,
}

/// Says which of the files are in no commit, and of a database that is nobody's.
pub(super) fn tell_what_is_unsettled(shell: &Shell, planned: &Planned) {
    if let Some(note) = planned.checked_out.as_ref().and_then(CheckedOut::note) {
        shell.note(&note);
    }
    if let (Some(name), true) = (planned.unstamped_environment(), planned.plan.is_empty()) {
        shell.warn(&format!(
            "the database belongs to no environment yet, and an apply of no changes leaves it so: \
             files of another than `{name}` are taken until one writes something"
        ));
    }
}

impl<'a> PlanReview<'a> {
    pub(super) fn of(planned: &'a Planned) -> PlanReview<'a> {
        PlanReview {
            number: planned.number.as_ref(),
            ..PlanReview::new(&planned.plan, &planned.reroutes, &planned.refusals)
        }
    }

    /// Of a plan for a database.
    pub(super) fn new(
        plan: &'a Plan,
        reroutes: &'a Reroutes,
        refusals: &'a [Finding],
    ) -> PlanReview<'a> {
        PlanReview {
            plan,
            reroutes,
            refusals,
            offline: None,
            number: None,
            saved: false,
        }
    }

    /// Why this can't be applied.
    pub(super) fn verdict(&self) -> Option<Error> {
        verdict(self.plan, self.refusals).err()
    }

    /// Prints it, and gives the code to exit with.
    pub(super) fn print(
        &self,
        shell: &Shell,
        format: ReviewFormat,
        full: bool,
        detailed_exitcode: bool,
    ) -> Result<Exit, Stop> {
        let verdict = self.verdict();
        let text = match format {
            ReviewFormat::Text => self.text(shell.view(full)),
            ReviewFormat::Json => json::json_text(&self.json(verdict.as_ref()))?,
            ReviewFormat::Markdown => self.markdown(),
            ReviewFormat::Github => {
                github_commands(&self.findings(), Some((self.plan, self.reroutes)))
            }
            ReviewFormat::Sarif => {
                let all = [self.findings(), conflict_findings(self.plan)].concat();
                sarif_log(&all, &placeless_file(shell))?
            }
        };
        print(shell, format, &text)?;
        if let Some(verdict) = verdict {
            shell.complain(&verdict);
            return Ok(verdict.exit);
        }
        let left = !self.plan.outstanding.is_empty() || self.plan.guards_outstanding;
        let pending = !self.plan.is_empty() || left;
        Ok(if pending && detailed_exitcode {
            Exit::Pending
        } else {
            Exit::Done
        })
    }

    pub(super) fn text(&self, view: View) -> String {
        let plan = |view| {
            let text = text::plan(self.plan, Some(self.reroutes), self.refusals, view);
            if self.saved {
                format!("{text}\n{}\n", wrapped(&not_covered(), view.width, 0))
            } else {
                text
            }
        };
        let Some(one) = self.number else {
            return plan(view);
        };
        // Other objects are left out for one number, unless --full asks for them.
        let quiet = view.quiet || !view.full;
        let number = number::number_text(one, view.width);
        format!("{}\n{number}", plan(View { quiet, ..view }))
    }

    pub(super) fn json(&self, error: Option<&Error>) -> PlanReport<'a> {
        let report = PlanReport::new(self.plan, self.reroutes, self.refusals, error);
        PlanReport {
            not_covered: if self.saved {
                NOT_COVERED.to_vec()
            } else {
                Vec::new()
            },
            ..report.with_number(self.number)
        }
    }

    fn markdown(&self) -> String {
        // A digest names what an apply would do: not said of files alone.
        let digest = self.offline.is_none().then(|| digest(self.plan));
        let run = run_url(|name| std::env::var(name).ok());
        let context = ReportContext {
            full_report: run.as_deref(),
            revisions: self.offline,
            offline: self.offline.is_some(),
            digest: digest.as_deref().filter(|_| !self.plan.is_empty()),
            refusals: self.refusals,
            number: self.number,
            saved: self.saved,
            ..ReportContext::default()
        };
        markdown::plan_markdown(self.plan, self.reroutes, &context)
    }

    fn findings(&self) -> Vec<Finding> {
        [self.refusals, &self.plan.findings].concat()
    }
}

/// The report of what could not be done; not for JSON, which is each
/// command's own.
pub(super) fn failed(
    shell: &Shell,
    format: ReviewFormat,
    findings: &[Finding],
    error: &Error,
) -> Result<String> {
    let environment = shell.globals.env.as_deref();
    match format {
        ReviewFormat::Text | ReviewFormat::Json => {
            Ok(findings::findings_text(findings, shell.width()))
        }
        ReviewFormat::Markdown => {
            let context = ReportContext::default();
            Ok(markdown::failed_markdown(
                environment,
                findings,
                error,
                &context,
            ))
        }
        ReviewFormat::Github => Ok(github_commands(&all(findings, error), None)),
        ReviewFormat::Sarif => sarif_log(&all(findings, error), &placeless_file(shell)),
    }
}

/// Prints a report; one for GitHub is made of commands to its runner.
pub(super) fn print(shell: &Shell, format: ReviewFormat, text: &str) -> Result<()> {
    match format {
        ReviewFormat::Github => shell.print_commands(text),
        ReviewFormat::Text | ReviewFormat::Json | ReviewFormat::Markdown | ReviewFormat::Sarif => {
            shell.print(text)
        }
    }
}

/// The findings; where there are none, the error as one.
fn all(findings: &[Finding], error: &Error) -> Vec<Finding> {
    if !findings.is_empty() {
        return findings.to_vec();
    }
    let finding = Finding::error("not-possible", &error.message);
    vec![finding.hint_of(error.hint.clone())]
}

/// Where GitHub Actions keeps what this run prints and saves.
fn run_url(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let server = variable("GITHUB_SERVER_URL")?;
    let (repository, run) = (variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?);
    Some(format!("{server}/{repository}/actions/runs/{run}"))
}

/// What stands for findings without a place.
pub(super) fn placeless_file(shell: &Shell) -> String {
    shell.settings.routing_shown()
}
