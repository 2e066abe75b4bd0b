//! What a refused client still sends. Most send all of their request before they read, and who is
//! closed on meanwhile sees a broken pipe in place of the answer that says why.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use hyper::{Request, Version};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::stream::Exchange;
use super::watch::Watch;
use crate::http::pace::UploadPace;

/// How long an upload that nobody wants is read on, as long as it keeps an upload's pace.
const LINGER: Duration = Duration::from_secs(30);

/// A request's body. What is left of it when its reader drops it is read and thrown away.
#[derive(Debug)]
pub(super) struct Upload {
    /// `None` once it is dropped.
    body: Option<Incoming>,
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    watch: Arc<Watch>,
    pace: UploadPace,
}

impl Upload {
    /// The request with its body watched over.
    pub(super) fn of(
        request: Request<Incoming>,
        watch: &Arc<Watch>,
        pace: UploadPace,
    ) -> Request<Self> {
        // HTTP/2 ends one stream and keeps the connection; who expects a 100 waits for an answer.
        let lingers =
            request.version() < Version::HTTP_2 && !request.headers().contains_key(EXPECT);
        let linger = lingers.then(|| Linger {
            watch: Arc::clone(watch),
            pace,
        });
        request.map(|body| Self {
            body: Some(body),
            linger,
        })
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(body), Some(linger)) = (self.body.take(), self.linger.take()) else {
            return;
        };
        // Without a runtime the server has ended, and the connection with it.
        if let Ok(runtime) = Handle::try_current()
            && !hyper::body::Body::is_end_stream(&body)
        {
            // Counts as a request, or the idle connection would be ended.
            let exchange = Exchange::begin(&linger.watch, false);
            runtime.spawn(async move {
                let _exchange = exchange;
                let _ended = timeout(LINGER, discard(body, linger.pace)).await;
            });
        }
    }
}

async fn discard(body: Incoming, pace: UploadPace) {
    let (body, _too_slow) = pace.keep(Body::new(body));
    let mut pieces = body.into_data_stream();
    while let Some(Ok(_)) = pieces.next().await {}
}
