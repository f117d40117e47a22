//! The help of `lkroute` as a whole: commands in groups, colours, exit codes.
//! Imports nothing of lkroute.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Arg, Command};

/// Which commands belong together, in the order in which they are used.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Files", &["validate", "fmt", "diff", "graph", "adopt"]),
    ("Database", &["migrate", "import", "plan", "show", "apply"]),
    ("History", &["drift", "history", "rollback", "release"]),
    (
        "Calls",
        &[
            "resolve",
            "list",
            "dispatch",
            "dispatches",
            "cancel",
            "doctor",
            "env",
        ],
    ),
    (
        "More",
        &["secrets", "trust", "schema", "completions", "man"],
    ),
];

pub(super) const ABOUT: &str = "\
Config-as-code for LiveKit call routing: which LiveKit server, SIP trunk and
worker each caller number uses is written in TOML files. lkroute checks them,
shows what a change would do, and applies it to the database all at once.";

pub(super) const AFTER: &str = "\
Examples:
  lkroute validate                    are the files right?
  lkroute plan                        what would an apply do?
  lkroute apply                       do it, after a yes
  lkroute resolve --from +971545335200 --explain
                                      where would this call go, and why?

Exit codes:
  0 done or no changes · 1 error · 2 changes pending (--detailed-exitcode)
  3 files invalid · 4 refused by a guard · 5 stale · 6 conflict · 7 drift
  8 outcome unknown · 9 call refused by its rules · 10 seen to have no agent";

const TITLE: Style = AnsiColor::Yellow.on_default().bold();
const LITERAL: Style = AnsiColor::Green.on_default();

/// The command line, with its help as people should see it.
pub(super) fn with_groups(command: Command) -> Command {
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}{TITLE}Options:{TITLE:#}\n{{options}}{{after-help}}",
        grouped(&command)
    );
    let styles = Styles::styled()
        .header(TITLE)
        .usage(TITLE)
        .literal(LITERAL)
        .placeholder(AnsiColor::Cyan.on_default());
    command.styles(styles).help_template(template).arg(format())
}

/// Only for the help and for what stands before the command: each command has
/// the formats that it prints.
fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help("How a report is printed: text, json; plans also markdown, github, sarif")
        .display_order(usize::MAX)
}

fn grouped(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(text, "{TITLE}{title}:{TITLE:#}");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {LITERAL}{name:<12}{LITERAL:#} {about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    #[test]
    fn every_command_is_in_one_group() {
        let mut listed: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let command = command_line();
        let mut names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        listed.sort_unstable();
        names.sort_unstable();
        assert_eq!(listed, names);
    }

    #[test]
    fn examples_fit_a_terminal_of_80_columns() {
        let mut commands = vec![command_line()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let text = command.get_after_help().map(ToString::to_string);
            for line in text.iter().flat_map(|text| text.lines()) {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        command_line().debug_assert();
    }
}
