//! The queue and the workers, without ONNX Runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use ndarray::Array4;

use super::*;

fn tensor(value: u8) -> Tensor {
    Tensor::Uint8(Array4::from_elem((1, 1, 1, 1), value))
}

fn value_of(tensor: &Tensor) -> u8 {
    match tensor {
        Tensor::Uint8(array) => array[[0, 0, 0, 0]],
        Tensor::Float32(_) => 0,
    }
}

/// Answers with the pixel's value; 13 is unlucky, 14 an error.
struct Echo(Arc<AtomicUsize>);

impl Engine for Echo {
    fn run(&mut self, tensor: &Tensor) -> Result<Vec<Logit>, InferenceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        match value_of(tensor) {
            13 => panic!("unlucky"),
            14 => Err(InferenceError::NoScore {
                model: "echo".to_owned(),
                value: f64::NAN,
            }),
            value => Ok(vec![Logit::new(f64::from(value)).unwrap()]),
        }
    }
}

#[tokio::test]
async fn every_caller_gets_its_own_answer() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = Pool::start("echo", vec![Echo(runs.clone()), Echo(runs.clone())], 4).unwrap();
    let answers = (0..100).map(|v| pool.run(tensor(v % 10)));
    let answers = futures_util::future::join_all(answers).await;
    for (v, answer) in answers.into_iter().enumerate() {
        assert!((answer.unwrap().logit.get() - (v % 10) as f64).abs() < 1e-12);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn a_panic_or_an_error_hits_one_entry_only() {
    let pool = Pool::start("echo", vec![Echo(Arc::default())], 4).unwrap();
    let panicked = pool.run(tensor(13)).await.unwrap_err();
    assert!(matches!(panicked, InferenceError::Panicked { .. }));
    assert!(matches!(
        pool.run(tensor(14)).await.unwrap_err(),
        InferenceError::NoScore { .. }
    ));
    assert!((pool.run(tensor(3)).await.unwrap().logit.get() - 3.0).abs() < 1e-12);
}

/// Says that it began, then waits to be let go.
struct Gate {
    began: mpsc::Sender<u8>,
    proceed: mpsc::Receiver<()>,
}

impl Engine for Gate {
    fn run(&mut self, tensor: &Tensor) -> Result<Vec<Logit>, InferenceError> {
        let value = value_of(tensor);
        self.began.send(value).unwrap();
        self.proceed.recv().unwrap();
        Ok(vec![Logit::new(f64::from(value)).unwrap()])
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
        tokio::spawn(async move { pool.run(tensor(v)).await })
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
    assert!((first.await.unwrap().unwrap().logit.get() - 1.0).abs() < 1e-12);
    assert!((last.await.unwrap().unwrap().logit.get() - 3.0).abs() < 1e-12);
    assert_eq!(
        started.recv_timeout(Duration::from_secs(5)).unwrap(),
        3,
        "2 was never begun"
    );
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
    let mut runs: Vec<_> = (0..5).map(|v| Box::pin(pool.run(tensor(v)))).collect();
    for run in &mut runs {
        assert!(futures_util::poll!(run).is_pending());
    }
    assert!(pool.waiting() <= 2);
    drop(runs);
    drop((permit, started));
    drop(pool);
}
