//! The queue and the workers, without ONNX Runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

/// Answers with its input; 13 is unlucky, 14 an error.
struct Echo(Arc<AtomicUsize>);

impl Engine for Echo {
    type Input = u8;
    type Answer = u8;

    fn run(&mut self, input: u8) -> Result<u8, InferenceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match input {
            13 => panic!("unlucky"),
            14 => Err(InferenceError::NoScore {
                model: "echo".to_owned(),
                value: f64::NAN,
            }),
            value => Ok(value),
        }
    }
}

#[tokio::test]
async fn every_caller_gets_its_own_answer() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = Pool::start("echo", vec![Echo(runs.clone()), Echo(runs.clone())], 4).unwrap();
    let answers = (0..100).map(|v| pool.run(v % 10));
    let answers = futures_util::future::join_all(answers).await;
    for (v, answer) in answers.into_iter().enumerate() {
        assert_eq!(usize::from(answer.unwrap().answer), v % 10);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 100);
    assert_eq!(pool.runs(), 100);
}

#[tokio::test]
async fn a_panic_or_an_error_hits_one_entry_only() {
    let pool = Pool::start("echo", vec![Echo(Arc::default())], 4).unwrap();
    let panicked = pool.run(13).await.unwrap_err();
    assert!(matches!(panicked, InferenceError::Panicked { .. }));
    assert!(matches!(
        pool.run(14).await.unwrap_err(),
        InferenceError::NoScore { .. }
    ));
    assert_eq!(pool.run(3).await.unwrap().answer, 3);
    assert_eq!(pool.runs(), 3);
}

/// Says that it began, then waits to be let go.
struct Gate {
    began: mpsc::Sender<u8>,
    proceed: mpsc::Receiver<()>,
}

impl Engine for Gate {
    type Input = u8;
    type Answer = u8;

    fn run(&mut self, input: u8) -> Result<u8, InferenceError> {
        self.began.send(input).unwrap();
        self.proceed.recv().unwrap();
        Ok(input)
    }
}

#[tokio::test]
async fn an_entry_without_a_caller_costs_nothing() {
    let (report, started) = mpsc::channel();
    let (permit, proceed) = mpsc::channel();
    let pool = Arc::new(
        Pool::start(
            "gate",
            vec![Gate {
                began: report,
                proceed,
            }],
            4,
        )
        .unwrap(),
    );
    let spawn = |v: u8| {
        let pool = pool.clone();
        tokio::spawn(async move { pool.run(v).await })
    };
    let first = spawn(1);
    let first_start = tokio::task::spawn_blocking(move || (started.recv().unwrap(), started));
    let (value, started) = first_start.await.unwrap();
    assert_eq!(value, 1);
    let gone = spawn(2);
    while pool.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let last = spawn(3);
    while pool.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        permit.send(()).unwrap();
    }
    assert_eq!(first.await.unwrap().unwrap().answer, 1);
    assert_eq!(last.await.unwrap().unwrap().answer, 3);
    assert_eq!(
        started.recv_timeout(Duration::from_secs(5)).unwrap(),
        3,
        "2 was never begun"
    );
    assert_eq!(pool.runs(), 2);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let (report, started) = mpsc::channel();
    let (permit, proceed) = mpsc::channel();
    let pool = Pool::start(
        "gate",
        vec![Gate {
            began: report,
            proceed,
        }],
        2,
    )
    .unwrap();
    let mut runs: Vec<_> = (0..5).map(|v| Box::pin(pool.run(v))).collect();
    for run in &mut runs {
        assert!(futures_util::poll!(run).is_pending());
    }
    assert!(pool.waiting() <= 2);
    drop(runs);
    drop((permit, started));
    drop(pool);
}
