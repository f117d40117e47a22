//! A picture of boxes and arrows, written as Mermaid or as DOT. Imports the
//! escaping of its own room only; what is in the picture is for `graph` and
//! `markdown` to say.

use std::fmt::Write;

use super::escape::{clipped_to, visible};

/// Boxes in frames, and arrows between them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    pub title: Option<String>,
    pub frames: Vec<Frame>,
    pub arrows: Vec<Arrow>,
}

/// Boxes that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Absent for boxes that stand alone.
    pub label: Option<String>,
    pub boxes: Vec<Box>,
}

#[derive(Debug, Clone)]
pub(crate) struct Box {
    /// Letters and digits; unique in the picture.
    pub id: String,
    pub lines: Vec<String>,
    pub tone: Tone,
}

/// How a box is drawn; the words say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// A count, or a place that is no config.
    Round,
    /// What changes.
    Changed,
    /// What is lost.
    Lost,
}

#[derive(Debug, Clone)]
pub(crate) struct Arrow {
    pub from: String,
    pub to: String,
    pub label: Option<String>,
}

/// A Mermaid flowchart, from left to right.
pub(crate) fn mermaid_flowchart(picture: &Picture) -> String {
    let mut out = String::new();
    if let Some(title) = &picture.title {
        let _ = writeln!(
            out,
            "---\ntitle: {}\n---",
            dot_string(std::slice::from_ref(title))
        );
    }
    out.push_str("flowchart LR\n");
    for (ix, frame) in picture.frames.iter().enumerate() {
        let indent = match &frame.label {
            Some(label) => {
                let _ = writeln!(out, "  subgraph f{ix}[\"{}\"]", label_of(label));
                "    "
            }
            None => "  ",
        };
        for item in &frame.boxes {
            let _ = writeln!(out, "{indent}{}", mermaid_box(item));
        }
        if frame.label.is_some() {
            out.push_str("  end\n");
        }
    }
    for arrow in &picture.arrows {
        let _ = match &arrow.label {
            Some(label) => {
                let label = label_of(label);
                writeln!(out, "  {} -->|\"{label}\"| {}", arrow.from, arrow.to)
            }
            None => writeln!(out, "  {} --> {}", arrow.from, arrow.to),
        };
    }
    for (tone, style) in [
        (Tone::Changed, "changed stroke:#bf8700,stroke-width:3px"),
        (
            Tone::Lost,
            "lost stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4",
        ),
    ] {
        if picture.boxes().any(|item| item.tone == tone) {
            let _ = writeln!(out, "  classDef {style}");
        }
    }
    out
}

fn mermaid_box(item: &Box) -> String {
    let lines: Vec<String> = item.lines.iter().map(|line| label_of(line)).collect();
    let label = lines.join("<br>");
    let id = &item.id;
    match item.tone {
        Tone::Plain => format!("{id}[\"{label}\"]"),
        Tone::Round => format!("{id}([\"{label}\"])"),
        Tone::Changed => format!("{id}[\"{label}\"]:::changed"),
        Tone::Lost => format!("{id}([\"{label}\"]):::lost"),
    }
}

/// The text of a Mermaid label: letters, digits and a few harmless marks as
/// they are, all else as the character codes that Mermaid reads.
fn label_of(text: &str) -> String {
    let text = visible(&clipped_to(text, 60));
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        match c {
            ' ' | ',' | '_' | '+' | '→' | '…' => out.push(c),
            '-' if last.is_alphanumeric() => out.push(c),
            '.' if last.is_alphabetic() => out.push(c),
            _ if c.is_alphanumeric() => out.push(c),
            _ => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
        last = c;
    }
    out
}

/// A digraph for Graphviz, from left to right.
pub(crate) fn dot_digraph(picture: &Picture) -> String {
    let mut out = "digraph routing {\n  rankdir=LR\n  node [shape=box]\n".to_owned();
    if let Some(title) = &picture.title {
        let _ = writeln!(out, "  label={}", dot_string(std::slice::from_ref(title)));
    }
    for (ix, frame) in picture.frames.iter().enumerate() {
        let indent = match &frame.label {
            Some(label) => {
                let _ = writeln!(out, "  subgraph cluster{ix} {{");
                let _ = writeln!(out, "    label={}", dot_string(std::slice::from_ref(label)));
                "    "
            }
            None => "  ",
        };
        for item in &frame.boxes {
            let style = match item.tone {
                Tone::Plain => "",
                Tone::Round => ", style=rounded",
                Tone::Changed => ", style=bold",
                Tone::Lost => ", style=\"rounded,dashed\"",
            };
            let label = dot_string(&item.lines);
            let _ = writeln!(out, "{indent}{} [label={label}{style}]", item.id);
        }
        if frame.label.is_some() {
            out.push_str("  }\n");
        }
    }
    for arrow in &picture.arrows {
        let label = arrow.label.as_ref().map_or_else(String::new, |label| {
            format!(" [label={}]", dot_string(std::slice::from_ref(label)))
        });
        let _ = writeln!(out, "  {} -> {}{label}", arrow.from, arrow.to);
    }
    out.push_str("}\n");
    out
}

/// A DOT string of these lines.
fn dot_string(lines: &[String]) -> String {
    let line = |line: &String| {
        let text = visible(&clipped_to(line, 60));
        text.replace('\\', "\\\\").replace('"', "\\\"")
    };
    let lines: Vec<String> = lines.iter().map(line).collect();
    format!("\"{}\"", lines.join("\\n"))
}

impl Picture {
    fn boxes(&self) -> impl Iterator<Item = &Box> {
        self.frames.iter().flat_map(|frame| &frame.boxes)
    }
}
