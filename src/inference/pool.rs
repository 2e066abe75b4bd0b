//! Worker threads, each with an engine of its own, behind one bounded queue.
//!
//! No lock lies around a session. An idle worker takes what waits, up to a batch, across callers
//! and lanes. An entry whose caller went away is dropped before it costs inference; one that
//! fails, even by a panic, fails alone.

mod queue;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::queue::Queue;
use super::error::InferenceError;
use crate::domain::lanes::{Lane, Shares};

pub use self::queue::Batching;

/// What a worker computes with: a session with what reads its outputs, or a fake in tests.
pub trait Engine: Send + 'static {
    /// What one caller gives.
    type Input: Send + 'static;
    /// What comes of it.
    type Answer: Send + 'static;

    /// One run over `inputs` (at least one): as many answers, in that order.
    fn run(&mut self, inputs: &[Self::Input]) -> Result<Vec<Self::Answer>, InferenceError>;
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
    reply: oneshot::Sender<Result<Timed<E::Answer>, InferenceError>>,
}

/// Where an answer goes, and how long its entry was in the line.
type Caller<E> = (
    oneshot::Sender<Result<Timed<<E as Engine>::Answer>, InferenceError>>,
    Duration,
);

/// What waits for the workers of one graph, and how it reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Entries of one lane that may wait; beyond them callers wait for a place.
    pub capacity: usize,
    /// Turns of the lanes.
    pub shares: Shares,
    /// How entries become batches.
    pub batching: Batching,
}

/// What the workers of one graph did since they started.
#[derive(Debug, Default)]
struct Counts {
    runs: AtomicU64,
    inputs: AtomicU64,
}

/// The workers of one graph. Dropping it lets them finish what they have begun and ends them.
pub struct Pool<E: Engine> {
    name: Arc<str>,
    queue: Arc<Queue<Entry<E>>>,
    workers: Vec<JoinHandle<()>>,
    counts: Arc<Counts>,
}

impl<E: Engine> Pool<E> {
    /// One worker for each of `engines`. Errors call it `name`.
    pub fn start(name: &str, engines: Vec<E>, line: Line) -> Result<Self, InferenceError> {
        let mut pool = Self {
            name: Arc::from(name),
            queue: Arc::new(Queue::new(line.capacity, line.shares)),
            workers: Vec::with_capacity(engines.len()),
            counts: Arc::default(),
        };
        for (index, engine) in engines.into_iter().enumerate() {
            let worker = Worker {
                name: Arc::clone(&pool.name),
                engine,
                counts: Arc::clone(&pool.counts),
            };
            let queue = Arc::clone(&pool.queue);
            let thread = thread::Builder::new()
                .name(format!("infer-{index}"))
                .spawn(move || worker.work(&queue, line.batching))
                .map_err(|source| InferenceError::Thread {
                    model: name.to_owned(),
                    source,
                })?;
            pool.workers.push(thread);
        }
        Ok(pool)
    }

    /// The answer to `input`. Waits for a place in its lane's line, then for a worker; dropping the
    /// future gives both up.
    pub async fn run(
        &self,
        lane: Lane,
        input: E::Input,
    ) -> Result<Timed<E::Answer>, InferenceError> {
        let (reply, answer) = oneshot::channel();
        let closed = || InferenceError::Closed {
            model: self.name.to_string(),
        };
        let since = Instant::now();
        let pushed = self.queue.push(lane, Entry { input, reply }).await;
        let before = since.elapsed();
        pushed.map_err(|_| closed())?;
        let mut timed = answer.await.map_err(|_| closed())??;
        timed.queued = timed.queued.saturating_add(before);
        Ok(timed)
    }

    /// Entries that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Runs that were begun since the start; entries without a caller are not among them.
    pub fn runs(&self) -> u64 {
        self.counts.runs.load(Ordering::Relaxed)
    }

    /// Inputs of these runs.
    pub fn inputs(&self) -> u64 {
        self.counts.inputs.load(Ordering::Relaxed)
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
    counts: Arc<Counts>,
}

impl<E: Engine> Worker<E> {
    fn work(mut self, queue: &Queue<Entry<E>>, batching: Batching) {
        while let Some(batch) = queue.take(batching, |entry| !entry.reply.is_closed()) {
            let (mut inputs, mut callers) = (Vec::new(), Vec::new());
            for (entry, queued) in batch {
                inputs.push(entry.input);
                callers.push((entry.reply, queued));
            }
            self.answer(&inputs, callers);
        }
    }

    /// Runs `inputs` together; where that fails, each alone, so that one bad input fails only its
    /// own caller.
    fn answer(&mut self, inputs: &[E::Input], callers: Vec<Caller<E>>) {
        let begin = Instant::now();
        let together = self.run(inputs);
        let alone = together.is_err() && inputs.len() > 1;
        let answers = match together {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if !alone => vec![Err(error)],
            Err(_) => {
                let each = inputs.iter().map(std::slice::from_ref);
                each.map(|input| self.single(input)).collect::<Vec<_>>()
            }
        };
        let computed = begin.elapsed();
        for ((reply, queued), answer) in callers.into_iter().zip(answers) {
            // The caller may have left in the meantime.
            let _ = reply.send(answer.map(|answer| Timed {
                answer,
                queued,
                computed,
            }));
        }
    }

    fn single(&mut self, input: &[E::Input]) -> Result<E::Answer, InferenceError> {
        let answer = self.run(input)?.into_iter().next();
        answer.ok_or_else(|| self.miscounted(1, 0))
    }

    fn miscounted(&self, inputs: usize, answers: usize) -> InferenceError {
        InferenceError::Run {
            model: self.name.to_string(),
            reason: format!("{answers} answers to {inputs} inputs"),
        }
    }

    fn run(&mut self, inputs: &[E::Input]) -> Result<Vec<E::Answer>, InferenceError> {
        self.counts.runs.fetch_add(1, Ordering::Relaxed);
        let count = inputs.len() as u64;
        self.counts.inputs.fetch_add(count, Ordering::Relaxed);
        // An engine that panicked is used again: ONNX Runtime's own state is behind its C API,
        // which no Rust panic unwinds through.
        let result = catch_unwind(AssertUnwindSafe(|| self.engine.run(inputs)))
            .unwrap_or_else(|_| {
                Err(InferenceError::Panicked {
                    model: self.name.to_string(),
                })
            })
            .and_then(|answers| {
                if answers.len() == inputs.len() {
                    Ok(answers)
                } else {
                    Err(self.miscounted(inputs.len(), answers.len()))
                }
            });
        if let Err(error) = &result {
            tracing::error!(model = %self.name, inputs = count, %error, "inference failed");
        }
        result
    }
}

#[cfg(test)]
mod tests;
