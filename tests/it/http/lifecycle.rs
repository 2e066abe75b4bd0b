//! Waiting, leaving and stopping.

use std::io::Write;
use std::net::TcpStream;

use crate::decoder::protocol::Fake;
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, answer, eventually};

/// A server whose decoder never comes to an end.
fn stalled(fake: &Fake, queue: usize, deadline_s: f64) -> Option<Server> {
    Server::start(|config| {
        config.media.decoder = Some(fake.program());
        config.analysis.concurrency = 1;
        config.analysis.queue = queue;
        config.analysis.deadline_s = deadline_s;
    })
}

/// A request that is sent whole and whose answer nobody reads.
fn send(server: &Server, body: &[u8], declared: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head =
        format!("POST /v1/score HTTP/1.1\r\nhost: jaga\r\ncontent-length: {declared}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

#[test]
fn a_full_waiting_room_is_answered_at_once() {
    let fake = Fake::stalling();
    let Some(server) = stalled(&fake, 1, 60.0) else {
        return;
    };
    let _running = send(&server, b"x", 1);
    let _waiting = send(&server, b"x", 1);
    eventually("both are inside", || server.inside() == 2);
    let response = server
        .client
        .post(server.url("/v1/score"))
        .body("x")
        .send()
        .unwrap();
    assert!(response.headers().contains_key("retry-after"));
    let (status, problem) = answer(response);
    assert_eq!(
        (status, problem["code"].as_str()),
        (429, Some("overloaded"))
    );
}

#[test]
fn a_client_that_leaves_stops_its_work() {
    let fake = Fake::stalling();
    let Some(server) = stalled(&fake, 4, 60.0) else {
        return;
    };
    let running = send(&server, b"x", 1);
    let waiting = send(&server, b"x", 1);
    let half_sent = send(&server, b"x", 1000);
    eventually("all are inside", || server.inside() == 3);
    drop((running, waiting, half_sent));
    eventually("nobody is inside", || server.inside() == 0);
    assert_eq!(server.spooled(), 0);
}

#[test]
fn an_analysis_has_a_deadline() {
    let fake = Fake::stalling();
    let Some(server) = stalled(&fake, 4, 0.3) else {
        return;
    };
    let (status, problem) = server.score_bytes("", b"x".to_vec());
    assert_eq!(
        (status, problem["code"].as_str()),
        (504, Some("deadline_exceeded"))
    );
    assert_eq!(server.inside(), 0);
}

#[test]
fn an_upload_has_a_time_to_arrive() {
    let Some(server) = Server::start(|config| config.server.upload_timeout_s = 0.2) else {
        return;
    };
    let mut slow = send(&server, b"x", 1000);
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut slow, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"upload_timeout\""), "{answer}");
}

#[test]
fn a_child_that_lies_is_a_corrupt_file() {
    let fake = Fake::lying();
    let Some(server) = stalled(&fake, 1, 60.0) else {
        return;
    };
    let (status, problem) = server.score_bytes("", b"x".to_vec());
    assert_eq!(
        (status, problem["code"].as_str()),
        (422, Some("corrupt_media")),
        "{problem}"
    );
}

#[test]
fn a_stop_finishes_what_is_admitted() {
    let Some(mut server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = numbered(
        "drain",
        "mp4",
        50,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    let body = std::fs::read(clip).unwrap();
    let mut last = send(&server, &body[..10], body.len());
    eventually("it is inside", || server.inside() == 1);
    server.stop();
    last.write_all(&body[10..]).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut last, &mut answer).unwrap();
    // Either it still had its place, or it was told that the server stops; never nothing.
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.join().unwrap();
}

#[test]
fn a_model_that_can_not_be_loaded_ends_the_server() {
    use crate::inference::support::library;
    let Some(library) = library() else { return };
    let data = tempfile::tempdir().unwrap();
    let mut config = jaga::config::Config::default();
    config.media = crate::decoder::config();
    config.runtime.library = Some(library);
    config.models.dirs = vec![data.path().join("nowhere")];
    data.path().clone_into(&mut config.data.dir);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        jaga::http::run(config, listener, std::future::pending()).await
    });
    let text = ended.unwrap_err().to_string();
    assert!(text.contains("genai-clip"), "{text}");
}
