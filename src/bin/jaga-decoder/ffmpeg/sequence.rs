//! Streams whose packets carry no usable times (raw H.264, some AVI): decoded from the first
//! packet on, twice. The first time tells how many frames there are and when, the second gives
//! those that are wanted.

use std::time::Instant;

use ffmpeg_next::{Error, Packet, frame};

use super::decode::{Decoder, OnFrame};
use super::open::{self, Opened};
use super::raw;
use super::video::Played;
use crate::Terms;
use crate::fault::{Fault, Stop};
use crate::input::Upload;
use crate::timeline::{NO_TIME, Shown, Timeline, whole_ticks};

/// Frames per second where nothing says any.
const DEFAULT_RATE: f64 = 25.0;

/// The timeline by decoding: `Shown::row` counts frames as they come out.
pub(super) fn timeline(
    opened: &mut Opened,
    upload: &Upload,
    terms: &Terms,
) -> Result<Timeline, Stop> {
    let mut frames: Vec<(i64, bool)> = Vec::new();
    let played = decode_all(opened, upload, terms, &mut |frame| {
        frames.push((frame.timestamp().unwrap_or(NO_TIME), frame.is_key()));
        Ok(())
    })?;
    let step = ticks_per_frame(opened);
    let ascending = frames
        .windows(2)
        .all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
    let timed = ascending && frames.first().is_some_and(|(time, _)| *time != NO_TIME);
    let first_pts = frames.first().map_or(0, |(time, _)| *time);
    let shown: Vec<Shown> = frames
        .iter()
        .enumerate()
        .map(|(row, (time, key))| Shown {
            row,
            tick: if timed {
                time.saturating_sub(first_pts)
            } else {
                whole_ticks(row as f64 * step)
            },
            key: *key,
        })
        .collect();
    let Some(last) = shown.last() else {
        return Err(Fault::no_frames(played.complaint).into());
    };
    Ok(Timeline {
        end: last.tick.saturating_add(whole_ticks(step).max(1)),
        first_pts: if timed { first_pts } else { 0 },
        shown,
    })
}

/// Decodes again and hands out the frames at `places`, with their index in it; both ascend.
pub(super) fn play(
    opened: &mut Opened,
    upload: &Upload,
    terms: &Terms,
    places: &[usize],
    give: &mut dyn FnMut(usize, &frame::Video) -> Result<(), Stop>,
) -> Result<Played, Stop> {
    let mut place = 0;
    decode_all(opened, upload, terms, &mut |frame| {
        if let Ok(index) = places.binary_search(&place)
            && !raw::is_damaged(frame)
        {
            give(index, frame)?;
        }
        place += 1;
        Ok(())
    })
}

fn decode_all(
    opened: &mut Opened,
    upload: &Upload,
    terms: &Terms,
    on_frame: &mut OnFrame<'_>,
) -> Result<Played, Stop> {
    opened.input = open::demux(upload, terms.deadline, opened.probe)?;
    let mut decoder = Decoder::open(opened, terms, terms.threads)?;
    let mut packet = Packet::empty();
    loop {
        if Instant::now() >= terms.deadline {
            return Err(Fault::deadline().into());
        }
        match raw::next_packet(&mut opened.input, &mut packet) {
            Ok(()) if packet.stream() == opened.stream => {
                decoder.send(&packet, true, on_frame)?;
            }
            Ok(()) | Err(Error::InvalidData) => {}
            Err(Error::Exit) => return Err(Fault::deadline().into()),
            Err(_) => break,
        }
    }
    decoder.drain(on_frame)?;
    Ok(Played::of(&decoder))
}

/// Ticks from one frame to the next where only the container's frame rate tells.
pub(crate) fn ticks_per_frame(opened: &Opened) -> f64 {
    let rate = opened.input.stream(opened.stream).and_then(|stream| {
        [stream.avg_frame_rate(), stream.rate()]
            .into_iter()
            .map(f64::from)
            .find(|rate| rate.is_finite() && *rate > 0.0)
    });
    let (numerator, denominator) = opened.time_base;
    let tick_s = f64::from(numerator) / f64::from(denominator);
    1.0 / rate.unwrap_or(DEFAULT_RATE) / tick_s
}
