//! An opened video: its facts, and the frames of a plan.

use std::time::Instant;

use ffmpeg_next::{Packet, frame};
use jaga::domain::media::MediaFacts;
use jaga::domain::plan::FramePlan;
use jaga::media::protocol::Chosen;

use super::claims::claimed_end;
use super::convert::{Converter, Display};
use super::decode::Decoder;
use super::open::{self, Opened, Probe};
use super::peek::{Peeked, peek};
use super::raw;
use super::reader::Reader;
use super::scan::scan;
use super::sequence;
use crate::fault::{Fault, Stop};
use crate::input::Upload;
use crate::outlet::Outlet;
use crate::runs::{self, Run, Target};
use crate::timeline::{Row, Shown, Timeline};
use crate::union::Union;
use crate::{Source, Terms, orientation};

/// A video whose packets were listed.
pub(crate) struct Video {
    upload: Upload,
    terms: Terms,
    opened: Opened,
    rows: Vec<Row>,
    timeline: Timeline,
    /// True where only decoding in order gives the times; `Shown::row` then counts frames.
    sequential: bool,
    /// Ticks that the plan divides: more than the timeline has when the file was cut short.
    duration: i64,
    display: Display,
    peeked: Option<Peeked>,
    facts: MediaFacts,
}

impl Video {
    pub(crate) fn open(upload: Upload, terms: Terms) -> Result<Self, Stop> {
        let mut opened = open::open(&upload, &terms)?;
        let display = Display {
            sample_aspect: opened.facts.sample_aspect,
            orientation: opened
                .facts
                .matrix
                .map_or(image::metadata::Orientation::NoTransforms, |matrix| {
                    orientation::from_display_matrix(matrix)
                }),
        };
        terms
            .limits
            .check_frame(opened.facts.width, opened.facts.height)?;
        let claims_for_all = matches!(opened.input.format().name(), "matroska,webm" | "flv");
        let found = scan(&mut opened, claims_for_all, &terms)?;
        let (timeline, sequential) = match Timeline::of(&found.rows)? {
            Some(timeline) => (timeline, false),
            None => (sequence::timeline(&mut opened, &upload, &terms)?, true),
        };
        let peeked = match opened.probe {
            Probe::Headers => peek(&mut opened, &upload, &terms, &found.rows)?,
            Probe::Frames => None,
        };
        let claimed = claimed_end(&upload, &opened, &found, &timeline)?;
        let truncated = claimed.is_some() || found.cut;
        let duration = claimed.unwrap_or(0).max(timeline.end);
        let mut video = Self {
            facts: facts(&opened, &timeline, display, &terms, truncated)?,
            upload,
            terms,
            opened,
            rows: found.rows,
            timeline,
            sequential,
            duration,
            display,
            peeked,
        };
        video.facts.duration_s = video.seconds(duration);
        video.terms.limits.check_duration(video.facts.duration_s)?;
        Ok(video)
    }

    fn seconds(&self, ticks: i64) -> f64 {
        self.opened.seconds(ticks)
    }

    /// What the plan comes down to, and the frames to decode for it.
    fn choose(&self, plan: &FramePlan) -> (Chosen, Vec<Shown>) {
        let union = Union::of(plan, &self.timeline, self.duration, self.opened.seconds(1));
        let wanted: Vec<Shown> = union
            .places
            .iter()
            .filter_map(|place| self.timeline.shown.get(*place).copied())
            .collect();
        let times_s = wanted.iter().map(|frame| self.seconds(frame.tick));
        (union.chosen(times_s.collect()), wanted)
    }

    /// Decodes the runs that serve `targets`; then once more, from earlier on, what was lost.
    fn play_listed(&mut self, wanted: &[Shown], outlet: &mut Outlet) -> Result<Played, Stop> {
        let mut targets: Vec<Target> = wanted
            .iter()
            .enumerate()
            .map(|(index, frame)| Target {
                row: frame.row,
                index,
            })
            .collect();
        let mut decoder = Decoder::open(&self.opened, &self.terms, self.terms.threads)?;
        let mut converter = Converter::new(self.display, self.terms.limits);
        let at_hand = self.peeked.take();
        if let Some(peeked) = &at_hand
            && let Some(target) = targets.iter().find(|target| target.row == peeked.row)
        {
            outlet.frame(target.index, converter.picture(&peeked.frame)?)?;
            targets.retain(|target| target.row != peeked.row);
        }
        let mut reader = Reader::new(&mut self.opened, &self.upload, &self.terms, &self.rows);
        let planned = runs::plan(&self.rows, &targets);
        let mut session = Session {
            rows: &self.rows,
            deadline: self.terms.deadline,
            reader: &mut reader,
            decoder: &mut decoder,
            converter: &mut converter,
            outlet,
        };
        session.play(&planned)?;
        let again: Vec<Run> = planned
            .iter()
            .filter_map(|run| runs::earlier(&self.rows, run, &session.lost(run)))
            .collect();
        for run in again {
            session.play(std::slice::from_ref(&run))?;
        }
        let mut played = Played::of(&decoder);
        played.packets += u64::from(at_hand.is_some());
        Ok(played)
    }
}

/// What decoding came to.
pub(super) struct Played {
    pub(super) packets: u64,
    pub(super) size: (u32, u32),
    pub(super) complaint: String,
}

impl Played {
    pub(super) fn of(decoder: &Decoder) -> Self {
        Self {
            packets: decoder.packets(),
            size: decoder.size(),
            complaint: decoder
                .complaint
                .map_or_else(|| "nothing came out".to_owned(), |error| error.to_string()),
        }
    }
}

impl Source for Video {
    fn facts(&self) -> &MediaFacts {
        &self.facts
    }

    fn play(&mut self, plan: &FramePlan, outlet: &mut Outlet) -> Result<u64, Stop> {
        let (chosen, wanted) = self.choose(plan);
        if wanted.is_empty() {
            return Err(Fault::corrupt("cut short before the first planned frame").into());
        }
        outlet.chosen(chosen)?;
        let played = if self.sequential {
            let places: Vec<usize> = wanted.iter().map(|frame| frame.row).collect();
            let mut converter = Converter::new(self.display, self.terms.limits);
            sequence::play(
                &mut self.opened,
                &self.upload,
                &self.terms,
                &places,
                &mut |index, frame: &frame::Video| outlet.frame(index, converter.picture(frame)?),
            )?
        } else {
            self.play_listed(&wanted, outlet)?
        };
        if !(0..wanted.len()).any(|index| outlet.has_sent(index)) {
            let (width, height) = played.size;
            self.terms.limits.check_frame(width, height)?;
            return Err(Fault::no_frames(played.complaint).into());
        }
        Ok(played.packets)
    }
}

/// One decoder at work on the runs of a plan.
struct Session<'a, 'b> {
    rows: &'a [Row],
    deadline: Instant,
    reader: &'a mut Reader<'b>,
    decoder: &'a mut Decoder,
    converter: &'a mut Converter,
    outlet: &'a mut Outlet,
}

impl Session<'_, '_> {
    fn play(&mut self, planned: &[Run]) -> Result<(), Stop> {
        let targets: Vec<(i64, usize)> = planned
            .iter()
            .flat_map(|run| &run.targets)
            .filter_map(|target| Some((self.rows.get(target.row)?.pts, target.index)))
            .collect();
        let (converter, outlet) = (&mut *self.converter, &mut *self.outlet);
        let mut on_frame = |frame: &frame::Video| -> Result<(), Stop> {
            let pts = frame.pts().or_else(|| frame.timestamp());
            let wanted = targets.iter().find(|(time, _)| Some(*time) == pts);
            match wanted {
                Some((_, index)) if !outlet.has_sent(*index) && !raw::is_damaged(frame) => {
                    outlet.frame(*index, converter.picture(frame)?)
                }
                _ => Ok(()),
            }
        };
        let mut packet = Packet::empty();
        for (place, run) in planned.iter().enumerate() {
            let resets = self.rows.get(run.first).is_some_and(|row| row.resets);
            if place > 0 && !resets {
                self.decoder.drain(&mut on_frame)?;
            }
            for row in run.first..=run.last {
                if Instant::now() >= self.deadline {
                    return Err(Fault::deadline().into());
                }
                self.reader.read(row, &mut packet)?;
                let wanted = run.targets.iter().any(|target| target.row == row);
                self.decoder.send(&packet, wanted, &mut on_frame)?;
            }
        }
        self.decoder.drain(&mut on_frame)
    }

    fn lost(&self, run: &Run) -> Vec<Target> {
        run.targets
            .iter()
            .filter(|target| !self.outlet.has_sent(target.index))
            .copied()
            .collect()
    }
}

fn facts(
    opened: &Opened,
    timeline: &Timeline,
    display: Display,
    terms: &Terms,
    truncated: bool,
) -> Result<MediaFacts, Stop> {
    let (step, varies) = if truncated {
        timeline.pace_before_the_cut()
    } else {
        (timeline.step(), timeline.varies())
    };
    let stream = &opened.facts;
    let (width, height) = display.shown(
        stream.width,
        stream.height,
        stream.sample_aspect,
        &terms.limits,
    )?;
    let rate = step
        .or_else(|| Some(timeline.end as f64).filter(|_| !truncated && has_duration(timeline)))
        .map(|step| step * opened.seconds(1))
        .map(f64::recip)
        .filter(|rate| rate.is_finite() && *rate > 0.0);
    Ok(MediaFacts {
        container: opened.input.format().name().to_owned(),
        video_codec: opened.codec.name().to_owned(),
        width,
        height,
        rotation_deg: orientation::degrees(display.orientation),
        duration_s: 0.0,
        frame_rate: rate,
        variable_frame_rate: varies,
        color: stream.color.clone(),
        has_audio: opened.has_audio,
        frame_count: u64::try_from(timeline.shown.len()).unwrap_or(u64::MAX),
        truncated,
    })
}

/// A single frame of one tick has no duration worth the name.
fn has_duration(timeline: &Timeline) -> bool {
    timeline.end > 1
}
