//! What the decoder accepts of a file. Each limit names itself in the error that it causes.

use serde::{Deserialize, Serialize};

/// Limits on one upload's media; sent to the child and checked again by the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaLimits {
    /// Longest video in seconds.
    pub max_duration_s: f64,
    /// Longest side of a frame in pixels.
    pub max_side_px: u32,
    /// Most pixels in a frame.
    pub max_pixels: u64,
    /// Most streams in a container.
    pub max_streams: u32,
    /// Most packets of the video stream; bounds the packet table's memory.
    pub max_packets: u64,
}

impl Default for MediaLimits {
    fn default() -> Self {
        Self {
            max_duration_s: 4.0 * 3600.0,
            max_side_px: 8192,
            max_pixels: 40_000_000,
            max_streams: 64,
            max_packets: 2_000_000,
        }
    }
}

/// A limit by name, as it stands in configuration, errors and the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// [`MediaLimits::max_duration_s`]
    MaxDurationS,
    /// [`MediaLimits::max_side_px`]
    MaxSidePx,
    /// [`MediaLimits::max_pixels`]
    MaxPixels,
    /// [`MediaLimits::max_streams`]
    MaxStreams,
    /// [`MediaLimits::max_packets`]
    MaxPackets,
    /// [`ChildConfig::cpu_seconds`](super::sandbox::ChildConfig::cpu_seconds)
    CpuSeconds,
    /// [`ChildConfig::memory_bytes`](super::sandbox::ChildConfig::memory_bytes)
    Memory,
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MaxDurationS => "max_duration_s",
            Self::MaxSidePx => "max_side_px",
            Self::MaxPixels => "max_pixels",
            Self::MaxStreams => "max_streams",
            Self::MaxPackets => "max_packets",
            Self::CpuSeconds => "cpu_seconds",
            Self::Memory => "memory",
        })
    }
}

impl LimitName {
    /// Every limit, in order of declaration.
    pub const ALL: [Self; 7] = [
        Self::MaxDurationS,
        Self::MaxSidePx,
        Self::MaxPixels,
        Self::MaxStreams,
        Self::MaxPackets,
        Self::CpuSeconds,
        Self::Memory,
    ];

    fn verb(self) -> &'static str {
        match self {
            Self::MaxDurationS
            | Self::MaxSidePx
            | Self::MaxPixels
            | Self::MaxStreams
            | Self::MaxPackets => "the file has",
            Self::CpuSeconds | Self::Memory => "decoding the file takes more than",
        }
    }
}

/// A limit that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{limit} is {allowed}, {} {actual}", limit.verb())]
pub struct LimitExceeded {
    /// Which.
    pub limit: LimitName,
    /// The configured value.
    pub allowed: f64,
    /// What the file has or claims; of processor time and memory, what decoding it had taken when
    /// it was stopped.
    pub actual: f64,
}

impl MediaLimits {
    /// Checks a frame's sides.
    pub fn check_frame(&self, width: u32, height: u32) -> Result<(), LimitExceeded> {
        let side = width.max(height);
        if side > self.max_side_px {
            return Err(exceeded(
                LimitName::MaxSidePx,
                self.max_side_px.into(),
                side.into(),
            ));
        }
        let pixels = u64::from(width).saturating_mul(u64::from(height));
        if pixels > self.max_pixels {
            return Err(exceeded(
                LimitName::MaxPixels,
                self.max_pixels as f64,
                pixels as f64,
            ));
        }
        Ok(())
    }

    /// Checks a duration in seconds; a negative or NaN one is the caller's error to find.
    pub fn check_duration(&self, seconds: f64) -> Result<(), LimitExceeded> {
        if seconds > self.max_duration_s {
            return Err(exceeded(
                LimitName::MaxDurationS,
                self.max_duration_s,
                seconds,
            ));
        }
        Ok(())
    }

    /// Checks the number of streams.
    pub fn check_streams(&self, streams: u32) -> Result<(), LimitExceeded> {
        if streams > self.max_streams {
            return Err(exceeded(
                LimitName::MaxStreams,
                self.max_streams.into(),
                streams.into(),
            ));
        }
        Ok(())
    }

    /// Checks the number of packets in the video stream.
    pub fn check_packets(&self, packets: u64) -> Result<(), LimitExceeded> {
        if packets > self.max_packets {
            return Err(exceeded(
                LimitName::MaxPackets,
                self.max_packets as f64,
                packets as f64,
            ));
        }
        Ok(())
    }
}

fn exceeded(limit: LimitName, allowed: f64, actual: f64) -> LimitExceeded {
    LimitExceeded {
        limit,
        allowed,
        actual,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_limit_that_was_passed() {
        let limits = MediaLimits::default();
        assert!(limits.check_frame(7680, 4320).is_ok());
        assert_eq!(
            limits.check_frame(8193, 1).unwrap_err().limit,
            LimitName::MaxSidePx
        );
        assert_eq!(
            limits.check_frame(8192, 8192).unwrap_err().limit,
            LimitName::MaxPixels
        );
        assert!(limits.check_duration(4.0 * 3600.0).is_ok());
        let error = limits.check_duration(14401.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "max_duration_s is 14400, the file has 14401"
        );
    }
}
