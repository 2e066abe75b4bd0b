//! Traces of a real server, as a collector gets them.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use reqwest::blocking::Client;
use reqwest::blocking::multipart::{Form, Part};

use super::drain::picture;
use super::process::Process;

/// What is looked for; no word of jaga's.
const MARK: &str = "Zyxwv5c1";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Takes OTLP over HTTP on a free port.
struct Collector {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Collector {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&messages);
        let take = move |body: Bytes| async move {
            let message = ExportTraceServiceRequest::decode(body).unwrap();
            kept.lock().unwrap().push(message);
            StatusCode::OK
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().route("/v1/traces", post(take));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            address,
            messages,
            _runtime: runtime,
        }
    }

    fn spans(&self) -> Vec<Span> {
        let messages = self.messages.lock().unwrap();
        let resources = messages.iter().flat_map(|m| &m.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Everything that it was sent, as text.
    fn text(&self) -> String {
        format!("{:?}", self.messages.lock().unwrap())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    assert!(found.next().is_none(), "{name} comes twice: {spans:#?}");
    span
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    let mut attributes = span.attributes.iter();
    let found = attributes.find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}

fn server(endpoint: &str, interval_s: &str) -> Option<Process> {
    Process::start(|command| {
        command
            .env("JAGA_TRACES__ENDPOINT", endpoint)
            .env("JAGA_TRACES__INTERVAL_S", interval_s)
            // Whatever is logged: spans aren't lines.
            .env("JAGA_LOG__LEVEL", "info");
    })
}

#[test]
fn a_request_is_one_trace_that_goes_on_with_the_callers_and_tells_nothing_of_the_video() {
    let collector = Collector::start();
    // So long that only the end of the server sends them.
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let Some(process) = server(&endpoint, "60") else {
        return;
    };
    let client = Client::new();
    let file = Part::bytes(picture()).file_name(format!("{MARK}.png"));
    let answer = client
        .post(process.url("/v1/score?frames=1"))
        .header("x-request-id", "trace-1")
        .header("traceparent", format!("00-{TRACE}-{CALLER}-01"))
        .header("tracestate", format!("a={MARK}"))
        .header("authorization", format!("Bearer {MARK}"))
        .multipart(Form::new().part("file", file))
        .send()
        .unwrap();
    assert_eq!(answer.status(), 200);
    for path in [format!("/{MARK}"), format!("/v1/models?a={MARK}")] {
        client.get(process.url(&path)).send().unwrap();
    }
    let broken = client.post(process.url(&format!("/v1/score?{MARK}=1")));
    assert_eq!(broken.send().unwrap().status(), 400);
    client.get(process.url("/healthz")).send().unwrap();
    process.terminate();
    let (code, log) = process.end();
    assert_eq!(code, Some(0));

    let spans = collector.spans();
    let ours: Vec<Span> = spans
        .iter()
        .filter(|span| hex(&span.trace_id) == TRACE)
        .cloned()
        .collect();
    let request = named(&ours, "POST /v1/score");
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(request.trace_state, "");
    let text = |text: &str| Some(Value::StringValue(text.to_owned()));
    assert_eq!(attribute(request, "jaga.request_id"), text("trace-1"));
    assert_eq!(attribute(request, "http.route"), text("/v1/score"));
    assert_eq!(
        attribute(request, "http.response.status_code"),
        Some(Value::IntValue(200))
    );
    for stage in ["spool", "wait", "decode", "inference", "aggregate"] {
        let span = named(&ours, stage);
        assert_eq!(span.parent_span_id, request.span_id, "{stage}");
        assert!(request.start_time_unix_nano <= span.start_time_unix_nano);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        assert!(span.end_time_unix_nano <= request.end_time_unix_nano);
    }
    assert_eq!(ours.len(), 6, "{ours:#?}");
    let bytes = i64::try_from(picture().len()).unwrap();
    let spooled = attribute(named(&ours, "spool"), "bytes");
    assert_eq!(spooled, Some(Value::IntValue(bytes)));
    // Whoever names no trace gets one.
    assert_eq!(named(&spans, "GET unmatched").parent_span_id.len(), 0);
    let refused = spans.iter().find(|span| {
        attribute(span, "jaga.code") == text("bad_request") && hex(&span.trace_id) != TRACE
    });
    assert_eq!(refused.unwrap().name, "POST /v1/score");
    assert!(!spans.iter().any(|span| span.name.contains("/healthz")));
    let sent = collector.text();
    assert!(!sent.contains(MARK), "{sent}");
    assert!(sent.contains("\"jaga\""), "service.name: {sent}");
    let lines = serde_json::to_string(&log).unwrap();
    assert!(
        !lines.contains("aggregate") && !lines.contains("otel."),
        "{lines}"
    );
}

/// Sends a few requests to a server whose collector is of no use, and ends it.
fn without_use(endpoint: &str) {
    let begin = Instant::now();
    let start = Process::start(|command| {
        command
            .env("JAGA_TRACES__ENDPOINT", endpoint)
            .env("JAGA_TRACES__QUEUE", "2")
            .env("JAGA_TRACES__INTERVAL_S", "0.01")
            .env("JAGA_TRACES__TIMEOUT_S", "0.1");
    });
    let Some(process) = start else { return };
    let client = Client::new();
    let told = "traces can't be exported";
    let mut answered = 0;
    while answered < 10 || process.said(told).is_empty() {
        let request = client.post(process.url("/v1/score")).body(picture());
        assert_eq!(request.send().unwrap().status(), 200);
        answered += 1;
        assert!(answered < 10_000, "nothing was told");
    }
    process.terminate();
    let (code, log) = process.end();
    assert_eq!(code, Some(0));
    let lines = log.iter().filter(|line| line["message"] == told).count();
    let minutes = usize::try_from(begin.elapsed().as_secs() / 60).unwrap();
    assert!(lines <= 1 + minutes, "{lines} lines in {minutes} minutes");
}

#[test]
fn a_collector_that_is_gone_fails_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    without_use(&format!("http://{address}/v1/traces"));
}

#[test]
fn a_collector_that_never_answers_fails_no_request() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    without_use(&format!("http://{address}/v1/traces"));
}
