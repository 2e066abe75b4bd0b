//! Single frames of an upload for people to look at: out of the decoder child, without a model.

use std::time::Duration;

use tokio::time::Instant;

use super::error::AnalyzeError;
use crate::config::Config;
use crate::domain::frame::Frame;
use crate::domain::lanes::Lane;
use crate::domain::plan::FramePlan;
use crate::domain::sampling::{SamplingPlan, Strategy};
use crate::media::{Decoded, Decoder};
use crate::store::Upload;

/// A decoder, and the frames that analyses look at.
#[derive(Debug)]
pub struct Footage {
    decoder: Decoder,
    plan: FramePlan,
    deadline: Duration,
}

impl Footage {
    /// Starts the decoder. What isn't given is as configured, as for an analysis.
    pub fn start(
        config: &Config,
        frames: Option<u32>,
        sampling: Option<Strategy>,
    ) -> Result<Self, AnalyzeError> {
        let stills = SamplingPlan::new(
            sampling.unwrap_or(config.analysis.sampling),
            frames.unwrap_or(config.analysis.frames),
        )?;
        Ok(Self {
            decoder: Decoder::start(&config.media)?,
            plan: stills.into(),
            deadline: config.analysis.deadline(Lane::Backfill),
        })
    }

    /// For each of `times_s`, in seconds, the frame of the plan that is nearest to it, its longer
    /// side at most `long_side` pixels; in order of time, each once. A damaged frame isn't there.
    /// Dropping the future kills the child.
    pub async fn near(
        &self,
        upload: &Upload,
        times_s: &[f64],
        long_side: u32,
    ) -> Result<Vec<Frame>, AnalyzeError> {
        let deadline = Instant::now()
            .checked_add(self.deadline)
            .unwrap_or_else(Instant::now);
        let mut media = self.decoder.open(upload.descriptor()?, deadline).await?;
        let planned = &media.choose(&self.plan).await?.times_s;
        let wanted: Vec<usize> = times_s
            .iter()
            .filter_map(|t| nearest(planned, *t))
            .collect();
        let mut found: Vec<Frame> = Vec::with_capacity(wanted.len());
        while let Some(decoded) = media.next().await? {
            match decoded {
                Decoded::Frame(frame) if wanted.contains(&frame.index) => found.push(Frame {
                    picture: frame.picture.shrunk(long_side),
                    ..frame
                }),
                Decoded::Frame(_) | Decoded::Missed(_) => {}
            }
        }
        found.sort_by_key(|frame| frame.index);
        Ok(found)
    }
}

/// The place of the value that is nearest to `wanted`, the first of equally near ones.
fn nearest(values: &[f64], wanted: f64) -> Option<usize> {
    let far = |value: &f64| (value - wanted).abs();
    let places = values.iter().enumerate();
    let nearest = places.min_by(|(_, a), (_, b)| far(a).total_cmp(&far(b)));
    nearest.map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_time_is_found_and_the_first_of_two() {
        let times = [0.0, 1.0, 3.0];
        assert_eq!(nearest(&times, 1.9), Some(1));
        assert_eq!(nearest(&times, 2.0), Some(1));
        assert_eq!(nearest(&times, 9.0), Some(2));
        assert_eq!(nearest(&[], 1.0), None);
    }
}
