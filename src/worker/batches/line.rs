//! One line of a manifest.

use std::fmt::{self, Display};

use serde::Deserialize;

use crate::domain::region::Region;
use crate::domain::sampling::Strategy;
use crate::pipeline::Options;

/// Characters of an id or of a reference.
const LONGEST_WORD: usize = 255;

/// Where a line's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Behind a URL, whose form isn't checked yet.
    Url(String),
    /// In a file of this machine; on the command line only.
    Path(String),
}

/// A line whose form is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The caller's own; unlike in each line.
    pub id: String,
    /// What is to be scored.
    pub target: Target,
    /// The caller's own word for it.
    pub client_ref: Option<String>,
    /// How it is to be scored.
    pub options: Options,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It is no JSON object of the form that is wanted.
    #[error("{reason} (column {column})")]
    Form {
        /// What is wrong.
        reason: String,
        /// Where, from 1.
        column: usize,
    },
    /// A member that can't be.
    #[error("`{member}` must be {expected}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// It names nothing, or two things.
    #[error("a line has either `url` or `path`")]
    Target,
    /// It names a file, and its sender has no files here.
    #[error("`path` is for `jaga batch` on the command line; over HTTP a line has a `url`")]
    Path,
    /// Another line has this id.
    #[error("the id {id:?} stands in an earlier line")]
    Twice {
        /// The id.
        id: String,
    },
    /// It is too long.
    #[error("the line has more than {limit} bytes")]
    Long {
        /// Bytes that it may have.
        limit: usize,
    },
    /// What it asks for can't be done.
    #[error("{0}")]
    Refused(String),
}

/// As it is written. The options are those of a job by URL.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    id: String,
    url: Option<String>,
    path: Option<String>,
    client_ref: Option<String>,
    model: Vec<String>,
    policy: Option<String>,
    frames: Option<u32>,
    sampling: Option<Strategy>,
    adaptive: Option<bool>,
    frame_scores: bool,
    region: Option<Region>,
}

impl Line {
    /// Reads a line, without its end.
    pub fn parse(text: &[u8]) -> Result<Self, LineFault> {
        // A list would be read as an object's members in their order.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(LineFault::Form {
                reason: "expected a JSON object".to_owned(),
                column: 1,
            });
        }
        let written: Written = serde_json::from_slice(text).map_err(|error| {
            let told = error.to_string();
            let reason = told.split(" at line ").next().unwrap_or_default();
            LineFault::Form {
                reason: reason.to_owned(),
                column: error.column(),
            }
        })?;
        let fits = |word: &str| {
            word.chars().count() <= LONGEST_WORD && !word.chars().any(char::is_control)
        };
        if written.id.is_empty() || !fits(&written.id) {
            return Err(LineFault::Member {
                member: "id",
                expected: "1 to 255 printable characters",
            });
        }
        if !written.client_ref.as_deref().is_none_or(fits) {
            return Err(LineFault::Member {
                member: "client_ref",
                expected: "at most 255 printable characters",
            });
        }
        let target = match (written.url, written.path) {
            (Some(url), None) => Target::Url(url),
            (None, Some(path)) => Target::Path(path),
            (None, None) | (Some(_), Some(_)) => return Err(LineFault::Target),
        };
        Ok(Self {
            id: written.id,
            target,
            client_ref: written.client_ref,
            options: Options {
                models: written.model,
                policy: written.policy,
                frames: written.frames,
                sampling: written.sampling,
                frame_scores: written.frame_scores,
                adaptive: written.adaptive,
                region: written.region,
            },
        })
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(text) | Self::Path(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = Line::parse(
            br#"{"id":"a-1","url":"https://x.example/a","client_ref":"7","model":["m"],"policy":"p","frames":4,"sampling":"uniform","adaptive":true,"frame_scores":true,"region":"ID"}"#,
        )
        .unwrap();
        assert_eq!(
            (line.id.as_str(), line.client_ref.as_deref()),
            ("a-1", Some("7"))
        );
        assert_eq!(line.target, Target::Url("https://x.example/a".to_owned()));
        assert_eq!(line.options.models, ["m"]);
        assert_eq!(
            (line.options.frames, line.options.adaptive),
            (Some(4), Some(true))
        );
        let line = Line::parse(b"{\"path\":\"a b.mp4\",\"id\":\"1\"}\r").unwrap();
        assert_eq!(line.target, Target::Path("a b.mp4".to_owned()));
        assert_eq!(line.options, Options::default());
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            ("{\"id\":\"a\"", "EOF while parsing an object (column 9)"),
            ("[]", "expected a JSON object (column 1)"),
            (
                "{\"id\":7}",
                "invalid type: integer `7`, expected a string (column 7)",
            ),
            (
                "{\"id\":\"a\",\"ur\":\"x\"}",
                "unknown field `ur`, expected one of ",
            ),
            (
                "{\"url\":\"x\"}",
                "`id` must be 1 to 255 printable characters",
            ),
            ("{\"id\":\"a\\n\",\"url\":\"x\"}", "`id` must be "),
            ("{\"id\":\"a\"}", "a line has either `url` or `path`"),
            (
                "{\"id\":\"a\",\"url\":\"x\",\"path\":\"y\"}",
                "a line has either `url` or `path`",
            ),
        ] {
            let fault = Line::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(fault.starts_with(told), "{text}: {fault}");
        }
    }
}
