//! The lines of a manifest that was surveyed before.

use std::io::{self, BufRead, Read};

use super::line::{Line, LineFault};
use crate::store::batches::Place;

/// Reads lines one after the other, and knows how far it is.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    place: Place,
    longest: usize,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// From `place`, at which `reader` stands. No line has more than `longest` bytes.
    pub fn new(reader: R, place: Place, longest: usize) -> Self {
        Self {
            reader,
            place,
            longest,
            text: Vec::new(),
        }
    }

    /// After the last line that was read.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The next line; `None` at the end. Empty ones are passed over.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.text.clear();
            let most = (self.longest as u64).saturating_add(1);
            let read = (&mut self.reader)
                .take(most)
                .read_until(b'\n', &mut self.text)? as u64;
            if read == 0 {
                return Ok(None);
            }
            if read == most && !self.text.ends_with(b"\n") {
                return Err(changed(LineFault::Long {
                    limit: self.longest,
                }));
            }
            self.place.bytes = self.place.bytes.saturating_add(read);
            if !self.text.trim_ascii().is_empty() {
                self.place.lines = self.place.lines.saturating_add(1);
                return Line::parse(&self.text).map(Some).map_err(changed);
            }
        }
    }
}

/// It was right when it was surveyed.
fn changed(fault: LineFault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_at_any_place() {
        let text = "{\"id\":\"a\",\"url\":\"x\"}\n\n{\"id\":\"b\",\"url\":\"x\"}\r\n{\"id\":\"c\",\"url\":\"x\"}";
        let mut lines = Lines::new(text.as_bytes(), Place::default(), 30);
        let mut ids = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            ids.push(line.id);
            let place = lines.place();
            let rest = &text.as_bytes()[usize::try_from(place.bytes).unwrap()..];
            let mut rest = Lines::new(rest, place, 30);
            let next = rest.next_line().unwrap();
            assert_eq!(next.is_some(), place.lines < 3);
            assert_eq!(rest.place().lines, 3.min(place.lines + 1));
        }
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(lines.place().bytes, text.len() as u64);
    }

    #[test]
    fn a_file_that_changed_is_an_error() {
        for text in ["{}\n", "x", &"x".repeat(40)] {
            let mut lines = Lines::new(text.as_bytes(), Place::default(), 30);
            let error = lines.next_line().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
        }
    }
}
