//! What is known of one connection, and when it has to end.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::http::config::ServerConfig;

/// How long a connection may be of no use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request (or of the connection) to the end of its header lines.
    pub(super) header: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// Over which the pace of a reader is taken.
    pub(super) window: Duration,
    /// Bytes that a reader has to take in a window.
    pub(super) least: u64,
}

impl Patience {
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            header: Duration::from_secs_f64(config.header_timeout_s),
            idle: Duration::from_secs_f64(config.idle_timeout_s),
            window: Duration::from_secs_f64(config.pace_window_s),
            least: config.least_in_window(config.min_response_bytes_per_s),
        }
    }

    /// How often a connection is looked at: it ends late by this at most.
    pub(super) fn check_every(&self) -> Duration {
        self.header.min(self.idle).min(self.window) / 2
    }
}

/// Why a connection was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Header lines that took too long, or none at all.
    Header,
    /// No request for too long.
    Idle,
    /// An answer that is taken too slowly.
    Reader,
}

/// Shared by a connection's stream, its requests and its task.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Patience,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests whose answer isn't complete.
    requests: u32,
    /// Answers of them that the client could take and doesn't.
    owed: u32,
    /// Bytes wait for the client's side of the socket.
    blocked: bool,
    /// Since when there has been no request.
    since: Instant,
    /// First byte of the request that is to come.
    head: Option<Instant>,
    multiplexed: bool,
    pace: Option<Window>,
}

/// What was written since when, while the client owes us reading.
#[derive(Debug, Clone, Copy)]
struct Window {
    begin: Instant,
    bytes: u64,
}

impl State {
    /// Begins or ends the window in which a reader's pace is taken.
    fn settle(&mut self, now: Instant) {
        if self.owed > 0 || self.blocked {
            self.pace.get_or_insert(Window {
                begin: now,
                bytes: 0,
            });
        } else {
            self.pace = None;
        }
    }
}

impl Watch {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            state: Mutex::new(State {
                requests: 0,
                owed: 0,
                blocked: false,
                since: now,
                // The first request's time begins with the connection.
                head: Some(now),
                multiplexed: false,
                pace: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came in.
    pub(super) fn read(&self, now: Instant) {
        let mut state = self.state();
        // On HTTP/2 they may be anything; there the time between requests counts alone.
        if state.requests == 0 && !state.multiplexed {
            state.head.get_or_insert(now);
        }
    }

    /// The client's side of the socket took bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        if let Some(pace) = &mut self.state().pace {
            pace.bytes = pace.bytes.saturating_add(bytes as u64);
        }
    }

    /// The socket takes nothing more for now.
    pub(super) fn blocked(&self, now: Instant) {
        let mut state = self.state();
        state.blocked = true;
        state.settle(now);
    }

    /// All that there was has been written.
    pub(super) fn flushed(&self, now: Instant) {
        let mut state = self.state();
        if state.blocked {
            state.blocked = false;
            state.since = now;
            state.settle(now);
        }
    }

    /// A request's header lines are complete.
    pub(super) fn request(&self, multiplexed: bool) {
        let mut state = self.state();
        state.requests = state.requests.saturating_add(1);
        state.multiplexed = multiplexed;
        state.head = None;
    }

    /// An answer is complete, or was given up.
    pub(super) fn answered(&self, now: Instant) {
        let mut state = self.state();
        state.requests = state.requests.saturating_sub(1);
        state.since = now;
    }

    /// One more answer (or one less) that the client could take.
    pub(super) fn owe(&self, owed: bool, now: Instant) {
        let mut state = self.state();
        state.owed = if owed {
            state.owed.saturating_add(1)
        } else {
            state.owed.saturating_sub(1)
        };
        state.settle(now);
    }

    /// Whether the connection has to end now, and why.
    pub(super) fn overdue(&self, now: Instant) -> Option<Overdue> {
        let mut state = self.state();
        if let Some(pace) = state.pace {
            if now.duration_since(pace.begin) < self.patience.window {
                return None;
            }
            if pace.bytes < self.patience.least {
                return Some(Overdue::Reader);
            }
            state.pace = Some(Window {
                begin: now,
                bytes: 0,
            });
            return None;
        }
        if state.requests > 0 {
            return None;
        }
        let late = |from: Option<Instant>, limit| {
            from.is_some_and(|from| now.duration_since(from) >= limit)
        };
        if late(state.head, self.patience.header) {
            return Some(Overdue::Header);
        }
        late(Some(state.since), self.patience.idle).then_some(Overdue::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience {
            header: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            window: Duration::from_secs(20),
            least: 1000,
        }
    }

    fn begun() -> (Watch, Instant) {
        let now = Instant::now();
        (Watch::new(patience(), now), now)
    }

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_and_slow_headers_have_the_same_time() {
        let (watch, begin) = begun();
        watch.read(after(begin, 9));
        assert_eq!(watch.overdue(after(begin, 9)), None);
        assert_eq!(watch.overdue(after(begin, 10)), Some(Overdue::Header));
    }

    #[test]
    fn a_handler_may_take_its_time_and_the_rest_between_requests_is_longer() {
        let (watch, begin) = begun();
        watch.request(false);
        assert_eq!(watch.overdue(after(begin, 1000)), None);
        watch.answered(after(begin, 1000));
        assert_eq!(watch.overdue(after(begin, 1059)), None);
        assert_eq!(watch.overdue(after(begin, 1060)), Some(Overdue::Idle));
        watch.read(after(begin, 1030));
        assert_eq!(watch.overdue(after(begin, 1040)), Some(Overdue::Header));
    }

    #[test]
    fn frames_between_requests_of_http_2_are_no_header() {
        let (watch, begin) = begun();
        watch.request(true);
        watch.answered(begin);
        watch.read(after(begin, 1));
        assert_eq!(watch.overdue(after(begin, 59)), None);
        assert_eq!(watch.overdue(after(begin, 60)), Some(Overdue::Idle));
    }

    #[test]
    fn a_reader_has_to_keep_a_pace() {
        let (watch, begin) = begun();
        watch.request(false);
        watch.blocked(begin);
        watch.wrote(1000);
        assert_eq!(watch.overdue(after(begin, 20)), None);
        // A little now and then doesn't begin a new window.
        watch.wrote(999);
        watch.blocked(after(begin, 39));
        assert_eq!(watch.overdue(after(begin, 39)), None);
        assert_eq!(watch.overdue(after(begin, 40)), Some(Overdue::Reader));
    }

    #[test]
    fn an_answer_that_waits_for_the_handler_is_not_the_clients_fault() {
        let (watch, begin) = begun();
        watch.request(true);
        watch.owe(true, begin);
        watch.owe(false, after(begin, 1));
        assert_eq!(watch.overdue(after(begin, 1000)), None);
        watch.owe(true, after(begin, 1000));
        assert_eq!(watch.overdue(after(begin, 1020)), Some(Overdue::Reader));
    }

    #[test]
    fn idleness_begins_when_the_last_byte_is_out() {
        let (watch, begin) = begun();
        watch.request(false);
        watch.blocked(begin);
        watch.answered(after(begin, 1));
        watch.wrote(5000);
        watch.flushed(after(begin, 15));
        assert_eq!(watch.overdue(after(begin, 74)), None);
        assert_eq!(watch.overdue(after(begin, 75)), Some(Overdue::Idle));
    }
}
