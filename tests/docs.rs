//! Pages made from the code equal the committed ones, links lead somewhere, examples load.
//!
//! `UPDATE_DOCS=1 cargo test --test all docs` writes the pages anew.

use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;

use schoolgate::app::config;
use schoolgate::app::config::Settings;
use schoolgate::mail::Condition;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn assert_page(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, made).unwrap();
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == made, "{path} has fallen behind the code: run `just docs` and commit it");
}

#[test]
fn the_configuration_reference_is_made_from_the_types() {
    assert_page("docs/configuration.md", &config::markdown());
}

#[test]
fn the_configuration_schema_is_made_from_the_types() {
    let schema = serde_json::to_string_pretty(&config::schema()).unwrap() + "\n";
    assert_page("docs/schema/config.schema.json", &schema);
}

#[test]
fn the_reply_reference_is_made_from_the_table() {
    assert_page("docs/replies.md", &replies());
}

fn replies() -> String {
    let mut page = String::from(
        "<!-- Made from the table in gateway/mail/reply.rs by tests/docs.rs; run `just docs`. -->\n\
         \n# What the gateway says on SMTP\n\n\
         Every reply has one row here. A fault that has none is 451 4.3.0: unknown trouble counts \
         as passing, and the client keeps the message.\n\n\
         | condition | code | status | words |\n|---|---|---|---|\n",
    );
    for condition in Condition::ALL {
        let reply = condition.reply();
        let status = match reply.status {
            Some((class, subject, detail)) => format!("{class}.{subject}.{detail}"),
            None => "—".to_owned(),
        };
        writeln!(page, "| {condition:?} | {} | {status} | {} |", reply.code, reply.text).unwrap();
    }
    page
}

#[test]
fn every_key_of_the_configuration_has_words() {
    let page = config::markdown();
    let bare: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.ends_with("|  |")).collect();
    assert!(bare.is_empty(), "keys without a meaning: {bare:#?}");
    for key in ["school.domains", "`deadline`", "listeners[].clients[].exchange_online"] {
        let last = key.rsplit("school.").next().unwrap();
        assert!(page.contains(last), "{key} is missing in\n{page}");
    }
}

#[test]
fn the_example_configuration_loads() {
    for entry in std::fs::read_dir(root().join("docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let loaded = Settings::load(&path);
            assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
        }
    }
}

#[test]
fn links_in_the_documentation_lead_somewhere() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            let is_local = !file.is_empty() && !file.contains("://") && !file.contains(' ');
            let leads = page.parent().unwrap().join(file).exists();
            assert!(!is_local || leads, "{}: {target} leads nowhere", page.display());
        }
    }
}

/// README, CHANGELOG and every page under `docs/`.
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}
