//! The wire format between the server and the decoder child, version 2.
//!
//! `docs/decoder-protocol.md` is its specification. In short:
//!
//! - Server → child, over the socket that is the child's standard input: one length-prefixed JSON
//!   message [`Request::Open`] that carries the upload's descriptor as `SCM_RIGHTS`, later one
//!   [`Request::Plan`].
//! - Child → server, over the pipe that is its standard output: messages of an 8-byte header
//!   (`kind`, three zero bytes, payload length as u32 little-endian) and a payload. The order is
//!   hello, facts, chosen, then frames and misses in any mix, then end; or at any point a failure,
//!   which is the last message. A perturber child gets one [`Request::Perturb`] instead and says
//!   hello, the pieces of a video, made. A stream that stops before *end* or *failure* is broken: it is
//!   never read as a short video.
//!
//! All parsing here treats its input as hostile: every length is checked against a bound before
//! anything is allocated.

mod chosen;
mod facts;

use serde::{Deserialize, Serialize};

use super::limits::{LimitExceeded, MediaLimits};
use super::sandbox::Walls;
use crate::domain::frame::Picture;
use crate::domain::perturbation::Order;
use crate::domain::plan::FramePlan;

pub use chosen::{Chosen, ChosenStills, ChosenWindows, check_chosen, check_times};
pub use facts::check_facts;

/// Version that both sides must speak.
pub const VERSION: u32 = 2;
/// Bytes of a message header.
pub const HEADER_BYTES: usize = 8;
/// Bytes before the pixels in a frame's payload.
pub const FRAME_PREFIX_BYTES: usize = 24;
/// Longest JSON payload in either direction.
pub const MAX_JSON_BYTES: usize = 256 * 1024;
/// Longest piece of a perturbed video.
pub const MAX_PIECE_BYTES: usize = 1 << 20;
/// Longest JSON payload of a message that holds no list.
pub const MAX_SHORT_JSON_BYTES: usize = 8 * 1024;

/// What a child message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// JSON [`Hello`]: the child is linked, locked down and waits for an upload.
    Hello = 1,
    /// JSON [`MediaFacts`](crate::domain::media::MediaFacts).
    Facts = 2,
    /// JSON [`Chosen`].
    Chosen = 3,
    /// [`FrameHeader`] and pixels.
    Frame = 4,
    /// JSON [`Missed`].
    Missed = 5,
    /// JSON [`End`]: everything was sent.
    End = 6,
    /// JSON [`Failure`]: nothing more will come.
    Failure = 7,
    /// Bytes of a perturbed video, in order.
    Piece = 8,
    /// JSON [`Made`]: all pieces of a perturbed video were sent.
    Made = 9,
}

/// A child message's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: Kind,
    /// Bytes that follow.
    pub payload_bytes: u32,
}

/// What can be wrong with a message.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// A kind of message that does not exist, or non-zero padding.
    #[error("message header {0:02x?} is not of this protocol")]
    BadHeader([u8; HEADER_BYTES]),
    /// A payload longer than its kind may have.
    #[error("{kind:?} message of {got} bytes, at most {limit} allowed")]
    TooLong {
        /// The message's kind.
        kind: Kind,
        /// Its announced length.
        got: usize,
        /// What it may have.
        limit: usize,
    },
    /// A frame whose length does not match its sides.
    #[error("frame of {width}x{height} with {got} bytes of pixels")]
    FrameSize {
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
        /// Bytes of pixels that came with it.
        got: usize,
    },
    /// JSON that is none or not of the message's form.
    #[error("{kind:?} message that is not of its form")]
    Json {
        /// The message's kind.
        kind: Kind,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A message that may not come at this point.
    #[error("{got:?} message where {expected} was due")]
    OutOfOrder {
        /// What came.
        got: Kind,
        /// What may come here.
        expected: &'static str,
    },
    /// A well-formed message whose content can't be true.
    #[error("the child's answer can't be true: {0}")]
    Lie(&'static str),
    /// The other side speaks another version.
    #[error("the child speaks protocol {got}, this program {VERSION}")]
    Version {
        /// Its version.
        got: u32,
    },
}

/// The child's first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Protocol version.
    pub protocol: u32,
    /// jaga's version that the child was built from.
    pub program: String,
    /// FFmpeg's version string, such as `5.1.9-0+deb12u1`.
    pub ffmpeg: String,
    /// The walls that it has built around itself.
    pub walls: Walls,
}

/// A message to the child: a u32 little-endian length, then this as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Carries the upload's descriptor. Answered by facts or a failure.
    Open {
        /// Limits that the child keeps while it probes and decodes.
        limits: MediaLimits,
        /// Milliseconds after which the child gives up by itself; the server kills it as well.
        deadline_ms: u64,
        /// Decoder threads; at least 1.
        threads: u32,
    },
    /// Answered by chosen, frames and end, or a failure.
    Plan {
        /// Which frames are wanted.
        plan: FramePlan,
    },
    /// Of a perturber child; carries the video's descriptor. Answered by pieces and made, or a
    /// failure.
    Perturb {
        /// As in [`Request::Open`].
        limits: MediaLimits,
        /// As in [`Request::Open`].
        deadline_ms: u64,
        /// As in [`Request::Open`].
        threads: u32,
        /// What is to be made of it.
        order: Order,
    },
}

/// The last message of a perturber child when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Bytes of all pieces.
    pub bytes: u64,
    /// Frames of the perturbed video.
    pub frames: u64,
    /// Pixels a row of it.
    pub width: u32,
    /// Its rows.
    pub height: u32,
}

/// A chosen frame that did not come out of the decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// Its index in [`Chosen::times_s`].
    pub index: u32,
}

/// The last message when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Frame messages that were sent.
    pub frames: u32,
    /// Missed messages that were sent.
    pub missed: u32,
    /// Packets that were given to the decoder: the work that the plan cost.
    pub packets_decoded: u64,
}

/// Why the child can't go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of fault.
    pub reason: FailureReason,
    /// One line for the log; from the child's own texts, never from the file.
    pub detail: String,
}

/// Kinds of fault that a file can have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The file has no byte.
    Empty,
    /// No container or image format that is allowed.
    UnsupportedFormat,
    /// An allowed container with a codec that is not.
    UnsupportedCodec,
    /// The container says that its video is encrypted.
    Encrypted,
    /// No stream of moving pictures (audio only, attached cover art only).
    NoVideoStream,
    /// A video stream that yields not one frame.
    NoFrames,
    /// Data that contradicts its format.
    Corrupt,
    /// A limit was passed.
    Limit(LimitExceeded),
    /// What is made of the file would be larger than it may be.
    OutputTooLarge,
    /// The time given in the request was over.
    Deadline,
    /// A fault of the child itself, not of the file.
    Internal,
}

/// Fixed part of a frame message's payload: index u32, width u32, height u32, zero u32,
/// time f64, all little-endian; the pixels follow, RGB row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameHeader {
    /// Index in [`Chosen::times_s`].
    pub index: u32,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Presentation time in seconds after the first video frame.
    pub time_s: f64,
}

impl Header {
    /// The header's bytes.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.payload_bytes.to_le_bytes();
        [self.kind as u8, 0, 0, 0, a, b, c, d]
    }

    /// Reads a header and checks the announced length against what its kind may have under
    /// `limits`.
    pub fn decode(bytes: [u8; HEADER_BYTES], limits: &MediaLimits) -> Result<Self, ProtocolError> {
        let [kind, 0, 0, 0, a, b, c, d] = bytes else {
            return Err(ProtocolError::BadHeader(bytes));
        };
        let kind = Kind::from_byte(kind).ok_or(ProtocolError::BadHeader(bytes))?;
        let payload_bytes = u32::from_le_bytes([a, b, c, d]);
        let limit = kind.max_payload_bytes(limits);
        let got = usize::try_from(payload_bytes).unwrap_or(usize::MAX);
        if got > limit {
            return Err(ProtocolError::TooLong { kind, got, limit });
        }
        Ok(Self {
            kind,
            payload_bytes,
        })
    }
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Hello,
            Self::Facts,
            Self::Chosen,
            Self::Frame,
            Self::Missed,
            Self::End,
            Self::Failure,
            Self::Piece,
            Self::Made,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }

    fn max_payload_bytes(self, limits: &MediaLimits) -> usize {
        match self {
            Self::Frame => usize::try_from(limits.max_pixels.saturating_mul(3))
                .unwrap_or(usize::MAX)
                .saturating_add(FRAME_PREFIX_BYTES),
            Self::Chosen => MAX_JSON_BYTES,
            Self::Piece => MAX_PIECE_BYTES,
            Self::Hello | Self::Facts | Self::Missed | Self::End | Self::Failure | Self::Made => {
                MAX_SHORT_JSON_BYTES
            }
        }
    }
}

impl FrameHeader {
    /// The fixed part of the payload.
    pub fn encode(self) -> [u8; FRAME_PREFIX_BYTES] {
        let mut bytes = [0; FRAME_PREFIX_BYTES];
        let fields = [
            self.index.to_le_bytes(),
            self.width.to_le_bytes(),
            self.height.to_le_bytes(),
            [0; 4],
        ];
        let time = self.time_s.to_le_bytes();
        for (to, from) in bytes
            .iter_mut()
            .zip(fields.iter().flatten().chain(time.iter()))
        {
            *to = *from;
        }
        bytes
    }

    /// Reads the fixed part; `payload_bytes` is the whole payload's length, which must match the
    /// sides, which must be within `limits`.
    pub fn decode(
        bytes: [u8; FRAME_PREFIX_BYTES],
        payload_bytes: usize,
        limits: &MediaLimits,
    ) -> Result<Self, ProtocolError> {
        let [
            i0,
            i1,
            i2,
            i3,
            w0,
            w1,
            w2,
            w3,
            h0,
            h1,
            h2,
            h3,
            0,
            0,
            0,
            0,
            time @ ..,
        ] = bytes
        else {
            return Err(ProtocolError::Lie("frame padding is not zero"));
        };
        let header = Self {
            index: u32::from_le_bytes([i0, i1, i2, i3]),
            width: u32::from_le_bytes([w0, w1, w2, w3]),
            height: u32::from_le_bytes([h0, h1, h2, h3]),
            time_s: f64::from_le_bytes(time),
        };
        let pixels = payload_bytes.saturating_sub(FRAME_PREFIX_BYTES);
        if Picture::byte_len(header.width, header.height) != Some(pixels) {
            return Err(ProtocolError::FrameSize {
                width: header.width,
                height: header.height,
                got: pixels,
            });
        }
        if limits.check_frame(header.width, header.height).is_err() {
            return Err(ProtocolError::Lie("frame larger than the limits"));
        }
        if !header.time_s.is_finite() || header.time_s < 0.0 {
            return Err(ProtocolError::Lie("frame time is no time"));
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn header_survives_the_wire() {
        let header = Header {
            kind: Kind::Facts,
            payload_bytes: 77,
        };
        assert_eq!(
            Header::decode(header.encode(), &MediaLimits::default()).unwrap(),
            header
        );
    }

    #[test]
    fn lengths_are_bounded_by_kind() {
        let limits = MediaLimits::default();
        let json = Header {
            kind: Kind::Facts,
            payload_bytes: 1 << 20,
        };
        assert!(matches!(
            Header::decode(json.encode(), &limits),
            Err(ProtocolError::TooLong {
                kind: Kind::Facts,
                ..
            })
        ));
        let frame = Header {
            kind: Kind::Frame,
            payload_bytes: 1 << 20,
        };
        assert!(Header::decode(frame.encode(), &limits).is_ok());
    }

    #[test]
    fn frame_sides_must_match_the_length() {
        let limits = MediaLimits::default();
        let header = FrameHeader {
            index: 3,
            width: 4,
            height: 2,
            time_s: 1.5,
        };
        let whole = FRAME_PREFIX_BYTES + 24;
        assert_eq!(
            FrameHeader::decode(header.encode(), whole, &limits).unwrap(),
            header
        );
        assert!(matches!(
            FrameHeader::decode(header.encode(), whole - 1, &limits),
            Err(ProtocolError::FrameSize { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_read_without_a_panic(
            header in any::<[u8; HEADER_BYTES]>(),
            frame in any::<[u8; FRAME_PREFIX_BYTES]>(),
            payload in any::<usize>(),
        ) {
            let limits = MediaLimits::default();
            if let Ok(h) = Header::decode(header, &limits) {
                prop_assert_eq!(h.encode(), header);
            }
            let _read_or_refused = FrameHeader::decode(frame, payload, &limits);
        }
    }
}
