//! What is on screen when: from the packets of a stream, as they were counted, to frames in order
//! of presentation. Pure arithmetic on untrusted numbers; nothing here can overflow.

use jaga::domain::sampling::ListedFrame;

use crate::fault::Fault;

/// A time stamp that the container doesn't give.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// Time stamps beyond this many ticks are damage: differences of two must fit in 64 bits.
const FARTHEST_TICK: i64 = i64::MAX / 4;

/// Frames that a codec may put into another order; H.264 and HEVC allow 16.
const DEEPEST_REORDERING: usize = 16;

/// One packet of the video stream, in decode order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Presentation time in ticks of the stream's time base, or [`NO_TIME`].
    pub(crate) pts: i64,
    /// Decode time, or [`NO_TIME`].
    pub(crate) dts: i64,
    /// Ticks on screen; 0 when the container doesn't say.
    pub(crate) duration: u32,
    /// Bytes of payload.
    pub(crate) size: u32,
    /// Decodable without any other packet.
    pub(crate) key: bool,
    /// A keyframe behind which nothing refers to anything before it, so that a decoder that met
    /// other packets before needs no flush.
    pub(crate) resets: bool,
    /// Decoded for others' sake only: cut by an edit list, or never shown by its codec.
    pub(crate) hidden: bool,
}

/// A frame that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its packet, as an index into the rows.
    pub(crate) row: usize,
    /// Ticks after the first shown frame.
    pub(crate) tick: i64,
    /// See [`Row::key`].
    pub(crate) key: bool,
}

/// Frames in order of presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Ascending, distinct ticks; the first is 0. Never empty.
    pub(crate) shown: Vec<Shown>,
    /// Presentation time of the first frame on the container's clock.
    pub(crate) first_pts: i64,
    /// Tick at which the last frame leaves the screen.
    pub(crate) end: i64,
}

impl Timeline {
    /// Orders `rows`; `None` when some shown packet has no time, so that only decoding tells.
    ///
    /// Packets before the first keyframe, and those that are shown before it, can't be decoded
    /// and aren't frames of the video. Of packets with the same time the first counts.
    pub(crate) fn of(rows: &[Row]) -> Result<Option<Self>, Fault> {
        let start = rows.iter().position(|row| row.key).unwrap_or(0);
        let readable = rows.iter().enumerate().skip(start);
        let mut shown: Vec<Shown> = Vec::new();
        let floor = rows.get(start).map_or(NO_TIME, |row| row.pts);
        for (index, row) in readable.filter(|(_, row)| !row.hidden) {
            if row.pts == NO_TIME {
                return Ok(None);
            }
            if row.pts.unsigned_abs() > FARTHEST_TICK.unsigned_abs() {
                return Err(Fault::corrupt("a time stamp beyond all sense"));
            }
            if row.pts >= floor {
                shown.push(Shown {
                    row: index,
                    tick: row.pts,
                    key: row.key,
                });
            }
        }
        shown.sort_by_key(|frame| frame.tick);
        shown.dedup_by_key(|frame| frame.tick);
        Self::from_zero(shown, rows).map(Some)
    }

    fn from_zero(mut shown: Vec<Shown>, rows: &[Row]) -> Result<Self, Fault> {
        let first_pts = shown
            .first()
            .map(|frame| frame.tick)
            .ok_or_else(|| Fault::no_frames("no packet that is shown"))?;
        for frame in &mut shown {
            frame.tick = frame.tick.saturating_sub(first_pts);
        }
        let last = shown.last().copied();
        let (last_tick, last_row) = last.map_or((0, 0), |frame| (frame.tick, frame.row));
        let announced = rows.get(last_row).map_or(0, |row| i64::from(row.duration));
        let lasts = if announced > 0 {
            announced
        } else {
            mean_step(&shown).unwrap_or(1)
        };
        Ok(Self {
            first_pts,
            end: last_tick.saturating_add(lasts.max(1)),
            shown,
        })
    }

    /// Frames as the sampling plan wants them.
    pub(crate) fn listed(&self) -> Vec<ListedFrame> {
        self.shown
            .iter()
            .map(|frame| ListedFrame {
                tick: frame.tick,
                keyframe: frame.key,
            })
            .collect()
    }

    /// Mean ticks from one frame to the next; `None` for a single frame.
    pub(crate) fn step(&self) -> Option<f64> {
        mean_distance(&self.shown)
    }

    /// The same, and whether it [varies](Self::varies), over a file that was cut short: its last
    /// frames have gaps, since frames that come later in the file belong between them. Too few
    /// frames before those tell no pace.
    pub(crate) fn pace_before_the_cut(&self) -> (Option<f64>, bool) {
        let kept = self.shown.len().saturating_sub(DEEPEST_REORDERING);
        match self.shown.get(..kept) {
            Some(before) if kept >= DEEPEST_REORDERING => {
                (mean_distance(before), distances_vary(before))
            }
            _ => (None, self.varies()),
        }
    }

    /// True when the distances between frames differ by more than the rounding to whole ticks.
    pub(crate) fn varies(&self) -> bool {
        distances_vary(&self.shown)
    }
}

fn mean_distance(shown: &[Shown]) -> Option<f64> {
    let steps = shown.len().checked_sub(1).filter(|steps| *steps > 0)?;
    let last = shown.last()?.tick;
    Some(last as f64 / steps as f64)
}

fn distances_vary(shown: &[Shown]) -> bool {
    let steps = || {
        shown.windows(2).filter_map(|pair| match pair {
            [a, b] => Some(b.tick.saturating_sub(a.tick)),
            _ => None,
        })
    };
    let (least, most) = (steps().min(), steps().max());
    least
        .zip(most)
        .is_some_and(|(least, most)| most.saturating_sub(least) > 1)
}

/// A time in ticks, rounded down; what can't be one becomes the nearest that can.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and NaN becomes 0"
)]
pub(crate) fn whole_ticks(ticks: f64) -> i64 {
    ticks as i64
}

fn mean_step(shown: &[Shown]) -> Option<i64> {
    let steps = i64::try_from(shown.len()).ok()?.checked_sub(1)?;
    shown.last()?.tick.checked_div(steps)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(pts: i64, key: bool) -> Row {
        Row {
            pts,
            dts: pts,
            duration: 0,
            size: 100,
            key,
            resets: key,
            hidden: false,
        }
    }

    #[test]
    fn b_frames_are_put_in_order_and_time_starts_at_the_first() {
        let rows = [
            row(1000, true),
            row(1030, false),
            row(1010, false),
            row(1020, false),
        ];
        let timeline = Timeline::of(&rows).unwrap().unwrap();
        let order: Vec<_> = timeline.shown.iter().map(|f| (f.row, f.tick)).collect();
        assert_eq!(order, [(0, 0), (2, 10), (3, 20), (1, 30)]);
        assert_eq!((timeline.first_pts, timeline.end), (1000, 40));
        assert!(!timeline.varies());
    }

    #[test]
    fn a_cut_leaves_the_pace_as_it_was() {
        // The frames that belong before the last one lie behind the cut.
        let times = (0..40).map(|i| i * 10).chain([430]);
        let rows: Vec<Row> = times.map(|pts| row(pts, pts == 0)).collect();
        let timeline = Timeline::of(&rows).unwrap().unwrap();
        assert!(timeline.varies());
        assert_eq!(timeline.pace_before_the_cut(), (Some(10.0), false));
        let few = Timeline::of(&rows[20..]).unwrap().unwrap();
        assert_eq!(few.pace_before_the_cut(), (None, true));
    }

    #[test]
    fn what_precedes_the_first_keyframe_is_no_frame() {
        let rows = [row(0, false), row(30, true), row(10, false), row(40, false)];
        let timeline = Timeline::of(&rows).unwrap().unwrap();
        assert_eq!(
            timeline.shown.iter().map(|f| f.row).collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn hidden_packets_are_not_shown_and_doubles_count_once() {
        let mut rows = [row(0, true), row(10, false), row(10, false), row(20, false)];
        rows[0].hidden = true;
        let timeline = Timeline::of(&rows).unwrap().unwrap();
        assert_eq!(
            timeline.shown.iter().map(|f| f.row).collect::<Vec<_>>(),
            [1, 3]
        );
    }

    #[test]
    fn a_missing_time_is_told_and_an_absurd_one_is_damage() {
        assert_eq!(
            Timeline::of(&[row(0, true), row(NO_TIME, false)]).unwrap(),
            None
        );
        assert!(Timeline::of(&[row(0, true), row(i64::MAX, false)]).is_err());
        assert!(Timeline::of(&[]).is_err());
    }

    #[test]
    fn one_frame_lasts_what_its_packet_says() {
        let mut only = row(5, true);
        only.duration = 40;
        assert_eq!(Timeline::of(&[only]).unwrap().unwrap().end, 40);
    }
}
