//! The whole configuration: defaults < `jaga.toml` < `JAGA_…` variables < flags.
//!
//! `docs/configuration.md` lists every key. An unknown key or variable is an error.

use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};
use serde::{Deserialize, Serialize};

use crate::domain::lanes::Lane;
use crate::domain::transparency::statement::{InvalidTerms, TransparencyConfig};
use crate::http::config::{LimitsConfig, ServerConfig};
use crate::inference::{ModelsConfig, RuntimeConfig};
use crate::media::config::{MediaConfig, PerturbConfig};
use crate::outbound::config::{FetchConfig, WebhooksConfig};
use crate::pipeline::config::{AnalysisConfig, PolicyConfig};
use crate::store::config::StoreConfig;
use crate::store::{KeepConfig, Material};
use crate::telemetry::{LogConfig, TracesConfig};
use crate::worker::{DriftConfig, JobsConfig};

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP door.
    pub server: ServerConfig,
    /// How often one caller may come.
    pub limits: LimitsConfig,
    /// Limits and defaults of one analysis.
    pub analysis: AnalysisConfig,
    /// The decoder child.
    pub media: MediaConfig,
    /// The perturber child, for evaluations.
    pub perturb: PerturbConfig,
    /// ONNX Runtime.
    pub runtime: RuntimeConfig,
    /// Model bundles.
    pub models: ModelsConfig,
    /// Policies.
    pub policy: PolicyConfig,
    /// The data directory.
    pub data: StoreConfig,
    /// Jobs.
    pub jobs: JobsConfig,
    /// How scores are watched.
    pub drift: DriftConfig,
    /// What is told to the public.
    pub transparency: TransparencyConfig,
    /// Material for scoring reports again.
    pub keep: KeepConfig,
    /// Videos by URL.
    pub fetch: FetchConfig,
    /// Callbacks.
    pub webhooks: WebhooksConfig,
    /// Logs.
    pub log: LogConfig,
    /// Traces.
    pub traces: TracesConfig,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file, a variable or a key that can't be read.
    #[error("can't read the configuration")]
    Source(#[from] config::ConfigError),
    /// What statements of reasons can't say.
    #[error("configuration: transparency.statements.{0}")]
    Terms(#[from] InvalidTerms),
    /// A value out of its range.
    #[error("configuration: {key} must be {expected}, not {got}")]
    Value {
        /// Section and key.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
}

/// Address space below which a child can't start: program and libraries take 190 MiB of it.
const LEAST_CHILD_BYTES: u64 = 256 << 20;

/// Variables with a name of their own, besides `JAGA_<SECTION>__<KEY>`.
const SHORT_VARIABLES: [&str; 3] = ["JAGA_MODELS_DIR", "JAGA_DATA_DIR", "JAGA_PROVIDERS"];

/// Variables of jaga's scripts and tests, which are no settings.
const FOREIGN_VARIABLES: [&str; 2] = ["JAGA_TEST_", "JAGA_REQUIRE_"];

impl Config {
    /// Reads `file` (or `jaga.toml` in the working directory, if there is one) and the variables
    /// that `environment` yields.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let variables: Vec<(String, String)> = environment
            .filter(|(name, _)| name.starts_with("JAGA_"))
            .filter(|(name, _)| !FOREIGN_VARIABLES.iter().any(|f| name.starts_with(f)))
            .collect();
        let short = |wanted: &str| {
            variables
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.as_str())
        };
        let long = variables
            .iter()
            .filter(|(name, _)| !SHORT_VARIABLES.contains(&name.as_str()))
            .cloned()
            .collect();
        let source = match file {
            Some(path) => File::from(path).format(FileFormat::Toml).required(true),
            None => File::from(Path::new("jaga.toml"))
                .format(FileFormat::Toml)
                .required(false),
        };
        let mut config: Self = config::Config::builder()
            .add_source(source)
            .add_source(long_variables(long))
            .build()?
            .try_deserialize()?;
        if let Some(dir) = short("JAGA_MODELS_DIR") {
            config.models.dirs.push(PathBuf::from(dir));
        }
        if let Some(dir) = short("JAGA_DATA_DIR") {
            config.data.dir = PathBuf::from(dir);
        }
        if let Some(list) = short("JAGA_PROVIDERS") {
            config.runtime.providers = list.split(',').map(|p| p.trim().to_owned()).collect();
        }
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.analysis.validate()?;
        self.server.validate()?;
        self.traces.validate()?;
        self.jobs.validate()?;
        self.drift.validate()?;
        self.fetch.validate()?;
        self.webhooks.validate()?;
        if let Some(terms) = &self.transparency.statements {
            terms.validate()?;
        }
        let limits = self.media.limits;
        let wrong = |key, expected, got: &dyn std::fmt::Display| {
            Err(ConfigError::Value {
                key,
                expected,
                got: got.to_string(),
            })
        };
        let longest = match self.keep.material {
            Material::None => 3650,
            Material::Frames | Material::Embeddings => self.jobs.keep_days,
        };
        if !(1..=longest).contains(&self.keep.days) {
            let expected = "1..=3650, and no more than jobs.keep_days where material is kept";
            return wrong("keep.days", expected, &self.keep.days);
        }
        if self.keep.max_bytes == 0 {
            return wrong("keep.max_bytes", "positive", &0);
        }
        if !(limits.max_duration_s.is_finite() && limits.max_duration_s > 0.0) {
            return wrong(
                "media.limits.max_duration_s",
                "positive",
                &limits.max_duration_s,
            );
        }
        // A frame's bytes are a u32 on the wire.
        if limits.max_pixels == 0 || limits.max_pixels > 1_000_000_000 {
            return wrong(
                "media.limits.max_pixels",
                "1..=1000000000",
                &limits.max_pixels,
            );
        }
        let child = self.media.child;
        if child.memory_bytes < LEAST_CHILD_BYTES {
            return wrong(
                "media.child.memory_bytes",
                "268435456 (256 MiB) or more",
                &child.memory_bytes,
            );
        }
        if !(1..=86_400).contains(&child.cpu_seconds) {
            return wrong("media.child.cpu_seconds", "1..=86400", &child.cpu_seconds);
        }
        // Root without capabilities would still own root's files.
        for (key, id) in [
            ("media.child.uid", child.uid),
            ("media.child.gid", child.gid),
        ] {
            if id == 0 || id == u32::MAX {
                return wrong(key, "an id that isn't root's", &id);
            }
        }
        if !(self.perturb.deadline_s > 0.0 && self.perturb.deadline_s <= 86_400.0) {
            let expected = "more than 0, at most 86400";
            return wrong("perturb.deadline_s", expected, &self.perturb.deadline_s);
        }
        if !(1..=1 << 30).contains(&self.perturb.max_output_bytes) {
            let expected = "1..=1073741824";
            let got = self.perturb.max_output_bytes;
            return wrong("perturb.max_output_bytes", expected, &got);
        }
        if let Some((lane, share)) = self.models.shares.out_of_range() {
            let key = match lane {
                Lane::Flagger => "models.shares.flagger",
                Lane::Live => "models.shares.live",
                Lane::Backfill => "models.shares.backfill",
            };
            return wrong(key, "1..=1000", &share);
        }
        if self.data.max_upload_bytes == 0 {
            return wrong(
                "data.max_upload_bytes",
                "positive",
                &self.data.max_upload_bytes,
            );
        }
        Ok(())
    }
}

/// `JAGA_<SECTION>__<KEY>`; lists are separated by commas.
fn long_variables(variables: std::collections::HashMap<String, String>) -> Environment {
    Environment::with_prefix("JAGA")
        .prefix_separator("_")
        .separator("__")
        .try_parsing(true)
        .list_separator(",")
        .with_list_parse_key("models.dirs")
        .with_list_parse_key("models.load")
        .with_list_parse_key("models.default")
        .with_list_parse_key("runtime.providers")
        .with_list_parse_key("policy.files")
        .with_list_parse_key("server.trusted_proxies")
        .with_list_parse_key("drift.references")
        .with_list_parse_key("fetch.hosts")
        .with_list_parse_key("fetch.ports")
        .with_list_parse_key("fetch.allow_addresses")
        .with_list_parse_key("webhooks.hosts")
        .with_list_parse_key("webhooks.ports")
        .with_list_parse_key("webhooks.allow_addresses")
        .with_list_parse_key("transparency.statements.territorial_scope")
        .source(Some(variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jaga.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(
            Some(&path),
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(load("", &[]).unwrap(), Config::default());
    }

    #[test]
    fn variables_override_the_file() {
        let config = load(
            "[analysis]\nframes = 4\n[media.limits]\nmax_side_px = 100",
            &[
                ("JAGA_ANALYSIS__FRAMES", "8"),
                ("JAGA_MODELS__DEFAULT", "a,b"),
                ("JAGA_MODELS_DIR", "/extra"),
                ("JAGA_DATA_DIR", "/data"),
                ("JAGA_PROVIDERS", "cuda, cpu"),
                ("JAGA_FETCH__PORTS", "443,8443"),
                ("JAGA_FETCH__HOSTS", "*.example.org,a.example"),
                ("JAGA_WEBHOOKS__PORTS", "8443"),
                ("JAGA_WEBHOOKS__ALLOW_ADDRESSES", "10.1.0.0/16"),
                ("JAGA_TEST_PYTHON", "python3"),
                ("HOME", "/root"),
            ],
        )
        .unwrap();
        assert_eq!(config.analysis.frames, 8);
        assert_eq!(config.media.limits.max_side_px, 100);
        assert_eq!(config.models.default, ["a", "b"]);
        assert_eq!(
            config.models.dirs,
            [Path::new("models"), Path::new("/extra")]
        );
        assert_eq!(config.data.dir, Path::new("/data"));
        assert_eq!(config.runtime.providers, ["cuda", "cpu"]);
        assert_eq!(config.fetch.ports, [443, 8443]);
        assert_eq!(config.fetch.hosts.len(), 2);
        assert_eq!(config.webhooks.ports, [8443]);
        assert_eq!(config.webhooks.allow_addresses.len(), 1);
    }

    /// As the command line tells it.
    fn told(error: ConfigError) -> String {
        format!("{:#}", anyhow::Error::new(error))
    }

    #[test]
    fn unknown_keys_and_variables_are_errors() {
        let error = load("[analysis]\nframe = 4", &[])
            .map_err(told)
            .unwrap_err();
        assert!(error.contains("frame"), "{error}");
        let error = load("", &[("JAGA_ANALYSIS__FRAME", "4")])
            .map_err(told)
            .unwrap_err();
        assert!(error.contains("frame"), "{error}");
        assert!(load("", &[("JAGA_ANALISIS__FRAMES", "4")]).is_err());
    }

    #[test]
    fn values_out_of_range_are_named() {
        let error = load("[analysis]\nframes = 257", &[])
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "configuration: analysis.frames must be 1..=256, not 257"
        );
    }

    #[test]
    fn a_child_that_could_do_too_much_or_nothing_is_refused() {
        for (key, value) in [
            ("memory_bytes", "1000"),
            ("cpu_seconds", "0"),
            ("uid", "0"),
            ("gid", "4294967295"),
        ] {
            let error = load(&format!("[media.child]\n{key} = {value}"), &[]).unwrap_err();
            let begins = format!("configuration: media.child.{key} must be ");
            assert!(error.to_string().starts_with(&begins), "{error}");
        }
        let loose = load("[media]\nsandbox = \"none\"", &[])
            .map_err(told)
            .unwrap_err();
        assert!(loose.contains("media.sandbox"), "{loose}");
    }

    #[test]
    fn material_goes_no_later_than_its_reports() {
        assert!(load("[jobs]\nkeep_days = 7", &[]).is_ok());
        let error = load("[jobs]\nkeep_days = 7\n[keep]\nmaterial = \"frames\"", &[]);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("configuration: keep.days"), "{error}");
    }

    #[test]
    fn a_named_file_must_be_there() {
        assert!(Config::load(Some(Path::new("/nowhere/jaga.toml")), std::iter::empty()).is_err());
    }
}
