//! The systemd unit: well formed, closely confined, and saying what the program does.

use std::process::Command;

fn unit() -> String {
    format!("{}/systemd/schoolgate.service", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_unit_is_well_formed() {
    let text = std::fs::read_to_string(unit()).unwrap();
    // The binary of the unit need not be installed here; any other that exists lets the rest be
    // verified.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("schoolgate.service");
    std::fs::write(&copy, text.replace("/usr/bin/schoolgate", "/usr/bin/true")).unwrap();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output()
        .expect("systemd-analyze, which ./test installs");
    let told = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_it: Vec<&str> = told.lines().filter(|line| line.contains("schoolgate")).collect();
    assert!(about_it.is_empty(), "{about_it:#?}");
}

#[test]
fn the_unit_is_closely_confined() {
    let scored = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20"])
        .arg(unit())
        .output()
        .expect("systemd-analyze, which ./test installs");
    let told = String::from_utf8_lossy(&scored.stdout).into_owned();
    assert!(scored.status.success(), "exposed beyond 2.0: {}", told.lines().last().unwrap());
}

#[test]
fn the_unit_says_what_the_program_does() {
    let text = std::fs::read_to_string(unit()).unwrap();
    for line in [
        "Type=notify",
        "RestartPreventExitStatus=2",
        "LimitCORE=0",
        "StateDirectoryMode=0700",
        "NoNewPrivileges=yes",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}");
    }
}
