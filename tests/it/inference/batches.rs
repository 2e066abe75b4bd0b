//! Inputs of several callers in one run: each gets its own answer, the same as alone.

use std::sync::Arc;

use futures_util::future::join_all;
use jaga::domain::frame::Picture;
use jaga::inference::{Model, ModelsConfig, Provider};

use super::real::{bundle, scene};
use super::support::{PLAIN_NCHW, Tiny, logit, root, runtime, scorer, small};

/// Batches of `most` that wait for the last one as long as it takes.
fn full(most: usize, intra_threads: usize) -> ModelsConfig {
    ModelsConfig {
        sessions: 1,
        intra_threads,
        max_batch: most,
        max_delay_ms: 600_000,
        ..ModelsConfig::default()
    }
}

async fn all_at_once(model: &Model, pictures: &[Picture]) -> Vec<f64> {
    let each = pictures.iter().map(|picture| async {
        let tensor = model.prepare(picture).unwrap();
        logit(model, tensor).await.unwrap()
    });
    join_all(each).await
}

#[tokio::test]
async fn eight_callers_share_a_run_and_each_gets_its_own_answer() {
    let Some(runtime) = runtime() else { return };
    let place = tempfile::tempdir().unwrap();
    let tiny = Tiny {
        graph: "logit_nchw.onnx",
        input: PLAIN_NCHW,
        output: "name = \"logit\"\nkind = \"logit\"",
        max_batch: 8,
        more: &[],
    };
    let bundle = scorer(tiny.bundle(&place.path().join("tiny")));
    let pictures: Vec<_> = (0..16).map(small).collect();
    let start = |config| Model::start(&runtime, &bundle, &config, Provider::Cpu).unwrap();
    let alone = start(ModelsConfig::default());
    assert_eq!(alone.info().max_batch.get(), 1, "on the processor");
    let want = all_at_once(&alone, &pictures).await;
    assert_eq!(alone.backbone().runs(), 16);
    let together = start(full(64, 1));
    assert_eq!(together.info().max_batch.get(), 8, "the bundle's own");
    assert_eq!(all_at_once(&together, &pictures).await, want);
    let backbone = together.backbone();
    assert_eq!((backbone.runs(), backbone.inputs()), (2, 16));
}

/// The default model's score of a frame doesn't depend on its batch or on the threads.
#[tokio::test]
async fn a_real_models_answer_is_the_same_in_any_batch_and_on_any_threads() {
    let folder = root().join("models/genai-clip");
    let (Some(runtime), Some(bundle)) = (runtime(), bundle(&folder)) else {
        return;
    };
    let pictures: Vec<_> = (1..9).map(|seed| scene(320, 180, seed)).collect();
    let start = |config| Arc::new(Model::start(&runtime, &bundle, &config, Provider::Cpu).unwrap());
    let alone = start(full(1, 1));
    let want = all_at_once(&alone, &pictures).await;
    assert_eq!(all_at_once(&alone, &pictures).await, want, "bit for bit");
    drop(alone);
    for (most, threads) in [(8, 1), (4, 2)] {
        let model = start(full(most, threads));
        let got = all_at_once(&model, &pictures).await;
        assert_eq!(model.backbone().runs(), 8 / most as u64);
        let differences = got.iter().zip(&want).map(|(got, want)| (got - want).abs());
        let largest = differences.fold(0.0, f64::max);
        println!("batches of {most} on {threads} threads: log-odds within {largest:e}");
        assert!(largest <= 1e-4, "{largest}");
    }
}
