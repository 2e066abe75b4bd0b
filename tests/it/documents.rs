//! Documents that must be true: the example configuration, the default policy.

use std::path::Path;

use jaga::config::Config;
use jaga::domain::policy::{DEFAULT_POLICY, Policy};
use jaga::telemetry::metrics::{Kind, Name};
use toml::Table;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_documented_configuration_is_the_default_one() {
    let text = read("docs/configuration.md");
    let blocks: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect();
    let [block] = blocks.as_slice() else {
        panic!("{} blocks of TOML", blocks.len())
    };
    let documented: Config = toml::from_str(block).unwrap();
    assert_eq!(documented, Config::default());
    // And it names every key.
    let documented: Table = block.parse().unwrap();
    let every = Table::try_from(Config::default()).unwrap();
    missing_keys("", &every, &documented);
}

fn missing_keys(at: &str, every: &Table, documented: &Table) {
    for (key, value) in every {
        let Some(found) = documented.get(key) else {
            panic!("{at}{key} is not documented")
        };
        if let (Some(every), Some(documented)) = (value.as_table(), found.as_table()) {
            missing_keys(&format!("{at}{key}."), every, documented);
        }
    }
}

#[test]
fn every_metric_is_documented() {
    let text = read("docs/operations.md");
    for name in Name::ALL {
        let shown = match name.kind() {
            Kind::Counter => format!("`{}_total`", name.family()),
            Kind::Gauge | Kind::Histogram => format!("`{}`", name.family()),
        };
        assert!(
            text.contains(&shown),
            "{shown} is not in docs/operations.md"
        );
    }
}

#[test]
fn the_built_in_policy_acts_where_the_default_models_evidence_begins() {
    Policy::parse(DEFAULT_POLICY).unwrap();
    let policy: Table = DEFAULT_POLICY.parse().unwrap();
    let model: Table = read("models/genai-clip/model.toml").parse().unwrap();
    let rule = policy["rule"][0]["min_score"].as_float().unwrap();
    let verdict = model["verdict"]["substantial_evidence"].as_float().unwrap();
    assert!((rule - verdict).abs() < 1e-9, "{rule} {verdict}");
}
