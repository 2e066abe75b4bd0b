//! The loaded policies by name, which follow their files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;

use super::config::PolicyConfig;
use super::error::AnalyzeError;
use crate::domain::policy::{DEFAULT_POLICY, Policy, PolicyError};
use crate::store::{Followed, Stamp};

/// Policies that a request can name. A request keeps the policy that it began with.
#[derive(Debug)]
pub struct Policies {
    default: String,
    /// Only who follows the files waits for this.
    files: Mutex<Vec<PolicyFile>>,
    in_use: RwLock<Arc<Names>>,
    /// Questions that models answer; none where that isn't known.
    answered: OnceLock<BTreeSet<String>>,
}

type Names = BTreeMap<String, LoadedPolicy>;

/// A policy in use.
#[derive(Debug, Clone)]
pub struct LoadedPolicy {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Since when it is loaded in this version.
    pub since: Timestamp,
    /// Whether it is part of the program.
    pub built_in: bool,
}

/// A configured file, and what it held when it last held a policy.
#[derive(Debug)]
struct PolicyFile {
    path: PathBuf,
    stamp: Followed<1>,
    last: LoadedPolicy,
}

impl Policies {
    /// The built-in policy and the configured files.
    pub fn load(config: &PolicyConfig) -> Result<Self, AnalyzeError> {
        let files: Result<Vec<_>, _> = config
            .files
            .iter()
            .map(|path| PolicyFile::open(path))
            .collect();
        let files = files?;
        let names = names(&files, &config.default)?;
        Ok(Self {
            default: config.default.clone(),
            files: Mutex::new(files),
            in_use: RwLock::new(Arc::new(names)),
            answered: OnceLock::new(),
        })
    }

    /// Refuses policies, those that come later among them, that ask for anything else than the
    /// questions `answered`. The built-in one is not asked: its rule is one more that never applies.
    pub fn require_answers(&self, answered: BTreeSet<String>) -> Result<(), AnalyzeError> {
        let answered = self.answered.get_or_init(|| answered);
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for file in &*files {
            let checked = file.last.policy.check_questions(answered);
            checked.map_err(|source| no_policy(&file.path, source))?;
        }
        Ok(())
    }

    /// Refuses a candidate that asks for anything else than what is answered, where that is known.
    pub fn check_answers(&self, candidate: &Policy) -> Result<(), PolicyError> {
        let answered = self.answered.get();
        answered.map_or(Ok(()), |answered| candidate.check_questions(answered))
    }

    /// All, by name, at this moment.
    pub fn in_use(&self) -> Arc<BTreeMap<String, LoadedPolicy>> {
        let in_use = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&in_use)
    }

    /// Name of the one that decides when a request names none.
    pub fn default_name(&self) -> &str {
        &self.default
    }

    /// The policy of this name, or the default one.
    pub fn get(&self, name: Option<&str>) -> Result<Arc<Policy>, AnalyzeError> {
        find(&self.in_use(), name.unwrap_or(&self.default))
    }

    /// The policy that decides now what one of this `name` decided before: that of the name, or the
    /// default one where there is none any more.
    pub fn now(&self, name: &str) -> Result<Arc<Policy>, AnalyzeError> {
        let in_use = self.in_use();
        let same = in_use.get(name);
        same.map_or_else(|| self.get(None), |own| Ok(Arc::clone(&own.policy)))
    }

    /// Reads those files again that changed since they were read; what came of each, and nothing
    /// where none did. A file that can't be used leaves its policy as it was, and policies that don't
    /// go together (two of one name, no default) leave all as they were. A fault is told once.
    pub fn refresh(&self) -> Vec<Result<Arc<Policy>, AnalyzeError>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, mut told) = (Vec::new(), Vec::new());
        for file in &mut *files {
            match file.refresh(self.answered.get()) {
                Ok(Some(policy)) => taken.push(Ok(policy)),
                Ok(None) => {}
                Err(error) => told.push(Err(error)),
            }
        }
        if taken.is_empty() {
            return told;
        }
        match names(&files, &self.default) {
            Ok(names) => {
                let mut in_use = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
                *in_use = Arc::new(names);
                told.extend(taken);
            }
            Err(error) => told.push(Err(error)),
        }
        told
    }
}

impl PolicyFile {
    fn open(path: &Path) -> Result<Self, AnalyzeError> {
        let stamp = Followed::new([Stamp::at(path)]);
        let last = LoadedPolicy {
            policy: Arc::new(read(path)?),
            since: now(),
            built_in: false,
        };
        Ok(Self {
            path: path.to_owned(),
            stamp,
            last,
        })
    }

    /// The policy, where it is another one now.
    fn refresh(
        &mut self,
        answered: Option<&BTreeSet<String>>,
    ) -> Result<Option<Arc<Policy>>, AnalyzeError> {
        let stamp = [Stamp::at(&self.path)];
        if !self.stamp.changed(stamp) {
            return Ok(None);
        }
        let read = read(&self.path).and_then(|policy| {
            let checked = answered.map_or(Ok(()), |answered| policy.check_questions(answered));
            checked.map_err(|source| no_policy(&self.path, source))?;
            Ok(policy)
        });
        let Some(policy) = self.stamp.settle(stamp, read)? else {
            return Ok(None);
        };
        if policy.blake3 == self.last.policy.blake3 {
            return Ok(None);
        }
        self.last.policy = Arc::new(policy);
        self.last.since = now();
        Ok(Some(Arc::clone(&self.last.policy)))
    }
}

/// The built-in policy and those of the files, the one named `default` among them.
fn names(files: &[PolicyFile], default: &str) -> Result<Names, AnalyzeError> {
    let policy = Policy::parse(DEFAULT_POLICY)
        .map_err(|source| no_policy(Path::new("the built-in policy"), source))?;
    let built_in = LoadedPolicy {
        policy: Arc::new(policy),
        since: now(),
        built_in: true,
    };
    let mut names = BTreeMap::from([(built_in.policy.name.clone(), built_in)]);
    for file in files {
        let name = file.last.policy.name.clone();
        if names.insert(name.clone(), file.last.clone()).is_some() {
            return Err(AnalyzeError::PolicyTwice(name));
        }
    }
    find(&names, default)?;
    Ok(names)
}

fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Reads one policy file.
pub fn read(path: &Path) -> Result<Policy, AnalyzeError> {
    let text = std::fs::read_to_string(path).map_err(|source| AnalyzeError::PolicyFile {
        path: path.to_owned(),
        source,
    })?;
    Policy::parse(&text).map_err(|source| no_policy(path, source))
}

fn no_policy(path: &Path, source: PolicyError) -> AnalyzeError {
    AnalyzeError::Policy {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

fn find(names: &Names, name: &str) -> Result<Arc<Policy>, AnalyzeError> {
    let found = names.get(name).map(|loaded| Arc::clone(&loaded.policy));
    found.ok_or_else(|| AnalyzeError::UnknownPolicy {
        name: name.to_owned(),
        known: names.keys().cloned().collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a policy of this name and version, and one rule on `question`.
    fn write(path: &Path, name: &str, version: &str, question: &str) {
        let text = format!(
            "[policy]\nname = \"{name}\"\nversion = \"{version}\"\nactions = [\"none\", \"label\"]\n\
             [[rule]]\nname = \"r\"\nquestion = \"{question}\"\nmin_score = 0.5\naction = \"label\"\n"
        );
        std::fs::write(path, text).unwrap();
    }

    fn version(policies: &Policies, name: &str) -> String {
        policies.get(Some(name)).unwrap().version.clone()
    }

    #[test]
    fn a_file_is_found_by_its_name_and_not_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        write(&path, "mine", "1", "q");
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

    #[test]
    fn a_changed_file_is_taken_and_a_bad_one_keeps_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| dir.path().join(name));
        write(&one, "one", "1", "q");
        write(&other, "other", "1", "q");
        let config = PolicyConfig {
            files: vec![one.clone(), other.clone()],
            default: "one".to_owned(),
        };
        let policies = Policies::load(&config).unwrap();
        policies
            .require_answers(BTreeSet::from(["q".to_owned()]))
            .unwrap();
        assert!(policies.refresh().is_empty());
        let kept = policies.get(None).unwrap();
        write(&one, "one", "2.0", "q");
        assert!(matches!(policies.refresh().as_slice(), [Ok(_)]));
        assert_eq!(version(&policies, "one"), "2.0");
        assert_eq!(kept.version, "1", "who began with it keeps it");
        let fault = || {
            let faults = policies.refresh();
            let [Err(error)] = faults.as_slice() else {
                panic!("{faults:?}")
            };
            let source = std::error::Error::source(error).map(ToString::to_string);
            assert!(policies.refresh().is_empty(), "it is told once");
            assert_eq!(version(&policies, "other"), "1");
            format!("{error}: {}", source.unwrap_or_default())
        };
        write(&other, "other", "bad", "nobody-answers");
        let told = fault();
        assert!(told.contains("line 7: question `nobody-answers`"), "{told}");
        // Another file's change is taken all the same.
        write(&one, "one", "3.00", "q");
        assert!(matches!(policies.refresh().as_slice(), [Ok(_)]));
        assert_eq!(version(&policies, "one"), "3.00");
        std::fs::remove_file(&other).unwrap();
        assert!(fault().contains("can't read"));
        write(&other, "one", "bad", "q");
        assert!(fault().contains("the policy \"one\" is there twice"));
        write(&other, "other", "4.000", "q");
        assert!(matches!(policies.refresh().as_slice(), [Ok(_)]));
        assert_eq!(version(&policies, "other"), "4.000");
    }
}
