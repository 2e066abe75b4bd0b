//! Time by stage.

use std::time::Duration;

/// Sums over a request's frames; stages overlap.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    /// Waiting for the decoder.
    pub(super) decode: Duration,
    /// Measuring, cutting, resizing and normalising.
    pub(super) preprocess: Duration,
    /// Finding faces.
    pub(super) faces: Duration,
    /// Waiting for a session.
    pub(super) queue: Duration,
    /// In ONNX Runtime, finders left aside.
    pub(super) inference: Duration,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        self.decode = self.decode.saturating_add(other.decode);
        self.preprocess = self.preprocess.saturating_add(other.preprocess);
        self.faces = self.faces.saturating_add(other.faces);
        self.queue = self.queue.saturating_add(other.queue);
        self.inference = self.inference.saturating_add(other.inference);
    }
}
