//! The log of a real server: one line a request, and nothing of what callers send.

use std::io::Write;

use jaga::domain::role::Role;
use jaga::store::KeyStore;
use jaga::store::keys::Token;
use reqwest::Method;
use reqwest::blocking::Client;
use reqwest::blocking::multipart::{Form, Part};

use super::connections::{frame, http2};
use super::process::Process;
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::eventually;

/// What is looked for; no word of jaga's.
const MARK: &str = "Zyxwv5c1";

#[test]
fn every_request_has_one_line_with_its_id() {
    let Some(process) = Process::start(|_| {}) else {
        return;
    };
    let client = Client::new();
    let cases = [
        (Method::GET, "/healthz", "/healthz", 200, ""),
        (Method::GET, "/readyz", "/readyz", 200, ""),
        (Method::GET, "/metrics", "/metrics", 200, ""),
        (Method::GET, "/v1/models", "/v1/models", 200, ""),
        (Method::GET, "/nowhere", "unmatched", 404, "not_found"),
        (
            Method::DELETE,
            "/v1/score",
            "/v1/score",
            405,
            "method_not_allowed",
        ),
        (
            Method::POST,
            "/v1/score?frames=0",
            "/v1/score",
            400,
            "bad_request",
        ),
        (Method::POST, "/v1/score", "/v1/score", 422, "empty_media"),
    ];
    for (number, (method, path, ..)) in cases.iter().enumerate() {
        let request = client.request(method.clone(), process.url(path));
        let request = request.header("x-request-id", format!("case-{number}"));
        request.send().unwrap();
    }
    process.terminate();
    let (code, log) = process.end();
    assert_eq!(code, Some(0));
    for (number, (method, path, route, status, code)) in cases.iter().enumerate() {
        let id = format!("case-{number}");
        let lines: Vec<_> = log
            .iter()
            .filter(|line| line["span"]["id"] == id.as_str() && line["message"] == "answered")
            .collect();
        let [line] = lines.as_slice() else {
            panic!("{path}: {lines:?}")
        };
        assert_eq!(line["method"], method.as_str());
        assert_eq!(line["route"], *route);
        assert_eq!(line["status"], *status);
        assert_eq!(line["code"], *code);
        assert!(line["elapsed_ms"].is_number());
    }
}

#[test]
fn nothing_of_what_callers_send_is_logged() {
    let start = Process::start(|command| {
        command.env("JAGA_LOG__LEVEL", "info");
    });
    let Some(process) = start.filter(|_| have_ffmpeg()) else {
        return;
    };
    let client = Client::new();
    let title = format!("title={MARK}");
    let arguments = [
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-metadata",
        &title,
    ];
    let clip = numbered("marked", "mp4", 25, "25", &arguments);
    let clip = std::fs::read(clip).unwrap();
    let marked = clip.windows(MARK.len()).any(|w| w == MARK.as_bytes());
    assert!(marked, "the clip has the mark in its metadata");
    let text = MARK.repeat(1000).into_bytes();
    let half = clip[..clip.len() / 2].to_vec();
    let bodies = [clip, half, text, Vec::new()];
    for body in &bodies {
        for query in ["", "?model=Zyxwv5c1", "?Zyxwv5c1=1", "?policy=Zyxwv5c1"] {
            let part = Part::bytes(body.clone()).file_name(format!("{MARK}.mp4"));
            let form = Form::new().part("file", part);
            let url = process.url(&format!("/v1/score{query}"));
            client.post(&url).multipart(form).send().unwrap();
            let post = client.post(&url).body(body.clone());
            let post = post.header("authorization", format!("Bearer {MARK}"));
            post.header("x-title", MARK)
                .header("user-agent", MARK)
                .send()
                .unwrap();
        }
    }
    let form = Form::new().part(MARK, Part::bytes(MARK.as_bytes()));
    client
        .post(process.url("/v1/score"))
        .multipart(form)
        .send()
        .unwrap();
    for method in ["GET", "PUT", MARK] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let path = format!("/v1/{MARK}/{MARK}?{MARK}={MARK}");
        let request = client.request(method.clone(), process.url(&path));
        request
            .header("x-request-id", format!("{MARK} no id"))
            .send()
            .unwrap();
        let path = process.url(&format!("/v1/models?{MARK}"));
        client.request(method, path).send().unwrap();
    }
    process.terminate();
    let (_, log) = process.end();
    let answered = log.iter().filter(|line| line["message"] == "answered");
    assert_eq!(answered.count(), 2 * bodies.len() * 4 + 1 + 6);
    for line in &log {
        assert!(!line.to_string().contains(MARK), "{line}");
    }
}

/// `GET /v1/models` on HTTP/2 with a key, its header fields written out (RFC 7541, 6.2.2).
fn models_by_http_2(token: &str) -> Vec<u8> {
    let value = format!("Bearer {token}");
    let length = u8::try_from(value.len()).unwrap();
    let path = b"\x82\x86\x04\x0a/v1/models\x41\x01j";
    let block = [&path[..], &[0x0f, 0x08, length], value.as_bytes()].concat();
    frame(1, 0x5, 1, &block)
}

#[test]
fn nothing_of_a_key_but_its_public_id_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let store = KeyStore::open(data.path()).unwrap();
    let (valid, revoked, stranger) = (
        store.create(Role::Reviewer, Some(MARK)).unwrap(),
        store.create(Role::Client, None).unwrap(),
        Token::generate().unwrap(),
    );
    store.revoke(revoked.id()).unwrap();
    let Some(process) = Process::start(|command| {
        command
            .env("JAGA_DATA_DIR", data.path())
            .env("JAGA_SERVER__AUTH", "required")
            .env("JAGA_LOG__LEVEL", "trace");
    }) else {
        return;
    };
    let client = Client::new();
    let mut asked = 0;
    for token in [&valid, &revoked, &stranger].map(Token::reveal) {
        let half = &token[..60];
        for (path, header, value) in [
            ("/v1/models", "authorization", format!("Bearer {token}")),
            ("/v1/models", "authorization", format!("bearer  {half}")),
            ("/v1/models", "authorization", token.to_owned()),
            ("/metrics", "authorization", format!("Bearer {token}")),
            ("/healthz", "authorization", format!("Bearer {token}")),
            ("/v1/models", "x-api-key", token.to_owned()),
            ("/v1/models", "proxy-authorization", token.to_owned()),
        ] {
            let request = client.get(process.url(path)).header(header, value);
            request.send().unwrap();
            asked += 1;
        }
        for path in [format!("/v1/models?key={token}"), format!("/{token}")] {
            client.get(process.url(&path)).send().unwrap();
            asked += 1;
        }
        let mut stream = http2(process.address, &[]);
        stream.write_all(&models_by_http_2(token)).unwrap();
        asked += 1;
        eventually("all is answered", || {
            process.said("answered").len() == asked
        });
    }
    process.terminate();
    let (_, log) = process.end();
    let of_valid = log
        .iter()
        .filter(|line| line["message"] == "answered" && line["span"]["key"] == valid.id());
    // By HTTP/1.1 and 2, and where its role was not enough.
    assert_eq!(of_valid.count(), 3);
    for line in &log {
        let line = line.to_string();
        for token in [&valid, &revoked, &stranger] {
            for at in (22..token.reveal().len() - 8).step_by(4) {
                let piece = &token.reveal()[at..at + 8];
                assert!(!line.contains(piece), "{line}");
            }
        }
        for id in [revoked.id(), stranger.id(), MARK] {
            assert!(!line.contains(id), "{line}");
        }
    }
}
