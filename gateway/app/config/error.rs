//! What is wrong with a configuration, as its author must read it: where, what, and the remedy.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use serde_saphyr::Location;
use thiserror::Error;

use super::place::path_at;
use super::place::snippet;

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was read and is wrong; every problem that was found.
    #[error("{}", join(.0))]
    Wrong(Vec<Problem>),
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: PathBuf,
    /// Line and column, from 1; `None` where something is missing that could stand anywhere.
    pub place: Option<(usize, usize)>,
    /// The path of keys, `listeners[0].address`.
    pub field: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// The lines, with a caret.
    pub snippet: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        writeln!(f, ": {}", self.what)?;
        write!(f, "{}  remedy: {}", self.snippet, self.remedy)
    }
}

/// Gathers problems of one text.
pub(super) struct Problems<'a> {
    pub(super) file: &'a Path,
    pub(super) source: &'a str,
    pub(super) found: Vec<Problem>,
}

impl Problems<'_> {
    /// Notes a problem at a value. `field` names it where the value is a default, and where the
    /// problem is the whole of a list or an object, whose place is its first entry.
    pub(super) fn at(&mut self, location: Location, field: &str, what: String, remedy: &str) {
        let place = place_of(location);
        let (field, snippet) = match place {
            Some((line, column)) => {
                let field = widened(path_at(self.source, line), field);
                (field, snippet(self.source, line, column))
            }
            None => (field.to_owned(), String::new()),
        };
        self.found.push(Problem {
            file: self.file.to_owned(),
            place,
            field,
            what,
            remedy: remedy.to_owned(),
            snippet,
        });
    }

    /// Notes what the YAML reader says.
    pub(super) fn reader_says(&mut self, error: &serde_saphyr::Error) {
        let bare = error.without_snippet();
        let location = error.location().unwrap_or(Location::UNKNOWN);
        let words = strip_place(&bare.to_string());
        let remedy = remedy_for(&words);
        self.at(location, "", words, remedy);
    }
}

/// The path at a place, cut after `field` if it leads further in than one item.
fn widened(path: String, field: &str) -> String {
    if path.is_empty() {
        return field.to_owned();
    }
    match path.split_once(field) {
        Some((before, after)) if !field.is_empty() && after.contains('.') => {
            format!("{before}{field}")
        }
        _ => path,
    }
}

fn place_of(location: Location) -> Option<(usize, usize)> {
    let line = usize::try_from(location.line()).ok()?;
    let column = usize::try_from(location.column()).ok()?;
    (line > 0 && column > 0).then_some((line, column))
}

/// The reader's words without the place, which stands in front already.
fn strip_place(words: &str) -> String {
    let words = words.strip_prefix("error: ").unwrap_or(words);
    match words.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.to_owned(),
        _ => words.split(" at line ").next().unwrap_or(words).to_owned(),
    }
}

fn remedy_for(words: &str) -> &'static str {
    if words.contains("unknown field") {
        "correct the key or remove it; docs/configuration.md lists every key"
    } else if words.contains("missing field") {
        "add the key; docs/examples/schoolgate.yaml shows a whole configuration"
    } else if words.contains("duplicate") {
        "keep one of the two"
    } else if words.contains("unknown variant") {
        "write one of the words listed"
    } else if words.contains("tab") || words.contains("indent") {
        "indent with spaces, by the same number within one block"
    } else {
        "see this key in docs/configuration.md"
    }
}
