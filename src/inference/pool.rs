//! Worker threads, each with a session of its own, behind one bounded queue.
//!
//! No lock lies around a session. An entry whose caller went away is dropped before it costs
//! inference; one that fails, even by a panic, fails alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use tokio::sync::oneshot;

use crate::domain::score::Logit;

use super::error::InferenceError;
use super::tensor::Tensor;

/// What a worker computes with; a session, or a fake in tests.
pub trait Engine: Send + 'static {
    /// One value a picture of `tensor`.
    fn run(&mut self, tensor: &Tensor) -> Result<Vec<Logit>, InferenceError>;
}

impl Engine for super::session::Session {
    fn run(&mut self, tensor: &Tensor) -> Result<Vec<Logit>, InferenceError> {
        Self::run(self, tensor)
    }
}

/// A picture's value and what it took to get it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Uncalibrated log-odds.
    pub logit: Logit,
    /// From the call to the start of the computation.
    pub queued: Duration,
    /// The computation.
    pub computed: Duration,
}

/// A picture that waits, and where its caller waits.
struct Entry {
    tensor: Tensor,
    since: Instant,
    reply: oneshot::Sender<Result<Scored, InferenceError>>,
}

/// The workers of one model. Dropping it lets them finish what they have begun and ends them.
#[derive(Debug)]
pub struct Pool {
    model: String,
    queue: Sender<Entry>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// One worker for each of `engines`; at most `capacity` entries wait.
    pub fn start<E: Engine>(
        model: &str,
        engines: Vec<E>,
        capacity: usize,
    ) -> Result<Self, InferenceError> {
        let (queue, entries) = async_channel::bounded(capacity.max(1));
        let mut pool = Self {
            model: model.to_owned(),
            queue,
            workers: Vec::with_capacity(engines.len()),
        };
        for (index, engine) in engines.into_iter().enumerate() {
            let (entries, name) = (entries.clone(), model.to_owned());
            let worker = thread::Builder::new()
                .name(format!("infer-{index}"))
                .spawn(move || work(&name, engine, &entries))
                .map_err(|source| InferenceError::Thread {
                    model: model.to_owned(),
                    source,
                })?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// The value of one picture's tensor. Waits for a place in the queue, then for a session;
    /// dropping the future gives both up.
    pub async fn run(&self, tensor: Tensor) -> Result<Scored, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let closed = || InferenceError::Closed {
            model: self.model.clone(),
        };
        self.queue
            .send(Entry {
                tensor,
                since: Instant::now(),
                reply,
            })
            .await
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Entries that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for worker in self.workers.drain(..) {
            // A worker catches its panics; there is nothing to learn from its end.
            let _ = worker.join();
        }
    }
}

fn work<E: Engine>(model: &str, mut engine: E, entries: &Receiver<Entry>) {
    while let Ok(Entry {
        tensor,
        since,
        reply,
    }) = entries.recv_blocking()
    {
        if reply.is_closed() {
            continue;
        }
        let (queued, begin) = (since.elapsed(), Instant::now());
        // An engine that panicked is used again: ONNX Runtime's own state is behind its C API,
        // which no Rust panic unwinds through.
        let result = catch_unwind(AssertUnwindSafe(|| single(model, &mut engine, &tensor)))
            .unwrap_or_else(|_| {
                Err(InferenceError::Panicked {
                    model: model.to_owned(),
                })
            })
            .map(|logit| Scored {
                logit,
                queued,
                computed: begin.elapsed(),
            });
        if let Err(error) = &result {
            tracing::error!(model, %error, "inference failed");
        }
        // The caller may have left in the meantime.
        let _ = reply.send(result);
    }
}

fn single<E: Engine>(
    model: &str,
    engine: &mut E,
    tensor: &Tensor,
) -> Result<Logit, InferenceError> {
    let values = engine.run(tensor)?;
    match values.as_slice() {
        [value] => Ok(*value),
        other => Err(InferenceError::OutputShape {
            model: model.to_owned(),
            expected: "one value for one picture",
            found: vec![other.len()],
        }),
    }
}

#[cfg(test)]
mod tests;
