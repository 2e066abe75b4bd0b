//! A real server that is told to stop.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::blocking::Client;
use serde_json::Value;

use super::openapi::Described;
use super::process::Process;
use crate::server::eventually;

pub(crate) fn picture() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([128, 128, 128]))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    png.into_inner()
}

/// An upload of which the first ten bytes are sent.
fn begun(process: &Process, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(process.address).unwrap();
    let length = body.len();
    let head = format!("POST /v1/score HTTP/1.1\r\nhost: jaga\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..10]).unwrap();
    eventually("it is inside", || {
        let ready: Value = Client::new()
            .get(process.url("/readyz"))
            .send()
            .unwrap()
            .json()
            .unwrap();
        ready["requests_inside"] == 1
    });
    stream
}

#[test]
fn readiness_turns_first_then_the_port_closes_then_the_last_answer_goes_out() {
    let start = Process::start(|command| {
        command.env("JAGA_SERVER__DRAIN_NOTICE_S", "5");
    });
    let Some(process) = start else { return };
    let body = picture();
    let mut last = begun(&process, &body);
    process.terminate();
    let client = Client::new();
    eventually("readiness has turned", || {
        let answer = client.get(process.url("/readyz")).send().unwrap();
        if answer.status() == 200 {
            return false;
        }
        assert_eq!(answer.status(), 503);
        let problem = Described::new().check("get", "/readyz", answer);
        assert_eq!(problem["code"], "draining");
        true
    });
    // What a balancer still sends in the meantime is not lost.
    let late = client
        .post(process.url("/v1/score"))
        .body(body.clone())
        .send();
    assert_eq!(late.unwrap().status(), 200);
    eventually("the port is closed", || {
        TcpStream::connect(process.address).is_err()
    });
    last.write_all(&body[10..]).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (code, log) = process.end();
    assert_eq!(code, Some(0));
    let cut_off = log.iter().filter(|line| line["level"] == "WARN");
    assert_eq!(cut_off.count(), 0, "{log:#?}");
}

#[test]
fn a_request_that_never_ends_holds_the_server_up_for_a_bounded_time() {
    let start = Process::start(|command| {
        command.env("JAGA_SERVER__DRAIN_S", "0.2");
    });
    let Some(process) = start else { return };
    let _never_complete = begun(&process, &picture());
    process.terminate();
    let (code, log) = process.end();
    assert_eq!(code, Some(0));
    let still = "requests were still running when the time to drain was over";
    assert_eq!(
        log.iter().filter(|line| line["message"] == still).count(),
        1,
        "{log:#?}"
    );
}
