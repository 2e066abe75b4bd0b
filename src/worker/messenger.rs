//! Who sends the messages of the outbox: jobs' ends, to the callbacks that were named.
//!
//! A message is in the outbox by the same transaction that ended its job, and leaves it only once
//! an attempt was written down: a server that dies in between sends it again, with the same id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::task::{Id, JoinHandle, JoinSet};

use super::desk::{Desk, LOOK_EVERY};
use super::{millis, now};
use crate::outbound::webhook::{self, Attempt, Outcome, Sender};
use crate::store::jobs::{Delivery, Job, JobsError, Message, Next};

/// Attempts at the same time.
const AT_ONCE: u32 = 16;

/// Makes a message's body of a job that is over: the same bytes each time. `None`: it can't now.
pub type Render = for<'a> fn(&'a Desk, Job) -> BoxFuture<'a, Option<Bytes>>;

/// Sends messages until it is dropped.
#[derive(Debug)]
pub struct Messenger {
    task: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Bag {
    desk: Arc<Desk>,
    sender: Arc<Sender>,
    render: Render,
}

impl Messenger {
    /// Begins to send what is due.
    pub fn start(desk: &Arc<Desk>, sender: &Arc<Sender>, render: Render) -> Self {
        let bag = Bag {
            desk: Arc::clone(desk),
            sender: Arc::clone(sender),
            render,
        };
        Self {
            task: tokio::spawn(bag.carry()),
        }
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bag {
    async fn carry(self) {
        let mut changes = self.desk.changes();
        let mut attempts = JoinSet::new();
        let mut under_way: HashMap<Id, String> = HashMap::new();
        loop {
            match self.desk.store.due(now(), AT_ONCE).await {
                Ok(due) => {
                    for message in due {
                        if !under_way.values().any(|id| *id == message.id) {
                            let id = message.id.clone();
                            let attempt = attempts.spawn(self.clone().attempt(message));
                            under_way.insert(attempt.id(), id);
                        }
                    }
                }
                Err(error) => failed(&error, "can't read the outbox"),
            }
            tokio::select! {
                Some(ended) = attempts.join_next_with_id() => {
                    let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                    under_way.remove(&id);
                }
                // Behind or not: it is time to look.
                _ = changes.recv() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// One attempt at one message, and what comes of it. Where that can't be written down, the
    /// message is due as before.
    async fn attempt(self, message: Message) {
        if let Err(error) = self.deliver(&message).await {
            failed(&error, "can't write down a delivery");
            // It would be due again at once.
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn deliver(&self, message: &Message) -> Result<(), JobsError> {
        let Some(body) = self.body(message).await? else {
            tokio::time::sleep(LOOK_EVERY).await;
            return Ok(());
        };
        let at = Timestamp::now();
        let (delivery, next) = match self.sender.parse(&message.url) {
            Ok(url) => {
                let delivery = webhook::Delivery {
                    id: message.id.clone(),
                    url,
                    body,
                };
                let attempt = self.sender.send(&delivery, at).await;
                let next = self.next(message, &attempt).await?;
                (written(message, attempt), next)
            }
            Err(error) => {
                let delivery = Delivery {
                    message_id: message.id.clone(),
                    at_ms: at.as_millisecond(),
                    duration_ms: 0,
                    status: None,
                    error: Some(error.to_string()),
                };
                (delivery, Next::GivenUp)
            }
        };
        self.desk.store.delivered(&delivery, next).await
    }

    async fn body(&self, message: &Message) -> Result<Option<Bytes>, JobsError> {
        let Some(job) = self.desk.store.job(&message.job_id).await? else {
            return Ok(None);
        };
        Ok((self.render)(&self.desk, job).await)
    }

    async fn next(&self, message: &Message, attempt: &Attempt) -> Result<Next, JobsError> {
        match attempt.outcome {
            Outcome::Delivered => return Ok(Next::Delivered),
            Outcome::Gone | Outcome::Refused => return Ok(Next::GivenUp),
            Outcome::Failed => {}
        }
        let before = self.desk.store.deliveries(&message.job_id).await?;
        let at_ms = attempt.at.as_millisecond();
        let first = before.first().map_or(at_ms, |first| first.at_ms);
        let since = u64::try_from(now().saturating_sub(first)).unwrap_or_default();
        let tried = usize::try_from(message.tries).unwrap_or(usize::MAX);
        let wait = webhook::wait(
            tried.saturating_add(1),
            Duration::from_millis(since),
            attempt.retry_after,
            jitter(),
        );
        Ok(wait.map_or(Next::GivenUp, |wait| {
            Next::Retry(now().saturating_add(millis(wait)))
        }))
    }
}

/// An attempt as the log of deliveries keeps it.
fn written(message: &Message, attempt: Attempt) -> Delivery {
    Delivery {
        message_id: message.id.clone(),
        at_ms: attempt.at.as_millisecond(),
        duration_ms: attempt.duration_ms(),
        status: attempt.status,
        error: attempt.fault(),
    }
}

/// A number in 0..=1; without random numbers none of the wait is taken away.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

fn failed(error: &JobsError, what: &'static str) {
    let error = error as &dyn std::error::Error;
    tracing::error!(error, "{what}");
}
