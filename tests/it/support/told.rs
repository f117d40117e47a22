//! A hint, found in what was printed, and followed: the command in it is taken
//! as it stands there. `cli::followed` looks that no hint of the sources is
//! left out.

use super::{Lkroute, Run};

/// What a hint says in an output.
#[must_use = "a hint is followed"]
pub struct Told {
    /// From its first word to the end of what was printed.
    words: String,
    /// How much of that is the hint itself.
    length: usize,
}

/// Finds a hint in a text, however it is wrapped. It is given as the sources
/// have it: `{…}` in it stands for anything.
#[track_caller]
pub fn told(said: &str, hint: &str) -> Told {
    find_hint(said, hint).unwrap_or_else(|| panic!("{hint:?} is not told: {said}"))
}

/// The same, where it is there.
pub fn find_hint(said: &str, hint: &str) -> Option<Told> {
    let said = words_of(said);
    let mut pieces = hint_pieces(hint).into_iter();
    let first = pieces.next().expect("a hint");
    let mut starts = said.match_indices(first.as_str());
    let (start, mut end) = starts.find_map(|(start, _)| {
        let mut end = start + first.len();
        for piece in pieces.clone() {
            end += said[end..].find(&piece)? + piece.len();
        }
        Some((start, end))
    })?;
    // What stands for anything at the end is a word.
    if hint.ends_with('}') {
        let rest = said[end..].trim_start();
        let word = rest.split(' ').next().unwrap_or_default();
        end = said.len() - rest.len() + word.len();
    }
    Some(Told {
        words: said[start..].to_owned(),
        length: end - start,
    })
}

/// The fixed parts of a hint.
pub fn hint_pieces(hint: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = hint;
    while let Some((before, after)) = rest.split_once('{') {
        let name = after.split_once('}').filter(|(name, _)| {
            let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            name.chars().all(of_name)
        });
        match name {
            Some((_, after)) => {
                pieces.push(words_of(before));
                rest = after;
            }
            None => break,
        }
    }
    pieces.push(words_of(rest));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The words, with one blank between them.
pub fn words_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Told {
    /// Runs the first command that is told, with what it leaves open filled
    /// in: `&[("ADDRESS", "config.a")]`.
    #[track_caller]
    pub fn run(&self, lkroute: &Lkroute, open: &[(&str, &str)]) -> Run {
        let quoted = self.words.find("`lkroute ").map(|start| start + 1);
        let start = quoted
            .or_else(|| self.words.find("lkroute "))
            .expect("a command");
        let quoted = quoted.is_some();
        let line = &self.words[start..];
        let line = match quoted {
            true => line.split('`').next().unwrap_or_default(),
            false => self.words[..self.length].get(start..).unwrap_or(line),
        };
        self.run_line(lkroute, line, open)
    }

    #[track_caller]
    fn run_line(&self, lkroute: &Lkroute, line: &str, open: &[(&str, &str)]) -> Run {
        let words = line.split_whitespace().skip(1);
        let words = words.map(|word| {
            let filled = open.iter().find(|(name, _)| *name == word);
            filled.map_or(word, |(_, value)| value)
        });
        lkroute.run(&words.collect::<Vec<_>>())
    }

    /// Runs a command with the option or the variable that is told.
    #[track_caller]
    pub fn with(&self, lkroute: &Lkroute, line: &str) -> Run {
        let names = self.words.split(|c: char| !is_of_name(c));
        let mut names = names.filter(|name| name.starts_with("--") || is_variable(name));
        let is_used = |name: &str| {
            let in_line = line.split([' ', '=']).any(|word| word == name);
            in_line || lkroute.has_variable(name)
        };
        let used = names.any(|name| is_used(name.trim_end_matches('_')));
        assert!(used, "`{line}` does not do what is told: {}", self.words);
        lkroute.run(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Does what is told in another way than by a command.
    pub fn then<T>(self, act: impl FnOnce() -> T) -> T {
        act()
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn is_variable(name: &str) -> bool {
    let of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.contains('_') && name.chars().all(of_name)
}

impl Run {
    /// Asserts that something is said that names an option or a variable, and
    /// asks nobody to do anything. It is given as the sources have it.
    #[track_caller]
    pub fn says(&self, fact: &str) -> &Run {
        drop(self.told(fact));
        self
    }

    /// All that was printed, with one blank between the words.
    pub fn words(&self) -> String {
        words_of(&format!("{} {}", self.stdout, self.stderr))
    }

    /// Finds a hint in what was printed.
    #[track_caller]
    pub fn told(&self, hint: &str) -> Told {
        told(&self.words(), hint)
    }
}
