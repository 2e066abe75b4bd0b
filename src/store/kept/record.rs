//! One report's vectors in one space, as bytes.
//!
//! Little endian: report id (26 bytes), planned, decoded, left out, frames, dim (u32 each), duration
//! (f64); then for each frame its time (f64), side (u32), brightness, contrast, sharpness,
//! blockiness, flatness (f64 each) and its `dim` values (f32 each).

use crate::domain::quality::Measures;

/// Bytes of a report's id.
pub(super) const ID: usize = 26;
/// Bytes before the frames.
const HEAD: usize = ID + 5 * 4 + 8;
/// Bytes of a frame before its vector.
const FRAME_HEAD: usize = 8 + 4 + 5 * 8;

/// What one backbone made of one video, frame by frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Id of the report.
    pub report: String,
    /// Frames that the plan asked for.
    pub planned: u32,
    /// Of these, frames that were decoded.
    pub decoded: u32,
    /// Of these, frames too poor for any model.
    pub unfit: u32,
    /// Length of the video in seconds.
    pub duration_s: f64,
    /// Frames of which there is a vector, ascending in time.
    pub frames: Vec<VectorFrame>,
}

/// One frame's vector.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorFrame {
    /// Seconds after the first video frame.
    pub time_s: f64,
    /// How good the picture is: a model's scope asks.
    pub measures: Measures,
    /// As the backbone gave it, of the same length for all frames.
    pub vector: Vec<f32>,
}

impl Record {
    /// As bytes; `None` for frames of different lengths, and for an id that is none.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let dim = self.frames.first().map_or(0, |frame| frame.vector.len());
        let id: [u8; ID] = self.report.as_bytes().try_into().ok()?;
        let frame_bytes = FRAME_HEAD.checked_add(dim.checked_mul(4)?)?;
        let all = frame_bytes.checked_mul(self.frames.len())?;
        let mut bytes = Vec::with_capacity(all.checked_add(HEAD)?);
        bytes.extend(id);
        let (frames, width) = (self.frames.len(), dim);
        let counts = [u32::try_from(frames).ok()?, u32::try_from(width).ok()?];
        let counts = [self.planned, self.decoded, self.unfit]
            .into_iter()
            .chain(counts);
        bytes.extend(counts.flat_map(u32::to_le_bytes));
        bytes.extend(self.duration_s.to_le_bytes());
        for frame in &self.frames {
            if frame.vector.len() != dim {
                return None;
            }
            let m = &frame.measures;
            bytes.extend(frame.time_s.to_le_bytes());
            bytes.extend(m.side.to_le_bytes());
            let measures = [
                m.brightness,
                m.contrast,
                m.sharpness,
                m.blockiness,
                m.flatness,
            ];
            bytes.extend(measures.into_iter().flat_map(f64::to_le_bytes));
            bytes.extend(frame.vector.iter().flat_map(|value| value.to_le_bytes()));
        }
        Some(bytes)
    }

    /// From bytes; `None` for anything that [`Record::encode`] doesn't give.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let report = rest.report()?;
        let (planned, decoded, unfit) = (rest.u32()?, rest.u32()?, rest.u32()?);
        let (count, dim) = (rest.u32()?, rest.u32()?);
        let duration_s = rest.f64()?;
        let (count, dim) = (usize::try_from(count).ok()?, usize::try_from(dim).ok()?);
        let frame_bytes = FRAME_HEAD.checked_add(dim.checked_mul(4)?)?;
        if frame_bytes.checked_mul(count)? != rest.0.len() {
            return None;
        }
        let mut frames = Vec::with_capacity(count);
        for _ in 0..count {
            let time_s = rest.f64()?;
            let measures = Measures {
                side: rest.u32()?,
                brightness: rest.f64()?,
                contrast: rest.f64()?,
                sharpness: rest.f64()?,
                blockiness: rest.f64()?,
                flatness: rest.f64()?,
            };
            let (values, _) = rest.take(dim.checked_mul(4)?)?.as_chunks::<4>();
            frames.push(VectorFrame {
                time_s,
                measures,
                vector: values
                    .iter()
                    .map(|value| f32::from_le_bytes(*value))
                    .collect(),
            });
        }
        Some(Self {
            report,
            planned,
            decoded,
            unfit,
            duration_s,
            frames,
        })
    }
}

/// Id of the report whose record begins so.
pub(super) fn report(bytes: &[u8]) -> Option<String> {
    Reader(bytes).report()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn report(&mut self) -> Option<String> {
        let id = std::str::from_utf8(self.take(ID)?).ok()?;
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
            .then(|| id.to_owned())
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store::kept) fn record(report: &str, frames: usize) -> Record {
        let frame = |n: usize| VectorFrame {
            time_s: n as f64 / 3.0,
            measures: Measures {
                side: 320,
                brightness: 100.1,
                contrast: 50.2,
                sharpness: 300.3,
                blockiness: 0.4,
                flatness: 0.5,
            },
            vector: vec![n as f32 * 0.1, -1.0, f32::MIN_POSITIVE],
        };
        Record {
            report: report.to_owned(),
            planned: 16,
            decoded: 15,
            unfit: 1,
            duration_s: 5.4,
            frames: (0..frames).map(frame).collect(),
        }
    }

    #[test]
    fn a_record_comes_back_bit_by_bit_and_no_other_length_does() {
        for frames in [0, 1, 14] {
            let record = record("01KAVW9Z0000000000000000R1", frames);
            let bytes = record.encode().unwrap();
            assert_eq!(Record::decode(&bytes), Some(record));
            for length in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..length]), None);
            }
            assert_eq!(Record::decode(&[bytes, vec![0]].concat()), None);
        }
        let mut uneven = record("01KAVW9Z0000000000000000R1", 2);
        uneven.frames[1].vector.pop();
        assert_eq!(uneven.encode(), None);
        assert_eq!(record("../x", 1).encode(), None);
    }
}
