//! Callbacks of jobs, from the outbox to a receiver.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::blocking::Client;
use serde_json::Value;

use super::drain::picture;
use super::openapi::Described;
use super::process::Process;
use crate::server::{answer, eventually};

/// Takes what comes, and answers a status that can be changed.
pub(super) struct Receiver {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    /// `webhook-id` and body of each message.
    messages: Arc<Mutex<Vec<(String, String)>>>,
}

impl Receiver {
    pub(super) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            status: Arc::new(AtomicU16::new(status)),
            messages: Arc::default(),
        };
        let status = Arc::clone(&receiver.status);
        let messages = Arc::clone(&receiver.messages);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let (mut id, mut length) = (String::new(), 0);
                let mut line = String::new();
                while stream.read_line(&mut line).unwrap_or(0) > 2 {
                    let (name, value) = line.trim().split_once(": ").unwrap_or_default();
                    match name {
                        "webhook-id" => value.clone_into(&mut id),
                        "content-length" => length = value.parse().unwrap(),
                        _ => {}
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if stream.read_exact(&mut body).is_err() {
                    continue;
                }
                let body = String::from_utf8(body).unwrap();
                messages.lock().unwrap().push((id, body));
                let status = status.load(Ordering::SeqCst);
                let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 4\r\n\r\nsaid");
                // A server that was stopped doesn't read it.
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        receiver
    }

    pub(super) fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(super) fn query(&self) -> String {
        format!("?callback_url=http%3A%2F%2F{}%2Fhook", self.address)
    }

    pub(super) fn messages(&self) -> Vec<(String, String)> {
        self.messages.lock().unwrap().clone()
    }

    pub(super) fn allow(&self, command: &mut Command) {
        command
            .env("JAGA_WEBHOOKS__ENABLED", "true")
            .env("JAGA_WEBHOOKS__HOSTS", "127.0.0.1")
            .env("JAGA_WEBHOOKS__PORTS", self.address.port().to_string())
            .env("JAGA_WEBHOOKS__ALLOW_HTTP", "true")
            .env("JAGA_WEBHOOKS__ALLOW_ADDRESSES", "127.0.0.1/32");
    }
}

fn deliveries(server: &Process, id: &str) -> Vec<Value> {
    let path = format!("/v1/jobs/{id}/deliveries");
    let shown = Client::new().get(server.url(&path)).send().unwrap();
    let shown = Described::new().check("get", "/v1/jobs/{id}/deliveries", shown);
    shown["deliveries"].as_array().unwrap().clone()
}

#[test]
fn a_receiver_that_was_down_gets_its_message_after_a_restart() {
    let receiver = Receiver::start(503);
    let folder = tempfile::tempdir().unwrap();
    let start = || Process::start_in(folder.path(), |command| receiver.allow(command));
    let Some(server) = start() else { return };
    let (client, described) = (Client::new(), Described::new());
    let url = server.url(&format!("/v1/jobs{}", receiver.query()));
    let (status, accepted) = answer(client.post(url).body(picture()).send().unwrap());
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["id"].as_str().unwrap();
    eventually("an attempt failed", || !deliveries(&server, id).is_empty());
    let failed = &deliveries(&server, id)[0];
    assert_eq!(
        (&failed["status"], &failed["error"]),
        (&503.into(), &"said".into())
    );
    server.terminate();
    server.end();
    receiver.answers(204);
    let server = start().unwrap();
    eventually("it was delivered", || {
        deliveries(&server, id)
            .last()
            .is_some_and(|last| last["status"] == 204)
    });
    let messages = receiver.messages();
    assert!(messages.len() >= 2);
    for message in &messages {
        assert_eq!(message, &messages[0], "the same id and body");
    }
    assert_eq!(messages[0].0, format!("msg_{id}"));
    let event: Value = serde_json::from_str(&messages[0].1).unwrap();
    let (_, job) = answer(
        client
            .get(server.url(&format!("/v1/jobs/{id}")))
            .send()
            .unwrap(),
    );
    assert_eq!(event["type"], "job.done");
    assert_eq!(
        (&event["data"], &event["timestamp"]),
        (&job, &job["finished_at"])
    );
    // And once more, by call.
    let path = format!("/v1/jobs/{id}/deliveries");
    let again = client.post(server.url(&path)).send().unwrap();
    assert_eq!(again.status(), 202);
    described.check("post", "/v1/jobs/{id}/deliveries", again);
    let before = messages.len();
    eventually("it came again", || receiver.messages().len() > before);
    assert_eq!(receiver.messages().last(), messages.first());
}

#[test]
fn a_callback_that_may_not_be_called_is_refused_with_the_job() {
    let receiver = Receiver::start(200);
    let Some(server) = Process::start(|command| receiver.allow(command)) else {
        return;
    };
    let client = Client::new();
    let port = receiver.address.port();
    for url in [
        "rubbish".to_owned(),
        "http://127.0.0.1:1/".to_owned(),
        format!("http://127.0.0.2:{port}/"),
        format!("http://a:b@127.0.0.1:{port}/"),
    ] {
        let url = reqwest::Url::parse_with_params(&server.url("/v1/jobs"), [("callback_url", url)]);
        let (status, problem) = answer(client.post(url.unwrap()).body(picture()).send().unwrap());
        assert_eq!((status, &problem["code"]), (422, &"bad_callback".into()));
    }
    let ping = server.url(&format!(
        "/v1/webhooks/ping?url=http://{}/",
        receiver.address
    ));
    let pinged = client.post(ping).send().unwrap();
    let pinged = Described::new().check("post", "/v1/webhooks/ping", pinged);
    assert_eq!(pinged["status"], 200);
    let [(id, body)] = &receiver.messages()[..] else {
        panic!("one message")
    };
    assert_eq!(pinged["message_id"], id.as_str());
    assert!(body.contains("\"ping\""), "{body}");
}

#[test]
fn callbacks_are_refused_where_they_are_off() {
    let Some(server) = Process::start(|_| {}) else {
        return;
    };
    let url = server.url("/v1/jobs?callback_url=https%3A%2F%2Fhooks.example.org%2F");
    let (status, problem) = answer(Client::new().post(url).body(picture()).send().unwrap());
    assert_eq!((status, &problem["code"]), (422, &"bad_callback".into()));
    let expected = "webhooks.enabled is false on this server";
    assert_eq!(problem["detail"], expected);
}
