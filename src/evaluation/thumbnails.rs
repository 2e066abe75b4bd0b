//! Small pictures of the worst errors, so that a person sees what the model saw. They are decoded
//! again, in the locked-down child, and kept by content hash.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::error::EvaluationError;
use super::manifest::Manifest;
use super::outcome::Results;
use super::scoring::Scoring;
use super::worst::{telling, worst};
use crate::domain::frame::Frame;
use crate::domain::sampling::Strategy;
use crate::pipeline::{AnalyzeError, AnalyzeErrorKind, Footage};
use crate::store::Upload;

/// Pixels of the longer side, at most.
const LONG_SIDE: u32 = 160;

/// Of a JPEG, 1..=100.
const QUALITY: u8 = 72;

/// Bytes of one picture, at most; 160 × 160 pixels of noise take less.
const MAX_BYTES: usize = 64 * 1024;

/// Videos of a page that have pictures, at most.
const MAX_VIDEOS: usize = 64;

/// A frame, small.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Its time in the video, in seconds.
    pub time_s: f64,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// A JPEG, in Base64.
    pub jpeg: String,
}

/// Pictures of the videos that a page shows, or why there are none.
#[derive(Debug, Clone, PartialEq)]
pub enum Thumbnails {
    /// None at all, for this reason; a sentence.
    Absent(&'static str),
    /// By place in [`Results::videos`]: in order of time, or why there are none.
    Made(BTreeMap<usize, Result<Vec<Thumbnail>, String>>),
}

impl Thumbnails {
    /// Of scores from a table.
    pub const FROM_A_TABLE: Self =
        Self::Absent("No thumbnails: the scores come from a table, which has no videos.");
    /// Of a caller who wants none.
    pub const UNWANTED: Self = Self::Absent("No thumbnails: left out by --no-thumbnails.");
}

/// Where videos are, and how they were looked at when they were scored.
#[derive(Debug)]
pub struct Looking<'a> {
    /// How they were scored.
    pub scoring: &'a Scoring<'a>,
    /// The table of videos.
    pub manifest: &'a Manifest,
}

/// All that a picture depends on, besides the file.
#[derive(Serialize)]
struct Terms<'a> {
    program: &'static str,
    media: &'a crate::media::config::MediaConfig,
    plan: (u32, Strategy),
    form: (u32, u8, usize),
    times_s: &'a [f64],
}

/// A video that is shown.
struct Wanted {
    place: usize,
    times_s: Vec<f64>,
}

/// Pictures of the worst errors of `results`, which are those of the videos of `looking`. A file
/// that is gone, has changed or can't be decoded any more has none, and says why.
pub fn thumbnails(
    results: &Results,
    threshold: f64,
    looking: &Looking<'_>,
) -> Result<Thumbnails, EvaluationError> {
    let mut made = BTreeMap::new();
    let mut rest = Vec::new();
    for (number, wanted) in wanted(results, threshold).into_iter().enumerate() {
        if number >= MAX_VIDEOS {
            let reason = format!("only {MAX_VIDEOS} videos of a page have thumbnails");
            made.insert(wanted.place, Err(reason));
            continue;
        }
        let cache = looking.cache_for(&wanted.times_s)?;
        let content = results.contents.get(wanted.place).cloned().flatten();
        let content = content.unwrap_or_default();
        match cache.find::<Vec<Thumbnail>>(&content) {
            Some(found) => drop(made.insert(wanted.place, Ok(found))),
            None => rest.push((wanted, content, cache)),
        }
    }
    if !rest.is_empty() {
        looking.make(rest, &mut made)?;
    }
    Ok(Thumbnails::Made(made))
}

/// The videos that a page shows, each once, with the frames that any of its models wants.
fn wanted(results: &Results, threshold: f64) -> Vec<Wanted> {
    let mut found: Vec<Wanted> = Vec::new();
    for column in &results.columns {
        for error in worst(results, column, threshold) {
            let frames = telling(error.outcome.frames());
            let times_s = frames.into_iter().map(|(time_s, _)| time_s);
            match found.iter_mut().find(|known| known.place == error.place) {
                Some(known) => known.times_s.extend(times_s),
                None => found.push(Wanted {
                    place: error.place,
                    times_s: times_s.collect(),
                }),
            }
        }
    }
    found.retain(|wanted| !wanted.times_s.is_empty());
    for wanted in &mut found {
        wanted.times_s.sort_by(f64::total_cmp);
        wanted.times_s.dedup();
    }
    found
}

impl Looking<'_> {
    fn cache_for(&self, times_s: &[f64]) -> Result<Cache, EvaluationError> {
        let scoring = self.scoring;
        let analysis = &scoring.config.analysis;
        let terms = Terms {
            program: env!("CARGO_PKG_VERSION"),
            media: &scoring.config.media,
            plan: (
                scoring.frames.unwrap_or(analysis.frames),
                scoring.sampling.unwrap_or(analysis.sampling),
            ),
            form: (LONG_SIDE, QUALITY, MAX_BYTES),
            times_s,
        };
        Cache::under(scoring.cache.join("thumbnails"), &terms)
    }

    fn make(
        &self,
        rest: Vec<(Wanted, String, Cache)>,
        made: &mut BTreeMap<usize, Result<Vec<Thumbnail>, String>>,
    ) -> Result<(), EvaluationError> {
        let scoring = self.scoring;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|source| EvaluationError::File {
            path: "threads".into(),
            source,
        })?;
        runtime.block_on(async {
            // A page without pictures is worth more than none.
            let footage = match Footage::start(scoring.config, scoring.frames, scoring.sampling) {
                Ok(footage) => footage,
                Err(error) => {
                    let reason = format!("the decoder doesn't start: {error}");
                    made.extend(rest.iter().map(|(w, _, _)| (w.place, Err(reason.clone()))));
                    return Ok(());
                }
            };
            let at_once = scoring.config.analysis.concurrency().max(1);
            let one = |(wanted, content, cache): (Wanted, String, Cache)| {
                let footage = &footage;
                async move {
                    let pictures = self.look(footage, &wanted, &content).await;
                    if let Ok(pictures) = &pictures {
                        cache.keep(&content, pictures)?;
                    }
                    Ok::<_, EvaluationError>((wanted.place, pictures))
                }
            };
            let mut looks = stream::iter(rest.into_iter().map(one)).buffer_unordered(at_once);
            while let Some(look) = looks.next().await {
                let (place, pictures) = look?;
                made.insert(place, pictures);
            }
            Ok(())
        })
    }

    /// The pictures of the file whose content was `content` when it was scored.
    async fn look(
        &self,
        footage: &Footage,
        wanted: &Wanted,
        content: &str,
    ) -> Result<Vec<Thumbnail>, String> {
        let told = |error: AnalyzeError| {
            let kind = error.kind();
            if kind == AnalyzeErrorKind::NotFound {
                return "the file is gone".to_owned();
            }
            format!("the file can't be decoded now ({})", kind.code())
        };
        let video = self.manifest.videos.get(wanted.place);
        let path = video.map(|video| self.manifest.locate(video));
        let path = path.ok_or_else(|| "the file is gone".to_owned())?;
        let limit = self.scoring.config.data.max_upload_bytes;
        let upload = tokio::task::spawn_blocking(move || Upload::from_path(&path, limit)).await;
        let upload = upload.map_err(|error| told(error.into()))?;
        let upload = upload.map_err(|error| told(error.into()))?;
        if upload.blake3 != content {
            return Err("the file has changed since it was scored".to_owned());
        }
        let frames = footage.near(&upload, &wanted.times_s, LONG_SIDE).await;
        let frames = frames.map_err(told)?;
        Ok(frames.iter().filter_map(thumbnail).collect())
    }
}

/// `None` for a picture that can't be written, or takes too much.
fn thumbnail(frame: &Frame) -> Option<Thumbnail> {
    let picture = &frame.picture;
    let (width, height) = (picture.width(), picture.height());
    let mut jpeg = Vec::new();
    let mut writer = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    let written = writer.encode(picture.rgb(), width, height, ExtendedColorType::Rgb8);
    (written.is_ok() && jpeg.len() <= MAX_BYTES).then(|| Thumbnail {
        time_s: frame.time_s,
        width,
        height,
        jpeg: STANDARD.encode(&jpeg),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::frame::Picture;

    #[test]
    fn even_noise_fits_the_bound() {
        let noise = blake3::Hasher::new().finalize_xof();
        let mut rgb = vec![0; (LONG_SIDE * LONG_SIDE * 3) as usize];
        std::io::Read::read_exact(&mut { noise }, &mut rgb).unwrap();
        let frame = Frame {
            index: 0,
            time_s: 1.5,
            picture: Picture::new(LONG_SIDE, LONG_SIDE, rgb).unwrap(),
        };
        let found = thumbnail(&frame).unwrap();
        assert_eq!((found.time_s, found.width), (1.5, LONG_SIDE));
        assert_eq!(thumbnail(&frame), Some(found), "the same bytes again");
    }
}
