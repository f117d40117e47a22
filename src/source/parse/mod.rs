//! One file → what it declares, with every problem that can be seen in it
//! alone. Core: imports the model, `phone`, and the text form of sealed values.

mod bindings;
mod configs;
mod fast_path;
mod guards;
pub(super) mod parsed_file;
mod raw;
mod reader;
pub(super) mod schema;
pub(super) mod syntax;
mod text_rules;

use parsed_file::ParsedFile;
use reader::FileReader;

use super::line_index::Lines;

/// Reads one file; `number` is its index, for [`crate::routing::Origin`].
pub(super) fn read_file(lines: Lines<'_>, number: u32, environment: Option<&str>) -> ParsedFile {
    fast_path::read_fast(lines, number, environment)
        .unwrap_or_else(|| read_plainly(lines, number, environment))
}

fn read_plainly(lines: Lines<'_>, number: u32, environment: Option<&str>) -> ParsedFile {
    let mut reader = FileReader::new(lines, number, environment);
    reader.read_tables(syntax::read_shape(lines, lines.text()));
    reader.into_parsed_file()
}
