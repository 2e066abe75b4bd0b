//! What `scripts/jaga --runtime …` sets up, without setting it up.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

use crate::inference::support::root;

fn pins() -> Table {
    let text = std::fs::read_to_string(root().join("scripts/pins/wheels.toml")).unwrap();
    text.parse().unwrap()
}

fn text<'a>(table: &'a Value, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Value::as_str)
}

#[test]
fn every_file_of_a_runtime_is_pinned() {
    let pins = pins();
    let is_hash = |value: Option<&str>| {
        value.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let runtimes = pins["runtime"].as_table().unwrap();
    assert_eq!(
        runtimes.keys().collect::<Vec<_>>(),
        ["cpu", "gpu", "openvino"]
    );
    for (runtime, files) in runtimes {
        let mut names = BTreeSet::new();
        for file in files.as_array().unwrap() {
            let member = Path::new(text(file, "member").unwrap());
            let own = member.file_name().and_then(|name| name.to_str());
            let name = text(file, "as").or(own).unwrap();
            assert!(names.insert(name.to_owned()), "{runtime}: {name} twice");
            assert!(is_hash(text(file, "sha256")), "{runtime}: {name}");
            let wheel = &pins[text(file, "wheel").unwrap()];
            assert!(is_hash(text(wheel, "sha256")), "{wheel}");
            let requirement = text(wheel, "requirement").unwrap();
            assert!(requirement.contains("=="), "{requirement}");
        }
        let libraries = names
            .iter()
            .filter(|name| name.starts_with("libonnxruntime.so."));
        assert_eq!(libraries.count(), 1, "{runtime}");
        assert!(
            names.iter().any(|name| name.starts_with("LICENSE")),
            "{runtime}"
        );
    }
}

/// The environment that `scripts/jaga --runtime NAME` gives to jaga, with `set` in its own.
fn environment(name: &str, set: &[(&str, &str)]) -> Vec<String> {
    let script = "source scripts/lib/setup.sh; choose_runtime \"$1\"; export_environment; \
                  printf '%s\\n' \"$JAGA_RUNTIME__LIBRARY\" \"${JAGA_PROVIDERS:-}\" \
                  \"${JAGA_MODELS__LOAD:-}\" \"${LD_LIBRARY_PATH:-}\"";
    let output = Command::new("bash")
        .args(["-euc", script, "bash", name])
        .current_dir(root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(set.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let here = format!("{}/", root().display());
    text.lines().map(|line| line.replace(&here, "")).collect()
}

#[test]
fn a_runtime_brings_its_library_and_its_provider() {
    let library = |name: &str, version| format!(".jaga/runtime/{name}/libonnxruntime.so.{version}");
    let floats = "genai-clip,centerface";
    let cpu = environment("cpu", &[]);
    assert_eq!(cpu, [&library("cpu", "1.31.1"), "", "", ""]);
    let openvino = environment("openvino", &[]);
    assert_eq!(
        openvino,
        [&library("openvino", "1.24.1"), "openvino", floats, ""]
    );
    // What CUDA's libraries load by name is found where they are.
    let gpu = environment("gpu", &[("LD_LIBRARY_PATH", "/opt/lib")]);
    let path = ".jaga/runtime/gpu:/opt/lib";
    assert_eq!(gpu, [&library("gpu", "1.31.1"), "cuda", floats, path]);
    let set = [
        ("JAGA_PROVIDERS", "cuda,cpu"),
        ("JAGA_MODELS__LOAD", "mine"),
    ];
    assert_eq!(environment("gpu", &set)[1..3], ["cuda,cpu", "mine"]);
}

#[test]
fn another_runtime_is_refused() {
    for arguments in [
        &["--runtime", "tpu", "doctor"][..],
        &["--runtime"],
        &["--runtime="],
    ] {
        let output = Command::new(root().join("scripts/jaga"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("takes cpu, openvino or gpu"), "{said}");
    }
}
