//! What no compiler checks: which module may know which, how long a file may grow, that nothing
//! is unfinished, that personal data is uncovered in few places, that every fixture is used.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Each module of `gateway/` and the modules below it that it may name. Siblings never know each
/// other; `main` and `lib` stand outside.
const ARROWS: &[(&str, &[&str])] = &[
    ("mail", &[]),
    ("clock", &[]),
    ("calendar", &[]),
    ("extract", &["mail"]),
    ("detect", &["mail"]),
    ("policy", &["mail", "detect"]),
    ("approval", &["mail", "detect"]),
    ("inspect", &["mail", "extract", "detect", "policy"]),
    ("store", &["mail", "detect", "policy", "inspect", "approval", "clock", "calendar"]),
    ("intake", &["mail", "detect", "policy", "approval", "inspect", "store", "clock", "calendar"]),
    ("smtp", &["mail", "clock", "store", "intake"]),
    ("notice", &["mail", "detect", "policy", "approval", "store", "clock", "calendar"]),
    ("app", &["*"]),
];

/// Modules that are pure functions: no I/O, no clock, no randomness.
const PURE: &[&str] = &["mail", "calendar", "extract", "detect", "policy", "approval", "inspect"];

/// What a pure module may not reach for.
const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::env",
    "std::process",
    "std::thread",
    "tokio",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "SystemRandom",
    "Uuid::new",
    "rustix",
    "sqlx",
];

/// Lines after which nobody reads a file as a whole.
const LONGEST: usize = 500;

/// Where personal data may be uncovered (`Sensitive::expose`), as beginnings of paths, and why.
const EXPOSING: &[(&str, &str)] = &[
    ("gateway/mail/", "texts are decoded, searched and spliced here"),
    ("gateway/extract/", "texts are made here"),
    ("gateway/detect/", "texts are searched and masked here"),
    ("gateway/policy/", "the roll and attachment names are compared here"),
    ("gateway/approval.rs", "a finding that names the approver shuts them out"),
    ("gateway/inspect.rs", "findings are placed in their texts here"),
    ("gateway/app/check_report.rs", "the report names attachments, and shows findings on demand"),
    ("gateway/app/check.rs", "a dry run shows findings on demand"),
    ("gateway/app/held.rs", "a look at a held message shows findings on demand, and is audited"),
    ("gateway/notice/post.rs", "a report returns Message-ID and Date of the original"),
    ("gateway/notice/subject.rs", "the kind of a recorded place is told, never its name"),
    ("gateway/store/", "what is kept is sealed here"),
];

/// Marks of unfinished work.
const UNFINISHED: &[&str] =
    &["todo!", "unimplemented!", "FIX\u{4d}E", "TO\u{44}O", "XX\u{58}", "#[ign\u{6f}re"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a folder of the repository, as (path from the root, contents).
fn files(folder: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                let text = fs::read_to_string(&path).unwrap();
                found.push((relative(&path), text));
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn sources() -> Vec<(String, String)> {
    let found = files("gateway", "rs");
    assert!(!found.is_empty());
    found
}

/// `gateway/store/spool.rs` is of the module `store`.
fn module(path: &str) -> &str {
    let inner = path.strip_prefix("gateway/").unwrap();
    inner.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The code of a file up to its tests, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| !line.starts_with("mod tests"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn modules_name_only_those_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let own = module(&path);
        if own == "lib" || own == "main" {
            continue;
        }
        let row = ARROWS.iter().find(|(name, _)| *name == own);
        let allowed = row.unwrap_or_else(|| panic!("{own} has no row in ARROWS")).1;
        for (line, code) in code(&text) {
            for rest in code.split("crate::").skip(1) {
                let named: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let fits = named == own || allowed.contains(&"*") || allowed.contains(&&*named);
                if !fits {
                    wrong.push(format!("{path}:{line}: {own} must not know `{named}`"));
                }
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn pure_modules_reach_for_nothing_outside() {
    let mut wrong = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| PURE.contains(&module(path))) {
        for (line, code) in code(text) {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!(
                    "{path}:{line}: {} is pure and must not use {word}",
                    module(path)
                ));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn files_stay_short_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().chain(files("tests", "rs")) {
        let lines = text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{path}: {lines} lines; split it by ideas, {LONGEST} is the limit"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path}:1: begin with //! and the purpose of the file"));
        }
    }
    assert_none(wrong);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().chain(files("tests", "rs")) {
        for (index, line) in text.lines().enumerate() {
            for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
                if path != "tests/tidy.rs" {
                    wrong.push(format!("{path}:{}: {mark} is unfinished work", index + 1));
                }
            }
            if line.trim_start().starts_with("use crate::{") {
                let remedy = "one path a line, so that the arrows can be read";
                wrong.push(format!("{path}:{}: {remedy}", index + 1));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn personal_data_is_uncovered_in_few_places() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let listed = EXPOSING.iter().any(|(start, _)| path.starts_with(start));
        for (line, _) in code(&text).filter(|(_, code)| code.contains(".expose()")) {
            if !listed {
                wrong.push(format!(
                    "{path}:{line}: uncovers personal data; if it must, say why in EXPOSING"
                ));
            }
        }
    }
    assert_none(wrong);
}

#[test]
fn every_fixture_folder_is_used_by_a_test() {
    let mut code: String = files("tests", "rs").into_iter().map(|(_, text)| text).collect();
    code.extend(sources().into_iter().map(|(_, text)| text));
    code.extend(files("fuzz", "rs").into_iter().map(|(_, text)| text));
    code.extend(files("benches", "rs").into_iter().map(|(_, text)| text));
    let folders = fs::read_dir(root().join("fixtures")).into_iter().flatten();
    let unused: Vec<String> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| relative(&path))
        .filter(|path| !code.contains(path.as_str()))
        .collect();
    assert_none(unused);
}

#[test]
fn nothing_tells_of_one_persons_machine() {
    let mut wrong = Vec::new();
    let marks = ["/ro\u{6f}t/", "/ho\u{6d}e/", "/wo\u{72}k/", "/Us\u{65}rs/"];
    for path in listed_files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (index, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(**mark)) {
                wrong.push(format!("{}:{}: {mark}…", path.display(), index + 1));
            }
        }
    }
    assert_none(wrong);
}

/// Documentation, scripts, configuration and code: everything a reader opens.
fn listed_files() -> Vec<PathBuf> {
    let folders = ["docs", "gateway", "tests", "systemd", "rules", ".ci", "fuzz/fuzz_targets"];
    let kinds = ["md", "rs", "yaml", "json", "service", "toml", "sh"];
    let mut found: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "Cargo.toml", "test", "justfile"]
        .into_iter()
        .chain(["deny.toml", ".ci/run"])
        .map(PathBuf::from)
        .collect();
    for folder in folders {
        for kind in kinds {
            found.extend(files(folder, kind).into_iter().map(|(path, _)| PathBuf::from(path)));
        }
    }
    found
}
