//! `GET /v1/jobs/{id}/events`: a job as it moves, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{find, whole};
use crate::domain::job::JobStatus;
use crate::http::access::Caller;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::store::jobs::Job;
use crate::worker::Desk;

/// Time after which a listener hears something, if only a comment.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Time between looks for the end of the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Follows a job: an event `status` with the job at once and whenever it stands elsewhere.
///
/// The last one has the report or the problem; then the stream ends. It also ends when the server
/// shuts down.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/events",
    operation_id = "job_events",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"))
)]
pub(in crate::http) async fn follow(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let desk = Arc::clone(state.desk()?);
    // Before the first look, so that nothing is missed between the two.
    let changes = desk.changes();
    let job = find(&desk, &caller, &id).await?;
    let listener = Listener {
        state,
        desk,
        changes,
        id,
        next: Next::Tell(Box::new(job)),
    };
    let events = futures_util::stream::unfold(listener, Listener::event);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What a listener was told last: where the job stands, in which attempt.
type Told = (JobStatus, u32);

enum Next {
    Tell(Box<Job>),
    Wait(Told),
    End,
}

struct Listener {
    state: AppState,
    desk: Arc<Desk>,
    changes: Receiver<Arc<str>>,
    id: String,
    next: Next,
}

impl Listener {
    async fn event(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let job = match std::mem::replace(&mut self.next, Next::End) {
            Next::Tell(job) => *job,
            Next::Wait(told) => self.changed(told).await?,
            Next::End => return None,
        };
        if !job.status.is_final() {
            self.next = Next::Wait((job.status, job.attempt));
        }
        let body = whole(&self.desk, job).await.ok()?;
        let event = Event::default().event("status").json_data(body).ok()?;
        Some((Ok(event), self))
    }

    /// The job once it stands elsewhere; `None` when it is gone or the server shuts down.
    async fn changed(&mut self, told: Told) -> Option<Job> {
        loop {
            match tokio::time::timeout(LOOK_EVERY, self.changes.recv()).await {
                Ok(Ok(id)) if *id != *self.id => continue,
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) if self.state.pipeline().is_err() => return None,
                // After a while without a ring too: nobody rings when the sweeper puts a job back.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
            }
            let job = self.desk.store().job(&self.id).await.ok()??;
            if (job.status, job.attempt) != told {
                return Some(job);
            }
        }
    }
}
