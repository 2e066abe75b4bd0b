//! Is the file all there? What the container claims against what was counted.

use super::open::Opened;
use super::raw;
use super::scan::Scan;
use crate::fault::Stop;
use crate::input::Upload;
use crate::timeline::{Timeline, whole_ticks};

/// Share of the claimed duration, and frames, that may be missing before a file counts as cut.
const CLAIM_TOLERANCE: f64 = 0.01;
const CLAIM_TOLERANCE_FRAMES: f64 = 3.0;

/// Bytes up to the number of frames in an AVI file's main header.
const AVI_HEADER_BYTES: usize = 52;

/// The tick at which the container says that the video ends, when that is well behind the last
/// packet that is there.
pub(super) fn claimed_end(
    upload: &Upload,
    opened: &Opened,
    found: &Scan,
    timeline: &Timeline,
) -> Result<Option<i64>, Stop> {
    let readable = timeline.end;
    let tick_us = opened.seconds(1) * 1e6;
    let ticks = |us: i64| whole_ticks(us as f64 / tick_us);
    let (claimed, there) = match opened.input.format().name() {
        "mov,mp4,m4a,3gp,3g2,mj2" => (opened.facts.duration, readable),
        "avi" => (avi_end_us(upload)?.map(ticks), readable),
        // One duration for all streams: it is kept when any of them goes on to it.
        "matroska,webm" | "flv" => {
            let Some(claimed) = raw::claimed_duration_us(&opened.input) else {
                return Ok(None);
            };
            let first = timeline.first_pts;
            (
                Some(ticks(claimed).saturating_sub(first)),
                ticks(found.end_us).saturating_sub(first).max(readable),
            )
        }
        _ => (None, readable),
    };
    let frame = timeline.step().unwrap_or(0.0);
    Ok(claimed.filter(|claimed| {
        let slack = (*claimed as f64 * CLAIM_TOLERANCE).max(frame * CLAIM_TOLERANCE_FRAMES);
        (claimed.saturating_sub(there)) as f64 > slack
    }))
}

/// Microseconds that the main header of an AVI file claims (microseconds a frame, frames), when
/// the file ends before its outermost RIFF chunk does. By themselves these figures are too often
/// wrong.
fn avi_end_us(upload: &Upload) -> Result<Option<i64>, Stop> {
    let head = upload.head(AVI_HEADER_BYTES)?;
    let word = |at: usize| -> Option<i64> {
        let bytes = head.get(at..)?.first_chunk::<4>()?;
        Some(i64::from(u32::from_le_bytes(*bytes)))
    };
    let there = i64::try_from(upload.bytes()).unwrap_or(i64::MAX);
    // One byte of padding may be left out at the end.
    let is_cut = word(4).is_some_and(|size| size.saturating_add(7) > there);
    if !is_cut || head.get(24..28) != Some(b"avih") {
        return Ok(None);
    }
    let frame_us = word(32);
    Ok(frame_us
        .zip(word(48))
        .map(|(us, frames)| us.saturating_mul(frames)))
}
