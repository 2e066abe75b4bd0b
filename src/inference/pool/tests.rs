//! The queue and the workers, without ONNX Runtime.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn line(capacity: usize, batch: usize) -> Line {
    Line {
        capacity,
        shares: Shares::default(),
        batching: Batching {
            most: NonZeroUsize::new(batch).unwrap(),
            delay: Duration::ZERO,
        },
    }
}

/// Answers with its input; 13 is unlucky, 14 an error.
struct Echo(Arc<AtomicUsize>);

impl Engine for Echo {
    type Input = u8;
    type Answer = u8;

    fn run(&mut self, inputs: &[u8]) -> Result<Vec<u8>, InferenceError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let answer = |input: &u8| match input {
            13 => panic!("unlucky"),
            14 => Err(InferenceError::NoScore {
                model: "echo".to_owned(),
                value: f64::NAN,
            }),
            value => Ok(*value),
        };
        inputs.iter().map(answer).collect()
    }
}

#[tokio::test]
async fn every_caller_gets_its_own_answer() {
    let runs = Arc::new(AtomicUsize::new(0));
    let pool = Pool::start(
        "echo",
        vec![Echo(runs.clone()), Echo(runs.clone())],
        line(4, 1),
    )
    .unwrap();
    let answers = (0..100).map(|v| pool.run(Lane::Live, v % 10));
    let answers = futures_util::future::join_all(answers).await;
    for (v, answer) in answers.into_iter().enumerate() {
        assert_eq!(usize::from(answer.unwrap().answer), v % 10);
    }
    assert_eq!(runs.load(Ordering::SeqCst), 100);
    assert_eq!((pool.runs(), pool.inputs()), (100, 100));
}

#[tokio::test]
async fn a_panic_or_an_error_hits_one_entry_only() {
    let pool = Pool::start("echo", vec![Echo(Arc::default())], line(4, 1)).unwrap();
    let panicked = pool.run(Lane::Live, 13).await.unwrap_err();
    assert!(matches!(panicked, InferenceError::Panicked { .. }));
    assert!(matches!(
        pool.run(Lane::Live, 14).await.unwrap_err(),
        InferenceError::NoScore { .. }
    ));
    assert_eq!(pool.run(Lane::Live, 3).await.unwrap().answer, 3);
    assert_eq!(pool.runs(), 3);
}

/// Says that it began, then waits to be let go.
struct Gate {
    began: mpsc::Sender<Vec<u8>>,
    proceed: mpsc::Receiver<()>,
}

impl Engine for Gate {
    type Input = u8;
    type Answer = u8;

    fn run(&mut self, inputs: &[u8]) -> Result<Vec<u8>, InferenceError> {
        self.began.send(inputs.to_vec()).unwrap();
        self.proceed.recv().unwrap();
        Ok(inputs.to_vec())
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
            line(4, 1),
        )
        .unwrap(),
    );
    let spawn = |v: u8| {
        let pool = pool.clone();
        tokio::spawn(async move { pool.run(Lane::Live, v).await })
    };
    let first = spawn(1);
    let first_start = tokio::task::spawn_blocking(move || (started.recv().unwrap(), started));
    let (value, started) = first_start.await.unwrap();
    assert_eq!(value, [1]);
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
        [3],
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
        line(2, 1),
    )
    .unwrap();
    let mut runs: Vec<_> = (0..5).map(|v| Box::pin(pool.run(Lane::Live, v))).collect();
    for run in &mut runs {
        assert!(futures_util::poll!(run).is_pending());
    }
    assert!(pool.waiting() <= 2);
    drop(runs);
    drop((permit, started));
    drop(pool);
}

/// A gate whose first run holds the worker up while the others arrive.
async fn held_up(batch: usize, inputs: &[(Lane, u8)]) -> (Vec<Vec<u8>>, u64) {
    let (report, started) = mpsc::channel();
    let (permit, proceed) = mpsc::channel();
    let gate = Gate {
        began: report,
        proceed,
    };
    let pool = Arc::new(Pool::start("gate", vec![gate], line(100, batch)).unwrap());
    let mut runs = Vec::new();
    for (count, (lane, input)) in inputs.iter().copied().enumerate() {
        let own = Arc::clone(&pool);
        runs.push(tokio::spawn(async move { own.run(lane, input).await }));
        // The first is being run, the others wait, in this order.
        while pool.runs() == 0 || pool.waiting() < count {
            tokio::task::yield_now().await;
        }
    }
    for _ in inputs {
        permit.send(()).unwrap();
    }
    for (run, (_, input)) in runs.into_iter().zip(inputs) {
        assert_eq!(run.await.unwrap().unwrap().answer, *input);
    }
    (started.try_iter().collect(), pool.inputs())
}

#[tokio::test]
async fn what_waits_shares_a_run_and_each_gets_its_own_answer() {
    let inputs: Vec<_> = (0..8).map(|n| (Lane::Live, n)).collect();
    let (runs, count) = held_up(4, &inputs).await;
    assert_eq!(runs, [vec![0], vec![1, 2, 3, 4], vec![5, 6, 7]]);
    assert_eq!(count, 8);
}

#[tokio::test]
async fn a_flag_overtakes_a_full_backfill() {
    let mut inputs = vec![(Lane::Backfill, 0); 20];
    inputs.extend([(Lane::Flagger, 1); 3]);
    let (runs, _) = held_up(1, &inputs).await;
    assert_eq!(runs[..5], [[0], [1], [1], [1], [0]], "{runs:?}");
}

#[tokio::test]
async fn one_bad_input_of_a_batch_fails_its_own_caller_alone() {
    for (bad, panicked) in [(13, true), (14, false)] {
        let runs = Arc::new(AtomicUsize::new(0));
        let slow = Line {
            batching: Batching {
                delay: Duration::from_hours(1),
                ..line(9, 3).batching
            },
            ..line(9, 3)
        };
        let pool = Pool::start("echo", vec![Echo(runs.clone())], slow).unwrap();
        let all = [1, bad, 2].map(|input| pool.run(Lane::Live, input));
        let [one, failed, two] = futures_util::future::join_all(all)
            .await
            .try_into()
            .unwrap();
        assert_eq!((one.unwrap().answer, two.unwrap().answer), (1, 2));
        let failed = failed.unwrap_err();
        let is_panic = matches!(failed, InferenceError::Panicked { .. });
        assert_eq!(is_panic, panicked, "{failed}");
        assert_eq!(runs.load(Ordering::SeqCst), 4, "together, then each alone");
    }
}
