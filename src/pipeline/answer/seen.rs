//! What a report says of the pictures themselves, whatever the models are.

use std::collections::BTreeMap;

use super::Evidence;
use super::tracks::{tenth, thousandth};
use crate::domain::quality::Measures;
use crate::domain::report::{FacesReport, QualityReport};

/// How good the pictures are, and what was cut off or left out.
pub(in crate::pipeline) fn quality(evidence: &Evidence<'_>) -> QualityReport {
    let sights = &evidence.outputs.sights;
    let mut left_out = BTreeMap::new();
    for reason in sights.iter().filter_map(|sight| sight.unfit) {
        let seen: &mut u32 = left_out.entry(reason).or_default();
        *seen = seen.saturating_add(1);
    }
    let bars = evidence.outputs.bars;
    let median = |of: fn(&Measures) -> f64| median(sights.iter().map(|s| of(&s.measures)));
    QualityReport {
        letterbox: (!bars.is_none()).then_some(bars),
        brightness: median(|m| m.brightness).map(tenth),
        contrast: median(|m| m.contrast).map(tenth),
        sharpness: median(|m| m.sharpness).map(tenth),
        blockiness: median(|m| m.blockiness).map(thousandth),
        flatness: median(|m| m.flatness).map(thousandth),
        left_out,
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// What each finder found.
pub(in crate::pipeline) fn faces(evidence: &Evidence<'_>) -> Vec<FacesReport> {
    let finders = evidence.views.finders.iter().enumerate();
    let report = |(place, finder): (usize, &std::sync::Arc<crate::inference::Finder>)| {
        let seen = || {
            let sights = evidence.outputs.sights.iter();
            sights
                .filter_map(move |s| s.faces.get(place))
                .filter(|seen| seen.looked)
        };
        let found = seen().map(|s| super::count(s.faces.len()).saturating_add(s.over_limit));
        let info = finder.info();
        FacesReport {
            finder: info.name.clone(),
            version: info.version.clone(),
            sha256: info.sha256.clone(),
            provider: info.provider.name().to_owned(),
            placement: super::placement(&info.placement),
            frames: super::count(seen().count()),
            found: found.fold(0, u32::saturating_add),
            over_limit: seen().map(|s| s.over_limit).fold(0, u32::saturating_add),
        }
    };
    finders.map(report).collect()
}
