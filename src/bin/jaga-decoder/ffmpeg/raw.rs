//! Fields of FFmpeg's structures that its safe wrapper doesn't show. One function a question.

use std::ffi::{CStr, c_char, c_int};

use ffmpeg::format::context::Input;
use ffmpeg::{Error, Packet, ffi};
use ffmpeg_next as ffmpeg;

use jaga::domain::media::ColorFacts;

use super::color::ColorNumbers;

/// The colour description of a valid structure, read as integers: see [`ColorNumbers`]. C's
/// enumerations are as wide as its `unsigned int`.
macro_rules! colors {
    ($pointer:expr, $matrix:ident) => {
        ColorNumbers {
            primaries: (&raw const (*$pointer).color_primaries)
                .cast::<u32>()
                .read(),
            transfer: (&raw const (*$pointer).color_trc).cast::<u32>().read(),
            matrix: (&raw const (*$pointer).$matrix).cast::<u32>().read(),
            range: (&raw const (*$pointer).color_range).cast::<u32>().read(),
        }
    };
}

/// FFmpeg's version string.
#[allow(unsafe_code, reason = "a constant string of the library")]
pub(super) fn version() -> String {
    // SAFETY: the pointer is to a static string.
    unsafe { text(ffi::av_version_info()) }.unwrap_or_default()
}

/// Copies a C string; `None` for a null pointer.
///
/// # Safety
/// `pointer` must be null or point to a string that lives as long as this call.
#[allow(unsafe_code, reason = "reads a C string")]
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    Some(text.to_string_lossy().into_owned())
}

/// A ratio's numerator and denominator.
pub(crate) fn pair(ratio: ffmpeg::Rational) -> (i32, i32) {
    (ratio.numerator(), ratio.denominator())
}

/// What a stream says of itself.
#[derive(Debug, Clone)]
pub(crate) struct StreamFacts {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) sample_aspect: (i32, i32),
    pub(crate) color: ColorFacts,
    /// True when a key is named for it.
    pub(crate) names_key: bool,
    /// Display matrix, when it has one.
    pub(crate) matrix: Option<[i32; 9]>,
    /// Claimed duration in ticks of its time base, when positive.
    pub(crate) duration: Option<i64>,
}

/// Reads a stream's facts; `None` when there is no such stream.
#[allow(unsafe_code, reason = "fields that the wrapper doesn't show")]
pub(super) fn stream_facts(input: &Input, index: usize) -> Option<StreamFacts> {
    let stream = input.stream(index)?;
    let names_key = stream.metadata().get("enc_key_id").is_some();
    // SAFETY: stream and its parameters live as long as `input`, which is borrowed here; the
    // name functions return static strings or null for any value.
    unsafe {
        let pointer = stream.as_ptr();
        let parameters = (*pointer).codecpar;
        let guessed = ffi::av_guess_sample_aspect_ratio(
            input.as_ptr().cast_mut(),
            pointer.cast_mut(),
            std::ptr::null_mut(),
        );
        let full_range_format = text(ffi::av_get_pix_fmt_name(pixel_format((*parameters).format)))
            .is_some_and(|name| name.starts_with("yuvj"));
        let mut color = colors!(parameters, color_space).facts();
        if color.range.is_none() && full_range_format {
            color.range = Some("pc".to_owned());
        }
        Some(StreamFacts {
            width: u32::try_from((*parameters).width).unwrap_or(0),
            height: u32::try_from((*parameters).height).unwrap_or(0),
            sample_aspect: (guessed.num, guessed.den),
            color,
            names_key,
            matrix: display_matrix(pointer),
            duration: Some((*pointer).duration).filter(|ticks| *ticks > 0),
        })
    }
}

/// Overwrites what a stream says of itself by what its frame shows, where the frame says more.
pub(super) fn complete(facts: &mut StreamFacts, frame: &ffmpeg::frame::Video) {
    let look = look(frame);
    (facts.width, facts.height) = (look.width, look.height);
    if facts.sample_aspect.0 <= 0 || facts.sample_aspect.1 <= 0 {
        facts.sample_aspect = look.sample_aspect;
    }
    let mut seen = look.color.facts();
    if look.full_range {
        seen.range = Some("pc".to_owned());
    }
    let color = &mut facts.color;
    for (fact, seen) in [
        (&mut color.primaries, seen.primaries),
        (&mut color.transfer, seen.transfer),
        (&mut color.matrix, seen.matrix),
        (&mut color.range, seen.range),
    ] {
        *fact = seen.or(fact.take());
    }
}

/// A pixel format from a number that came out of FFmpeg itself.
#[allow(unsafe_code, reason = "C stores the enumeration as an int")]
fn pixel_format(number: c_int) -> ffi::AVPixelFormat {
    // SAFETY: codec parameters hold -1 or a format that the linked FFmpeg knows, and the bindings
    // were made from that FFmpeg's headers.
    unsafe { std::mem::transmute::<c_int, ffi::AVPixelFormat>(number) }
}

/// # Safety
/// `stream` must be valid.
#[allow(unsafe_code, reason = "side data is raw memory")]
unsafe fn display_matrix(stream: *const ffi::AVStream) -> Option<[i32; 9]> {
    let mut size = 0;
    // SAFETY: the caller promises a valid stream; `size` outlives the call.
    let data = unsafe {
        ffi::av_stream_get_side_data(
            stream,
            ffi::AVPacketSideDataType::AV_PKT_DATA_DISPLAYMATRIX,
            &raw mut size,
        )
    };
    if data.is_null() || size < size_of::<[i32; 9]>() {
        return None;
    }
    // SAFETY: not null, long enough; read unaligned as nothing promises alignment.
    Some(unsafe { data.cast::<[i32; 9]>().read_unaligned() })
}

/// The container's claimed duration in microseconds when it stands in a header, not estimated.
#[allow(unsafe_code, reason = "fields that the wrapper doesn't show")]
pub(super) fn claimed_duration_us(input: &Input) -> Option<i64> {
    // SAFETY: the context lives as long as `input`.
    let (method, duration) = unsafe {
        let context = input.as_ptr();
        ((*context).duration_estimation_method, (*context).duration)
    };
    (method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM && duration > 0)
        .then_some(duration)
}

/// Programs that a transport stream announces.
#[allow(unsafe_code, reason = "a field that the wrapper doesn't show")]
pub(super) fn programs(input: &Input) -> u32 {
    // SAFETY: the context lives as long as `input`.
    unsafe { (*input.as_ptr()).nb_programs }
}

/// Drops every packet of a stream in the demuxer, or none.
#[allow(unsafe_code, reason = "a field that the wrapper doesn't show")]
pub(crate) fn set_discard(input: &mut Input, index: usize, discard: bool) {
    if let Some(stream) = input.stream(index) {
        // SAFETY: the stream belongs to `input`, which is borrowed mutably.
        unsafe {
            (*stream.as_ptr().cast_mut()).discard = if discard {
                ffi::AVDiscard::AVDISCARD_ALL
            } else {
                ffi::AVDiscard::AVDISCARD_DEFAULT
            };
        }
    }
}

/// The next packet of any stream. FFmpeg 5.1 writes over what `packet` held and frees nothing of it,
/// so that a packet read into again and again would keep the whole file in memory.
pub(super) fn next_packet(input: &mut Input, packet: &mut Packet) -> Result<(), Error> {
    *packet = Packet::empty();
    packet.read(input)
}

/// Moves to the last entry point at or before `timestamp`.
#[allow(unsafe_code, reason = "the wrapper can't seek within one stream")]
pub(super) fn seek(input: &mut Input, index: usize, timestamp: i64) -> bool {
    let Ok(index) = c_int::try_from(index) else {
        return false;
    };
    // SAFETY: the context is valid and borrowed mutably.
    let code = unsafe {
        ffi::av_seek_frame(
            input.as_mut_ptr(),
            index,
            timestamp,
            ffi::AVSEEK_FLAG_BACKWARD,
        )
    };
    code >= 0
}

/// The demuxer that `head` looks like, and how sure that is (0 to 100).
#[allow(unsafe_code, reason = "the wrapper can't probe a buffer")]
pub(super) fn probe(mut head: Vec<u8>) -> Option<(String, i32)> {
    let bytes = c_int::try_from(head.len()).ok()?;
    let padding = usize::try_from(ffi::AVPROBE_PADDING_SIZE).unwrap_or(0);
    head.resize(head.len().saturating_add(padding), 0);
    let data = ffi::AVProbeData {
        filename: c"".as_ptr(),
        buf: head.as_mut_ptr(),
        buf_size: bytes,
        mime_type: std::ptr::null(),
    };
    let mut score = 0;
    // SAFETY: the buffer has the zeroed padding that probing asks for and outlives the call; a
    // demuxer and its name are static.
    unsafe {
        let format = ffi::av_probe_input_format3(&raw const data, 1, &raw mut score);
        if format.is_null() {
            return None;
        }
        text((*format).name).map(|name| (name, score))
    }
}

/// A stream's decoder configuration as the container has it.
#[allow(unsafe_code, reason = "the wrapper doesn't show it")]
pub(super) fn extradata(input: &Input, index: usize) -> Vec<u8> {
    let Some(stream) = input.stream(index) else {
        return Vec::new();
    };
    // SAFETY: stream and parameters live as long as `input`; FFmpeg keeps `extradata_size` bytes
    // behind a pointer that is not null.
    unsafe {
        let parameters = (*stream.as_ptr()).codecpar;
        let data = (*parameters).extradata;
        match usize::try_from((*parameters).extradata_size) {
            Ok(bytes) if !data.is_null() => std::slice::from_raw_parts(data, bytes).to_vec(),
            _ => Vec::new(),
        }
    }
}

/// True when the decoder marked the frame as damaged or had to invent parts of it.
#[allow(unsafe_code, reason = "fields that the wrapper doesn't show")]
pub(crate) fn is_damaged(frame: &ffmpeg::frame::Video) -> bool {
    // SAFETY: the frame is valid while it is borrowed.
    let (flags, errors) = unsafe {
        (
            (*frame.as_ptr()).flags,
            (*frame.as_ptr()).decode_error_flags,
        )
    };
    flags & ffi::AV_FRAME_FLAG_CORRUPT != 0 || errors != 0
}

/// Bounds what a decoder may allocate for one frame.
#[allow(unsafe_code, reason = "a field that the wrapper doesn't show")]
pub(super) fn set_max_pixels(context: &mut ffmpeg::codec::Context, pixels: i64) {
    // SAFETY: the context is valid and not opened yet.
    unsafe { (*context.as_mut_ptr()).max_pixels = pixels }
}

/// True for a packet whose frame an edit list hides.
#[allow(unsafe_code, reason = "a flag that the wrapper doesn't know")]
pub(super) fn is_discarded(packet: &ffmpeg::Packet) -> bool {
    use ffmpeg::packet::Ref;
    // SAFETY: the packet is valid while it is borrowed.
    let flags = unsafe { (*packet.as_ptr()).flags };
    flags & ffi::AV_PKT_FLAG_DISCARD != 0
}

/// A decoded frame's conversion facts, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameLook {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) format: ffi::AVPixelFormat,
    pub(super) color: ColorNumbers,
    pub(super) full_range: bool,
    pub(super) sample_aspect: (i32, i32),
}

/// Reads a frame's facts.
#[allow(unsafe_code, reason = "fields that the wrapper doesn't show")]
pub(super) fn look(frame: &ffmpeg::frame::Video) -> FrameLook {
    // SAFETY: the frame is valid while it is borrowed; the name is a static string or null.
    unsafe {
        let pointer = frame.as_ptr();
        let format = pixel_format((*pointer).format);
        let yuvj = text(ffi::av_get_pix_fmt_name(format)).is_some_and(|n| n.starts_with("yuvj"));
        let color = colors!(pointer, colorspace);
        FrameLook {
            width: u32::try_from((*pointer).width).unwrap_or(0),
            height: u32::try_from((*pointer).height).unwrap_or(0),
            format,
            full_range: yuvj || color.is_full_range(),
            color,
            sample_aspect: (
                (*pointer).sample_aspect_ratio.num,
                (*pointer).sample_aspect_ratio.den,
            ),
        }
    }
}

/// Allocates in FFmpeg until it gets nothing, for the self-test; false when `rounds` didn't suffice.
#[allow(unsafe_code, reason = "FFmpeg's allocator, without the use")]
pub(crate) fn use_up_memory(rounds: usize) -> bool {
    const BYTES: usize = 16 << 20;
    // SAFETY: takes a size; what it gives is leaked on purpose.
    (0..rounds).any(|_| unsafe { ffi::av_malloc(BYTES) }.is_null())
}
