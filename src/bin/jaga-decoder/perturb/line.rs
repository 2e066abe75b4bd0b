//! The way of a picture: thinned out, retouched, encoded, decoded and encoded again, filed.

use std::time::Instant;

use image::RgbImage;
use jaga::domain::perturbation::{Kind, Order, Strength, generations};
use jaga::media::protocol::Made;

use super::codec::{self, Film, Recoder};
use super::retouch::Retouch;
use crate::child::Terms;
use crate::fault::{Fault, Stop};

/// Everything between a decoded picture and the bytes of an MP4.
pub(super) struct Line<'a> {
    terms: &'a Terms,
    pace: Option<Pace>,
    retouch: Retouch,
    copies: Vec<Recoder>,
    film: Film,
}

impl<'a> Line<'a> {
    pub(super) fn new(order: &Order, terms: &'a Terms) -> Result<Self, Stop> {
        let mut passes = generations(order.perturbation);
        let last = passes
            .pop()
            .ok_or_else(|| Fault::internal("no encoding at all"))?;
        Ok(Self {
            terms,
            pace: Pace::of(order),
            retouch: Retouch::of(order),
            copies: passes.into_iter().map(Recoder::new).collect(),
            film: Film::new(last, order.max_output_bytes),
        })
    }

    /// Takes the picture that is shown from `time_s` on; times ascend from 0.
    pub(super) fn take(&mut self, time_s: f64, picture: RgbImage) -> Result<(), Stop> {
        if Instant::now() >= self.terms.deadline {
            return Err(Fault::deadline().into());
        }
        if self.pace.as_mut().is_some_and(|pace| !pace.keeps(time_s)) {
            return Ok(());
        }
        let picture = self.retouch.apply(picture)?;
        self.terms
            .limits
            .check_frame(picture.width(), picture.height())?;
        let frame = codec::frame(&picture, time_s)?;
        hand_on(&frame, &mut self.copies, &mut self.film)
    }

    /// The MP4, and what is in it.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, Made), Stop> {
        let mut copies = self.copies.as_mut_slice();
        while let Some((copy, rest)) = copies.split_first_mut() {
            copy.finish(&mut |frame| hand_on(frame, rest, &mut self.film))?;
            copies = rest;
        }
        self.film.finish()
    }
}

/// Through all `copies`, each of which may keep frames back for a while, into the film.
fn hand_on(frame: &codec::Frame, copies: &mut [Recoder], film: &mut Film) -> Result<(), Stop> {
    match copies.split_first_mut() {
        None => film.add(frame),
        Some((copy, rest)) => copy.take(frame, &mut |frame| hand_on(frame, rest, film)),
    }
}

/// Drops frames, so that at most so many are left of a second.
#[derive(Debug)]
struct Pace {
    fps: f64,
    /// Slot of the last frame that was kept.
    last: Option<f64>,
}

/// Rounding of times that may put a frame before the slot that it begins.
const SLACK: f64 = 1e-4;

impl Pace {
    fn of(order: &Order) -> Option<Self> {
        let perturbation = order.perturbation?;
        match (perturbation.kind, perturbation.strength) {
            (Kind::Fps, Strength::Number(fps)) => Some(Self { fps, last: None }),
            _ => None,
        }
    }

    /// Keeps the first frame of each slot of `1 / fps` seconds.
    fn keeps(&mut self, time_s: f64) -> bool {
        let slot = (time_s * self.fps + SLACK).floor();
        let keeps = self.last.is_none_or(|last| slot > last);
        if keeps {
            self.last = Some(slot);
        }
        keeps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fps: f64, source: f64, frames: u32) -> Vec<u32> {
        let mut pace = Pace { fps, last: None };
        (0..frames)
            .filter(|frame| pace.keeps(f64::from(*frame) / source))
            .collect()
    }

    #[test]
    fn frames_are_dropped_evenly_and_never_invented() {
        assert_eq!(kept(10.0, 30.0, 9), [0, 3, 6]);
        assert_eq!(kept(15.0, 25.0, 8), [0, 2, 4, 5, 7]);
        assert_eq!(kept(30.0, 25.0, 5), [0, 1, 2, 3, 4]);
        assert_eq!(kept(30.0, 30000.0 / 1001.0, 90).len(), 90);
    }
}
