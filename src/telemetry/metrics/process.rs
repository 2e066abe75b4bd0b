//! What this process uses, as Linux says.

use procfs::process::Process;

/// Usage at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    pub(super) resident_bytes: u64,
    pub(super) descriptors: usize,
    pub(super) threads: i64,
    /// Seconds, user and system.
    pub(super) cpu_s: f64,
    /// Seconds since 1970.
    pub(super) start_s: f64,
}

/// `None` where `/proc` can't be read.
pub(super) fn usage() -> Option<Usage> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    Some(Usage {
        resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
        descriptors: process.fd_count().ok()?,
        threads: stat.num_threads,
        cpu_s: seconds(stat.utime.saturating_add(stat.stime)),
        start_s: procfs::boot_time_secs().ok()? as f64 + seconds(stat.starttime),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something_since_lately() {
        let usage = usage().unwrap();
        assert!(usage.resident_bytes > 1 << 20 && usage.descriptors >= 3 && usage.threads >= 1);
        let now = jiff::Timestamp::now().as_second() as f64;
        // The boot time is whole seconds.
        assert!(usage.start_s <= now + 2.0 && usage.start_s > now - 86_400.0);
        let before = usage.cpu_s;
        assert!(super::usage().unwrap().cpu_s >= before);
    }
}
