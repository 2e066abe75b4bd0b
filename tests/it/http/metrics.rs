//! `GET /metrics`: right numbers, bounded labels, a text that Prometheus reads.

use std::io::{Read, Write};
use std::net::TcpStream;

use jaga::telemetry::metrics::{Kind, Name};

use super::exposition::Exposition;
use crate::decoder::protocol::Fake;
use crate::faces::{self, bundles, scene};
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, eventually};

pub(crate) fn read(server: &Server) -> Exposition {
    let response = server.get("/metrics");
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    Exposition::read(&response.text().unwrap())
}

fn clip() -> std::path::PathBuf {
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    numbered("metrics", "mp4", 50, "25", &arguments)
}

#[test]
fn every_metric_is_there_from_the_start_but_for_those_of_what_never_happened() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let text = read(&server);
    for name in Name::ALL {
        let kind = match name.kind() {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let found = text.families.get(name.family());
        // A family without a series has nothing to say.
        if let Some(found) = found {
            assert_eq!(found, kind, "{}", name.family());
        }
    }
    for (name, labels, value) in [
        ("jaga_ready", &[][..], 1.0),
        ("jaga_requests_inside", &["lane=\"live\""], 0.0),
        ("jaga_upload_bytes_total", &[], 0.0),
        (
            "jaga_backbone_sessions",
            &["models=\"tiny\"", "provider=\"CPUExecutionProvider\""],
            2.0,
        ),
        ("jaga_decoder_limits_total", &["limit=\"cpu_seconds\""], 0.0),
        (
            "jaga_decoder_children_ended_total",
            &["end=\"sandbox_violation\""],
            0.0,
        ),
    ] {
        let sessions = std::thread::available_parallelism().unwrap().get() as f64;
        let value = if name.ends_with("sessions") {
            sessions
        } else {
            value
        };
        assert!((text.sum(name, labels) - value).abs() < 1e-9, "{name}");
        assert_eq!(
            text.of(name)
                .filter(|(s, _)| labels.iter().all(|l| s.contains(l)))
                .count(),
            1,
            "{name}"
        );
    }
    assert_eq!(text.of("jaga_sandbox_wall").count(), 5);
    assert!(text.sum("process_resident_memory_bytes", &[]) > 1e6);
    assert!(text.sum("jaga_build_info", &["onnxruntime=\"1.", "ffmpeg=\""]) > 0.0);
}

#[test]
fn what_happened_is_counted() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let bytes = std::fs::read(clip()).unwrap();
    for _ in 0..2 {
        let (status, report) = server.score_bytes("?frames=4", bytes.clone());
        assert_eq!(status, 200, "{report}");
    }
    let (_, problem) = server.score_bytes("", b"hello, this is a text\n".repeat(100));
    assert_eq!(problem["code"], "unsupported_media");
    assert_eq!(server.score_bytes("?model=nobody", Vec::new()).0, 422);
    let text = read(&server);
    let route = "route=\"/v1/score\"";
    let tiny = "model=\"tiny\"";
    for (name, labels, value) in [
        (
            "jaga_http_requests_total",
            &[route, "status=\"200\"", "code=\"\""][..],
            2.0,
        ),
        (
            "jaga_http_requests_total",
            &[route, "status=\"415\"", "code=\"unsupported_media\""],
            1.0,
        ),
        (
            "jaga_http_requests_total",
            &[route, "status=\"422\"", "code=\"unknown_model\""],
            1.0,
        ),
        ("jaga_http_request_duration_seconds_count", &[route], 4.0),
        (
            "jaga_upload_bytes_total",
            &[],
            (bytes.len() * 2 + 2200) as f64,
        ),
        ("jaga_analyses_total", &["lane=\"live\""], 3.0),
        (
            "jaga_analyses_total",
            &["outcome=\"unsupported_media\""],
            1.0,
        ),
        (
            "jaga_stage_duration_seconds_count",
            &["stage=\"total\""],
            2.0,
        ),
        (
            "jaga_stage_duration_seconds_count",
            &["stage=\"inference\""],
            2.0,
        ),
        ("jaga_inputs_planned_total", &[tiny], 8.0),
        ("jaga_inputs_decoded_total", &[tiny], 8.0),
        ("jaga_inputs_failed_total", &[tiny], 0.0),
        (
            "jaga_decoder_children_ended_total",
            &["end=\"finished\""],
            2.0,
        ),
        (
            "jaga_decoder_children_ended_total",
            &["end=\"refused\""],
            1.0,
        ),
        ("jaga_decoder_children_ended_total", &[], 3.0),
    ] {
        let got = text.sum(name, labels);
        assert!((got - value).abs() < 1e-9, "{name} {labels:?}: {got}");
    }
    let scored = text.sum("jaga_inputs_scored_total", &[tiny]);
    let left_out = text.sum("jaga_inputs_left_out_total", &[tiny]);
    assert!(
        (scored + left_out - 8.0).abs() < 1e-9,
        "{scored} {left_out}"
    );
    assert!((text.sum("jaga_backbone_runs_total", &[]) - scored).abs() < 1e-9);
    let started = text.sum("jaga_decoder_children_started_total", &[]);
    assert!(started >= 3.0, "{started}");
}

#[test]
fn faces_and_what_is_left_out_are_counted_by_bundle_and_reason() {
    let make = |models: &std::path::Path| {
        bundles::finder(models);
        bundles::face(models, "face", "min_size = 16\n");
    };
    let Some(server) = faces::server(make, &["face"]) else {
        return;
    };
    let nobody = vec![scene::Scene::of(&[]); 50];
    let (status, report) = server.score("?frames=4", &scene::clip("metrics-nobody", &nobody));
    assert_eq!(status, 200, "{report}");
    let text = read(&server);
    let left_out = ["model=\"face\"", "reason=\"no_face\""];
    let frames = report["faces"][0]["frames"].as_f64().unwrap();
    assert!(frames > 0.0);
    for (name, labels, value) in [
        ("jaga_finder_frames_total", &[][..], frames),
        ("jaga_faces_found_total", &[], 0.0),
        ("jaga_finder_runs_total", &[], frames),
        ("jaga_inputs_left_out_total", &left_out, frames),
        ("jaga_analyses_total", &["outcome=\"inconclusive\""], 1.0),
    ] {
        let got = text.sum(name, labels);
        assert!((got - value).abs() < 1e-9, "{name}: {got}, not {value}");
    }
}

#[test]
fn children_that_are_killed_say_why() {
    for (fake, deadline_s, end) in [
        (Fake::stalling(), 0.3, "end=\"deadline\""),
        (Fake::lying(), 60.0, "end=\"lied\""),
    ] {
        let start = Server::start(|config| {
            config.media.decoder = Some(fake.program());
            config.analysis.deadline_s = deadline_s;
        });
        let Some(server) = start else { return };
        server.score_bytes("", b"x".to_vec());
        let ended = "jaga_decoder_children_ended_total";
        eventually("the child is counted", || {
            let text = read(&server);
            text.sum(ended, &[end]) > 0.0 && text.sum(ended, &[]) < 2.0
        });
    }
}

#[test]
fn a_caller_who_leaves_is_counted() {
    let fake = Fake::stalling();
    let start = Server::start(|config| config.media.decoder = Some(fake.program()));
    let Some(server) = start else { return };
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"POST /v1/score HTTP/1.1\r\nhost: jaga\r\ncontent-length: 1\r\n\r\nx")
        .unwrap();
    eventually("it is being analysed", || {
        read(&server).sum("jaga_requests_running", &[]) > 0.0
    });
    drop(stream);
    let left = [
        "route=\"/v1/score\"",
        "status=\"499\"",
        "code=\"client_left\"",
    ];
    eventually("it is counted", || {
        read(&server).sum("jaga_http_requests_total", &left) > 0.0
    });
    eventually("its child is counted", || {
        let abandoned = ["end=\"abandoned\""];
        read(&server).sum("jaga_decoder_children_ended_total", &abandoned) > 0.0
    });
}

#[test]
fn a_limit_that_ended_a_child_is_named() {
    let start = Server::start(|config| config.media.limits.max_side_px = 200);
    let Some(server) = start.filter(|_| have_ffmpeg()) else {
        return;
    };
    assert_eq!(server.score("", &clip()).1["code"], "limit_exceeded");
    let text = read(&server);
    let limit = text.sum("jaga_decoder_limits_total", &["limit=\"max_side_px\""]);
    let all = text.sum("jaga_decoder_limits_total", &[]);
    assert!((limit - 1.0).abs() < 1e-9 && (all - 1.0).abs() < 1e-9);
}

/// A thousand requests that differ in everything that a caller chooses.
#[test]
fn odd_requests_make_no_new_series() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let odd = |n: usize| {
        let (method, path) = match n % 5 {
            0 => ("GET", format!("/nowhere/{n}")),
            1 => ("POST", format!("/v1/score?model=m{n}&x{n}=1")),
            2 => ("PURGE", format!("/v1/models?{n}")),
            3 => ("GET", format!("/v1/score/{n}%22%0a")),
            _ => (["MK1", "MK2", "MK3"][n % 3], format!("/v1/score?{n}")),
        };
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: h{n}\r\nx-request-id: id{n}\r\nuser-agent: a{n}\r\n\
             connection: close\r\ncontent-length: 0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    };
    // The first ones meet each kind of answer.
    (0..30).for_each(odd);
    read(&server);
    let before = read(&server).samples.len();
    (30..1030).for_each(odd);
    let after = read(&server);
    assert_eq!(after.samples.len(), before, "{:#?}", after.samples.keys());
    let (requests, count) = ("jaga_http_requests_total", after.samples.len());
    let unmatched = after.sum(requests, &["route=\"unmatched\"", "code=\"not_found\""]);
    assert!((unmatched - 412.0).abs() < 1e-9, "{unmatched}");
    assert!(count < 300, "{count} series");
}
