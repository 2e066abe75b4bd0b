//! The little that is read of a packet's payload: is it shown, does it reset the decoder.

use ffmpeg_next::codec::Id;

/// How a stream cuts its packets into NAL units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Start codes (ITU-T H.264, annex B).
    StartCodes,
    /// A length of so many bytes before each unit (ISO/IEC 14496-15).
    Lengths(usize),
}

/// Codecs whose payload is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    H264,
    Hevc,
    Vp8,
    Vp9,
    Other,
}

/// What must be known of a stream to look into its packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Payloads {
    coding: Coding,
    framing: Framing,
}

impl Payloads {
    /// `extradata` is the decoder configuration of the container.
    #[allow(clippy::wildcard_enum_match_arm, reason = "hundreds of codecs")]
    pub(super) fn of(codec: Id, extradata: &[u8]) -> Self {
        let coding = match codec {
            Id::H264 => Coding::H264,
            Id::HEVC => Coding::Hevc,
            Id::VP8 => Coding::Vp8,
            Id::VP9 => Coding::Vp9,
            _ => Coding::Other,
        };
        let at = if coding == Coding::H264 { 4 } else { 21 };
        let framing = match (extradata.first(), extradata.get(at)) {
            (Some(1), Some(byte)) => Framing::Lengths(usize::from(byte & 3) + 1),
            _ => Framing::StartCodes,
        };
        Self { coding, framing }
    }

    /// True for a keyframe behind which nothing can refer to anything before it.
    pub(super) fn resets(self, data: &[u8]) -> bool {
        match self.coding {
            // Type 5 is an IDR slice; other keyframes are recovery points.
            Coding::H264 => self.first_slice(data, |unit| match unit & 0x1f {
                5 => Some(true),
                1..=4 => Some(false),
                _ => None,
            }),
            // Types 16 to 20 are BLA and IDR; 21 (CRA) may be led by pictures of the group before.
            Coding::Hevc => self.first_slice(data, |unit| match (unit >> 1) & 0x3f {
                16..=20 => Some(true),
                0..=31 => Some(false),
                _ => None,
            }),
            Coding::Vp8 | Coding::Vp9 | Coding::Other => true,
        }
    }

    /// True for a packet that its codec never shows.
    pub(super) fn hidden(self, data: &[u8]) -> bool {
        match self.coding {
            // RFC 6386, 9.1: bit 4 of the frame tag is `show_frame`.
            Coding::Vp8 => data.first().is_some_and(|tag| tag & 0x10 == 0),
            Coding::Vp9 => hidden_vp9(data),
            Coding::H264 | Coding::Hevc | Coding::Other => false,
        }
    }

    fn first_slice(self, data: &[u8], kind: impl Fn(u8) -> Option<bool>) -> bool {
        let mut units = Units {
            rest: data,
            framing: self.framing,
        };
        units.find_map(|unit| unit.first().copied().and_then(&kind)) == Some(true)
    }
}

/// VP9 bitstream specification, 6.2 and annex B: `show_frame` of a lone frame; the last frame of a
/// superframe is always shown.
fn hidden_vp9(data: &[u8]) -> bool {
    let Some((first, last)) = data.first().zip(data.last()) else {
        return false;
    };
    if last & 0xe0 == 0xc0 {
        return false;
    }
    let profile = (first >> 5) & 1 | (first >> 3) & 2;
    // Profile 3 has a reserved bit more before show_existing_frame, frame_type and show_frame.
    let flags = if profile == 3 { first << 5 } else { first << 4 };
    let show_existing = flags & 0x80 != 0;
    let show = flags & 0x20 != 0;
    !show_existing && !show && profile != 3
}

struct Units<'a> {
    rest: &'a [u8],
    framing: Framing,
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self.framing {
            Framing::StartCodes => {
                let at = self.rest.windows(3).position(|w| w == [0, 0, 1])?;
                self.rest = self.rest.get(at.checked_add(3)?..)?;
                Some(self.rest)
            }
            Framing::Lengths(bytes) => {
                let (length, rest) = self.rest.split_at_checked(bytes)?;
                let length = length
                    .iter()
                    .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
                let (unit, rest) = rest.split_at_checked(length)?;
                self.rest = rest;
                Some(unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idr_is_told_from_a_recovery_point_in_both_framings() {
        let lengths = Payloads::of(Id::H264, &[1, 0, 0, 0, 0xff]);
        assert!(lengths.resets(&[0, 0, 0, 2, 6, 0, 0, 0, 0, 1, 0x65]));
        assert!(!lengths.resets(&[0, 0, 0, 2, 6, 0, 0, 0, 0, 1, 0x61]));
        let codes = Payloads::of(Id::H264, &[]);
        assert!(codes.resets(&[0, 0, 0, 1, 9, 16, 0, 0, 1, 0x65, 0x88]));
        assert!(!codes.resets(&[0, 0, 1, 0x41]) && !codes.resets(&[]));
    }

    #[test]
    fn hevc_cra_does_not_reset() {
        let codes = Payloads::of(Id::HEVC, &[]);
        assert!(codes.resets(&[0, 0, 1, 19 << 1, 1]));
        assert!(!codes.resets(&[0, 0, 1, 21 << 1, 1]));
    }

    #[test]
    fn frames_that_are_never_shown_are_told() {
        let vp8 = Payloads::of(Id::VP8, &[]);
        assert!(vp8.hidden(&[0x00]) && !vp8.hidden(&[0x10]));
        let vp9 = Payloads::of(Id::VP9, &[]);
        assert!(!vp9.hidden(&[0b1000_0010, 0]), "shown");
        assert!(vp9.hidden(&[0b1000_0000, 0]), "not shown");
        assert!(!vp9.hidden(&[0b1000_1000, 0]), "shows an earlier frame");
        assert!(!vp9.hidden(&[0b1000_0000, 0xc1]), "superframe");
    }

    #[test]
    fn lengths_that_lie_end_the_search() {
        let lengths = Payloads::of(Id::H264, &[1, 0, 0, 0, 0xff]);
        assert!(!lengths.resets(&[0xff, 0xff, 0xff, 0xff, 0x65]));
    }
}
