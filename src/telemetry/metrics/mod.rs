//! Counters and histograms of one server, and what `/metrics` shows.
//!
//! What happens is recorded by the doors, with one function for each thing that can happen; what
//! goes on inside the pipeline is read when somebody asks. So no layer below knows of Prometheus,
//! and two servers in one process share nothing.

mod labels;
mod names;
mod process;
mod scrape;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::domain::lanes::Lane;
use crate::domain::report::{FacesReport, ModelReport, Report, Timings};
use crate::pipeline::{AnalyzeError, Status};

pub use names::{Kind, Name};
pub use scrape::{LiveScores, Queues, Waiting};

/// Media type of [`Metrics::text`]: the OpenMetrics text that Prometheus reads.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper edges in seconds, from a request that is refused at once to the longest upload.
const DURATION_EDGES: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// A histogram of durations by some label.
type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

fn durations<L: Clone + std::hash::Hash + Eq>() -> Durations<L> {
    Family::new_with_constructor(|| Histogram::new(DURATION_EDGES))
}

/// One answered request.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The template of its route, such as `/v1/score`; never the path.
    pub route: &'a str,
    /// Of the answer.
    pub status: u16,
    /// Of the problem; empty when there was none.
    pub code: &'static str,
    /// From the request's head to the answer's head.
    pub elapsed: Duration,
}

/// How a handshake of TLS ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// There is a connection.
    Done,
    /// The two could not agree, or the client left.
    Failed,
    /// It took too long.
    TimedOut,
    /// The client spoke HTTP without TLS.
    Plain,
}

impl Handshake {
    /// As a label has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Plain => "plain_http",
        }
    }
}

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It had no key.
    NoKey,
    /// Its key is none, or no longer.
    WrongKey,
    /// Its key's role may not use the route.
    Role,
    /// Its key comes too often.
    KeyRate,
    /// Its address comes too often.
    AddressRate,
}

impl Refused {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::NoKey,
        Self::WrongKey,
        Self::Role,
        Self::KeyRate,
        Self::AddressRate,
    ];

    /// As a label has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::WrongKey => "wrong_key",
            Self::Role => "role",
            Self::KeyRate => "key_rate",
            Self::AddressRate => "address_rate",
        }
    }

    fn labels(self) -> labels::Refusal {
        labels::Refusal {
            reason: self.name(),
        }
    }
}

/// What one server counts. Cheap to record into from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<labels::Answer, Counter>,
    request_durations: Durations<labels::Route>,
    refused: Family<labels::Refusal, Counter>,
    handshakes: Family<labels::Outcome, Counter>,
    reloads: Family<labels::Outcome, Counter>,
    expiry: Family<labels::None, Gauge>,
    policy_reloads: Family<labels::Outcome, Counter>,
    upload_bytes: Counter,
    analyses: Family<labels::Analysis, Counter>,
    recalled: Family<labels::Lane, Counter>,
    stages: Durations<labels::Stage>,
    inputs: Inputs,
    faces: Faces,
}

/// By model.
#[derive(Debug, Default)]
struct Inputs {
    planned: Family<labels::Model, Counter>,
    decoded: Family<labels::Model, Counter>,
    scored: Family<labels::Model, Counter>,
    failed: Family<labels::Model, Counter>,
    left_out: Family<labels::Reason, Counter>,
}

/// By finder.
#[derive(Debug, Default)]
struct Faces {
    frames: Family<labels::Finder, Counter>,
    found: Family<labels::Finder, Counter>,
    over_limit: Family<labels::Finder, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_durations: durations(),
            refused: Family::default(),
            handshakes: Family::default(),
            reloads: Family::default(),
            expiry: Family::default(),
            policy_reloads: Family::default(),
            upload_bytes: Counter::default(),
            analyses: Family::default(),
            recalled: Family::default(),
            stages: durations(),
            inputs: Inputs::default(),
            faces: Faces::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let (inputs, faces) = (&self.inputs, &self.faces);
        add(registry, Name::HttpRequests, &self.requests);
        add(registry, Name::HttpRequestDuration, &self.request_durations);
        for reason in Refused::ALL {
            self.refused.get_or_create(&reason.labels()).inc_by(0);
        }
        add(registry, Name::Refused, &self.refused);
        add(registry, Name::TlsHandshakes, &self.handshakes);
        add(registry, Name::TlsReloads, &self.reloads);
        add(registry, Name::TlsCertificateExpiry, &self.expiry);
        add(registry, Name::PolicyReloads, &self.policy_reloads);
        add(registry, Name::UploadBytes, &self.upload_bytes);
        add(registry, Name::Analyses, &self.analyses);
        add(registry, Name::ReportsRecalled, &self.recalled);
        add(registry, Name::StageDuration, &self.stages);
        add(registry, Name::InputsPlanned, &inputs.planned);
        add(registry, Name::InputsDecoded, &inputs.decoded);
        add(registry, Name::InputsScored, &inputs.scored);
        add(registry, Name::InputsFailed, &inputs.failed);
        add(registry, Name::InputsLeftOut, &inputs.left_out);
        add(registry, Name::FinderFrames, &faces.frames);
        add(registry, Name::FacesFound, &faces.found);
        add(registry, Name::FacesOverLimit, &faces.over_limit);
    }

    /// A request has its answer.
    pub fn answered(&self, answered: &Answered<'_>) {
        let labels = labels::Answer {
            route: answered.route.to_owned(),
            status: answered.status,
            code: answered.code,
        };
        self.requests.get_or_create(&labels).inc();
        let route = labels::Route {
            route: labels.route,
        };
        let duration = self.request_durations.get_or_create(&route);
        duration.observe(answered.elapsed.as_secs_f64());
    }

    /// A request was not let in.
    pub fn refused(&self, reason: Refused) {
        self.refused.get_or_create(&reason.labels()).inc();
    }

    /// A handshake of TLS has ended.
    pub fn shook_hands(&self, handshake: Handshake) {
        let outcome = handshake.name();
        let counter = self.handshakes.get_or_create(&labels::Outcome { outcome });
        counter.inc();
    }

    /// The certificate's files have changed, and could be used or not.
    pub fn reloaded(&self, usable: bool) {
        let outcome = if usable { "taken" } else { "refused" };
        let counter = self.reloads.get_or_create(&labels::Outcome { outcome });
        counter.inc();
    }

    /// A certificate is in use that runs out then.
    pub fn certificate(&self, not_after: Timestamp) {
        let gauge = self.expiry.get_or_create(&labels::None {});
        gauge.set(not_after.as_second());
    }

    /// A policy's file has changed, and could be used or not.
    pub fn policy_reloaded(&self, usable: bool) {
        let outcome = if usable { "taken" } else { "refused" };
        let labels = labels::Outcome { outcome };
        self.policy_reloads.get_or_create(&labels).inc();
    }

    /// So many bytes of an upload arrived.
    pub fn received(&self, bytes: usize) {
        self.upload_bytes
            .inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A complete upload of `lane` has its report, or its error.
    pub fn analyzed(&self, lane: Lane, result: Result<&Report, &AnalyzeError>) {
        let outcome = match result {
            Ok(report) => report.verdict.to_string(),
            Err(error) => error.kind().code().to_owned(),
        };
        let lane = lane.name();
        self.analyses
            .get_or_create(&labels::Analysis { lane, outcome })
            .inc();
        if let Ok(report) = result {
            self.spent(&report.timings_ms);
            report.models.iter().for_each(|model| self.model(model));
            report.faces.iter().for_each(|found| self.finder(found));
        }
    }

    /// A complete upload of `lane` got a report that was there.
    pub fn recalled(&self, lane: Lane) {
        let lane = lane.name();
        self.recalled.get_or_create(&labels::Lane { lane }).inc();
    }

    fn spent(&self, timings: &Timings) {
        for (stage, ms) in [
            ("spool", timings.spool),
            ("decode", timings.decode),
            ("preprocess", timings.preprocess),
            ("faces", timings.faces),
            ("queue", timings.queue),
            ("inference", timings.inference),
            ("total", timings.total),
        ] {
            let duration = self.stages.get_or_create(&labels::Stage { stage });
            duration.observe(ms / 1000.0);
        }
    }

    fn model(&self, model: &ModelReport) {
        let (inputs, coverage) = (&self.inputs, model.coverage);
        let labels = labels::Model {
            model: model.name.clone(),
            provider: model.provider.clone(),
        };
        for (family, count) in [
            (&inputs.planned, coverage.planned),
            (&inputs.decoded, coverage.decoded),
            (&inputs.scored, coverage.scored),
            (&inputs.failed, coverage.failed),
        ] {
            family.get_or_create(&labels).inc_by(count.into());
        }
        for (reason, count) in &model.left_out {
            let labels = labels::Reason {
                model: model.name.clone(),
                reason: reason.name(),
            };
            let family = &inputs.left_out;
            family.get_or_create(&labels).inc_by((*count).into());
        }
    }

    fn finder(&self, found: &FacesReport) {
        let labels = labels::Finder {
            finder: found.finder.clone(),
            provider: found.provider.clone(),
        };
        for (family, count) in [
            (&self.faces.frames, found.frames),
            (&self.faces.found, found.found),
            (&self.faces.over_limit, found.over_limit),
        ] {
            family.get_or_create(&labels).inc_by(count.into());
        }
    }

    /// Everything as OpenMetrics text: what was recorded, and what `status` says of a pipeline that
    /// is loaded. `ready` is what `/readyz` would answer.
    pub fn text(
        &self,
        ready: bool,
        status: Option<&Status>,
        jobs: Option<&Queues>,
    ) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &scrape::registry(ready, status, jobs))?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// Registers a metric under its name; the copy shares its values.
fn add<M: Metric + Clone>(registry: &mut Registry, name: Name, metric: &M) {
    registry.register(name.family(), name.help(), metric.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_share_nothing() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.received(7);
        let line = "jaga_upload_bytes_total 7\n";
        assert!(one.text(true, None, None).unwrap().contains(line));
        assert!(!other.text(true, None, None).unwrap().contains(line));
    }

    #[test]
    fn an_answer_is_counted_and_timed() {
        let metrics = Metrics::default();
        let answered = Answered {
            route: "/v1/score",
            status: 429,
            code: "overloaded",
            elapsed: Duration::from_millis(3),
        };
        metrics.answered(&answered);
        metrics.answered(&answered);
        metrics.analyzed(Lane::Live, Err(&AnalyzeError::Deadline { limit_s: 1.0 }));
        let text = metrics.text(false, None, None).unwrap();
        for line in [
            "jaga_http_requests_total{route=\"/v1/score\",status=\"429\",code=\"overloaded\"} 2\n",
            "jaga_http_request_duration_seconds_bucket{le=\"0.0025\",route=\"/v1/score\"} 0\n",
            "jaga_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/v1/score\"} 2\n",
            "jaga_analyses_total{lane=\"live\",outcome=\"deadline_exceeded\"} 1\n",
            "jaga_ready 0.0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
