//! Which execution providers a model may run on, in which order, and which one it runs on.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::config::{ModelRuntime, RuntimeConfig};
use super::error::InferenceError;
use super::provider::Provider;
use super::tuning::{Optimization, Tuning};

/// A provider with its options: what one session is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub provider: Provider,
    /// Options as ONNX Runtime takes them, by [`Provider::option_keys`].
    pub options: Vec<(String, String)>,
    /// Refuse a model of which a part would run elsewhere.
    pub require_full: bool,
    /// How sessions are made.
    pub tuning: Tuning,
}

impl Target {
    /// What is set and may move answers: see [`Placement::settings`].
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = self.options.clone();
        let optimization = self.tuning.optimization;
        if optimization != Optimization::All {
            settings.push((
                "optimization".to_owned(),
                format!("{optimization:?}").to_lowercase(),
            ));
        }
        settings
    }
}

impl From<Provider> for Target {
    /// With the provider's own defaults, and parts of a graph allowed elsewhere.
    fn from(provider: Provider) -> Self {
        Self {
            provider,
            options: Vec::new(),
            require_full: false,
            tuning: Tuning::default(),
        }
    }
}

/// The configured lists of providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Providers {
    general: Vec<Target>,
    own: BTreeMap<String, Vec<Target>>,
}

impl From<Provider> for Providers {
    fn from(provider: Provider) -> Self {
        Self {
            general: vec![provider.into()],
            own: BTreeMap::new(),
        }
    }
}

impl From<&Providers> for Providers {
    fn from(providers: &Providers) -> Self {
        providers.clone()
    }
}

impl Providers {
    /// As configured; an error for an empty list, an unknown provider or an unknown option.
    pub fn configured(config: &RuntimeConfig) -> Result<Self, InferenceError> {
        for (name, options) in &config.options {
            let provider = known("runtime.options", name)?;
            let keys = provider.option_keys();
            if let Some(key) = options.keys().find(|key| !keys.contains(&key.as_str())) {
                return Err(InferenceError::UnknownOption {
                    provider,
                    option: key.clone(),
                    known: keys.join(", "),
                });
            }
        }
        let general = targets(config, "runtime.providers", &config.providers, None)?;
        let mut own = BTreeMap::new();
        for (model, settings) in &config.model {
            let key = format!("runtime.model.{model}.providers");
            let names = settings.providers.as_ref().unwrap_or(&config.providers);
            own.insert(
                model.clone(),
                targets(config, &key, names, Some((model, settings)))?,
            );
        }
        Ok(Self { general, own })
    }

    /// Those of the general list, in order.
    pub fn list(&self) -> impl Iterator<Item = &Target> {
        self.general.iter()
    }

    /// What the model `name` may run on, in order: its own list or the general one, less what its
    /// bundle's `allowed` doesn't name.
    pub fn of(
        &self,
        name: &str,
        allowed: Option<&[Provider]>,
    ) -> Result<Vec<Target>, InferenceError> {
        let list = self.own.get(name).unwrap_or(&self.general);
        let may = |target: &&Target| allowed.is_none_or(|all| all.contains(&target.provider));
        let found: Vec<Target> = list.iter().filter(may).cloned().collect();
        if found.is_empty() {
            let settings = |all: &mut dyn Iterator<Item = Provider>| {
                all.map(Provider::setting).collect::<Vec<_>>().join(", ")
            };
            return Err(InferenceError::NotAllowed {
                model: name.to_owned(),
                allowed: settings(&mut allowed.unwrap_or_default().iter().copied()),
                configured: settings(&mut list.iter().map(|target| target.provider)),
            });
        }
        Ok(found)
    }
}

fn known(key: &str, name: &str) -> Result<Provider, InferenceError> {
    Provider::from_setting(name).ok_or_else(|| InferenceError::UnknownProvider {
        key: key.to_owned(),
        name: name.to_owned(),
        known: Provider::ALL.map(Provider::setting).join(", "),
    })
}

fn targets(
    config: &RuntimeConfig,
    key: &str,
    names: &[String],
    own: Option<(&str, &ModelRuntime)>,
) -> Result<Vec<Target>, InferenceError> {
    if names.is_empty() {
        return Err(InferenceError::NoProvider {
            key: key.to_owned(),
        });
    }
    let tuning = Tuning::configured(config, own)?;
    let require_full = own.and_then(|(_, model)| model.require_full);
    let target = |name: &String| {
        let options = config.options.get(name).into_iter().flatten();
        Ok(Target {
            provider: known(key, name)?,
            options: options.map(|(k, v)| (k.clone(), v.text())).collect(),
            require_full: require_full.unwrap_or(config.require_full),
            tuning,
        })
    };
    names.iter().map(target).collect()
}

/// Nodes of a graph as they ran, by ONNX Runtime's name of the provider. A part that a provider
/// took over as one counts as one node.
pub type Nodes = BTreeMap<String, usize>;

/// What a model really runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Placement {
    /// The provider that it was loaded for. It runs at least a part of the graph.
    #[serde(skip)]
    pub provider: Provider,
    /// What ran where, as the profile of a run says; empty for [`Provider::Cpu`], which runs all.
    #[serde(rename = "provider_nodes", skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, usize>)]
    pub nodes: Nodes,
    /// Providers that come first in the list and couldn't be used; the log says why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub passed_over: Vec<Provider>,
    /// What was set and may move its answers: the provider's options, and how far graphs are
    /// rewritten where that isn't as usual.
    #[serde(skip)]
    pub settings: Vec<(String, String)>,
}

impl From<Provider> for Placement {
    fn from(provider: Provider) -> Self {
        Self {
            provider,
            nodes: Nodes::new(),
            passed_over: Vec::new(),
            settings: Vec::new(),
        }
    }
}

/// What `start` makes for the first of `targets` that works, and where it runs. `model` is for
/// errors and the log. With one target its own error comes back; of several, the reasons of all.
pub(super) fn first_that_works<T>(
    model: &str,
    targets: &[Target],
    mut start: impl FnMut(&Target) -> Result<(T, Nodes), InferenceError>,
) -> Result<(T, Placement), InferenceError> {
    let mut reasons = Vec::new();
    for target in targets {
        let provider = target.provider;
        match start(target) {
            Ok((made, nodes)) => {
                let passed_over = reasons.iter().map(|(provider, _)| *provider).collect();
                let placement = Placement {
                    provider,
                    nodes,
                    passed_over,
                    settings: target.settings(),
                };
                return Ok((made, placement));
            }
            Err(error) if targets.len() > 1 && error.is_of_provider() => {
                let reason = error.to_string();
                tracing::warn!(
                    model,
                    provider = provider.name(),
                    reason,
                    "provider can't be used"
                );
                reasons.push((provider, reason));
            }
            Err(error) => return Err(error),
        }
    }
    let told = reasons
        .iter()
        .map(|(p, why)| format!("{}: {why}", p.name()));
    Err(InferenceError::NoneWorks {
        model: model.to_owned(),
        reasons: told.collect::<Vec<_>>().join("\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> RuntimeConfig {
        toml::from_str(text).unwrap()
    }

    fn settings(targets: &[Target]) -> Vec<&'static str> {
        targets.iter().map(|t| t.provider.setting()).collect()
    }

    #[test]
    fn a_model_has_its_own_list_and_its_bundle_the_last_word() {
        let providers = Providers::configured(&config(
            "providers = [\"cuda\", \"cpu\"]\nrequire_full = true\n\
             [options.cuda]\ndevice_id = 1\nuse_tf32 = false\n\
             [model.a]\nproviders = [\"openvino\"]\nrequire_full = false\n",
        ))
        .unwrap();
        let general = providers.of("b", None).unwrap();
        assert_eq!(settings(&general), ["cuda", "cpu"]);
        assert!(general[0].require_full);
        let options = [("device_id", "1"), ("use_tf32", "0")];
        assert_eq!(
            general[0].options,
            options.map(|(k, v)| (k.to_owned(), v.to_owned()))
        );
        let own = providers.of("a", None).unwrap();
        assert_eq!(
            (settings(&own), own[0].require_full),
            (vec!["openvino"], false)
        );
        let cpu = providers.of("b", Some(&[Provider::Cpu])).unwrap();
        assert_eq!(settings(&cpu), ["cpu"]);
        let refused = providers.of("a", Some(&[Provider::Cpu])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the model \"a\" may run on cpu only (its bundle's runtime.providers); configured for \
             it: openvino"
        );
    }

    #[test]
    fn what_is_unknown_is_named() {
        for (text, said) in [
            ("providers = [\"CPU\"]", "runtime.providers names \"CPU\""),
            ("providers = []", "runtime.providers is empty"),
            ("[options.gpu]", "runtime.options names \"gpu\""),
            ("[options.cuda]\ndevice = 1", "no option \"device\""),
            (
                "[model.a]\nproviders = []",
                "runtime.model.a.providers is empty",
            ),
        ] {
            let error = Providers::configured(&config(text))
                .unwrap_err()
                .to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    fn unusable(provider: Provider) -> InferenceError {
        InferenceError::ProviderUnusable {
            provider,
            reason: "no such device".to_owned(),
        }
    }

    #[test]
    fn the_first_that_works_is_taken_and_says_whom_it_passed_over() {
        let targets = [Provider::Cuda, Provider::Cpu].map(Target::from);
        let start = |target: &Target| {
            if target.provider == Provider::Cpu {
                return Ok(("made", Nodes::new()));
            }
            Err(unusable(target.provider))
        };
        let (made, placement) = first_that_works("m", &targets, start).unwrap();
        assert_eq!((made, placement.provider), ("made", Provider::Cpu));
        assert_eq!(placement.passed_over, [Provider::Cuda]);
        let error = first_that_works("m", &targets[..1], start).unwrap_err();
        assert!(matches!(error, InferenceError::ProviderUnusable { .. }));
        let never = |target: &Target| Err::<((), _), _>(unusable(target.provider));
        let error = first_that_works("m", &targets, never)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("CUDAExecutionProvider: ") && error.contains("CPUExecutionProvider: ")
        );
    }

    #[test]
    fn a_faulty_bundle_is_no_reason_to_try_elsewhere() {
        let targets = [Provider::Cuda, Provider::Cpu].map(Target::from);
        let mut tries = 0;
        let error = first_that_works("m", &targets, |_| {
            tries += 1;
            Err::<((), Nodes), _>(InferenceError::NoScore {
                model: "m".to_owned(),
                value: f64::NAN,
            })
        });
        assert!(matches!(error, Err(InferenceError::NoScore { .. })));
        assert_eq!(tries, 1);
    }
}
