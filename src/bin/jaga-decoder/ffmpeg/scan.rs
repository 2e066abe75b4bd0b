//! The first pass: every packet of the video stream, listed and not decoded.
//!
//! The file is bounded and usually still in the page cache, so reading it whole costs little, and
//! what is counted can't lie: hostile or wrong indexes, durations and frame counts have no say.

use std::time::Instant;

use ffmpeg::codec::packet::side_data::Type as SideData;
use ffmpeg::format::context::Input;
use ffmpeg::{Error, Packet};
use ffmpeg_next as ffmpeg;

use super::open::Opened;
use super::payload::Payloads;
use super::raw;
use crate::Terms;
use crate::fault::{Fault, Stop};
use crate::timeline::{NO_TIME, Row};

/// Damaged stretches to step over before the rest of the file is given up.
const MOST_DAMAGE: u32 = 1000;
/// Packets between two looks at the clock.
const CLOCK_EVERY: usize = 256;

/// What the first pass found.
#[derive(Debug)]
pub(super) struct Scan {
    /// Packets in decode order.
    pub(super) rows: Vec<Row>,
    /// The last packet was not whole.
    pub(super) cut: bool,
    /// Microseconds at which the last packet of any stream that was read ends.
    pub(super) end_us: i64,
}

/// Lists the packets of the video stream.
///
/// `all_streams` reads the others as well, for containers that claim one duration for all.
pub(super) fn scan(opened: &mut Opened, all_streams: bool, terms: &Terms) -> Result<Scan, Stop> {
    watch_only(&mut opened.input, opened.stream, all_streams);
    let payloads = payloads(opened);
    let mut found = Scan {
        rows: Vec::new(),
        cut: false,
        end_us: 0,
    };
    let mut packet = Packet::empty();
    let mut damage = 0;
    loop {
        match raw::next_packet(&mut opened.input, &mut packet) {
            Ok(()) => {}
            Err(Error::InvalidData) if damage < MOST_DAMAGE => {
                damage += 1;
                continue;
            }
            Err(Error::Exit) => return Err(Fault::deadline().into()),
            Err(_) => break,
        }
        found.end_us = found.end_us.max(end_us(&opened.input, &packet));
        if packet.stream() != opened.stream {
            continue;
        }
        if found.rows.len().is_multiple_of(CLOCK_EVERY) && Instant::now() >= terms.deadline {
            return Err(Fault::deadline().into());
        }
        if packet
            .side_data()
            .any(|side_data| side_data.kind() == SideData::EncryptionInfo)
        {
            return Err(Fault::encrypted().into());
        }
        found.cut = packet.is_corrupt();
        found.rows.push(row(&packet, payloads));
        let rows = u64::try_from(found.rows.len()).unwrap_or(u64::MAX);
        terms.limits.check_packets(rows)?;
    }
    if found.cut {
        // What is there of it would decode to a damaged picture.
        found.rows.pop();
    }
    watch_only(&mut opened.input, opened.stream, false);
    Ok(found)
}

fn watch_only(input: &mut Input, wanted: usize, all: bool) {
    let streams = usize::try_from(input.nb_streams()).unwrap_or(0);
    for index in 0..streams {
        raw::set_discard(input, index, !all && index != wanted);
    }
}

fn payloads(opened: &Opened) -> Payloads {
    Payloads::of(opened.codec, &raw::extradata(&opened.input, opened.stream))
}

fn row(packet: &Packet, payloads: Payloads) -> Row {
    let data = packet.data().unwrap_or_default();
    let key = packet.is_key();
    Row {
        pts: packet.pts().unwrap_or(NO_TIME),
        dts: packet.dts().unwrap_or(NO_TIME),
        duration: u32::try_from(packet.duration()).unwrap_or(0),
        size: u32::try_from(packet.size()).unwrap_or(u32::MAX),
        key,
        resets: key && payloads.resets(data),
        hidden: raw::is_discarded(packet) || payloads.hidden(data),
    }
}

fn end_us(input: &Input, packet: &Packet) -> i64 {
    let Some(stream) = input.stream(packet.stream()) else {
        return 0;
    };
    let (numerator, denominator) = raw::pair(stream.time_base());
    let ticks = packet
        .pts()
        .map_or(0, |pts| i128::from(pts) + i128::from(packet.duration()));
    let us = ticks * i128::from(numerator) * 1_000_000 / i128::from(denominator.max(1));
    i64::try_from(us).unwrap_or(0)
}
