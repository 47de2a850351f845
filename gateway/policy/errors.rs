//! What is wrong with a set of rules, told so that the person who wrote it can put it right.

use std::fmt;

use serde_saphyr::{Location, UserMessageFormatter};
use thiserror::Error;

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file's name.
    pub file: String,
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
    /// The line as it stands in the file.
    snippet: String,
}

/// Everything that is wrong with a set of rules. A set with one mistake is not loaded at all, so
/// the set before it stays.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct RuleErrors(pub Vec<RuleError>);

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}\n  remedy: {}", self.file, self.what, self.remedy);
        }
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let before = " ".repeat(self.column.saturating_sub(1));
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)?;
        writeln!(f, "{margin} |\n{number} | {}\n{margin} | {before}^", self.snippet)?;
        write!(f, "  remedy: {}", self.remedy)
    }
}

impl RuleError {
    /// A mistake at a place of a file's text.
    pub(super) fn at(file: &str, text: &str, place: Location, what: String, remedy: &str) -> Self {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        let line = number(place.line());
        let snippet = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        Self {
            file: file.to_owned(),
            line,
            column: number(place.column()),
            what,
            remedy: remedy.to_owned(),
            snippet: snippet.replace('\t', " "),
        }
    }

    /// A mistake that the YAML reader found.
    pub(super) fn of_yaml(file: &str, text: &str, error: &serde_saphyr::Error) -> Self {
        let error = error.without_snippet();
        let place = error.location().unwrap_or(Location::UNKNOWN);
        let rendered = error.render_with_formatter(&UserMessageFormatter);
        let what = rendered.lines().next().unwrap_or_default();
        let what = what.rsplit_once(" at line ").map_or(what, |(what, _)| what);
        let mut error = Self::at(file, text, place, what.to_owned(), remedy_for(what));
        // The reader names the line before a tab, where the value began.
        let tab = text.lines().position(|line| line.trim_start_matches(' ').starts_with('\t'));
        if let (true, Some(line)) = (what.contains("tab"), tab) {
            let before = text.lines().nth(line).unwrap_or_default();
            error.line = line + 1;
            error.column = before.find('\t').unwrap_or_default() + 1;
            error.snippet = before.replace('\t', " ");
        }
        error
    }
}

fn remedy_for(what: &str) -> &'static str {
    let what = what.to_lowercase();
    if what.contains("unknown field") {
        "correct the spelling, or remove the line"
    } else if what.contains("unknown variant") {
        "use one of the values listed"
    } else if what.contains("missing field") {
        "add the field to this rule"
    } else if what.contains("duplicate") {
        "keep one of the two lines"
    } else if what.contains("boolean") {
        "write true or false"
    } else if what.contains("tab") {
        "indent with blanks, never with tabs"
    } else {
        "check the indentation and put text that holds `: `, `#`, `*` or quotes between quotes"
    }
}
