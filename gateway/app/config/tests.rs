//! What a school may write, and what it is told when it is wrong.

use std::path::Path;

use super::*;
use crate::mail::Address;
use crate::mail::Audience;

/// The least that means something.
const LEAST: &str = "\
school:
  name: Hill Primary School
  domains: [hill.example]
hostname: gate.hill.example
listeners:
  - name: copiers
    address: 127.0.0.1:2525
    clients:
      - lan:
          networks: [192.0.2.0/24]
next_hops:
  default:
    host: smart.example
approvers:
  - name: Ann Field
    address: head@hill.example
    role: headteacher
  - name: Bo Reed
    address: dsl@hill.example
    role: safeguarding_lead
";

fn read(source: &str) -> Result<Settings, ConfigError> {
    Settings::read(Path::new("conf/schoolgate.yaml"), source)
}

fn problems(source: &str) -> Vec<Problem> {
    match read(source) {
        Err(ConfigError::Wrong(problems)) => problems,
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

/// The only problem of the least configuration after one change.
fn problem_after(from: &str, to: &str) -> Problem {
    assert!(LEAST.contains(from), "{from}");
    let mut found = problems(&LEAST.replacen(from, to, 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[test]
fn the_least_configuration_has_every_default() {
    let settings = read(LEAST).unwrap();
    assert_eq!(settings.mode, Mode::Enforce);
    assert_eq!(settings.monitor_header, None);
    assert_eq!(settings.inspection.deadline.as_secs(), 20);
    assert_eq!(settings.limits.message_size, 35 << 20);
    assert_eq!(settings.journal, []);
    assert_eq!(settings.retention.classes.get("standard"), Some(&3));
    assert_eq!(settings.notices_from.as_str(), "postmaster@hill.example");
    assert_eq!(settings.holds.escalate_after_school_hours, 4);
    assert_eq!(settings.holds.close_after_school_days, 5);
    assert_eq!(settings.holds.keep_closed_days, 30);
    assert!(settings.disclaimer.is_some_and(|one| one.html.starts_with("<p>")));
    assert_eq!(settings.default_hop.port, 25);
    assert_eq!(settings.default_hop.tls.tls_use, TlsUse::Required);
    assert_eq!(settings.relay.max_age.as_secs(), 5 * 24 * 3600);
}

#[test]
fn audiences_follow_domains_and_partners() {
    let source = LEAST.replace(
        "  domains: [hill.example]\n",
        "  domains: [hill.example]\n  trusted_partners: ['*.council.example']\n  \
         protected_recipients: [lado@council.example]\n",
    );
    let school = read(&source).unwrap().school;
    let audience = |text: &str| school.audience(&Address::parse(text).unwrap());
    assert_eq!(audience("a@HILL.example"), Audience::Own);
    assert_eq!(audience("a@sub.hill.example"), Audience::External);
    assert_eq!(audience("a@care.council.example"), Audience::Partner);
    assert!(school.is_protected(&Address::parse("LADO@council.example").unwrap()));
}

#[test]
fn an_error_shows_place_line_caret_field_and_remedy() {
    let text = read(&LEAST.replace("hostname:", "hostnam:")).unwrap_err().to_string();
    let start = "conf/schoolgate.yaml:4:1: hostnam: unknown field `hostnam`, expected one of";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("4 | hostnam: gate.hill.example\n  | ^\n"), "{text}");
    assert!(text.ends_with("docs/configuration.md lists every key"), "{text}");
}

#[test]
fn a_wrong_value_is_placed_and_says_what_it_should_be() {
    let problem = problem_after("address: 127.0.0.1:2525", "address: port 25");
    assert_eq!(problem.place, Some((7, 14)));
    assert_eq!(problem.field, "listeners[0].address");
    let late = format!("{LEAST}inspection:\n  deadline: 20\n");
    let found = problems(&late);
    assert_eq!(found[0].field, "inspection.deadline");
    assert!(found[0].what.contains("such as 20s"), "{}", found[0].what);
}

#[test]
fn yes_is_no_boolean_and_a_key_stands_once() {
    let found = problems(&format!("{LEAST}disclaimer:\n  append: yes\n"));
    assert_eq!(found[0].field, "disclaimer.append");
    let found = problems(&format!("{LEAST}hostname: other.example\n"));
    assert!(found[0].what.contains("duplicate"), "{}", found[0].what);
    assert_eq!(found[0].remedy, "keep one of the two");
}

#[test]
fn contradictions_are_found_each_at_its_place() {
    for (from, to, field, words) in [
        ("[hill.example]", "[]", "school.domains", "no domain of its own"),
        (
            "[hill.example]",
            "[hill.example]\n  trusted_partners: [hill.example]",
            "school.trusted_partners",
            "own domains",
        ),
        ("192.0.2.0/24", "0.0.0.0/0", "listeners[0].clients[0].lan.networks", "whole internet"),
        ("head@hill.example", "head@home.example", "approvers[0].address", "home.example"),
        ("role: headteacher", "role: deputy", "approvers", "headteacher"),
        ("role: safeguarding_lead", "role: admin", "approvers", "concerns the headteacher"),
        ("host: smart.example", "host: a b", "next_hops.default.host", "neither a host name"),
    ] {
        let problem = problem_after(from, to);
        assert_eq!(problem.field, field, "{to}");
        assert!(problem.what.contains(words), "{to}: {}", problem.what);
        assert!(problem.place.is_some() && !problem.snippet.is_empty(), "{to}");
    }
}

#[test]
fn added_blocks_are_checked_too() {
    for (block, words) in [
        ("disclaimer: {text: ' '}", "the disclaimer is empty"),
        ("bulk: {to_address: office@other.example}", "not one of the school's own"),
        ("notices: {from: office@other.example}", "not one of the school's own"),
        ("inspection: {deadline: 11m}", "ten minutes"),
        ("limits: {memory: 1MiB}", "does not fit"),
        ("retention: {standard: long}", "no class `long`"),
        ("retention: {classes: {'Two Words': {years: 3}, standard: {years: 3}}}", "header field"),
        ("calendar: {weekdays: []}", "no day of the week"),
        ("calendar: {school_day: {from: '16:00', to: '08:00'}}", "before it begins"),
        ("calendar: {holidays: [{from: 2026-12-20, to: 2026-12-19}]}", "before it begins"),
        ("monitor_header: {name: Subject}", "another meaning"),
        ("rules: {folder: nowhere}", "is no folder"),
        ("relay: {retry: []}", "no wait"),
        ("log: {level: loud=very}", "no log level"),
    ] {
        let found = problems(&format!("{LEAST}{block}\n"));
        assert_eq!(found.len(), 1, "{block}: {found:#?}");
        assert!(found[0].what.contains(words), "{block}: {}", found[0].what);
    }
}

#[test]
fn all_problems_come_at_once() {
    let source = LEAST.replace("headteacher", "deputy").replace("192.0.2.0/24", "0.0.0.0/0");
    assert_eq!(problems(&source).len(), 2);
}

#[test]
fn clients_with_certificates_need_tls_and_files_that_are_there() {
    let source = LEAST.replace(
        "      - lan:\n          networks: [192.0.2.0/24]\n",
        "      - exchange_online:\n          tenant_id: not-a-uuid\n          ca: missing.pem\n",
    );
    let words: Vec<String> = problems(&source).into_iter().map(|problem| problem.what).collect();
    assert!(words.iter().any(|what| what.contains("need TLS")), "{words:?}");
    assert!(words.iter().any(|what| what.contains("no tenant id")), "{words:?}");
    assert!(words.iter().any(|what| what.contains("conf/missing.pem")), "{words:?}");
}

#[test]
fn a_file_that_is_not_there_says_which() {
    let error = Settings::load(Path::new("/nowhere/schoolgate.yaml")).unwrap_err();
    assert_eq!(error.to_string(), "the configuration /nowhere/schoolgate.yaml cannot be read");
}

#[test]
fn next_hops_are_sorted_with_the_exact_ones_first() {
    let source = LEAST.replace(
        "    host: smart.example\n",
        "    host: smart.example\n  domains:\n    '*.example': {host: a.example}\n    \
         '*.council.example': {host: b.example}\n    council.example: {host: c.example}\n",
    );
    let settings = read(&source).unwrap();
    let hosts: Vec<&str> = settings.domain_hops.iter().map(|(_, hop)| hop.host.as_str()).collect();
    assert_eq!(hosts, ["c.example", "b.example", "a.example"]);
}
