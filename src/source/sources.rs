//! Where the texts of the files come from. Core: imports only the model.

use std::borrow::Cow;

use crate::finding::Finding;
use crate::list_index::index_of;

/// Files to load, wherever they are: a directory, a git revision, memory.
pub trait Sources: Sync {
    /// The paths as the user would type them, sorted.
    fn paths(&self) -> &[String];

    /// The content of a file, by its index in [`Sources::paths`]; else why it
    /// can't be read. It is asked for again where a finding needs a line.
    fn read(&self, file: usize) -> Result<Cow<'_, [u8]>, String>;

    /// What was wrong before any file was read.
    fn problems(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    paths: Vec<String>,
    contents: Vec<Result<Vec<u8>, String>>,
    problems: Vec<Finding>,
}

impl Texts {
    /// Path and content of each file.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Texts {
        let files = files.into_iter();
        Texts::with_problems(files.map(|(path, bytes)| (path, Ok(bytes))), Vec::new())
    }

    /// Path and content of each file, or why it can't be read; and what else
    /// is wrong.
    pub fn with_problems(
        files: impl IntoIterator<Item = (String, Result<Vec<u8>, String>)>,
        problems: Vec<Finding>,
    ) -> Texts {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort();
        let (paths, contents) = files.into_iter().unzip();
        Texts {
            paths,
            contents,
            problems,
        }
    }
}

impl Sources for Texts {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, file: usize) -> Result<Cow<'_, [u8]>, String> {
        match self.contents.get(file) {
            Some(Ok(content)) => Ok(Cow::Borrowed(content)),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("there is no such file".to_owned()),
        }
    }

    fn problems(&self) -> Vec<Finding> {
        self.problems.clone()
    }
}

/// The text of a file; else line and column of the first byte that is no UTF-8.
pub(super) fn as_text(bytes: &[u8]) -> Result<&str, (u32, u32)> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let lines = before.matches('\n').count();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let one_based = |count: usize| index_of(count + 1);
        (one_based(lines), one_based(column))
    })
}
