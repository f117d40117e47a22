//! Reads git objects by their ids, from one `git cat-file --batch`. Names of files
//! never go through it: one with a line break would shift all later answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::{git_command, git_failed, not_started};
use crate::error::{Error, Result};

/// What an object is, and its bytes.
#[derive(Debug)]
pub(super) struct GitObject {
    pub kind: String,
    pub bytes: Vec<u8>,
}

/// What there is of an object.
#[derive(Debug)]
pub(super) enum FoundObject {
    Whole(GitObject),
    /// This clone does not have it.
    Missing,
    TooLong,
}

pub(super) struct ObjectReader {
    top: PathBuf,
    process: CatFile,
}

struct CatFile {
    child: Child,
    /// `None` only while it is dropped.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl ObjectReader {
    pub(super) fn start(top: &Path) -> Result<ObjectReader> {
        Ok(ObjectReader {
            top: top.to_owned(),
            process: CatFile::start(top)?,
        })
    }

    /// An object by its id, in hex, perhaps with `^{tree}` after it.
    pub(super) fn read_object(&mut self, id: &str, longest: u64) -> Result<FoundObject> {
        let broken = |why: &str| git_failed("cat-file", why.as_bytes());
        self.process.ask_for(id).map_err(|why| broken(&why))?;
        let head = self.process.read_head().map_err(|why| broken(&why))?;
        let words: Vec<&str> = head.split(' ').collect();
        let (kind, size) = match words[..] {
            [_, kind, size] => (kind, size.parse::<u64>().map_err(|_| broken("no size"))?),
            [_, "missing"] => return Ok(FoundObject::Missing),
            // The process has ended, as older versions do where fetching is not allowed.
            [""] => {
                self.process = CatFile::start(&self.top)?;
                return Ok(FoundObject::Missing);
            }
            _ => return Err(broken("an answer that is none")),
        };
        if size > longest {
            // The process is writing the content already: starting anew is faster than reading it.
            self.process = CatFile::start(&self.top)?;
            return Ok(FoundObject::TooLong);
        }
        let bytes = self.process.read_body(size).map_err(|why| broken(&why))?;
        let kind = kind.to_owned();
        Ok(FoundObject::Whole(GitObject { kind, bytes }))
    }
}

impl CatFile {
    fn start(top: &Path) -> Result<CatFile> {
        let mut command = git_command(top);
        command.args(["cat-file", "--batch"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| not_started(&error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(CatFile {
                child,
                questions: Some(questions),
                answers: BufReader::new(answers),
            }),
            _ => Err(Error::new("git has no pipes")),
        }
    }

    fn ask_for(&mut self, id: &str) -> Result<(), String> {
        let questions = self.questions.as_mut().ok_or("it has ended")?;
        let line = format!("{id}\n");
        questions
            .write_all(line.as_bytes())
            .map_err(|error| error.to_string())
    }

    /// The first line of an answer; empty where there is none.
    fn read_head(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.answers).take(4096);
        let read = limited.read_until(b'\n', &mut line);
        read.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn read_body(&mut self, size: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let mut limited = (&mut self.answers).take(size + 1);
        let read = limited.read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        match bytes.pop() {
            Some(b'\n') if bytes.len() as u64 == size => Ok(bytes),
            _ => Err("an answer that was cut off".to_owned()),
        }
    }
}

impl Drop for CatFile {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
