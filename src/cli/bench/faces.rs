//! `jaga bench faces`: a finder and crops, measured here.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::super::Outcome;
use super::super::args::FacesArgs;
use super::super::models::open;
use crate::config::Config;
use crate::domain::face::Face;
use crate::domain::frame::Picture;
use crate::domain::lanes::Lane;
use crate::domain::sampling::SamplingPlan;
use crate::inference::bundle::manifest::{FaceScore, FaceSection, Template};
use crate::inference::bundle::{Bundle, FinderTask, Sorted};
use crate::inference::faces::Cropper;
use crate::inference::{Finder, ModelsConfig, Runtime};
use crate::media::{Decoded, Decoder};
use crate::pipeline::AnalyzeError;
use crate::store::Upload;

/// What most face models ask for.
const MARGIN: f64 = 0.3;
const SIZE: [u32; 2] = [224, 224];

/// Times in milliseconds, an entry a frame and run.
#[derive(Default)]
struct Times {
    prepare: Vec<f64>,
    find: Vec<f64>,
    crop: Vec<f64>,
    align: Vec<f64>,
}

/// One frame after the other through one session, each `repeat` times.
pub(super) fn run(
    config: &Config,
    args: &FacesArgs,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let bundle = finder_bundle(config, args)?;
    let finder = start(config, &bundle)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let plan = SamplingPlan::new(args.sampling, args.frames).map_err(AnalyzeError::from)?;
    let pictures = runtime.block_on(pictures(config, &args.file, plan))?;
    let first = pictures.first().context("no frame")?;
    let input = finder.prepare(first).map_err(AnalyzeError::from)?.size();
    let (mut times, mut faces) = (Times::default(), 0);
    for _ in 0..args.repeat {
        faces = 0;
        for picture in &pictures {
            faces += runtime.block_on(one(&finder, picture, &mut times))?;
        }
    }
    let (prepare, find) = (median(&mut times.prepare), median(&mut times.find));
    let result = json!({
        "finder": bundle.name(),
        "picture": [first.width(), first.height()],
        "input": input,
        "frames": pictures.len(),
        "faces": faces,
        "prepare_ms": prepare,
        "find_ms": find,
        "finder_ms": prepare + find,
        "crop_ms": median(&mut times.crop),
        "align_ms": median(&mut times.align),
    });
    writeln!(out, "{result}")?;
    Ok(Outcome::Done)
}

fn finder_bundle(config: &Config, args: &FacesArgs) -> anyhow::Result<Bundle<FinderTask>> {
    match open(config, &args.finder)?.sort() {
        Sorted::Finder(mut bundle) => {
            if let Some(max_side) = args.max_side {
                bundle.task.finder.max_side = max_side;
            }
            Ok(bundle)
        }
        Sorted::Scorer(_) => anyhow::bail!("{} is no finder of faces", args.finder),
    }
}

fn start(config: &Config, bundle: &Bundle<FinderTask>) -> Result<Finder, AnalyzeError> {
    let providers = config.runtime.providers()?;
    let runtime = Runtime::configured(&config.runtime)?;
    let models = ModelsConfig {
        sessions: 1,
        ..config.models.clone()
    };
    Ok(Finder::start(&runtime, bundle, &models, &providers)?)
}

async fn pictures(
    config: &Config,
    file: &Path,
    plan: SamplingPlan,
) -> anyhow::Result<Vec<Picture>> {
    let upload = Upload::from_path(file, config.data.max_upload_bytes)?;
    let decoder = Decoder::start(&config.media).map_err(AnalyzeError::from)?;
    let limit = Duration::from_secs_f64(config.analysis.deadline_s);
    let deadline = tokio::time::Instant::now() + limit;
    let opened = decoder.open(upload.descriptor()?, deadline).await;
    let mut media = opened.map_err(AnalyzeError::from)?;
    media
        .choose(&plan.into())
        .await
        .map_err(AnalyzeError::from)?;
    let mut pictures = Vec::new();
    while let Some(next) = media.next().await.map_err(AnalyzeError::from)? {
        if let Decoded::Frame(frame) = next {
            pictures.push(frame.picture);
        }
    }
    Ok(pictures)
}

/// How many faces there are.
async fn one(finder: &Finder, picture: &Picture, times: &mut Times) -> Result<usize, AnalyzeError> {
    let begin = Instant::now();
    let input = finder.prepare(picture)?;
    times.prepare.push(ms(begin));
    let begin = Instant::now();
    let faces = finder.find(input, Lane::Live).await?.faces;
    times.find.push(ms(begin));
    times.crop.push(crops(picture, &faces, None)?);
    times
        .align
        .push(crops(picture, &faces, Some(Template::Arcface))?);
    Ok(faces.len())
}

/// Milliseconds to cut out all `faces`.
fn crops(picture: &Picture, faces: &[Face], align: Option<Template>) -> Result<f64, AnalyzeError> {
    let section = FaceSection {
        finder: String::new(),
        min_size: 1,
        margin: MARGIN,
        align,
        score: FaceScore::default(),
        min_frames: NonZeroU32::MIN,
    };
    let cropper = Cropper::new(&section, SIZE);
    let begin = Instant::now();
    for face in faces {
        cropper
            .crop(picture, face)
            .map_err(crate::inference::InferenceError::from)?;
    }
    Ok(ms(begin))
}

fn ms(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

/// The middle one; 0 for none.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
