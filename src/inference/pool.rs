//! Worker threads, each with an engine of its own, behind one bounded queue.
//!
//! No lock lies around a session. An entry whose caller went away is dropped before it costs
//! inference; one that fails, even by a panic, fails alone.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use tokio::sync::oneshot;

use super::error::InferenceError;

/// What a worker computes with: a session with what reads its outputs, or a fake in tests.
pub trait Engine: Send + 'static {
    /// What one run takes.
    type Input: Send + 'static;
    /// What comes of it.
    type Answer: Send + 'static;

    /// One run.
    fn run(&mut self, input: Self::Input) -> Result<Self::Answer, InferenceError>;
}

/// An answer and what it took to get it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timed<T> {
    /// The answer.
    pub answer: T,
    /// From the call to the start of the computation.
    pub queued: Duration,
    /// The computation.
    pub computed: Duration,
}

/// An input that waits, and where its caller waits.
struct Entry<E: Engine> {
    input: E::Input,
    since: Instant,
    reply: oneshot::Sender<Result<Timed<E::Answer>, InferenceError>>,
}

/// The workers of one graph. Dropping it lets them finish what they have begun and ends them.
pub struct Pool<E: Engine> {
    name: Arc<str>,
    queue: Sender<Entry<E>>,
    workers: Vec<JoinHandle<()>>,
    runs: Arc<AtomicU64>,
}

impl<E: Engine> Pool<E> {
    /// One worker for each of `engines`; at most `capacity` entries wait. Errors call it `name`.
    pub fn start(name: &str, engines: Vec<E>, capacity: usize) -> Result<Self, InferenceError> {
        let (queue, entries) = async_channel::bounded(capacity.max(1));
        let mut pool = Self {
            name: Arc::from(name),
            queue,
            workers: Vec::with_capacity(engines.len()),
            runs: Arc::default(),
        };
        for (index, engine) in engines.into_iter().enumerate() {
            let worker = Worker {
                name: Arc::clone(&pool.name),
                engine,
                runs: Arc::clone(&pool.runs),
            };
            let entries = entries.clone();
            let thread = thread::Builder::new()
                .name(format!("infer-{index}"))
                .spawn(move || worker.work(&entries))
                .map_err(|source| InferenceError::Thread {
                    model: name.to_owned(),
                    source,
                })?;
            pool.workers.push(thread);
        }
        Ok(pool)
    }

    /// The answer to `input`. Waits for a place in the queue, then for a worker; dropping the
    /// future gives both up.
    pub async fn run(&self, input: E::Input) -> Result<Timed<E::Answer>, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let closed = || InferenceError::Closed {
            model: self.name.to_string(),
        };
        self.queue
            .send(Entry {
                input,
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

    /// Runs that were begun since the start; entries without a caller are not among them.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }
}

impl<E: Engine> fmt::Debug for Pool<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = self.workers.len();
        write!(f, "Pool({}, {workers} workers)", self.name)
    }
}

impl<E: Engine> Drop for Pool<E> {
    fn drop(&mut self) {
        self.queue.close();
        for worker in self.workers.drain(..) {
            // A worker catches its panics; there is nothing to learn from its end.
            let _ = worker.join();
        }
    }
}

struct Worker<E> {
    name: Arc<str>,
    engine: E,
    runs: Arc<AtomicU64>,
}

impl<E: Engine> Worker<E> {
    fn work(mut self, entries: &Receiver<Entry<E>>) {
        while let Ok(Entry {
            input,
            since,
            reply,
        }) = entries.recv_blocking()
        {
            if reply.is_closed() {
                continue;
            }
            let (queued, begin) = (since.elapsed(), Instant::now());
            let result = self.run(input).map(|answer| Timed {
                answer,
                queued,
                computed: begin.elapsed(),
            });
            // The caller may have left in the meantime.
            let _ = reply.send(result);
        }
    }

    fn run(&mut self, input: E::Input) -> Result<E::Answer, InferenceError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        // An engine that panicked is used again: ONNX Runtime's own state is behind its C API,
        // which no Rust panic unwinds through.
        let result =
            catch_unwind(AssertUnwindSafe(|| self.engine.run(input))).unwrap_or_else(|_| {
                Err(InferenceError::Panicked {
                    model: self.name.to_string(),
                })
            });
        if let Err(error) = &result {
            tracing::error!(model = %self.name, %error, "inference failed");
        }
        result
    }
}

#[cfg(test)]
mod tests;
