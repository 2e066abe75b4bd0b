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

/// The metrics that queries in `text` ask for.
fn asked(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("jaga_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn alerts_and_dashboard_ask_only_for_metrics_that_exist() {
    let known: Vec<String> = Name::ALL.into_iter().flat_map(Name::exposed).collect();
    let alerts = read("docs/alerts.yaml");
    let alerts = alerts.as_str();
    let dashboard: serde_json::Value = serde_json::from_str(&read("docs/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries: Vec<&str> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    let rules = alerts.matches("- alert:").count();
    assert!(rules >= 8 && queries.len() >= 20);
    for each in ["expr:", "severity:", "summary:", "action:"] {
        assert_eq!(alerts.matches(each).count(), rules, "{each} of each alert");
    }
    let variables = dashboard["templating"].to_string();
    for name in [alerts, &variables]
        .into_iter()
        .chain(queries)
        .flat_map(asked)
    {
        assert!(
            known.iter().any(|known| known == name),
            "there is no {name}"
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
