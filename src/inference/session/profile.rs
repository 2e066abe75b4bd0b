//! What ran where, out of a profile of ONNX Runtime.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use super::super::providers::Nodes;

/// Largest profile that is read, in bytes; one run of thousands of nodes takes a few megabytes.
const MAX_BYTES: u64 = 256 << 20;

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
