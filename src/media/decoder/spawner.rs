//! The thread that starts children and the thread that buries them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::oneshot;

use super::child::WarmChild;
use super::counts::Counters;
use super::owned::Cemetery;
use super::program::Program;
use crate::media::error::MediaError;
use crate::media::protocol::Hello;

/// Starts children and keeps some warm.
///
/// A child dies with the thread that spawned it (its parent-death signal), so that thread lives as
/// long as this handle. Without `pre_exec`, starting one costs no fork of the server's memory.
#[derive(Debug)]
pub(super) struct Spawner {
    orders: mpsc::Sender<Order>,
}

#[derive(Debug)]
enum Order {
    /// Hand out a child that is alive.
    Take(oneshot::Sender<Result<WarmChild, MediaError>>),
    /// Wait for the first child's hello.
    Greet(mpsc::Sender<Result<Hello, MediaError>>),
}

impl Spawner {
    /// Starts both threads.
    pub(super) fn start(
        program: Program,
        warm: usize,
        counters: Arc<Counters>,
    ) -> Result<Self, MediaError> {
        let (orders, incoming) = mpsc::channel();
        let (graves, dead) = mpsc::channel::<process::Child>();
        let fault = |source| MediaError::Spawn {
            program: PathBuf::from("thread"),
            source,
        };
        let cemetery = Cemetery { graves, counters };
        thread::Builder::new()
            .name("decoder-spawner".to_owned())
            .spawn(move || {
                let pool = Pool {
                    program,
                    size: warm,
                    warm: VecDeque::new(),
                    cemetery,
                };
                pool.serve(&incoming);
            })
            .map_err(fault)?;
        thread::Builder::new()
            .name("decoder-reaper".to_owned())
            .spawn(move || {
                for mut child in dead {
                    // It was killed; an error means that there is nothing left to reap.
                    let _reaped = child.wait();
                }
            })
            .map_err(fault)?;
        Ok(Self { orders })
    }

    /// The hello of a first child, which stays in the pool.
    pub(super) fn first_hello(&self) -> Result<Hello, MediaError> {
        let (answer, hello) = mpsc::channel();
        let gone = || MediaError::ChildInternal("the spawner thread is gone".to_owned());
        self.orders.send(Order::Greet(answer)).map_err(|_| gone())?;
        hello.recv().map_err(|_| gone())?
    }

    /// A child that waits for an upload; started now when none is warm.
    pub(super) async fn take(&self) -> Result<WarmChild, MediaError> {
        let (answer, child) = oneshot::channel();
        let gone = || MediaError::ChildInternal("the spawner thread is gone".to_owned());
        self.orders.send(Order::Take(answer)).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

/// What the spawner thread owns.
struct Pool {
    program: Program,
    size: usize,
    warm: VecDeque<WarmChild>,
    cemetery: Cemetery,
}

impl Pool {
    fn serve(mut self, orders: &mpsc::Receiver<Order>) {
        while let Ok(order) = orders.recv() {
            match order {
                Order::Take(answer) => {
                    let child = self.alive();
                    if let Err(Ok(unwanted)) = answer.send(child) {
                        self.warm.push_front(unwanted);
                    }
                }
                Order::Greet(answer) => {
                    let hello = self.greet_first();
                    let _nobody_waits = answer.send(hello);
                }
            }
            self.refill();
        }
    }

    /// A warm child that did not die meanwhile, or a new one.
    fn alive(&mut self) -> Result<WarmChild, MediaError> {
        while let Some(mut child) = self.warm.pop_front() {
            if child.is_alive() {
                return Ok(child);
            }
            tracing::warn!("a warm decoder child had died");
            child.had_died();
        }
        self.spawn()
    }

    fn greet_first(&mut self) -> Result<Hello, MediaError> {
        let mut child = self.spawn()?;
        let hello = child.wait_for_hello();
        if hello.is_ok() {
            self.warm.push_back(child);
        }
        hello
    }

    /// A failure is told to whoever needs a child next; trying again here would spin.
    fn refill(&mut self) {
        while self.warm.len() < self.size {
            match self.spawn() {
                Ok(child) => self.warm.push_back(child),
                Err(error) => {
                    tracing::error!(error = %error, "can't refill the pool of decoder children");
                    return;
                }
            }
        }
    }

    fn spawn(&self) -> Result<WarmChild, MediaError> {
        let child = WarmChild::spawn(&self.program, self.cemetery.clone());
        let child = child.map_err(|source| MediaError::Spawn {
            program: self.program.path.clone(),
            source,
        })?;
        self.cemetery.counters.started();
        Ok(child)
    }
}
