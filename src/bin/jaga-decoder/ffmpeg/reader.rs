//! Packets by their row in the packet table: reads on, or seeks when the gap pays for it, and
//! never trusts that a seek went where it should.

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet};

use super::open;
use super::raw;
use crate::Terms;
use crate::fault::{Fault, Stop};
use crate::input::Upload;
use crate::timeline::{NO_TIME, Row};

/// Bytes of unwanted video that cost less to read than a seek does.
const WORTH_A_SEEK_BYTES: u64 = 512 * 1024;
/// Rows to aim before the wanted one where a seek lands between packets.
const RUN_UP_ROWS: usize = 16;
/// Packets to read after a seek before it counts as lost.
const MOST_UNKNOWN: u32 = 512;

/// How a container is entered in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// Its index is in decode time.
    DecodeTime,
    /// Its index is in presentation time.
    PresentationTime,
    /// It has no index; a seek lands somewhere near.
    Near,
}

impl Entry {
    /// What a demuxer can do.
    pub(super) fn of(demuxer: &str) -> Self {
        match demuxer {
            "matroska,webm" => Self::PresentationTime,
            "mov,mp4,m4a,3gp,3g2,mj2" | "avi" | "flv" => Self::DecodeTime,
            _ => Self::Near,
        }
    }
}

/// Reads the rows that are asked for, in ascending order within a run.
pub(super) struct Reader<'a> {
    upload: &'a Upload,
    terms: &'a Terms,
    input: &'a mut Input,
    probe: open::Probe,
    stream: usize,
    rows: &'a [Row],
    entry: Entry,
    /// Rows by presentation time, to find a packet after a seek.
    by_pts: Vec<usize>,
    /// Row of the packet that comes next; `None` after a seek and at the end.
    next: Option<usize>,
    /// False once a seek went astray.
    seekable: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        opened: &'a mut open::Opened,
        upload: &'a Upload,
        terms: &'a Terms,
        rows: &'a [Row],
    ) -> Self {
        let entry = Entry::of(opened.input.format().name());
        let mut by_pts: Vec<usize> = (0..rows.len()).collect();
        by_pts.sort_by_key(|index| rows.get(*index).map_or(NO_TIME, |row| row.pts));
        Self {
            upload,
            terms,
            input: &mut opened.input,
            probe: opened.probe,
            stream: opened.stream,
            rows,
            entry,
            by_pts,
            next: None,
            seekable: true,
        }
    }

    /// Reads the packet of `row`.
    pub(super) fn read(&mut self, row: usize, packet: &mut Packet) -> Result<(), Stop> {
        if !self.can_read_on(row) {
            if self.seekable && self.seek_to(row, packet)? {
                return Ok(());
            }
            self.rewind()?;
        }
        loop {
            let at = self.next.unwrap_or(self.rows.len());
            if !self.pull(packet)? {
                return Err(Fault::corrupt("a packet was there once and is gone").into());
            }
            if !self.is_row(at, packet) {
                return Err(Fault::corrupt("the file reads otherwise the second time").into());
            }
            self.next = Some(at.saturating_add(1));
            if at == row {
                return Ok(());
            }
        }
    }

    fn can_read_on(&self, row: usize) -> bool {
        let Some(next) = self.next.filter(|next| *next <= row) else {
            return false;
        };
        let gap: u64 = self
            .rows
            .get(next..row)
            .unwrap_or_default()
            .iter()
            .map(|skipped| u64::from(skipped.size))
            .sum();
        !self.seekable || gap <= WORTH_A_SEEK_BYTES
    }

    /// Seeks; true when `packet` then is the wanted one.
    fn seek_to(&mut self, row: usize, packet: &mut Packet) -> Result<bool, Stop> {
        self.next = None;
        let aim = match self.entry {
            Entry::DecodeTime | Entry::PresentationTime => row,
            Entry::Near => row.saturating_sub(RUN_UP_ROWS),
        };
        let stamp = self.rows.get(aim).map_or(NO_TIME, |aim| match self.entry {
            Entry::DecodeTime | Entry::Near if aim.dts != NO_TIME => aim.dts,
            Entry::PresentationTime | Entry::DecodeTime | Entry::Near => aim.pts,
        });
        self.seekable = stamp != NO_TIME && raw::seek(self.input, self.stream, stamp);
        let mut unknown = 0;
        while self.seekable && unknown < MOST_UNKNOWN && self.pull(packet)? {
            let at = match self.next {
                Some(next) if self.is_row(next, packet) => Some(next),
                _ => self.locate(packet),
            };
            match at {
                Some(at) if at == row => {
                    self.next = Some(at.saturating_add(1));
                    return Ok(true);
                }
                Some(at) if at > row => break,
                Some(at) => self.next = Some(at.saturating_add(1)),
                None => unknown += 1,
            }
        }
        self.seekable = false;
        Ok(false)
    }

    /// Starts again at the first packet, the way that always works.
    fn rewind(&mut self) -> Result<(), Stop> {
        *self.input = open::demux(self.upload, self.terms.deadline, self.probe)?;
        let streams = usize::try_from(self.input.nb_streams()).unwrap_or(0);
        for index in 0..streams {
            raw::set_discard(self.input, index, index != self.stream);
        }
        self.next = Some(0);
        Ok(())
    }

    /// Reads the next packet of the stream; false at the end.
    fn pull(&mut self, packet: &mut Packet) -> Result<bool, Stop> {
        loop {
            match raw::next_packet(self.input, packet) {
                Ok(()) if packet.stream() == self.stream => return Ok(true),
                Ok(()) | Err(Error::InvalidData) => {}
                Err(Error::Exit) => return Err(Fault::deadline().into()),
                Err(_) => return Ok(false),
            }
            if std::time::Instant::now() >= self.terms.deadline {
                return Err(Fault::deadline().into());
            }
        }
    }

    fn is_row(&self, row: usize, packet: &Packet) -> bool {
        self.rows.get(row).is_some_and(|row| {
            row.pts == packet.pts().unwrap_or(NO_TIME)
                && usize::try_from(row.size).is_ok_and(|size| size == packet.size())
        })
    }

    fn locate(&self, packet: &Packet) -> Option<usize> {
        let pts = packet.pts()?;
        let stamp = |index: &usize| self.rows.get(*index).map_or(NO_TIME, |row| row.pts);
        let from = self.by_pts.partition_point(|index| stamp(index) < pts);
        self.by_pts
            .get(from..)?
            .iter()
            .take_while(|index| stamp(index) == pts)
            .copied()
            .find(|index| self.is_row(*index, packet))
    }
}
