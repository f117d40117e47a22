//! Finds the line of a binding for a finding: reads its file again, as texts
//! are not kept once they are parsed. Core; imports only core.

use hashbrown::HashMap;

use super::line_index::OpenedFile;
use super::sources::{Sources, as_text};
use crate::finding::Place;
use crate::routing::Binding;

/// Opens files again, each once.
pub(super) struct BindingLocator<'a> {
    sources: &'a dyn Sources,
    open: HashMap<u32, Option<OpenedFile<'a>>>,
}

impl<'a> BindingLocator<'a> {
    pub(super) fn new(sources: &'a dyn Sources) -> BindingLocator<'a> {
        BindingLocator {
            sources,
            open: HashMap::new(),
        }
    }

    /// The place of a binding's number, or of the range that it is in.
    pub(super) fn place_of(&mut self, binding: &Binding) -> Place {
        self.find_place(binding, false)
    }

    /// The same for the second of two that may stand in one line.
    pub(super) fn second_place(&mut self, binding: &Binding) -> Place {
        self.find_place(binding, true)
    }

    fn find_place(&mut self, binding: &Binding, last: bool) -> Place {
        let origin = binding.origin;
        let Some(path) = self.sources.paths().get(origin.file as usize) else {
            return Place::file("?");
        };
        let lines = self.open.entry(origin.file).or_insert_with(|| {
            let bytes = self.sources.read(origin.file as usize).ok()?;
            let text = as_text(&bytes).ok()?.to_owned();
            Some(OpenedFile::new(path, text))
        });
        match lines {
            Some(lines) => {
                let number = format!("\"{}\"", binding.number);
                lines
                    .lines()
                    .find_part(origin.line, &[&number, "range", "number"], last)
            }
            None => Place::line(path.as_str(), origin.line),
        }
    }
}
