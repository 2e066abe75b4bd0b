//! Which vectors a head reads.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::bundle::manifest::Pooling;
use super::bundle::task::Reading;
use super::bundle::{Bundle, Look, Scorer};

/// The vectors that one backbone gives of whole pictures, in one of its outputs, pooled in one way.
/// Heads that read the same ones have equal spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// BLAKE3 over all that the vectors depend on: graph, weights, input, output and pooling. Hex.
    pub blake3: String,
    /// SHA-256 of the graph, for people.
    pub graph: String,
    /// The graph's output.
    pub output: String,
    /// Numbers of one vector.
    pub dim: usize,
}

impl Bundle<Scorer> {
    /// The space of its head; `None` for a bundle without a head, and for one that looks at
    /// anything else than whole single pictures.
    pub fn space(&self) -> Option<Space> {
        let Look::Frame = self.task.look else {
            return None;
        };
        let Reading::Embedding(pooling, head) = &self.task.output.reading else {
            return None;
        };
        let pooling = match pooling {
            Pooling::None => "none",
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
        };
        let mut text = format!("jaga.space/1 {}", self.graph.sha256);
        for weights in &self.weights {
            // Text takes whatever is written to it.
            let _ = write!(text, " {}", weights.sha256);
        }
        // Its fields and their names: where they change, what is kept is no longer recognised,
        // which is never wrong.
        let _ = write!(
            text,
            " {:?} {:?} {pooling} {}",
            self.task.input,
            self.task.output.name,
            head.dim()
        );
        Some(Space {
            blake3: blake3::hash(text.as_bytes()).to_hex().to_string(),
            graph: self.graph.sha256.clone(),
            output: self.task.output.name.clone(),
            dim: head.dim(),
        })
    }
}
