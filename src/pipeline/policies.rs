//! The loaded policies by name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::config::PolicyConfig;
use super::error::AnalyzeError;
use crate::domain::policy::{DEFAULT_POLICY, Policy};

/// Policies that a request can name.
#[derive(Debug, Clone)]
pub struct Policies {
    by_name: BTreeMap<String, Arc<Policy>>,
    default: Arc<Policy>,
}

impl Policies {
    /// The built-in policy and the configured files.
    pub fn load(config: &PolicyConfig) -> Result<Self, AnalyzeError> {
        let built_in = Policy::parse(DEFAULT_POLICY).map_err(|source| AnalyzeError::Policy {
            path: "the built-in policy".into(),
            source: Box::new(source),
        })?;
        let mut by_name = BTreeMap::from([(built_in.name.clone(), Arc::new(built_in))]);
        for path in &config.files {
            let policy = read(path)?;
            let name = policy.name.clone();
            if by_name.insert(name.clone(), Arc::new(policy)).is_some() {
                return Err(AnalyzeError::PolicyTwice(name));
            }
        }
        let default = find(&by_name, &config.default)?;
        Ok(Self { by_name, default })
    }

    /// The policy of this name, or the default one.
    pub fn get(&self, name: Option<&str>) -> Result<Arc<Policy>, AnalyzeError> {
        name.map_or_else(
            || Ok(Arc::clone(&self.default)),
            |name| find(&self.by_name, name),
        )
    }
}

/// Reads one policy file.
pub fn read(path: &Path) -> Result<Policy, AnalyzeError> {
    let text = std::fs::read_to_string(path).map_err(|source| AnalyzeError::PolicyFile {
        path: path.to_owned(),
        source,
    })?;
    Policy::parse(&text).map_err(|source| AnalyzeError::Policy {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn find(by_name: &BTreeMap<String, Arc<Policy>>, name: &str) -> Result<Arc<Policy>, AnalyzeError> {
    by_name
        .get(name)
        .cloned()
        .ok_or_else(|| AnalyzeError::UnknownPolicy {
            name: name.to_owned(),
            known: by_name
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_name_and_not_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        let text = "[policy]\nname = \"mine\"\nversion = \"1\"\nactions = [\"none\"]\n";
        std::fs::write(&path, text).unwrap();
        let config = PolicyConfig {
            files: vec![path.clone()],
            default: "mine".to_owned(),
        };
        let policies = Policies::load(&config).unwrap();
        assert_eq!(policies.get(None).unwrap().name, "mine");
        assert_eq!(policies.get(Some("default")).unwrap().name, "default");
        let error = policies.get(Some("nil")).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no policy \"nil\"; there are: default, mine"
        );
        let twice = PolicyConfig {
            files: vec![path.clone(), path],
            ..config
        };
        assert!(matches!(
            Policies::load(&twice),
            Err(AnalyzeError::PolicyTwice(_))
        ));
    }
}
