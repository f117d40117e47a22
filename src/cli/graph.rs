//! `lkroute graph`: the routing as a picture. Imports what commands share and
//! `render`.

use clap::{Args, ValueEnum};

use super::Stop;
use super::shell::Shell;
use crate::app::routing_files;
use crate::error::Exit;
use crate::render::graph::{Style, routing_graph};

const EXAMPLES: &str = "\
Examples:
  lkroute graph                       for a Markdown file, in a block ```mermaid
  lkroute graph --format dot | dot -Tsvg > routing.svg

Regions, their configs, and how many numbers of which tenant each serves, as
the files declare it. In Mermaid the smallest are folded where they are many;
DOT has them all.";

/// Draw the routing: regions, configs, how many numbers of whom
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GraphArgs {
    /// What the picture is written as
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "mermaid")]
    format: GraphFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// GitHub and GitLab draw it in Markdown
    Mermaid,
    /// For Graphviz
    Dot,
}

impl GraphArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let loaded = routing_files::load_valid(&shell.context())?;
        let style = match self.format {
            GraphFormat::Mermaid => Style::Mermaid,
            GraphFormat::Dot => Style::Dot,
        };
        shell.print(&routing_graph(&loaded.routing, style))?;
        Ok(Exit::Done)
    }
}
