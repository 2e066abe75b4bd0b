//! Every metric by name. `docs/operations.md` lists them, and a test holds the two together.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Requests answered.
    HttpRequests,
    /// How long requests took.
    HttpRequestDuration,
    /// Requests that were not let in.
    Refused,
    /// Handshakes of TLS.
    TlsHandshakes,
    /// New certificates.
    TlsReloads,
    /// When the certificate runs out.
    TlsCertificateExpiry,
    /// New policies.
    PolicyReloads,
    /// Bytes of bodies.
    UploadBytes,
    /// Analyses by outcome.
    Analyses,
    /// Reports that were there already.
    ReportsRecalled,
    /// Time by stage.
    StageDuration,
    /// Inputs that plans asked for.
    InputsPlanned,
    /// Of these, decoded.
    InputsDecoded,
    /// Of these, scored.
    InputsScored,
    /// Of these, failed.
    InputsFailed,
    /// Of these, left out.
    InputsLeftOut,
    /// Frames in which faces were looked for.
    FinderFrames,
    /// Faces found.
    FacesFound,
    /// Faces beyond the number that is looked at.
    FacesOverLimit,
    /// Whether work is taken.
    Ready,
    /// Requests inside.
    RequestsInside,
    /// Requests that wait.
    RequestsWaiting,
    /// Requests that run.
    RequestsRunning,
    /// Requests that may be inside.
    RequestsInsideLimit,
    /// Requests that may run.
    RequestsRunningLimit,
    /// Jobs that wait.
    JobsQueued,
    /// Jobs that run.
    JobsRunning,
    /// How long the oldest waiting job waits.
    JobsOldest,
    /// Flags that wait past their due time.
    FlagsOverdue,
    /// Lines of batches that wait.
    BatchLines,
    /// Live scores by bin.
    LiveScores,
    /// How far they are from their reference: population stability index.
    DriftPsi,
    /// How far they are from their reference: Kolmogorov and Smirnov.
    DriftKs,
    /// Runs of backbones.
    BackboneRuns,
    /// Inputs of the backbones' runs.
    BackboneInputs,
    /// Inputs that wait for a backbone.
    BackboneWaiting,
    /// Sessions of backbones.
    BackboneSessions,
    /// Runs of finders.
    FinderRuns,
    /// Pictures that wait for a finder.
    FinderWaiting,
    /// Sessions of finders.
    FinderSessions,
    /// Decoder children started.
    DecoderChildrenStarted,
    /// Decoder children by end.
    DecoderChildrenEnded,
    /// Decoder children that ended by a limit.
    DecoderLimits,
    /// Walls around a decoder child.
    SandboxWall,
    /// Versions.
    Build,
    /// Memory.
    ProcessMemory,
    /// Descriptors.
    ProcessDescriptors,
    /// Threads.
    ProcessThreads,
    /// Processor time.
    ProcessCpu,
    /// When it was started.
    ProcessStart,
}

/// What sort of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; exposed with `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Exposed with `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Name {
    /// Every metric, in the order in which `/metrics` shows them.
    pub const ALL: [Self; 50] = [
        Self::HttpRequests,
        Self::HttpRequestDuration,
        Self::Refused,
        Self::TlsHandshakes,
        Self::TlsReloads,
        Self::TlsCertificateExpiry,
        Self::PolicyReloads,
        Self::UploadBytes,
        Self::Analyses,
        Self::ReportsRecalled,
        Self::StageDuration,
        Self::InputsPlanned,
        Self::InputsDecoded,
        Self::InputsScored,
        Self::InputsFailed,
        Self::InputsLeftOut,
        Self::FinderFrames,
        Self::FacesFound,
        Self::FacesOverLimit,
        Self::Ready,
        Self::RequestsInside,
        Self::RequestsWaiting,
        Self::RequestsRunning,
        Self::RequestsInsideLimit,
        Self::RequestsRunningLimit,
        Self::JobsQueued,
        Self::JobsRunning,
        Self::JobsOldest,
        Self::FlagsOverdue,
        Self::BatchLines,
        Self::LiveScores,
        Self::DriftPsi,
        Self::DriftKs,
        Self::BackboneRuns,
        Self::BackboneInputs,
        Self::BackboneWaiting,
        Self::BackboneSessions,
        Self::FinderRuns,
        Self::FinderWaiting,
        Self::FinderSessions,
        Self::DecoderChildrenStarted,
        Self::DecoderChildrenEnded,
        Self::DecoderLimits,
        Self::SandboxWall,
        Self::Build,
        Self::ProcessMemory,
        Self::ProcessDescriptors,
        Self::ProcessThreads,
        Self::ProcessCpu,
        Self::ProcessStart,
    ];

    /// The family's name; [`Name::exposed`] has what a query asks for.
    pub fn family(self) -> &'static str {
        self.facts().0
    }

    /// What sort of number it is.
    pub fn kind(self) -> Kind {
        self.facts().1
    }

    /// What it counts, in one line without a full stop.
    pub fn help(self) -> &'static str {
        self.facts().2
    }

    /// The names of its series.
    pub fn exposed(self) -> Vec<String> {
        let ends: &[&str] = match self.kind() {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        let family = self.family();
        ends.iter().map(|end| format!("{family}{end}")).collect()
    }

    #[rustfmt::skip]
    fn facts(self) -> (&'static str, Kind, &'static str) {
        use Kind::{Counter, Gauge, Histogram};
        match self {
            Self::HttpRequests => ("jaga_http_requests", Counter, "Requests answered, by route, status and problem code"),
            Self::HttpRequestDuration => ("jaga_http_request_duration_seconds", Histogram, "From a request's head to its answer's head, by route"),
            Self::Refused => ("jaga_refused", Counter, "Requests that were not let in, by reason"),
            Self::TlsHandshakes => ("jaga_tls_handshakes", Counter, "Handshakes of TLS, by how they ended"),
            Self::TlsReloads => ("jaga_tls_reloads", Counter, "New certificates, by whether they could be used"),
            Self::TlsCertificateExpiry => ("jaga_tls_certificate_expiry_timestamp_seconds", Gauge, "When the certificate in use runs out, since 1970"),
            Self::PolicyReloads => ("jaga_policy_reloads", Counter, "Changes of the policies' files, by whether they could be used"),
            Self::UploadBytes => ("jaga_upload_bytes", Counter, "Bytes of uploads that arrived, complete or not"),
            Self::Analyses => ("jaga_analyses", Counter, "Complete uploads that were analysed, by lane and verdict or problem code"),
            Self::ReportsRecalled => ("jaga_reports_recalled", Counter, "Complete uploads that got a report made before, by lane"),
            Self::StageDuration => ("jaga_stage_duration_seconds", Histogram, "Time of one analysis in each stage as in timings_ms of its report; stages overlap"),
            Self::InputsPlanned => ("jaga_inputs_planned", Counter, "Frames, or windows, that plans asked for, by model"),
            Self::InputsDecoded => ("jaga_inputs_decoded", Counter, "Planned inputs that came out of the decoder, by model"),
            Self::InputsScored => ("jaga_inputs_scored", Counter, "Planned inputs with a score, by model"),
            Self::InputsFailed => ("jaga_inputs_failed", Counter, "Planned inputs without a score because something failed, by model"),
            Self::InputsLeftOut => ("jaga_inputs_left_out", Counter, "Inputs that a model was not asked about, by reason"),
            Self::FinderFrames => ("jaga_finder_frames", Counter, "Frames in which faces were looked for"),
            Self::FacesFound => ("jaga_faces_found", Counter, "Faces found"),
            Self::FacesOverLimit => ("jaga_faces_over_limit", Counter, "Faces found and not looked at, for there were too many in one frame"),
            Self::Ready => ("jaga_ready", Gauge, "1 when work is taken, as /readyz says"),
            Self::RequestsInside => ("jaga_requests_inside", Gauge, "Analyses inside, their uploads included, by lane"),
            Self::RequestsWaiting => ("jaga_requests_waiting", Gauge, "Of those inside, the ones that upload or wait for a place to work"),
            Self::RequestsRunning => ("jaga_requests_running", Gauge, "Of those inside, the ones that are analysed"),
            Self::RequestsInsideLimit => ("jaga_requests_inside_limit", Gauge, "Most that may be inside, by lane"),
            Self::RequestsRunningLimit => ("jaga_requests_running_limit", Gauge, "Most that are analysed at the same time"),
            Self::JobsQueued => ("jaga_jobs_queued", Gauge, "Jobs that wait for their turn or their next attempt, by lane"),
            Self::JobsRunning => ("jaga_jobs_running", Gauge, "Jobs of which an attempt is on its way, by lane"),
            Self::JobsOldest => ("jaga_jobs_oldest_age_seconds", Gauge, "Time since the oldest waiting job was accepted, by lane"),
            Self::FlagsOverdue => ("jaga_flags_overdue", Gauge, "Flags without an answer though it was due"),
            Self::BatchLines => ("jaga_batch_lines_waiting", Gauge, "Lines of batches that wait, whether they are jobs yet or not"),
            Self::LiveScores => ("jaga_live_scores", Gauge, "Scores of the live lane in the days of drift.days, by model and bin of 0.05"),
            Self::DriftPsi => ("jaga_drift_psi", Gauge, "Population stability index of live scores against their reference"),
            Self::DriftKs => ("jaga_drift_ks", Gauge, "Kolmogorov-Smirnov statistic of live scores against their reference"),
            Self::BackboneRuns => ("jaga_backbone_runs", Counter, "Runs of the models' graphs"),
            Self::BackboneInputs => ("jaga_backbone_inputs", Counter, "Inputs of these runs; several may share one"),
            Self::BackboneWaiting => ("jaga_backbone_waiting", Gauge, "Inputs that wait for a session"),
            Self::BackboneSessions => ("jaga_backbone_sessions", Gauge, "Sessions"),
            Self::FinderRuns => ("jaga_finder_runs", Counter, "Runs of the finders of faces"),
            Self::FinderWaiting => ("jaga_finder_waiting", Gauge, "Pictures that wait for a session of a finder"),
            Self::FinderSessions => ("jaga_finder_sessions", Gauge, "Sessions of a finder"),
            Self::DecoderChildrenStarted => ("jaga_decoder_children_started", Counter, "Decoder children started, those that wait among them"),
            Self::DecoderChildrenEnded => ("jaga_decoder_children_ended", Counter, "Decoder children by how they ended"),
            Self::DecoderLimits => ("jaga_decoder_limits", Counter, "Decoder children that ended because a limit was passed, by limit"),
            Self::SandboxWall => ("jaga_sandbox_wall", Gauge, "1 for each wall around a decoder child that stands"),
            Self::Build => ("jaga_build_info", Gauge, "1, with the versions that run"),
            Self::ProcessMemory => ("process_resident_memory_bytes", Gauge, "Memory of the server process, its children left aside"),
            Self::ProcessDescriptors => ("process_open_fds", Gauge, "Open descriptors"),
            Self::ProcessThreads => ("process_threads", Gauge, "Threads"),
            Self::ProcessCpu => ("process_cpu_seconds", Counter, "Processor time of the server process, its children left aside"),
            Self::ProcessStart => ("process_start_time_seconds", Gauge, "When it was started, since 1970"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unlike_and_tell_their_unit() {
        for (place, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, place);
            let family = name.family();
            let again = Name::ALL.iter().filter(|other| other.family() == family);
            assert_eq!(again.count(), 1, "{family}");
            let plain = family.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain && !family.ends_with("_total"), "{family}");
            let is_time = name.kind() == Kind::Histogram;
            assert!(!is_time || family.ends_with("_seconds"), "{family}");
            assert!(!name.help().ends_with('.'), "{family}");
        }
    }
}
