//! Traces: what a request did when, exported to an OpenTelemetry collector where one is configured.
//!
//! The spans are those of [`crate::pipeline::stage`] and of [`request`]. They wait in a bounded
//! queue for a thread of their own, so a collector that is slow or gone costs spans, never time.

mod config;
mod ledger;
mod request;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter,
};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

pub use config::TracesConfig;
pub use request::{answered, request};

use self::ledger::Ledger;
use crate::pipeline::stage;

/// Spans in one message to the collector, at most.
const BATCH: usize = 512;

/// Why traces can't be exported.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// No HTTP client.
    #[error("can't make a client for traces.endpoint")]
    Client(#[from] reqwest::Error),
    /// An `OTEL_` variable that can't be used, such as a compression that isn't built in.
    #[error("can't export traces")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Keeps the export going. When it goes, what is left is sent for at most `traces.timeout_s`.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
    timeout: Duration,
}

/// Begins to export; none when no endpoint is configured. Must go outside of any async runtime, as
/// its client blocks.
pub fn start(config: &TracesConfig) -> Result<Option<Export>, TracesError> {
    let Some(endpoint) = &config.endpoint else {
        return Ok(None);
    };
    let timeout = Duration::from_secs_f64(config.timeout_s);
    let client = reqwest::blocking::Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timeout)
        .build()?;
    let batches = BatchConfigBuilder::default()
        .with_max_queue_size(config.queue)
        .with_max_export_batch_size(config.queue.min(BATCH))
        .with_scheduled_delay(Duration::from_secs_f64(config.interval_s))
        .build();
    let processor = BatchSpanProcessor::builder(Watched::new(exporter)).with_batch_config(batches);
    let own_share = Sampler::TraceIdRatioBased(config.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(processor.build())
        .with_sampler(Sampler::ParentBased(Box::new(own_share)))
        .with_resource(resource())
        .build();
    Ok(Some(Export { provider, timeout }))
}

/// Who exports: jaga and its version, and what `OTEL_RESOURCE_ATTRIBUTES` adds.
fn resource() -> Resource {
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        resource.build()
    } else {
        resource.with_service_name("jaga").build()
    }
}

impl Export {
    /// Exports the spans of [`stage::TARGET`], whatever the log's filter is. No event is exported:
    /// a log line can quote more than a trace may have.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("jaga"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_target(stage::TARGET, LevelFilter::INFO))
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(self.timeout) {
            tracing::warn!(%error, "not all traces were exported before the end");
        }
    }
}

/// Tells of an exporter's failures, not of each.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    ledger: Mutex<Ledger>,
}

impl<E> Watched<E> {
    fn new(exporter: E) -> Self {
        Self {
            exporter,
            ledger: Mutex::default(),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(()) => {
                if ledger.succeeded() {
                    tracing::info!("traces are exported again");
                }
            }
            Err(error) => {
                if let Some(lost) = ledger.failed(spans, Instant::now()) {
                    tracing::warn!(%error, lost, "traces can't be exported");
                }
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
