//! What ran where, out of a profile of ONNX Runtime.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tempfile::TempDir;

use super::super::error::InferenceError;
use super::super::provider::Provider;
use super::super::providers::{Nodes, Target};

/// Largest profile that is read, in bytes; one run of thousands of nodes takes a few megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// A profile that is being written, in a folder of its own.
pub(super) struct Profile {
    folder: TempDir,
    provider: Provider,
    require_full: bool,
}

impl Profile {
    /// For a provider that could leave parts to another.
    pub(super) fn of(target: &Target) -> Result<Option<Self>, String> {
        if target.provider == Provider::Cpu {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("jaga-profile-").tempdir();
        Ok(Some(Self {
            folder: folder.map_err(|e| e.to_string())?,
            provider: target.provider,
            require_full: target.require_full,
        }))
    }

    /// Begin of the path that it is written to.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// An error where its provider ran nothing of `model`, or not all and that is required.
    pub(super) fn judge(&self, model: &str, nodes: Nodes) -> Result<Nodes, InferenceError> {
        let own = nodes.get(self.provider.name()).copied().unwrap_or_default();
        if own > 0 && (nodes.len() == 1 || !self.require_full) {
            return Ok(nodes);
        }
        let counts = nodes
            .iter()
            .map(|(name, count)| format!("{count} on {name}"));
        Err(InferenceError::NotWhole {
            model: model.to_owned(),
            provider: self.provider,
            detail: format!("of its nodes ran {}", counts.collect::<Vec<_>>().join(", ")),
        })
    }
}

/// An entry of the trace; only what is needed.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Arguments,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Arguments {
    provider: Option<String>,
    node_index: Option<String>,
}

/// Distinct nodes that ran, by their provider.
pub(super) fn nodes(file: &Path) -> io::Result<Nodes> {
    count(File::open(file)?)
}

fn count(profile: impl Read) -> io::Result<Nodes> {
    let events: Vec<Event> = serde_json::from_reader(BufReader::new(profile.take(MAX_BYTES)))?;
    let mut ran: Vec<(String, String)> = events
        .into_iter()
        .filter(|event| event.cat == "Node" && event.name.ends_with("_kernel_time"))
        .filter_map(|event| {
            let node = event.args.node_index.unwrap_or_default();
            // Two nodes of two nested graphs can have the same number, never the same name.
            Some((event.args.provider?, format!("{} {node}", event.name)))
        })
        .collect();
    ran.sort_unstable();
    ran.dedup();
    let mut nodes = Nodes::new();
    for (provider, _) in ran {
        let count = nodes.entry(provider).or_default();
        *count += 1;
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_counts_once() {
        let node = |name: &str, provider: &str, index: u8| {
            format!(
                "{{\"cat\":\"Node\",\"name\":\"{name}_kernel_time\",\"dur\":1,\
                 \"args\":{{\"provider\":\"{provider}\",\"node_index\":\"{index}\"}}}}"
            )
        };
        let events = [
            "{\"cat\":\"Session\",\"name\":\"model_run\",\"args\":{}}".to_owned(),
            node("a", "X", 1),
            node("a", "X", 1),
            node("b", "X", 2),
            node("c", "CPUExecutionProvider", 3),
        ];
        let found = count(format!("[\n{}\n]\n", events.join(",\n")).as_bytes()).unwrap();
        let wanted = [("CPUExecutionProvider", 1), ("X", 2)];
        assert_eq!(found, wanted.map(|(k, v)| (k.to_owned(), v)).into());
        assert!(count(&b"[{"[..]).is_err());
    }
}
