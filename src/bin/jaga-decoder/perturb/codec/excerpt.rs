//! The first seconds of a video, in order, every frame: upright, square pixels, RGB, as the decoder
//! gives them to models.

use std::cell::Cell;
use std::time::Instant;

use ffmpeg_next::{Error, Packet, frame};
use image::metadata::Orientation;

use crate::child::Terms;
use crate::fault::{Fault, Stop};
use crate::ffmpeg::convert::{Converter, Display};
use crate::ffmpeg::decode::{Decoder, OnFrame};
use crate::ffmpeg::open::{Opened, open};
use crate::ffmpeg::{raw, sequence};
use crate::input::Upload;
use crate::orientation;
use crate::outlet::Pixels;

/// Receives each frame with its time in seconds, from 0.
type OnPicture<'a> = dyn FnMut(f64, Pixels<'_>) -> Result<(), Stop> + 'a;

/// Gives every frame of the first `seconds`; an error when there is none.
pub(in crate::perturb) fn excerpt(
    upload: &Upload,
    terms: &Terms,
    seconds: f64,
    give: &mut OnPicture<'_>,
) -> Result<(), Stop> {
    let mut opened = open(upload, terms)?;
    let facts = &opened.facts;
    terms.limits.check_frame(facts.width, facts.height)?;
    let mut converter = Converter::new(display(&opened), terms.limits);
    let mut clock = Clock::of(&opened);
    let mut decoder = Decoder::open(&opened, terms, terms.threads)?;
    let over = Cell::new(false);
    let mut on_frame = |frame: &frame::Video| {
        if over.get() || raw::is_damaged(frame) {
            return Ok(());
        }
        let time_s = clock.seconds(frame);
        over.set(time_s >= seconds);
        if over.get() {
            return Ok(());
        }
        give(time_s, converter.picture(frame)?)
    };
    decode(&mut opened, terms, (&mut decoder, &over), &mut on_frame)?;
    if clock.frames == 0 {
        let (width, height) = decoder.size();
        terms.limits.check_frame(width, height)?;
        let complaint = decoder.complaint.map(|error| error.to_string());
        let complaint = complaint.unwrap_or_else(|| "nothing came out".to_owned());
        return Err(Fault::no_frames(complaint).into());
    }
    Ok(())
}

fn display(opened: &Opened) -> Display {
    let matrix = opened.facts.matrix;
    Display {
        sample_aspect: opened.facts.sample_aspect,
        orientation: matrix.map_or(Orientation::NoTransforms, orientation::from_display_matrix),
    }
}

/// Decodes from the first packet on, until the stream or the excerpt is over.
fn decode(
    opened: &mut Opened,
    terms: &Terms,
    (decoder, over): (&mut Decoder, &Cell<bool>),
    on_frame: &mut OnFrame<'_>,
) -> Result<(), Stop> {
    let streams = usize::try_from(opened.input.nb_streams()).unwrap_or(0);
    for index in 0..streams {
        raw::set_discard(&mut opened.input, index, index != opened.stream);
    }
    let mut packet = Packet::empty();
    while !over.get() {
        if Instant::now() >= terms.deadline {
            return Err(Fault::deadline().into());
        }
        match packet.read(&mut opened.input) {
            Ok(()) if packet.stream() == opened.stream => {
                terms.limits.check_packets(decoder.packets())?;
                decoder.send(&packet, true, on_frame)?;
            }
            Ok(()) | Err(Error::InvalidData) => {}
            Err(Error::Exit) => return Err(Fault::deadline().into()),
            Err(_) => break,
        }
    }
    if over.get() {
        return Ok(());
    }
    decoder.drain(on_frame)
}

/// Times of frames as they come out. Where a frame has none, or one that doesn't ascend, the frame
/// rate tells.
struct Clock {
    first: Option<i64>,
    /// Seconds of a tick, and of a frame at the frame rate.
    tick_s: f64,
    step_s: f64,
    last_s: f64,
    frames: u64,
}

impl Clock {
    fn of(opened: &Opened) -> Self {
        let tick_s = opened.seconds(1);
        Self {
            first: None,
            tick_s,
            step_s: sequence::ticks_per_frame(opened) * tick_s,
            last_s: 0.0,
            frames: 0,
        }
    }

    fn seconds(&mut self, frame: &frame::Video) -> f64 {
        self.at(frame.timestamp().or_else(|| frame.pts()))
    }

    fn at(&mut self, stamp: Option<i64>) -> f64 {
        let first = *self.first.get_or_insert(stamp.unwrap_or(0));
        let told = stamp.map(|stamp| stamp.saturating_sub(first) as f64 * self.tick_s);
        self.last_s = match told {
            _ if self.frames == 0 => 0.0,
            Some(told) if told > self.last_s => told,
            _ => self.last_s + self.step_s,
        };
        self.frames += 1;
        self.last_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(stamps: &[Option<i64>]) -> Vec<f64> {
        let mut clock = Clock {
            first: None,
            tick_s: 0.5,
            step_s: 0.25,
            last_s: 0.0,
            frames: 0,
        };
        stamps.iter().map(|stamp| clock.at(*stamp)).collect()
    }

    #[test]
    fn times_begin_at_zero_and_ascend() {
        assert_eq!(
            times(&[Some(10), Some(11), Some(14)]),
            [0.0, 0.5, 2.0],
            "as the container has them"
        );
        assert_eq!(times(&[None, None, None]), [0.0, 0.25, 0.5]);
        assert_eq!(
            times(&[Some(0), Some(2), Some(1), Some(3)]),
            [0.0, 1.0, 1.25, 1.5]
        );
    }
}
