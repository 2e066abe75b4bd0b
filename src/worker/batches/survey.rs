//! A manifest, looked at while it comes in: line by line, in pieces of any size.

use std::collections::HashSet;

use super::line::{Line, LineFault};

/// What a manifest may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines, the empty ones left aside.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// Bytes of one line, without its end.
    pub line_bytes: usize,
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// One of its lines is wrong.
    #[error("line {line} of the manifest: {fault}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// It has too many lines.
    #[error("the manifest has more than {limit} lines")]
    Lines {
        /// Lines that it may have.
        limit: u64,
    },
    /// It is too long.
    #[error("the manifest has more than {limit} bytes")]
    Bytes {
        /// Bytes that it may have.
        limit: u64,
    },
    /// It has no line.
    #[error("the manifest has no line")]
    Empty,
}

/// 16 bytes of the hash of a line's id: what is remembered of it.
pub fn digest(id: &str) -> u128 {
    let mut digest = [0; 16];
    blake3::Hasher::new()
        .update(id.as_bytes())
        .finalize_xof()
        .fill(&mut digest);
    u128::from_le_bytes(digest)
}

/// Checks a manifest piece by piece. Holds one line, and 16 bytes of each id that it saw.
#[derive(Debug)]
pub struct Survey {
    limits: Limits,
    /// What came of the line that isn't whole.
    begun: Vec<u8>,
    bytes: u64,
    /// Line ends so far.
    ends: u64,
    seen: HashSet<u128>,
}

impl Survey {
    /// Of a manifest of which nothing came yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            begun: Vec::new(),
            bytes: 0,
            ends: 0,
            seen: HashSet::new(),
        }
    }

    /// What the manifest may have.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Refuses a manifest that is announced as too long.
    pub fn declared(&self, bytes: Option<u64>) -> Result<(), ManifestFault> {
        let limit = self.limits.bytes;
        if bytes.is_some_and(|bytes| bytes > limit) {
            return Err(ManifestFault::Bytes { limit });
        }
        Ok(())
    }

    /// Takes the next piece; `accept` sees each whole line and may refuse it.
    pub fn push(
        &mut self,
        piece: &[u8],
        mut accept: impl FnMut(&Line) -> Result<(), LineFault>,
    ) -> Result<(), ManifestFault> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.limits.bytes {
            return Err(ManifestFault::Bytes {
                limit: self.limits.bytes,
            });
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            if self.begun.len().saturating_add(text.len()) > self.limits.line_bytes {
                let limit = self.limits.line_bytes;
                return Err(self.wrong(LineFault::Long { limit }));
            }
            self.begun.extend_from_slice(text);
            if is_whole {
                self.line(&mut accept)?;
            }
        }
        Ok(())
    }

    /// Takes the end; the last line may lack its own. Returns the number of lines.
    pub fn finish(
        mut self,
        mut accept: impl FnMut(&Line) -> Result<(), LineFault>,
    ) -> Result<u64, ManifestFault> {
        self.line(&mut accept)?;
        match self.seen.len() as u64 {
            0 => Err(ManifestFault::Empty),
            lines => Ok(lines),
        }
    }

    fn line(
        &mut self,
        accept: &mut impl FnMut(&Line) -> Result<(), LineFault>,
    ) -> Result<(), ManifestFault> {
        let text = std::mem::take(&mut self.begun);
        if !text.trim_ascii().is_empty() {
            let line = Line::parse(&text).map_err(|fault| self.wrong(fault))?;
            if !self.seen.insert(digest(&line.id)) {
                return Err(self.wrong(LineFault::Twice { id: line.id }));
            }
            if self.seen.len() as u64 > self.limits.lines {
                return Err(ManifestFault::Lines {
                    limit: self.limits.lines,
                });
            }
            accept(&line).map_err(|fault| self.wrong(fault))?;
        }
        self.ends = self.ends.saturating_add(1);
        self.begun = text;
        self.begun.clear();
        Ok(())
    }

    fn wrong(&self, fault: LineFault) -> ManifestFault {
        ManifestFault::Line {
            line: self.ends.saturating_add(1),
            fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        lines: 3,
        bytes: 1000,
        line_bytes: 40,
    };

    /// In pieces of `size` bytes.
    fn survey(text: &str, size: usize) -> Result<Vec<String>, ManifestFault> {
        let (mut survey, mut ids) = (Survey::new(LIMITS), Vec::new());
        let mut accept = |line: &Line| {
            ids.push(line.id.clone());
            match line.id.as_str() {
                "no" => Err(LineFault::Refused("not this one".to_owned())),
                _ => Ok(()),
            }
        };
        for piece in text.as_bytes().chunks(size) {
            survey.push(piece, &mut accept)?;
        }
        let lines = survey.finish(&mut accept)?;
        assert_eq!(ids.len() as u64, lines);
        Ok(ids)
    }

    #[test]
    fn pieces_of_any_size_are_the_same_lines() {
        let text = "{\"id\":\"a\",\"url\":\"x\"}\r\n\n{\"id\":\"b\",\"url\":\"x\"}\n  \n{\"id\":\"c\",\"url\":\"ä\"}";
        for size in [1, 2, 3, 7, 50, 1000] {
            assert_eq!(survey(text, size).unwrap(), ["a", "b", "c"]);
            let ended = format!("{text}\n");
            assert_eq!(survey(&ended, size).unwrap(), ["a", "b", "c"]);
        }
    }

    #[test]
    fn a_refusal_names_the_line() {
        let line = |id: &str| format!("{{\"id\":\"{id}\",\"url\":\"x\"}}\n");
        let one = line("a");
        for (text, told) in [
            (
                format!("{one}\n{one}"),
                "line 3 of the manifest: the id \"a\" stands in an earlier line",
            ),
            (
                format!("{one}{{"),
                "line 2 of the manifest: EOF while parsing an object (column 1)",
            ),
            (
                one.clone() + &line(&"x".repeat(50)),
                "line 2 of the manifest: the line has more than 40 bytes",
            ),
            (
                one.clone() + &line("no"),
                "line 2 of the manifest: not this one",
            ),
            (
                one + &line("b") + &line("c") + &line("d"),
                "the manifest has more than 3 lines",
            ),
            ("\n".repeat(1001), "the manifest has more than 1000 bytes"),
            (" \r\n\n".to_owned(), "the manifest has no line"),
        ] {
            for size in [1, 11, 2000] {
                assert_eq!(survey(&text, size).unwrap_err().to_string(), told);
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_whole() {
        let mut survey = Survey::new(LIMITS);
        let fault = survey.push(&[b' '; 41], |_| Ok(())).unwrap_err();
        assert!(fault.to_string().ends_with("more than 40 bytes"), "{fault}");
        assert!(survey.begun.is_empty());
    }
}
