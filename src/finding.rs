//! A problem in the files, or in what they would do: stable code, place, hint.
//!
//! Loading and planning never stop at the first one. Model: imports `count_words` and `invisible_chars`;
//! drawing a finding is `render`'s work.

use std::borrow::Cow;
use std::fmt;

use crate::count_words::counted;
use crate::invisible_chars::visible;

enum_words! {
    /// How much a finding weighs: an error ends the command, a warning does not.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Severity {
        Warning = "warning",
        Error = "error",
    }
}

/// Where in the files something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The path as the user would type it, e.g. `routing/india.toml`.
    pub file: String,
    /// 1-based; 0 where the finding is about the file as a whole.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// How many characters the caret underlines, at least 1.
    pub width: u32,
    /// The text of that line, so that it can be shown without the file.
    /// Never the line of a plain-text secret: there it is left empty. A saved
    /// plan holds no such text.
    pub text: String,
}

impl Place {
    /// A file as a whole.
    pub fn file(file: impl Into<String>) -> Place {
        Place {
            file: file.into(),
            line: 0,
            column: 0,
            width: 0,
            text: String::new(),
        }
    }

    /// A line of a file.
    pub fn line(file: impl Into<String>, line: u32) -> Place {
        Place {
            line,
            ..Place::file(file)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable, kebab-case: part of the contract with CI.
    pub code: Cow<'static, str>,
    pub severity: Severity,
    /// One sentence, lower case, no full stop.
    pub message: String,
    pub place: Option<Place>,
    /// Other places that belong to it, each with what is there.
    pub also: Vec<(Place, String)>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    pub fn error(code: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            code: Cow::Borrowed(code),
            severity: Severity::Error,
            message: visible(&message.into()),
            place: None,
            also: Vec::new(),
            hint: None,
        }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Warning,
            ..Finding::error(code, message)
        }
    }

    /// At a place, or at the one that is known if any is.
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Finding {
        self.place = place.into();
        self
    }

    pub fn also(mut self, place: Place, what: impl Into<String>) -> Finding {
        self.also.push((place, visible(&what.into())));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(visible(&hint.into()));
        self
    }

    /// A hint, where there is one.
    pub fn hint_of(self, hint: Option<String>) -> Finding {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// A hint with lines below it, as they are to be shown or copied.
    pub fn hint_with_lines(mut self, hint: &str, lines: &str) -> Finding {
        let lines = lines.lines().map(visible);
        let all: Vec<String> = std::iter::once(visible(hint)).chain(lines).collect();
        self.hint = Some(all.join("\n"));
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `3 errors, 1 warning`; empty where there are none.
pub fn count_by_severity(findings: &[Finding]) -> String {
    let count = |severity| {
        let of_it = findings.iter().filter(|f| f.severity == severity);
        of_it.count() as u64
    };
    let kinds = [Severity::Error, Severity::Warning];
    let parts = kinds.map(|severity| (count(severity), severity.to_string()));
    let some = parts.iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, what)| counted(*count, what)).collect();
    some.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_by_severity() {
        let error = Finding::error("a", "b");
        let findings = [error.clone(), error, Finding::warning("a", "b")];
        assert_eq!(count_by_severity(&findings), "2 errors, 1 warning");
        assert_eq!(count_by_severity(&[]), "");
    }
}
