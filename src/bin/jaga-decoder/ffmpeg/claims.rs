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

/// The tick at which the container says that the video ends, when that is well behind the last
/// packet that is there.
pub(super) fn claimed_end(
    upload: &Upload,
    opened: &Opened,
    found: &Scan,
    timeline: &Timeline,
) -> Result<Option<i64>, Stop> {
    let readable = timeline.end;
    let us = |ticks: i64| opened.seconds(ticks) * 1e6;
    let (claimed, there) = match opened.input.format().name() {
        "mov,mp4,m4a,3gp,3g2,mj2" => (opened.facts.duration, readable),
        "avi" if riff_is_cut(upload)? => (opened.facts.duration, readable),
        // One duration for all streams: it is kept when any of them goes on to it.
        "matroska,webm" | "flv" => {
            let Some(claimed) = raw::claimed_duration_us(&opened.input) else {
                return Ok(None);
            };
            let ticks_per_us = readable as f64 / us(readable);
            let ticks = |us: i64| whole_ticks(us as f64 * ticks_per_us);
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

/// True when the file ends before its outermost RIFF chunk does. Header figures in AVI files are
/// too often wrong to say so by themselves.
fn riff_is_cut(upload: &Upload) -> Result<bool, Stop> {
    let head = upload.head(8)?;
    Ok(match head.as_slice() {
        [b'R', b'I', b'F', b'F', a, b, c, d] => {
            u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8 > upload.bytes() + 1
        }
        _ => false,
    })
}
