//! Clients that are slow, silent or many.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::process::Process;
use crate::server::{Server, descriptors, eventually, resident_kib};

pub(crate) const ALIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: jaga\r\n\r\n";

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// All that comes until the server closes.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    bytes
}

fn text(stream: TcpStream) -> String {
    String::from_utf8(rest(stream)).unwrap()
}

/// One answer on a connection that stays open.
pub(crate) fn ask<S: Read + Write>(stream: &mut S, request: &[u8]) -> String {
    stream.write_all(request).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
        head += &line;
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn silence_and_slow_header_lines_are_cut_off() {
    let Some(server) = Server::start(|config| config.server.header_timeout_s = 0.3) else {
        return;
    };
    assert_eq!(text(connect(server.address)), "", "a word was never said");
    let mut slow = connect(server.address);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").unwrap();
    assert_eq!(text(slow), "");
    // And between requests.
    let mut second = connect(server.address);
    assert!(ask(&mut second, ALIVE).starts_with("HTTP/1.1 200 "));
    second.write_all(b"GET /heal").unwrap();
    assert_eq!(text(second), "");
    assert_eq!(server.get("/healthz").status(), 200);
}

#[test]
fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let Some(server) = Server::start(|config| config.server.idle_timeout_s = 0.5) else {
        return;
    };
    let mut idle = connect(server.address);
    for _ in 0..5 {
        assert!(ask(&mut idle, ALIVE).starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(text(idle), "");
}

#[test]
fn one_connection_too_many_is_told_so_at_once() {
    // One is the test's own client.
    let Some(server) = Server::start(|config| {
        config.server.max_connections = 3;
        config.server.idle_timeout_s = 3600.0;
    }) else {
        return;
    };
    let mut held = [connect(server.address), connect(server.address)];
    for stream in &mut held {
        assert!(ask(stream, ALIVE).starts_with("HTTP/1.1 200 "));
    }
    let answer = text(connect(server.address));
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
    assert!(answer.contains("\"limit\":\"max_connections\""), "{answer}");
    drop(held);
    eventually("there is a place again", || {
        let mut stream = connect(server.address);
        stream.write_all(ALIVE).is_ok() && {
            let mut first = [0; 12];
            stream.read_exact(&mut first).is_ok() && &first == b"HTTP/1.1 200"
        }
    });
}

#[test]
fn who_does_not_read_its_answers_is_cut_off() {
    let Some(server) = Server::start(|config| config.server.pace_window_s = 0.5) else {
        return;
    };
    let mut deaf = connect(server.address);
    let many = b"GET /v1/models HTTP/1.1\r\nhost: jaga\r\n\r\n".repeat(1000);
    // Answers fill the buffers of both sides, then the server reads no more and then it closes.
    let error = loop {
        if let Err(error) = deaf.write_all(&many) {
            break error;
        }
    };
    assert!(
        [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()),
        "{error}"
    );
    assert_eq!(server.get("/healthz").status(), 200);
}

#[test]
fn targets_and_header_lines_are_bounded() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let long = format!(
        "GET /healthz?{} HTTP/1.1\r\nhost: j\r\n\r\n",
        "a".repeat(8192)
    );
    let answer = ask(&mut connect(server.address), long.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    assert!(answer.contains("\"limit\":\"uri_bytes\""), "{answer}");
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
    let large = format!("GET /healthz HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(70_000));
    for request in [many, large] {
        let mut stream = connect(server.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 431");
    }
}

#[test]
fn an_upload_that_trickles_gives_its_place_back() {
    let Some(server) = Server::start(|config| {
        config.server.pace_window_s = 0.3;
        config.server.min_upload_bytes_per_s = 1000;
    }) else {
        return;
    };
    for kind in ["", "content-type: multipart/form-data; boundary=x\r\n"] {
        let mut slow = connect(server.address);
        let head =
            format!("POST /v1/score HTTP/1.1\r\nhost: j\r\n{kind}content-length: 9999\r\n\r\n--x");
        slow.write_all(head.as_bytes()).unwrap();
        let answer = text(slow);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("\"code\":\"upload_timeout\""), "{answer}");
        assert!(
            answer.contains("\"limit\":\"min_upload_bytes_per_s\""),
            "{answer}"
        );
    }
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}

#[test]
fn who_sends_all_before_reading_still_reads_why_it_was_refused() {
    let Some(server) = Server::start(|config| config.data.max_upload_bytes = 1000) else {
        return;
    };
    let bytes = 8 << 20;
    let declared = format!("content-length: {bytes}");
    let chunk = format!("{bytes:x}\r\n");
    let cases = [
        ("?model=nobody", &*declared, "", "", "unknown_model"),
        ("", &*declared, "", "", "too_large"),
        (
            "",
            "transfer-encoding: chunked",
            &*chunk,
            "\r\n0\r\n\r\n",
            "too_large",
        ),
    ];
    for (query, line, before, after, code) in cases {
        let mut stream = connect(server.address);
        let head = format!("POST /v1/score{query} HTTP/1.1\r\nhost: j\r\n{line}\r\n\r\n{before}");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&vec![b'x'; bytes]).unwrap();
        let answer = ask(&mut stream, after.as_bytes());
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
        // And the connection is good for more.
        assert!(ask(&mut stream, ALIVE).starts_with("HTTP/1.1 200 "));
    }
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}

#[test]
fn a_refused_upload_that_trickles_on_is_cut_off() {
    let Some(server) = Server::start(|config| config.server.pace_window_s = 0.3) else {
        return;
    };
    let mut slow = connect(server.address);
    slow.write_all(b"POST /v1/score?frames=0 HTTP/1.1\r\nhost: j\r\ncontent-length: 9999\r\n\r\nx")
        .unwrap();
    let answer = text(slow);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// HTTP/2's begin: preface and settings, as pairs of number and value.
pub(crate) fn http2(address: SocketAddr, settings: &[(u16, u32)]) -> TcpStream {
    let mut stream = connect(address);
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(number, value)| [&number.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    stream.write_all(&frame(4, 0, 0, &payload)).unwrap();
    stream
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /healthz`, complete.
pub(crate) fn headers(stream: u32) -> Vec<u8> {
    let block = [&b"\x82\x86\x04\x08/healthz\x41\x01j"[..]].concat();
    frame(1, 0x5, stream, &block)
}

/// Kinds of the frames in `bytes`.
pub(crate) fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *bytes {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    kinds
}

#[test]
fn http_2_without_a_window_is_cut_off() {
    let Some(server) = Server::start(|config| config.server.pace_window_s = 0.5) else {
        return;
    };
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: the server may send header frames and no data.
    let mut deaf = http2(server.address, &[(4, 0)]);
    deaf.write_all(&headers(1)).unwrap();
    let kinds = kinds(&rest(deaf));
    assert!(kinds.contains(&1), "header lines came: {kinds:?}");
    assert!(!kinds.contains(&0), "data did not: {kinds:?}");
}

#[test]
fn http_2_is_served_and_an_idle_connection_closed() {
    let Some(server) = Server::start(|config| config.server.idle_timeout_s = 0.5) else {
        return;
    };
    let mut client = http2(server.address, &[]);
    client.write_all(&headers(1)).unwrap();
    let bytes = rest(client);
    assert!(kinds(&bytes).contains(&0));
    let body = b"{\"status\":\"alive\"}";
    assert!(bytes.windows(body.len()).any(|part| part == body));
}

#[test]
fn http_2_streams_that_are_reset_at_once_end_the_connection() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let mut flood = http2(server.address, &[]);
    let mut bytes = Vec::new();
    for stream in (1..2000).step_by(2) {
        bytes.extend(headers(stream));
        bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
    }
    // The server may close before all is written.
    let _ = flood.write_all(&bytes);
    let mut seen = Vec::new();
    let _ = flood.read_to_end(&mut seen);
    let answers = kinds(&seen).into_iter().filter(|kind| *kind == 1).count();
    assert!(answers < 1000, "{answers} of 1000 were answered");
    assert_eq!(server.get("/healthz").status(), 200);
}

const ROUNDS: usize = 8;

/// `JAGA_TEST_IDLE_CONNECTIONS` asks for more than the 1,000 of an ordinary run.
#[test]
fn thousands_of_idle_connections_leave_nothing_behind() {
    let wanted = std::env::var("JAGA_TEST_IDLE_CONNECTIONS");
    let wanted: usize = wanted.map_or(1000, |count| count.parse().unwrap());
    let held = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: held.maximum,
        maximum: held.maximum,
    };
    setrlimit(Resource::Nofile, all).unwrap();
    let most = held
        .maximum
        .map_or(usize::MAX, |most| usize::try_from(most).unwrap());
    let count = wanted.min(most.saturating_sub(500));
    let server = Process::start(|command| {
        command.envs([
            ("JAGA_SERVER__MAX_CONNECTIONS", "20000"),
            ("JAGA_SERVER__HEADER_TIMEOUT_S", "3600"),
            ("JAGA_SERVER__IDLE_TIMEOUT_S", "3600"),
        ]);
    });
    let Some(server) = server else { return };
    let (descriptors, resident_kib) = (|| descriptors(server.id()), || resident_kib(server.id()));
    let mut probe = connect(server.address);
    assert!(ask(&mut probe, ALIVE).starts_with("HTTP/1.1 200 "));
    let (open, before) = (descriptors(), resident_kib());
    for round in 0..ROUNDS {
        let mut idle: Vec<TcpStream> = (0..count).map(|_| connect(server.address)).collect();
        for stream in idle.iter_mut().step_by(2) {
            assert!(ask(stream, ALIVE).starts_with("HTTP/1.1 200 "));
        }
        eventually("all are open", || descriptors() >= open + count);
        assert!(ask(&mut probe, ALIVE).starts_with("HTTP/1.1 200 "));
        let with = resident_kib();
        drop(idle);
        // The server's own may come late: children started ahead, connections to the store.
        eventually("all are closed", || descriptors() <= open + 50);
        let after = resident_kib();
        eprintln!(
            "round {round}: {count} connections, {before} KiB before, {with} with them, {after} after"
        );
        // Free memory stays in the allocator's arenas, one a thread, so the figure climbs for some
        // rounds. A round needs 11 KiB a connection: what all rounds kept would be beyond this.
        let each = with.saturating_sub(before) / count as u64;
        assert!(each < 64, "{each} KiB a connection in round {round}");
    }
}
