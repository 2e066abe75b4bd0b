//! What backbones made of a video's frames, as it is kept.

use std::collections::BTreeMap;

use super::frames::Outputs;
use super::request::Request;
use crate::store::kept::{Record, VectorFrame};

/// The records of `report`, by space. A space that several models share has one, with all frames
/// that any of them was asked about; without a vector there is none.
pub(super) fn records(
    report: &str,
    request: &Request,
    outputs: &Outputs,
    duration_s: f64,
) -> BTreeMap<String, Record> {
    let mut spaces: BTreeMap<String, BTreeMap<usize, &[f32]>> = BTreeMap::new();
    for vector in &outputs.vectors {
        let model = request.models.get(vector.model);
        if let Some(space) = model.and_then(|model| model.space()) {
            let frames = spaces.entry(space.blake3.clone()).or_default();
            frames.insert(vector.frame, &vector.values);
        }
    }
    let stills = || outputs.sights.iter().filter(|sight| sight.still);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let unfit = stills().filter(|sight| sight.unfit.is_some());
    let blank = Record {
        report: report.to_owned(),
        planned: outputs.chosen.stills.planned(),
        decoded: count(stills().count()),
        unfit: count(unfit.count()),
        duration_s,
        frames: Vec::new(),
    };
    let record = |vectors: BTreeMap<usize, &[f32]>| Record {
        frames: stills()
            .filter_map(|sight| {
                Some(VectorFrame {
                    time_s: sight.time_s,
                    measures: sight.measures,
                    vector: vectors.get(&sight.index)?.to_vec(),
                })
            })
            .collect(),
        ..blank.clone()
    };
    let each = spaces.into_iter();
    each.map(|(space, vectors)| (space, record(vectors)))
        .collect()
}
