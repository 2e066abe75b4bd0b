//! How a child ended, by the kernel's word: the one statement that a hostile child can't forge.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::media::error::MediaError;
use crate::media::limits::{LimitExceeded, LimitName};
use crate::media::sandbox::ChildConfig;
use crate::media::sandbox::attempts::{EXIT_OUT_OF_MEMORY, SIGKILL, SIGSYS, SIGXCPU};

/// A child's end and the processor time that it had used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    status: ExitStatus,
    /// Seconds; `None` where `/proc` doesn't say.
    cpu_s: Option<f64>,
}

impl Ending {
    /// Looks whether the child has ended, and reaps it then.
    pub(super) fn of(child: &mut Child) -> std::io::Result<Option<Self>> {
        let pid = Pid::from_child(child);
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if waitid(WaitId::Pid(pid), look)?.is_none() {
            return Ok(None);
        }
        // Its figures are there until it is reaped.
        let cpu_s = cpu_seconds(pid);
        Ok(child.try_wait()?.map(|status| Self { status, cpu_s }))
    }

    /// The error that this end stands for when the child's stream was not complete; `log` is the
    /// last line that it wrote.
    pub(super) fn error(self, child: &ChildConfig, log: String) -> MediaError {
        let allowed = child.cpu_seconds as f64;
        let used = self.cpu_s.unwrap_or(0.0);
        match (self.status.signal(), self.status.code()) {
            (Some(SIGSYS), _) => MediaError::SandboxViolation,
            (Some(SIGXCPU), _) => limit(LimitName::CpuSeconds, allowed, used.max(allowed)),
            // A child that ignores the signal is killed a second later.
            (Some(SIGKILL), _) if used >= allowed => limit(LimitName::CpuSeconds, allowed, used),
            (_, Some(EXIT_OUT_OF_MEMORY)) => {
                let allowed = child.memory_bytes as f64;
                limit(LimitName::Memory, allowed, allowed)
            }
            _ => MediaError::ChildDied {
                status: self.status.to_string(),
                log,
            },
        }
    }
}

fn limit(limit: LimitName, allowed: f64, actual: f64) -> MediaError {
    MediaError::Limit(LimitExceeded {
        limit,
        allowed,
        actual,
    })
}

/// Processor time of a process and its threads, user and system, from `/proc/<pid>/stat`.
fn cpu_seconds(pid: Pid) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let ticks: u64 = cpu_ticks(&stat)?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Fields 14 and 15, counted as in proc(5). The name in field 2 may hold anything, so the count
/// starts behind its last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::error::MediaErrorKind;

    fn ending(raw: i32, cpu_s: f64) -> Ending {
        Ending {
            status: ExitStatus::from_raw(raw),
            cpu_s: Some(cpu_s),
        }
    }

    #[test]
    fn ends_have_their_errors() {
        let child = ChildConfig {
            cpu_seconds: 10,
            ..ChildConfig::default()
        };
        let error = |raw, cpu_s| ending(raw, cpu_s).error(&child, "last words".to_owned());
        assert!(matches!(error(31, 0.0), MediaError::SandboxViolation));
        let cases = [
            (24, 10.0, Some("cpu_seconds")),
            (9, 11.0, Some("cpu_seconds")),
            (9, 9.0, None),
            (77 << 8, 1.0, Some("memory")),
            (1 << 8, 1.0, None),
            (11, 1.0, None),
        ];
        for (raw, cpu_s, limit) in cases {
            match (error(raw, cpu_s), limit) {
                (MediaError::Limit(passed), Some(name)) => {
                    assert_eq!(passed.limit.to_string(), name, "{raw}");
                }
                (error @ MediaError::ChildDied { .. }, None) => {
                    assert_eq!(error.kind(), MediaErrorKind::Corrupt);
                    assert!(error.to_string().contains("last words"));
                }
                (other, _) => panic!("{raw} {cpu_s}: {other}"),
            }
        }
    }

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 10 0 0 0 25 17 0 0 20 0 1 0 100 200 300";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("7 (a"), None);
    }

    #[test]
    fn an_end_is_seen_once_and_reaped() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read x; exit 3"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(Ending::of(&mut child).unwrap().is_none());
        drop(child.stdin.take());
        let pid = Pid::from_child(&child);
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )
        .unwrap();
        let ending = Ending::of(&mut child).unwrap().unwrap();
        assert_eq!(ending.status.code(), Some(3));
        assert!(ending.cpu_s.is_some());
    }
}
