//! Perturbed videos, as files without a name.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::order;
use crate::config::Config;
use crate::domain::perturbation::Perturbation;
use crate::evaluation::EvaluationError;
use crate::media::Perturber;
use crate::pipeline::AnalyzeError;
use crate::store::config::StoreConfig;
use crate::store::{Spool, Upload};

/// Has perturbed videos made by children.
pub(super) struct Maker {
    perturber: Perturber,
    spool: Spool,
    config: Config,
    seconds: f64,
}

impl Maker {
    /// Starts a first child. Videos are spooled below `cache`, which is where there is room for what
    /// the evaluation keeps.
    pub(super) fn start(
        config: &Config,
        cache: &Path,
        seconds: f64,
    ) -> Result<Self, EvaluationError> {
        let store = StoreConfig {
            dir: cache.to_owned(),
            max_upload_bytes: config.perturb.max_output_bytes,
            ..config.data.clone()
        };
        Ok(Self {
            perturber: Perturber::start(&config.media, &config.perturb)
                .map_err(AnalyzeError::from)?,
            spool: Spool::open(&store).map_err(AnalyzeError::from)?,
            config: config.clone(),
            seconds,
        })
    }

    /// The first seconds of `video`, with `variant` done to them.
    pub(super) async fn make(
        &self,
        video: &Upload,
        variant: Option<Perturbation>,
    ) -> Result<Upload, AnalyzeError> {
        let order = order(&self.config, &video.blake3, variant, self.seconds);
        let deadline = Instant::now() + Duration::from_secs_f64(self.config.perturb.deadline_s);
        let mut writer = self.spool.begin(None)?;
        let mut keep = |piece: &[u8]| writer.write(piece).map_err(std::io::Error::other);
        self.perturber
            .perturb(video.descriptor()?, order, deadline, &mut keep)
            .await?;
        Ok(writer.finish())
    }
}
