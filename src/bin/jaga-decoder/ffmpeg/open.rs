//! Opening an upload: the demuxer with its fences, and the one stream that is looked at.

use std::time::Instant;

use ffmpeg::codec::Id;
use ffmpeg::format::context::{Input, StreamIo};
use ffmpeg::format::stream::Disposition;
use ffmpeg::{Dictionary, codec, media};
use ffmpeg_next as ffmpeg;

use super::formats::{DECODERS, DEMUXERS, allows};
use super::raw;
use crate::fault::{Fault, Stop};
use crate::input::Upload;
use crate::{Terms, boxes};

/// Bytes of FFmpeg's read buffer; larger reads are fewer system calls in the packet scan.
const BUFFER_BYTES: usize = 256 * 1024;
/// Bytes and microseconds that may be read to learn what the streams are.
const PROBE_BYTES: &str = "8388608";
const PROBE_US: &str = "10000000";
/// The same where the headers are to suffice: what tells one format from another, and one packet.
const HEADERS_BYTES: &str = "65536";
const HEADERS_US: &str = "1";
/// A name that no protocol and no decoder has.
const NONE: &str = "none";
/// Bytes to look at when telling an unknown format from a damaged file.
const CLASSIFY_BYTES: usize = 64 * 1024;
/// Least probe score that counts as "this is such a file" (FFmpeg's own threshold to ask for more
/// data is a quarter of the maximum).
const SURE: i32 = 26;

/// An opened container.
pub(crate) struct Opened {
    pub(crate) input: Input,
    /// How it was opened, and must be again for its packets to look the same.
    pub(crate) probe: Probe,
    pub(crate) stream: usize,
    pub(crate) codec: codec::Id,
    pub(crate) facts: raw::StreamFacts,
    pub(crate) has_audio: bool,
    /// Seconds of one tick.
    pub(crate) time_base: (i32, i32),
}

impl Opened {
    /// Ticks of the video stream in seconds.
    pub(crate) fn seconds(&self, ticks: i64) -> f64 {
        let (numerator, denominator) = self.time_base;
        ticks as f64 * f64::from(numerator) / f64::from(denominator)
    }
}

/// How much FFmpeg may do to learn what the streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Read headers only; no decoder can run.
    Headers,
    /// Read on and decode until everything is known.
    Frames,
}

/// Opens the container and finds its video.
///
/// Containers that say all in their headers are left at that: FFmpeg would otherwise decode up to
/// twenty frames, on one thread and without limits, before anybody asked for one.
pub(crate) fn open(upload: &Upload, terms: &Terms) -> Result<Opened, Stop> {
    // FFmpeg decodes encrypted samples without an error and forgets that the container said so.
    if boxes::announces_encrypted_video(upload)? {
        return Err(Fault::encrypted().into());
    }
    let mut probe = Probe::Headers;
    let mut input = demux(upload, terms.deadline, probe)?;
    check_streams(&input, terms)?;
    if !headers_suffice(&input) {
        probe = Probe::Frames;
        input = demux(upload, terms.deadline, probe)?;
        check_streams(&input, terms)?;
    }
    let stream = choose_stream(&input)?;
    let facts = raw::stream_facts(&input, stream)
        .ok_or_else(|| Fault::internal("the chosen stream is gone"))?;
    if facts.names_key {
        return Err(Fault::encrypted().into());
    }
    let codec = codec_of(&input, stream)?;
    let rational = input
        .stream(stream)
        .map_or((0, 0), |stream| raw::pair(stream.time_base()));
    if rational.0 <= 0 || rational.1 <= 0 {
        return Err(Fault::corrupt("a time base that is no time").into());
    }
    let has_audio = input
        .streams()
        .any(|stream| stream.parameters().medium() == media::Type::Audio);
    Ok(Opened {
        input,
        probe,
        stream,
        codec,
        facts,
        has_audio,
        time_base: rational,
    })
}

/// Programs count as streams: FFmpeg walks all of them for each table that it reads.
fn check_streams(input: &Input, terms: &Terms) -> Result<(), Stop> {
    let streams = input.nb_streams().max(raw::programs(input));
    Ok(terms.limits.check_streams(streams)?)
}

/// True when the streams are described in full and every packet will have its own time.
fn headers_suffice(input: &Input) -> bool {
    let container = matches!(
        input.format().name(),
        "mov,mp4,m4a,3gp,3g2,mj2" | "matroska,webm"
    );
    let known = [Id::H264, Id::HEVC, Id::VP8, Id::VP9, Id::AV1];
    container
        && choose_stream(input).is_ok_and(|stream| {
            raw::stream_facts(input, stream).is_some_and(|facts| facts.width > 0)
                && codec_of(input, stream).is_ok_and(|codec| known.contains(&codec))
        })
}

/// Opens the container alone; also the way back to its first packet.
pub(super) fn demux(upload: &Upload, deadline: Instant, probe: Probe) -> Result<Input, Stop> {
    let io = StreamIo::from_read_seek_with_capacity(upload.rewound(), BUFFER_BYTES)
        .map_err(|error| Fault::internal(error.to_string()))?;
    let mut options = Dictionary::new();
    let (decoders, bytes, microseconds) = match probe {
        Probe::Headers => (NONE, HEADERS_BYTES, HEADERS_US),
        Probe::Frames => (DECODERS, PROBE_BYTES, PROBE_US),
    };
    for (key, value) in [
        ("format_whitelist", DEMUXERS),
        ("codec_whitelist", decoders),
        ("protocol_whitelist", NONE),
        ("probesize", bytes),
        ("analyzeduration", microseconds),
        ("enable_drefs", "0"),
        ("use_absolute_path", "0"),
    ] {
        options.set(key, value);
    }
    let over = move || Instant::now() >= deadline;
    ffmpeg::format::input_from_stream_with_interrupt(io, None, Some(options), over)
        .map_err(|error| cannot_open(upload, error, deadline))
}

fn cannot_open(upload: &Upload, error: ffmpeg::Error, deadline: Instant) -> Stop {
    if Instant::now() >= deadline {
        return Fault::deadline().into();
    }
    let head = match upload.head(CLASSIFY_BYTES) {
        Ok(head) => head,
        Err(stop) => return stop,
    };
    match raw::probe(head) {
        Some((name, score)) if score >= SURE && allows(DEMUXERS, &name) => {
            Fault::corrupt(format!("{name}: {error}")).into()
        }
        Some((name, score)) if score >= SURE => Fault::unsupported_format(name).into(),
        _ => Fault::unsupported_format("not known").into(),
    }
}

/// The stream of moving pictures that a player would show: a default one before others, then the
/// largest, then the first. Attached pictures (cover art) are none.
fn choose_stream(input: &Input) -> Result<usize, Stop> {
    input
        .streams()
        .filter(|stream| stream.parameters().medium() == media::Type::Video)
        .filter(|stream| !stream.disposition().contains(Disposition::ATTACHED_PIC))
        .map(|stream| {
            let pixels = raw::stream_facts(input, stream.index())
                .map_or(0, |facts| u64::from(facts.width) * u64::from(facts.height));
            let default = stream.disposition().contains(Disposition::DEFAULT);
            (default, pixels, std::cmp::Reverse(stream.index()))
        })
        .max()
        .map(|(_, _, index)| index.0)
        .ok_or_else(|| Fault::no_video_stream().into())
}

fn codec_of(input: &Input, index: usize) -> Result<codec::Id, Stop> {
    let id = input
        .stream(index)
        .map_or(codec::Id::None, |stream| stream.parameters().id());
    match codec::decoder::find(id) {
        Some(codec) if allows(DECODERS, codec.name()) => Ok(id),
        Some(codec) => Err(Fault::unsupported_codec(codec.name()).into()),
        None => Err(Fault::unsupported_codec(format!("{id:?}")).into()),
    }
}
