//! Requests that lie, flood or break off, over plain TCP against a real server.

use std::io::Write;
use std::net::Shutdown;

use super::corpus::seeds;
use super::service::{Answer, Service, read_answer, score_head};
use crate::media_files::have_ffmpeg;
use crate::random::Random;

const MULTIPART: &str = "content-type: multipart/form-data; boundary=edge\r\n";

fn problem(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or("none"))
}

fn clip() -> Vec<u8> {
    let (_, path) = seeds().into_iter().find(|(name, _)| name == "mp4").unwrap();
    std::fs::read(path).unwrap()
}

/// A part of a form named `edge`.
fn part(head: &str, content: &[u8]) -> Vec<u8> {
    [
        format!("--edge\r\ncontent-disposition: form-data; {head}\r\n\r\n").as_bytes(),
        content,
        b"\r\n",
    ]
    .concat()
}

fn form(service: &Service, body: &[u8]) -> Answer {
    let head = score_head(body.len(), MULTIPART);
    service.exchange(&[head.as_bytes(), body].concat())
}

#[test]
fn lengths_that_lie_are_refused_or_break_off() {
    let Some(service) = Service::start(&[]).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (clip, before) = (clip(), service.holdings());
    let post = |lines: &str, body: &[u8]| {
        let head =
            format!("POST /v1/score HTTP/1.1\r\nhost: jaga\r\nconnection: close\r\n{lines}\r\n");
        service.exchange(&[head.as_bytes(), body].concat())
    };
    // Not HTTP, so the answer is the HTTP library's own: 400 without a body.
    for lines in [
        "content-length: -1\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "content-length: 1e3\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "transfer-encoding: gzip\r\n",
    ] {
        assert_eq!(post(lines, b"hello!").0, 400, "{lines}");
    }
    // What is left of a body that is longer than it said is no request and is never read as one.
    let long = format!("content-length: {}\r\n", clip.len());
    let smuggled = [
        &clip,
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n".as_slice(),
    ]
    .concat();
    assert_eq!(post(&long, &smuggled).0, 200);
    // One byte less is a cut file, scored by what is there.
    let short = format!("content-length: {}\r\n", clip.len() - 1);
    assert_eq!(post(&short, &clip).0, 200);
    // A body that ends before its length: nobody is left to answer, or a 400.
    let mut stream = service.connect();
    let head = score_head(clip.len() + 1, "");
    stream
        .write_all(&[head.as_bytes(), &clip].concat())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_answer(&mut stream);
    assert!(
        [(0, "none"), (400, "bad_request")].contains(&problem(&answer)),
        "{answer:?}"
    );
    service.settles(before);
}

#[test]
fn chunks_that_lie_are_bad_requests() {
    let Some(service) = Service::start(&[]).filter(|_| have_ffmpeg()) else {
        return;
    };
    let before = service.holdings();
    let chunked = |body: &[u8]| {
        let head = "POST /v1/score HTTP/1.1\r\nhost: jaga\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        service.exchange(&[head.as_bytes(), body].concat())
    };
    for body in [
        b"xyz\r\nhello\r\n0\r\n\r\n".as_slice(),
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"3\r\nhello\r\n0\r\n\r\n",
        b"5;",
    ] {
        let mut stream = service.connect();
        let head = "POST /v1/score HTTP/1.1\r\nhost: jaga\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_answer(&mut stream);
        let told = problem(&answer);
        assert!(
            [(0, "none"), (400, "none"), (400, "bad_request")].contains(&told),
            "{answer:?}"
        );
    }
    // 10^5 chunks of one byte, then an end.
    let many = [b"1\r\nx\r\n".repeat(100_000), b"0\r\n\r\n".to_vec()].concat();
    assert_eq!(problem(&chunked(&many)), (415, "unsupported_media"));
    // The extensions and trailers of chunks are bounded by the HTTP library.
    let extended = [
        b"5;".to_vec(),
        vec![b'a'; 1 << 20],
        b"\r\nhello\r\n0\r\n\r\n".to_vec(),
    ]
    .concat();
    let answer = chunked(&extended);
    assert!([0, 400].contains(&answer.0), "{answer:?}");
    service.settles(before);
}

#[test]
fn forms_that_flood_are_bad_requests() {
    let Some(service) = Service::start(&[]).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (clip, before, memory) = (clip(), service.holdings(), service.resident_bytes());
    let nested = [
        part("name=\"file\"", b"").as_slice(),
        b"--edge\r\ncontent-type: multipart/mixed; boundary=edge\r\n\r\n--edge--",
    ]
    .concat();
    let header_flood = [
        b"--edge\r\n".to_vec(),
        b"x-a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".repeat(200_000),
    ]
    .concat();
    let one_header = [b"--edge\r\nx-a: ".to_vec(), vec![b'b'; 10 << 20]].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("10^5 parts", part("name=\"a\"", b"x").repeat(100_000)),
        (
            "10^5 parts named file",
            part("name=\"file\"", b"x").repeat(100_000),
        ),
        ("10 MB of header lines", header_flood),
        ("a header line of 10 MB", one_header),
        (
            "a field name of 10 MB",
            part(&format!("name=\"{}\"", "n".repeat(10 << 20)), b"x"),
        ),
        ("no boundary in 10 MB", vec![b'-'; 10 << 20]),
        ("no closing boundary", part("name=\"file\"", &clip)),
        ("a form in a form", nested),
        ("nothing", Vec::new()),
        ("only the end", b"--edge--\r\n".to_vec()),
    ];
    for (what, body) in cases {
        let answer = form(&service, &body);
        // The server may close while a flood is still being sent; then its answer can be lost.
        let told = problem(&answer);
        let lost = body.len() > 1 << 20 && told == (0, "none");
        assert!(lost || told == (400, "bad_request"), "{what}: {answer:?}");
    }
    for kind in [
        "content-type: multipart/form-data\r\n",
        "content-type: multipart/form-data; boundary=\r\n",
        "content-type: multipart/mixed; boundary=edge\r\n",
    ] {
        let body = part("name=\"file\"", &clip);
        let head = score_head(body.len(), kind);
        let answer = service.exchange(&[head.as_bytes(), &body].concat());
        assert_eq!(problem(&answer), (400, "bad_request"), "{kind}");
    }
    service.settles(before);
    let grown = service.resident_bytes().saturating_sub(memory);
    assert!(grown < 64 << 20, "grew by {} MiB", grown >> 20);
}

#[test]
fn names_of_files_lead_nowhere() {
    let Some(service) = Service::start(&[]).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (clip, before) = (clip(), service.holdings());
    let folder = service.folder.path().to_str().unwrap();
    for name in [
        "../../../../../../etc/cron.d/owned".to_owned(),
        format!("{folder}/owned"),
        "..\\\\..\\\\owned".to_owned(),
        "%2e%2e%2fowned".to_owned(),
        "owned\0.mp4".to_owned(),
        "|touch owned".to_owned(),
        "x".repeat(5000),
    ] {
        let body = [
            part(&format!("name=\"file\"; filename=\"{name}\""), &clip),
            b"--edge--\r\n".to_vec(),
        ];
        let answer = form(&service, &body.concat());
        assert!([200, 400].contains(&answer.0), "{name}: {answer:?}");
        assert!(!answer.1.to_string().contains("owned"), "{name}");
    }
    service.settles(before);
    let here: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(here.len(), 2, "models and data alone: {here:?}");
    assert!(!std::path::Path::new("/etc/cron.d/owned").exists());
    assert!(
        !service.log().contains("owned"),
        "no file's name in the log"
    );
}

#[test]
fn uploads_that_break_off_leave_nothing() {
    const ABORTED: usize = 120;
    let Some(service) = Service::start(&[]).filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = clip();
    let whole = [score_head(clip.len(), "").as_bytes(), &clip].concat();
    let body = [part("name=\"file\"", &clip), b"--edge--\r\n".to_vec()].concat();
    let form = [score_head(body.len(), MULTIPART).as_bytes(), &body].concat();
    service.score(&clip);
    let (before, mut random) = (service.holdings(), Random(6));
    for number in 0..ABORTED {
        let request = if number % 2 == 0 { &whole } else { &form };
        let mut stream = service.connect();
        stream
            .write_all(&request[..random.below(request.len())])
            .unwrap();
        if number % 3 == 0 {
            // Not even an end: the connection is reset.
            rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::ZERO))
                .unwrap();
        }
        drop(stream);
    }
    service.settles(before);
    assert_eq!(service.score(&clip).0, 200);
}

#[test]
fn more_uploads_than_there_is_room_are_turned_away() {
    const UPLOADS: usize = 200;
    let Some(service) = Service::start(&[
        ("JAGA_ANALYSIS__QUEUE", "20"),
        ("JAGA_ANALYSIS__CONCURRENCY", "2"),
    ])
    .filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = clip();
    service.score(&clip);
    let (before, memory) = (service.holdings(), service.resident_bytes());
    let count = |answers: &[u16], status: u16| answers.iter().filter(|s| **s == status).count();
    // The head and all but the last byte of each: those that are let in hold their places.
    let mut streams: Vec<_> = (0..UPLOADS).map(|_| service.connect()).collect();
    let request = [score_head(clip.len(), "").as_bytes(), &clip].concat();
    for stream in &mut streams {
        let _turned_away = stream.write_all(&request[..request.len() - 1]);
    }
    crate::server::eventually("the room is full", || service.holdings().inside == 22);
    assert_eq!(service.score(&clip).0, 429);
    let mut answers = Vec::new();
    for mut stream in streams {
        let _turned_away = stream.write_all(&request[request.len() - 1..]);
        answers.push(read_answer(&mut stream).0);
    }
    let (scored, away) = (count(&answers, 200), count(&answers, 429));
    assert_eq!((scored, away), (22, UPLOADS - 22), "{answers:?}");
    service.settles(before);
    let grown = service.resident_bytes().saturating_sub(memory);
    assert!(grown < 64 << 20, "grew by {} MiB", grown >> 20);
    eprintln!(
        "{scored} scored, {away} turned away, {} KiB more",
        grown >> 10
    );
}
