//! The files of `scripts/deploy`.

use std::path::Path;
use std::process::Command;

use jaga::config::Config;
use jaga::http::config::Auth;

/// Above this `systemd-analyze security` calls a unit worse than wanted, in tenths.
const WORST_EXPOSURE: &str = "25";

fn deploy() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy")
}

#[test]
fn the_unit_is_hardened() {
    let unit = deploy().join("jaga.service");
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold"])
        .arg(WORST_EXPOSURE)
        .arg(&unit)
        .output();
    let Ok(rated) = rated else {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    };
    let text = String::from_utf8_lossy(&rated.stdout);
    assert!(text.contains("Overall exposure level"), "{rated:?}");
    assert!(rated.status.success(), "{text}");
}

/// What the decoder children need to build their walls stays on the unit's list.
#[test]
fn the_unit_lets_the_children_lock_themselves_down() {
    let unit = std::fs::read_to_string(deploy().join("jaga.service")).unwrap();
    let (taken, given_back) = unit.split_once("SystemCallFilter=~").unwrap();
    for call in [
        "seccomp",
        "landlock_create_ruleset",
        "landlock_restrict_self",
    ] {
        assert!(taken.contains(call), "{call}");
    }
    for call in ["setrlimit", "prlimit64", "capset"] {
        assert!(given_back.contains(call), "{call}");
    }
}

/// The configuration that `install` writes is one, and asks for keys behind a local proxy too.
#[test]
fn the_installed_configuration_asks_for_keys() {
    let script = std::fs::read_to_string(deploy().join("install")).unwrap();
    let (_, rest) = script.split_once("<<TOML\n").unwrap();
    let (text, _) = rest.split_once("\nTOML\n").unwrap();
    // What the shell puts in are paths.
    let text = text.replace("$(basename \"$RUNTIME_LIBRARY\")", "library");
    let config: Config = toml::from_str(&text.replace("\\`", "`")).unwrap();
    assert_eq!(config.server.auth, Auth::Required);
    assert_eq!(config.data.keys_dir(), Path::new("/var/lib/jaga"));
}
