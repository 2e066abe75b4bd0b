//! The pace of an upload: one that trickles is given up long before its whole time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::config::ServerConfig;

/// What an upload has to keep.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadPace {
    bytes_per_s: u32,
    window: Duration,
    least: u64,
}

/// Set when a body was given up for its pace.
#[derive(Debug, Clone, Default)]
pub(super) struct TooSlow(Arc<AtomicBool>);

/// A body that was given up.
#[derive(Debug, thiserror::Error)]
#[error("the upload is too slow")]
struct GivenUp;

impl TooSlow {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl UploadPace {
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            bytes_per_s: config.min_upload_bytes_per_s,
            window: Duration::from_secs_f64(config.pace_window_s),
            least: config.least_in_window(config.min_upload_bytes_per_s),
        }
    }

    pub(super) fn bytes_per_s(self) -> u32 {
        self.bytes_per_s
    }

    /// The same body, which ends with an error when it stays below the pace. Only time in which
    /// the client was waited for counts, not that of a busy disk.
    pub(super) fn keep(self, body: Body) -> (Body, TooSlow) {
        let too_slow = TooSlow::default();
        let start = Some((body.into_data_stream(), Window::default(), too_slow.clone()));
        let pieces = stream::unfold(start, move |state| async move {
            let (mut body, mut window, too_slow) = state?;
            loop {
                let begin = Instant::now();
                let left = self.window.saturating_sub(window.waited);
                let piece = timeout(left, body.next()).await;
                window.waited = window.waited.saturating_add(begin.elapsed());
                let came = match &piece {
                    Ok(Some(Ok(piece))) => piece.len() as u64,
                    Ok(Some(Err(_)) | None) | Err(_) => 0,
                };
                window.bytes = window.bytes.saturating_add(came);
                if window.waited >= self.window {
                    if window.bytes < self.least && !matches!(piece, Ok(None)) {
                        too_slow.0.store(true, Ordering::Relaxed);
                        return Some((Err(axum::Error::new(GivenUp)), None));
                    }
                    window = Window::default();
                }
                if let Ok(piece) = piece {
                    let piece: Result<Bytes, axum::Error> = piece?;
                    return Some((piece, Some((body, window, too_slow))));
                }
            }
        });
        (Body::from_stream(pieces), too_slow)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    waited: Duration,
    bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` pieces of `bytes`, one every `every_ms`.
    fn trickle(count: u32, bytes: usize, every_ms: u64) -> Body {
        let pieces = stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(Duration::from_millis(every_ms)).await;
            Ok::<_, axum::Error>(Bytes::from(vec![0; bytes]))
        });
        Body::from_stream(pieces)
    }

    async fn read(body: Body, bytes_per_s: u32) -> (Option<usize>, bool) {
        let config = ServerConfig {
            min_upload_bytes_per_s: bytes_per_s,
            pace_window_s: 10.0,
            ..ServerConfig::default()
        };
        let (body, too_slow) = UploadPace::new(&config).keep(body);
        let read = axum::body::to_bytes(body, usize::MAX).await;
        (read.ok().map(|bytes| bytes.len()), too_slow.is_set())
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_upload_is_given_up_and_one_that_keeps_the_pace_is_not() {
        assert_eq!(
            read(trickle(100, 1000, 1000), 900).await,
            (Some(100_000), false)
        );
        assert_eq!(read(trickle(100, 1000, 1000), 1100).await, (None, true));
        assert_eq!(
            read(trickle(100, 1000, 1000), 0).await,
            (Some(100_000), false)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_within_the_window_is_forgiven_and_a_long_one_is_not() {
        assert_eq!(
            read(trickle(3, 50_000, 9_000), 1000).await,
            (Some(150_000), false)
        );
        assert_eq!(read(trickle(3, 50_000, 21_000), 1000).await, (None, true));
    }

    #[tokio::test(start_paused = true)]
    async fn the_disks_time_is_not_the_clients() {
        let config = ServerConfig::default();
        let (body, too_slow) = UploadPace::new(&config).keep(trickle(5, 10, 1));
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            piece.unwrap();
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        assert!(!too_slow.is_set());
    }
}
