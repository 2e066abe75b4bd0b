//! A web site on a free port of 127.0.0.1, and names that lead there.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use jaga::outbound::resolve::Resolve;
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

/// The name that the site's certificate is for.
pub(super) const HOST: &str = "videos.example";

/// What a site answers to a path.
pub(super) type Script = fn(path: &str) -> Reply;

pub(super) struct Reply {
    bytes: Vec<u8>,
    /// Whether the connection stays open without a further word.
    hang: bool,
}

impl Reply {
    /// Status, header lines and body as they are sent.
    pub(super) fn raw(head: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        Self {
            bytes: [head.as_bytes(), body].concat(),
            hang: false,
        }
    }

    pub(super) fn ok(body: &[u8]) -> Self {
        Self::raw(&format!("200 OK\r\ncontent-length: {}", body.len()), body)
    }

    pub(super) fn hanging(self) -> Self {
        Self { hang: true, ..self }
    }
}

pub(super) struct Site {
    pub(super) port: u16,
    /// Requests as they came, header lines and body.
    requests: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Site {
    pub(super) async fn start(tls: bool, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let pair = certificate();
        std::fs::write(folder.path().join("ca.pem"), pair.cert.pem()).unwrap();
        let acceptor = acceptor(&pair);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, acceptor) = (Arc::clone(&kept), acceptor.clone());
                tokio::spawn(async move {
                    if !tls {
                        return serve(stream, script, &kept).await;
                    }
                    // A client that doesn't believe the certificate goes.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, script, &kept).await;
                    }
                });
            }
        });
        Self {
            port,
            requests,
            folder,
        }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.port)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn certificate() -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate().unwrap();
    let names = vec![HOST.to_owned(), "127.0.0.1".to_owned()];
    let cert = CertificateParams::new(names).unwrap();
    let cert = cert.self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}

fn acceptor(pair: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let key = pair.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.cert.der().clone()], key)
        .unwrap();
    Arc::new(config).into()
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    kept: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !whole(&request) {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend(&piece[..length]),
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    kept.lock().unwrap().push(request);
    let reply = script(&path);
    // The client may have gone before the end: that is what some tests are about.
    if stream.write_all(&reply.bytes).await.is_err() || stream.flush().await.is_err() {
        return;
    }
    if reply.hang {
        let _ = stream.read(&mut [0]).await;
    }
    let _ = stream.shutdown().await;
}

/// Whether a request's header lines and the body that they announce are there.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let declared = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= declared.map_or(0, |length| length.parse().unwrap())
}

/// Names with the answers that they give one after the other; the last one stays.
#[derive(Debug, Default)]
pub(super) struct Names {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl Names {
    pub(super) fn new(rows: &[(&str, &[&[&str]])]) -> Arc<Self> {
        let addresses = |list: &&[&str]| list.iter().map(|a| a.parse().unwrap()).collect();
        let answers = rows
            .iter()
            .map(|(name, lists)| ((*name).to_owned(), lists.iter().map(addresses).collect()))
            .collect();
        Arc::new(Self {
            answers,
            asked: Mutex::default(),
        })
    }

    /// How often `name` was asked for.
    pub(super) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let mut asked = self.asked.lock().unwrap();
            let times = asked.entry(host.to_owned()).or_default();
            *times += 1;
            let answers = self.answers.get(host);
            let answers = answers.ok_or_else(|| io::Error::other("no such name"))?;
            Ok(answers[(*times - 1).min(answers.len() - 1)].clone())
        })
    }
}
