//! Just enough of the box structure of MP4 files (ISO/IEC 14496-12) to see whether their video is
//! encrypted: the sample entry `encv` in moov/trak/mdia/minf/stbl/stsd.

use std::io::{self, Read, Seek, SeekFrom};

use crate::fault::Stop;
use crate::input::Upload;

/// Boxes to look at before giving up; a real file has hundreds.
const MOST_BOXES: u32 = 20_000;
/// Boxes within boxes on the way to a sample entry.
const MOST_DEPTH: u32 = 8;
/// Bytes of version, flags and entry count before the first sample entry.
const SAMPLE_ENTRIES_AT: u64 = 8;

/// True when some track's samples are announced as encrypted video. False for whatever is no MP4.
pub(crate) fn announces_encrypted_video(upload: &Upload) -> Result<bool, Stop> {
    let head = upload.head(8)?;
    if head.get(4..) != Some(b"ftyp") && head.get(4..) != Some(b"styp") {
        return Ok(false);
    }
    let mut walk = Walk {
        end: upload.bytes(),
        source: upload.rewound(),
        left: MOST_BOXES,
        depth: 0,
    };
    let whole = 0..walk.end;
    // A structure that can't be followed is for the demuxer to complain of.
    Ok(walk.finds_encrypted(whole).unwrap_or(false))
}

struct Walk<R> {
    source: R,
    end: u64,
    left: u32,
    /// Boxes around the one that is looked at.
    depth: u32,
}

impl<R: Read + Seek> Walk<R> {
    fn finds_encrypted(&mut self, mut within: std::ops::Range<u64>) -> io::Result<bool> {
        while within.start.saturating_add(8) <= within.end && self.left > 0 {
            self.left -= 1;
            let (kind, content, next) = self.header(within.start, within.end)?;
            let inner = match &kind {
                b"encv" => return Ok(true),
                b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => content..next,
                b"stsd" => content.saturating_add(SAMPLE_ENTRIES_AT)..next,
                _ => next..next,
            };
            if self.depth < MOST_DEPTH {
                self.depth += 1;
                if self.finds_encrypted(inner)? {
                    return Ok(true);
                }
                self.depth -= 1;
            }
            within.start = next;
        }
        Ok(false)
    }

    /// The box at `at`: its kind, where its content starts, where it ends. A box that goes past
    /// its parent is cut, so that every step goes forward and none leaves the parent.
    fn header(&mut self, at: u64, end: u64) -> io::Result<([u8; 4], u64, u64)> {
        self.source.seek(SeekFrom::Start(at))?;
        let (size, kind) = (self.u32()?, self.array()?);
        let (size, content) = match size {
            0 => (end.saturating_sub(at), at.saturating_add(8)),
            1 => (u64::from_be_bytes(self.array()?), at.saturating_add(16)),
            size => (u64::from(size), at.saturating_add(8)),
        };
        let next = at.saturating_add(size).clamp(content, end.max(content));
        Ok((kind, content, next))
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        let size = u32::try_from(content.len() + 8).unwrap();
        [&size.to_be_bytes(), &kind, content].concat()
    }

    fn movie(entry: [u8; 4]) -> Vec<u8> {
        let entries = [&[0; 8], boxed(entry, &[0; 70]).as_slice()].concat();
        let mut inner = boxed(*b"stsd", &entries);
        for kind in [b"stbl", b"minf", b"mdia", b"trak", b"moov"] {
            inner = [boxed(*b"free", &[0; 3]), boxed(*kind, &inner)].concat();
        }
        inner
    }

    fn found(bytes: &[u8]) -> bool {
        let end = bytes.len() as u64;
        let mut walk = Walk {
            source: Cursor::new(bytes),
            end,
            left: MOST_BOXES,
            depth: 0,
        };
        walk.finds_encrypted(0..end).unwrap_or(false)
    }

    #[test]
    fn the_sample_entry_is_found_and_only_that() {
        assert!(found(&movie(*b"encv")));
        assert!(!found(&movie(*b"avc1")) && !found(&movie(*b"enca")));
        assert!(
            !found(&boxed(*b"mdat", &movie(*b"encv"))),
            "inside the data"
        );
    }

    #[test]
    fn sizes_that_lie_end_the_walk() {
        assert!(!found(&[0; 64]));
        assert!(!found(&[
            0, 0, 0, 1, b'm', b'o', b'o', b'v', 0xff, 0xff, 0xff, 0xff
        ]));
        let mut deep = vec![0, 0, 0, 0];
        deep.extend_from_slice(b"moov");
        assert!(!found(&deep.repeat(10)));
    }
}
