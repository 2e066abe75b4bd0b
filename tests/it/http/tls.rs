//! TLS, and certificates that are replaced while the server runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use jaga::domain::role::Role;
use jaga::store::KeyStore;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use super::connections::{ALIVE, ask, headers, kinds};
use super::exposition::Exposition;
use super::process::Process;
use crate::cli::Shell;
use crate::server::eventually;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Valid until the end of this year.
fn certificate_until(year: i32) -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 12, 31);
    let cert = params.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

fn certificate() -> CertifiedKey<KeyPair> {
    certificate_until(2120)
}

/// Where a server's files are.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(first: &CertifiedKey<KeyPair>) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write(&first.cert.pem(), &first.signing_key.serialize_pem());
        files
    }

    fn paths(&self) -> [PathBuf; 2] {
        ["certificate.pem", "key.pem"].map(|name| self.folder.path().join(name))
    }

    fn write(&self, certificate: &str, key: &str) {
        let [first, second] = self.paths();
        fs::write(first, certificate).unwrap();
        fs::write(second, key).unwrap();
    }

    fn server(&self, change: impl FnOnce(&mut Command)) -> Option<Process> {
        let [certificate, key] = self.paths();
        Process::start(|command| {
            command
                .env("JAGA_SERVER__TLS__CERTIFICATE", certificate)
                .env("JAGA_SERVER__TLS__KEY", key);
            change(command);
        })
    }
}

/// A client that trusts `root` alone.
fn connect(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
    protocol: &[u8],
) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(client, TcpStream::connect(address)?);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

#[test]
fn both_versions_and_both_protocols_are_spoken() {
    let pair = certificate();
    let Some(server) = Files::new(&pair).server(|_| {}) else {
        return;
    };
    let root = pair.cert.der();
    for (version, name) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut stream = connect(server.address, root, version, b"http/1.1").unwrap();
        assert_eq!(stream.conn.protocol_version(), Some(name));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(ask(&mut stream, ALIVE).starts_with("HTTP/1.1 200 "));
    }
    let mut stream = connect(server.address, root, &TLS13, b"h2").unwrap();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]));
    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream
        .write_all(&[&begin[..], &headers(1)].concat())
        .unwrap();
    let mut seen = Vec::new();
    while !kinds(&seen).contains(&0) {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).unwrap();
        assert_ne!(length, 0, "data comes before the end");
        seen.extend(&piece[..length]);
    }
    let stranger = certificate();
    assert!(connect(server.address, stranger.cert.der(), &TLS13, b"h2").is_err());
    assert!(connect(server.address, root, &TLS13, b"gopher").is_err());
}

#[test]
fn a_key_is_asked_for_behind_tls_too() {
    let (pair, data) = (certificate(), tempfile::tempdir().unwrap());
    let store = KeyStore::open(data.path()).unwrap();
    let token = store.create(Role::Client, None).unwrap();
    let Some(server) = Files::new(&pair).server(|command| {
        command
            .env("JAGA_SERVER__AUTH", "required")
            .env("JAGA_DATA_DIR", data.path());
    }) else {
        return;
    };
    let mut stream = connect(server.address, pair.cert.der(), &TLS13, b"http/1.1").unwrap();
    let models = |more: &str| format!("GET /v1/models HTTP/1.1\r\nhost: j\r\n{more}\r\n");
    let refused = ask(&mut stream, models("").as_bytes());
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let with_key = models(&format!("authorization: Bearer {}\r\n", token.reveal()));
    let answered = ask(&mut stream, with_key.as_bytes());
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
}

/// What `/metrics` says, over an open connection.
fn metrics(stream: &mut Stream) -> Exposition {
    let answer = ask(stream, b"GET /metrics HTTP/1.1\r\nhost: j\r\n\r\n");
    Exposition::read(answer.split_once("\r\n\r\n").unwrap().1)
}

#[test]
fn a_new_certificate_is_taken_and_no_connection_is_dropped() {
    let (old, new, expired) = (certificate(), certificate(), certificate_until(2021));
    let files = Files::new(&old);
    let Some(server) = files.server(|_| {}) else {
        return;
    };
    let reach = |pair: &CertifiedKey<KeyPair>| {
        connect(server.address, pair.cert.der(), &TLS13, b"http/1.1")
    };
    let mut kept = reach(&old).unwrap();
    assert!(ask(&mut kept, ALIVE).starts_with("HTTP/1.1 200 "));
    // Half of a pair, then rubbish, one that ran out, none at all: the old one stays.
    let mut told = 0;
    for (certificate, key, reason) in [
        (new.cert.pem(), &old, "certificate.pem"),
        ("rubbish".to_owned(), &old, "no certificate"),
        (expired.cert.pem(), &expired, "2021-12-31"),
    ] {
        files.write(&certificate, &key.signing_key.serialize_pem());
        let faults = || server.said("CAN'T USE THE NEW CERTIFICATE; the old one stays");
        eventually("the fault is told", || {
            let faults = faults();
            let last = faults.last().map(ToString::to_string).unwrap_or_default();
            faults.len() > told && last.contains(reason)
        });
        told = faults().len();
        assert!(ask(&mut reach(&old).unwrap(), ALIVE).starts_with("HTTP/1.1 200 "));
    }
    files.write(&new.cert.pem(), &new.signing_key.serialize_pem());
    eventually("the new one is shown", || reach(&new).is_ok());
    assert!(reach(&old).is_err());
    assert!(ask(&mut kept, ALIVE).starts_with("HTTP/1.1 200 "));
    let counted = metrics(&mut kept);
    let reloads = |outcome: &str| counted.sum("jaga_tls_reloads_total", &[outcome]);
    assert!(reloads("outcome=\"refused\"") >= 3.0, "{counted:?}");
    assert!(reloads("outcome=\"taken\"") >= 1.0, "{counted:?}");
    let expiry = counted.sum("jaga_tls_certificate_expiry_timestamp_seconds", &[]);
    let year_2120 = 4_765_046_400.0;
    assert!((expiry - year_2120).abs() < 400.0 * 86_400.0, "{expiry}");
}

#[test]
fn http_without_tls_is_told_where_it_is() {
    let pair = certificate();
    let Some(server) = Files::new(&pair).server(|_| {}) else {
        return;
    };
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(ALIVE).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("\"code\":\"bad_request\""), "{answer}");
    assert!(answer.contains("https"), "{answer}");
    let mut stream = connect(server.address, pair.cert.der(), &TLS13, b"http/1.1").unwrap();
    let counted = metrics(&mut stream);
    for outcome in ["outcome=\"plain_http\"", "outcome=\"done\""] {
        let count = counted.sum("jaga_tls_handshakes_total", &[outcome]);
        assert!((count - 1.0).abs() < 1e-9, "{outcome} {counted:?}");
    }
}

/// All that comes until the server closes; a reset is as good an end.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn who_does_not_shake_hands_is_cut_off() {
    let pair = certificate();
    let Some(server) = Files::new(&pair).server(|command| {
        command.env("JAGA_SERVER__HEADER_TIMEOUT_S", "2");
    }) else {
        return;
    };
    for words in [&b""[..], b"\x16\x03\x01", b"\0\0\0\0rubbish"] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(words).unwrap();
        let answer = rest(stream);
        assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    }
    eventually("they are counted", || {
        let Ok(mut stream) = connect(server.address, pair.cert.der(), &TLS13, b"http/1.1") else {
            return false;
        };
        let counted = metrics(&mut stream);
        let count = |outcome: &str| counted.sum("jaga_tls_handshakes_total", &[outcome]);
        count("outcome=\"timed_out\"") >= 2.0 && count("outcome=\"failed\"") >= 1.0
    });
}

#[test]
fn a_handshake_takes_a_place_among_the_connections() {
    let pair = certificate();
    let Some(server) = Files::new(&pair).server(|command| {
        command
            .env("JAGA_SERVER__MAX_CONNECTIONS", "2")
            .env("JAGA_SERVER__HEADER_TIMEOUT_S", "3600");
    }) else {
        return;
    };
    let silent = [(); 2].map(|()| TcpStream::connect(server.address).unwrap());
    let none = rest(TcpStream::connect(server.address).unwrap());
    assert_eq!(none, b"", "it is closed at once, without a word");
    eventually("it is logged", || {
        server.said("no more connections are taken").len() == 1
    });
    drop(silent);
    eventually("there is a place again", || {
        connect(server.address, pair.cert.der(), &TLS13, b"http/1.1").is_ok()
    });
    // A handshake that never ends doesn't hold up a stop.
    let _silent = TcpStream::connect(server.address).unwrap();
    server.terminate();
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn files_that_can_not_be_used_end_the_start() {
    let Some(shell) = Shell::new() else { return };
    let (one, other, expired) = (certificate(), certificate(), certificate_until(2021));
    let files = Files::new(&one);
    let [certificate, key] = files.paths();
    let run = |command: &str, key: Option<&PathBuf>| {
        let mut command = shell.command(&[command]);
        command.env("JAGA_SERVER__LISTEN", "127.0.0.1:0");
        command.env("JAGA_SERVER__TLS__CERTIFICATE", &certificate);
        command.envs(key.map(|key| ("JAGA_SERVER__TLS__KEY", key)));
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8(told).unwrap();
        (output.status.code().unwrap(), told)
    };
    let (status, told) = run("serve", None);
    assert_eq!(status, 2);
    assert!(told.contains("server.tls"), "{told}");
    let nowhere = certificate.with_file_name("nowhere.pem");
    assert!(
        run("doctor", Some(&key))
            .1
            .contains("ok    tls: the certificate is valid until 2120-12-31")
    );
    for (shown, signing_key, key, words) in [
        (&one, &one, &nowhere, &["nowhere.pem"][..]),
        (&one, &other, &key, &["certificate.pem", "key.pem"]),
        (&expired, &expired, &key, &["certificate.pem", "2021-12-31"]),
    ] {
        files.write(&shown.cert.pem(), &signing_key.signing_key.serialize_pem());
        let (status, told) = run("serve", Some(key));
        assert_eq!(status, 1, "{told}");
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
        let (status, told) = run("doctor", Some(key));
        assert_eq!(status, 1, "{told}");
        let line = told.lines().find(|line| line.starts_with("FAIL  tls: "));
        assert!(line.is_some_and(|line| line.contains(words[0])), "{told}");
    }
}
