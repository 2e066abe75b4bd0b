//! `jaga doctor`'s question to the walls: children that try to get out, one a try.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::Program;
use crate::media::config::MediaConfig;
use crate::media::error::MediaError;
use crate::media::sandbox::ChildConfig;
use crate::media::sandbox::attempts::{Attempt, End};

/// What a try may use: little, so that using up everything is quick.
const SMALL: ChildConfig = ChildConfig {
    memory_bytes: 512 << 20,
    cpu_seconds: 1,
    uid: 65_534,
    gid: 65_534,
};
/// How long one try may take; those that spin take two seconds of processor time.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(2);
/// Most that is read of what a try says.
const SAID_BYTES: u64 = 4096;

/// What became of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The try.
    pub attempt: Attempt,
    /// How it ended, in the words of [`End`]; `done` when the child got what it wanted.
    pub outcome: String,
    /// True when it ended as it must.
    pub stopped: bool,
}

/// Lets a child of `config` try `attempt`. It is locked down as any child, with less memory and
/// time. Blocks, for seconds where the attempt isn't quick.
pub fn examine(config: &MediaConfig, attempt: Attempt) -> Result<Examination, MediaError> {
    let small = MediaConfig {
        child: ChildConfig {
            uid: config.child.uid,
            gid: config.child.gid,
            ..SMALL
        },
        ..config.clone()
    };
    let program = Program::of(&small)?;
    let mut child = Command::new(&program.path)
        .args(["self-test", attempt.name, &program.argument])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| MediaError::Spawn {
            program: program.path.clone(),
            source,
        })?;
    let outcome = outcome(&mut child).map_err(MediaError::Io);
    let _killed_or_dead = child.kill();
    let _reaped = child.wait();
    let outcome = outcome?;
    Ok(Examination {
        stopped: outcome == attempt.end.to_string(),
        attempt,
        outcome,
    })
}

fn outcome(child: &mut Child) -> std::io::Result<String> {
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= until {
            return Ok("no end".to_owned());
        }
        std::thread::sleep(PAUSE);
    };
    match (status.signal(), status.code()) {
        (Some(signal), _) => Ok(End::Signal(signal).to_string()),
        (None, Some(0)) => said(child),
        (None, code) => Ok(End::Exit(code.unwrap_or(-1)).to_string()),
    }
}

/// The last line of what a child that came to its end says: `errno N`, or `done`.
fn said(child: &mut Child) -> std::io::Result<String> {
    let mut text = Vec::new();
    if let Some(log) = child.stderr.take() {
        log.take(SAID_BYTES).read_to_end(&mut text)?;
    }
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().last().unwrap_or_default();
    let errno = line.strip_prefix("errno ").and_then(|n| n.parse().ok());
    Ok(errno.map_or_else(|| line.to_owned(), |number| End::Errno(number).to_string()))
}
