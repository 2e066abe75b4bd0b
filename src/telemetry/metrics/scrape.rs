//! What is read when somebody asks: the pipeline's state, and the process's.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::names::Name;
use super::{labels, process};
use crate::domain::drift::{BINS, Drift, ScoreHistogram};
use crate::domain::lanes::{ByLane, Lane};
use crate::media::ChildCounts;
use crate::pipeline::status::{Engine, Status};

/// A gauge of whole and broken numbers.
type Number = Gauge<f64, AtomicU64>;

/// A registry for one answer.
pub(super) fn registry(ready: bool, status: Option<&Status>, jobs: Option<&Queues>) -> Registry {
    let mut sheet = Sheet(Registry::default());
    sheet.gauge(Name::Ready, f64::from(u8::from(ready)));
    if let Some(status) = status {
        sheet.admission(status);
        sheet.engines(status);
        sheet.children(&status.children);
        sheet.facts(status);
    }
    if let Some(jobs) = jobs {
        sheet.jobs(jobs);
    }
    sheet.process();
    sheet.0
}

/// What waits in the job store.
#[derive(Debug, Clone, Default)]
pub struct Queues {
    /// By lane.
    pub lanes: ByLane<Waiting>,
    /// Flags without an answer though it was due.
    pub flags_overdue: u64,
    /// Lines of batches that wait, whether they are jobs yet or not.
    pub batch_lines: u64,
    /// Of the loaded models.
    pub scores: Vec<LiveScores>,
}

/// How a model's live scores of the newest days are distributed.
#[derive(Debug, Clone)]
pub struct LiveScores {
    /// The model's name.
    pub model: String,
    /// By bin.
    pub histogram: ScoreHistogram,
    /// How far they are from their reference, where that can be told.
    pub drift: Option<Drift>,
}

/// What waits in a lane of the job store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waiting {
    /// Jobs that are queued.
    pub queued: u64,
    /// Jobs that run.
    pub running: u64,
    /// Seconds since the oldest queued one was accepted; 0 when there is none.
    pub oldest_s: f64,
}

struct Sheet(Registry);

impl Sheet {
    fn gauge(&mut self, name: Name, value: f64) {
        let gauge = Number::default();
        gauge.set(value);
        super::add(&mut self.0, name, &gauge);
    }

    fn gauges<L>(&mut self, name: Name, values: impl IntoIterator<Item = (L, f64)>)
    where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
    {
        let family = Family::<L, Number>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).set(value);
        }
        super::add(&mut self.0, name, &family);
    }

    fn counters<L>(&mut self, name: Name, values: impl IntoIterator<Item = (L, u64)>)
    where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
    {
        let family = Family::<L, Counter>::default();
        for (labels, value) in values {
            family.get_or_create(&labels).inc_by(value);
        }
        super::add(&mut self.0, name, &family);
    }

    fn admission(&mut self, status: &Status) {
        let admission = &status.admission;
        let (inside_limit, running_limit) = admission.capacity();
        let mut gauges = [const { Vec::new() }; 4];
        for lane in Lane::ALL {
            // Read once each: one that moves on in between must not make the rest negative.
            let (inside, running) = (admission.inside(lane), admission.running(lane));
            let waiting = inside.saturating_sub(running);
            for (gauge, value) in gauges
                .iter_mut()
                .zip([inside, waiting, running, inside_limit])
            {
                let label = labels::Lane { lane: lane.name() };
                gauge.push((label, value as f64));
            }
        }
        let names = [
            Name::RequestsInside,
            Name::RequestsWaiting,
            Name::RequestsRunning,
            Name::RequestsInsideLimit,
        ];
        for (name, values) in names.into_iter().zip(gauges) {
            self.gauges(name, values);
        }
        self.gauge(Name::RequestsRunningLimit, running_limit as f64);
    }

    fn jobs(&mut self, queues: &Queues) {
        type Read = fn(&Waiting) -> f64;
        let jobs = &queues.lanes;
        self.gauge(Name::FlagsOverdue, queues.flags_overdue as f64);
        self.gauge(Name::BatchLines, queues.batch_lines as f64);
        self.scores(&queues.scores);
        let gauges: [(Name, Read); 3] = [
            (Name::JobsQueued, |lane| lane.queued as f64),
            (Name::JobsRunning, |lane| lane.running as f64),
            (Name::JobsOldest, |lane| lane.oldest_s),
        ];
        for (name, read) in gauges {
            let values = Lane::ALL.map(|lane| {
                let label = labels::Lane { lane: lane.name() };
                (label, read(jobs.at(lane)))
            });
            self.gauges(name, values);
        }
    }

    fn scores(&mut self, models: &[LiveScores]) {
        let label = |live: &LiveScores| labels::Scorer {
            model: live.model.clone(),
        };
        let bins = models.iter().flat_map(|live| {
            let counts = live.histogram.counts().iter().enumerate();
            counts.map(|(bin, count)| {
                let label = labels::Bin {
                    model: live.model.clone(),
                    from: format!("{:.2}", bin as f64 / BINS as f64),
                };
                (label, *count as f64)
            })
        });
        self.gauges(Name::LiveScores, bins);
        let drifts = || models.iter().filter_map(|live| Some((live, live.drift?)));
        let psi = drifts().map(|(live, drift)| (label(live), drift.psi));
        self.gauges(Name::DriftPsi, psi);
        let ks = drifts().map(|(live, drift)| (label(live), drift.ks));
        self.gauges(Name::DriftKs, ks);
    }

    fn engines(&mut self, status: &Status) {
        let backbone = |engine: &Engine| labels::Backbone {
            models: engine.name.clone(),
            provider: engine.provider,
        };
        let finder = |engine: &Engine| labels::Finder {
            finder: engine.name.clone(),
            provider: engine.provider.to_owned(),
        };
        self.group(
            &status.backbones,
            backbone,
            [
                Name::BackboneRuns,
                Name::BackboneWaiting,
                Name::BackboneSessions,
            ],
        );
        let inputs = status.backbones.iter();
        let inputs = inputs.map(|engine| (backbone(engine), engine.inputs));
        self.counters(Name::BackboneInputs, inputs);
        self.group(
            &status.finders,
            finder,
            [Name::FinderRuns, Name::FinderWaiting, Name::FinderSessions],
        );
    }

    fn group<L>(
        &mut self,
        engines: &[Engine],
        labels: impl Fn(&Engine) -> L,
        [runs, waiting, sessions]: [Name; 3],
    ) where
        L: EncodeLabelSet + Clone + Hash + Eq + Debug + Send + Sync + 'static,
    {
        let number = |of: fn(&Engine) -> usize| {
            let each = engines.iter();
            each.map(|engine| (labels(engine), of(engine) as f64))
                .collect::<Vec<_>>()
        };
        let counts = engines.iter().map(|engine| (labels(engine), engine.runs));
        self.counters(runs, counts);
        self.gauges(waiting, number(|engine| engine.waiting));
        self.gauges(sessions, number(|engine| engine.sessions));
    }

    fn children(&mut self, counts: &ChildCounts) {
        let started = [(labels::None {}, counts.started)];
        self.counters(Name::DecoderChildrenStarted, started);
        let ends = counts.ends.iter();
        let ends = ends.map(|(end, count)| (labels::End { end: end.name() }, *count));
        self.counters(Name::DecoderChildrenEnded, ends);
        let limits = counts.limits.iter().map(|(limit, count)| {
            let limit = limit.to_string();
            (labels::Limit { limit }, *count)
        });
        self.counters(Name::DecoderLimits, limits);
    }

    fn facts(&mut self, status: &Status) {
        let walls = status.walls.iter();
        let walls =
            walls.map(|(wall, stands)| (labels::Wall { wall }, f64::from(u8::from(*stands))));
        self.gauges(Name::SandboxWall, walls);
        let build = labels::Build {
            version: env!("CARGO_PKG_VERSION"),
            onnxruntime: status.onnxruntime.clone(),
            ffmpeg: status.ffmpeg.clone(),
        };
        self.gauges(Name::Build, [(build, 1.0)]);
    }

    /// Nothing where `/proc` isn't there.
    fn process(&mut self) {
        let Some(usage) = process::usage() else {
            return;
        };
        self.gauge(Name::ProcessMemory, usage.resident_bytes as f64);
        self.gauge(Name::ProcessDescriptors, usage.descriptors as f64);
        self.gauge(Name::ProcessThreads, usage.threads as f64);
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by(usage.cpu_s);
        super::add(&mut self.0, Name::ProcessCpu, &cpu);
        self.gauge(Name::ProcessStart, usage.start_s);
    }
}
