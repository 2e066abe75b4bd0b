//! Hashes and versions from which a report can be computed again.

use serde::Serialize;

use super::config::{AnalysisConfig, FacesConfig};
use super::request::Request;
use crate::domain::lanes::Lane;
use crate::domain::quality::Bounds;
use crate::domain::region::Region;
use crate::domain::report::Receipt;
use crate::media::MediaLimits;

/// Everything that can move a score or a decision, besides the upload and the programs.
#[derive(Serialize)]
struct Settings<'a> {
    plan: String,
    models: Vec<ModelSettings<'a>>,
    finders: Vec<ModelSettings<'a>>,
    policy: PolicySettings<'a>,
    letterbox: bool,
    quality: Bounds,
    faces: &'a FacesConfig,
    media_limits: MediaLimits,
    lane: Lane,
    /// Absent where the request names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a Region>,
    /// Absent where only identical frames share a score, as in receipts of before there was a
    /// choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    same_within: Option<f64>,
    /// Absent where all planned frames are scored, as in receipts of before there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    adaptive: Option<bool>,
}

#[derive(Serialize)]
struct ModelSettings<'a> {
    name: &'a str,
    sha256: &'a str,
    provider: &'a str,
    /// Absent where nothing is set.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    options: &'a [(String, String)],
}

#[derive(Serialize)]
struct PolicySettings<'a> {
    name: &'a str,
    version: &'a str,
    blake3: &'a str,
}

/// Versions of the programs that a report rests on.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) onnxruntime: String,
    pub(super) ffmpeg: String,
}

/// The receipt of a report that is still without its own hash.
pub(super) fn receipt(
    request: &Request,
    programs: &Programs,
    media_limits: MediaLimits,
    config: &AnalysisConfig,
) -> Result<Receipt, serde_json::Error> {
    let plan = request.views.plan.to_string();
    let finders = request.views.finders.iter().map(|finder| finder.info());
    let settings = Settings {
        plan: plan.clone(),
        models: request
            .models
            .iter()
            .map(|model| ModelSettings {
                name: &model.info().name,
                sha256: &model.info().sha256,
                provider: model.info().provider.name(),
                options: &model.info().placement.settings,
            })
            .collect(),
        finders: finders
            .map(|info| ModelSettings {
                name: &info.name,
                sha256: &info.sha256,
                provider: info.provider.name(),
                options: &info.placement.settings,
            })
            .collect(),
        policy: PolicySettings {
            name: &request.policy.name,
            version: &request.policy.version,
            blake3: &request.policy.blake3,
        },
        letterbox: config.letterbox,
        quality: config.quality,
        faces: &config.faces,
        media_limits,
        lane: request.lane,
        region: request.region.as_ref(),
        same_within: Some(config.same_within).filter(|levels| *levels > 0.0),
        adaptive: request.adaptive.then_some(true),
    };
    let settings = serde_json::to_vec(&settings)?;
    Ok(Receipt {
        program: concat!("jaga ", env!("CARGO_PKG_VERSION")).to_owned(),
        onnxruntime: programs.onnxruntime.clone(),
        ffmpeg: programs.ffmpeg.clone(),
        plan,
        config_blake3: blake3::hash(&settings).to_hex().to_string(),
        report_blake3: String::new(),
    })
}
