//! The first keyframe, decoded before anybody asked: what the container left unsaid of the picture
//! stands in it. A plan that wants it gets it from here.

use ffmpeg_next::codec::packet::Flags;
use ffmpeg_next::{Packet, frame};

use super::decode::Decoder;
use super::open::Opened;
use super::raw;
use super::reader::Reader;
use crate::Terms;
use crate::fault::Stop;
use crate::input::Upload;
use crate::timeline::Row;

/// A decoded keyframe.
pub(super) struct Peeked {
    /// Its packet.
    pub(super) row: usize,
    pub(super) frame: frame::Video,
}

/// Decodes the first keyframe and completes the stream's facts by it: size, aspect and colours as
/// the decoder sees them. `None`, and the container's word, where it can't be decoded.
pub(super) fn peek(
    opened: &mut Opened,
    upload: &Upload,
    terms: &Terms,
    rows: &[Row],
) -> Result<Option<Peeked>, Stop> {
    let Some(row) = rows.iter().position(|row| row.key) else {
        return Ok(None);
    };
    // One packet is all, and threads take longer to start than it does.
    let mut decoder = Decoder::open(opened, terms, 1)?;
    let mut packet = Packet::empty();
    Reader::new(opened, upload, terms, rows).read(row, &mut packet)?;
    // Decode it also when an edit list hides it.
    packet.set_flags(Flags::KEY);
    let mut peeked = None;
    let mut keep = |frame: &frame::Video| -> Result<(), Stop> {
        if !raw::is_damaged(frame) && peeked.is_none() {
            peeked = Some(Peeked {
                row,
                frame: frame.clone(),
            });
        }
        Ok(())
    };
    decoder.send(&packet, true, &mut keep)?;
    decoder.drain(&mut keep)?;
    if let Some(peeked) = &peeked {
        raw::complete(&mut opened.facts, &peeked.frame);
    }
    Ok(peeked)
}
