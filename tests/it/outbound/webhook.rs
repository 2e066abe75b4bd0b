//! Callbacks.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jaga::outbound::config::WebhooksConfig;
use jaga::outbound::webhook::{Delivery, Outcome, Secret, Sender};
use jiff::Timestamp;

use super::site::{HOST, Names, Reply, Site};

const BODY: &[u8] = br#"{"type":"job.done","data":{"id":"01J","name":"caf\u00e9"}}"#;

fn config(site: &Site) -> WebhooksConfig {
    WebhooksConfig {
        enabled: true,
        hosts: vec!["*".parse().unwrap()],
        ports: vec![site.port],
        allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
        extra_ca: Some(site.ca()),
        ..WebhooksConfig::default()
    }
}

fn sender(config: &WebhooksConfig, data: &Path) -> Sender {
    let names = Names::new(&[
        (HOST, &[&["127.0.0.1"]]),
        ("inside.example", &[&["10.0.0.1"]]),
    ]);
    Sender::with_resolver(config, data, names).unwrap()
}

fn delivery(sender: &Sender, url: &str) -> Delivery {
    Delivery {
        id: "msg_01J".to_owned(),
        url: sender.parse(url).unwrap(),
        body: BODY.into(),
    }
}

#[tokio::test]
async fn an_answer_tells_what_becomes_of_a_delivery() {
    let site = Site::start(true, |path| match path {
        "/done" => Reply::raw("204 No Content", b""),
        "/gone" => Reply::raw("410 Gone\r\ncontent-length: 0", b""),
        "/moved" => Reply::raw("302 Found\r\nlocation: /done\r\ncontent-length: 0", b""),
        "/busy" => Reply::raw("429 Busy\r\nretry-after: 9\r\ncontent-length: 0", b""),
        _ => Reply::raw("500 No\r\ncontent-length: 4000", &[b'a'; 4000]),
    })
    .await;
    let data = tempfile::tempdir().unwrap();
    let sender = sender(&config(&site), data.path());
    for (path, status, outcome) in [
        ("/done", 204, Outcome::Delivered),
        ("/gone", 410, Outcome::Gone),
        ("/moved", 302, Outcome::Failed),
        ("/busy", 429, Outcome::Failed),
        ("/fault", 500, Outcome::Failed),
    ] {
        let delivery = delivery(&sender, &site.url(path));
        let attempt = sender.send(&delivery, Timestamp::now()).await;
        assert_eq!(attempt.status, Some(status), "{attempt:?}");
        assert_eq!(attempt.outcome, outcome, "{path}");
        let asked = (path == "/busy").then_some(Duration::from_secs(9));
        assert_eq!(attempt.retry_after, asked);
        let kept = if path == "/fault" { 1024 } else { 0 };
        assert_eq!(attempt.excerpt.len(), kept);
    }
    // The redirection wasn't followed.
    assert_eq!(site.requests().len(), 5);
}

#[tokio::test]
async fn no_answer_is_tried_again_and_a_refused_url_is_not() {
    let site = Site::start(true, |_| Reply::raw("", b"").hanging()).await;
    let data = tempfile::tempdir().unwrap();
    let mut config = config(&site);
    config.timeout_s = 0.5;
    let sender = sender(&config, data.path());
    let silent = delivery(&sender, &site.url("/"));
    let attempt = sender.send(&silent, Timestamp::now()).await;
    assert_eq!((attempt.outcome, attempt.status), (Outcome::Failed, None));
    assert!(attempt.error.is_some());
    let inside = format!("https://inside.example:{}/", site.port);
    let inside = delivery(&sender, &inside);
    assert!(sender.check(&inside.url).await.is_err());
    let attempt = sender.send(&inside, Timestamp::now()).await;
    assert_eq!(attempt.outcome, Outcome::Refused, "{attempt:?}");
}

#[tokio::test]
async fn callbacks_are_off_by_default_and_leave_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let sender = Sender::open(&WebhooksConfig::default(), data.path()).unwrap();
    let error = sender.parse("https://hooks.example.org/").unwrap_err();
    assert_eq!(
        error.to_string(),
        "webhooks.enabled is false on this server"
    );
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

/// The Python receiver of docs/webhooks.md, running.
struct Receiver {
    child: Child,
    port: u16,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Receiver {
    fn start(secret: &Secret) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(root.join("docs/webhooks.md")).unwrap();
        let (_, code) = text.split_once("```python\n").unwrap();
        let (code, _) = code.split_once("\n```").unwrap();
        let python = std::env::var("JAGA_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut child = Command::new(python)
            .args(["-c", code])
            .env("SECRET", secret.reveal())
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening on ").unwrap();
        let port = port.parse().unwrap();
        Self { child, port }
    }

    /// What it answers to a message that is signed with `secrets`, sent as if it were `at`.
    async fn answers(&self, secrets: &[&Secret], at: Timestamp) -> u16 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets");
        let lines: Vec<_> = secrets.iter().map(|s| s.reveal()).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, closed).unwrap();
        let config = WebhooksConfig {
            enabled: true,
            hosts: vec!["127.0.0.1".parse().unwrap()],
            ports: vec![self.port],
            allow_http: true,
            allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
            secret_file: Some(file),
            ..WebhooksConfig::default()
        };
        let sender = sender(&config, folder.path());
        let url = format!("http://127.0.0.1:{}/hook", self.port);
        let attempt = sender.send(&delivery(&sender, &url), at).await;
        attempt.status.unwrap_or_else(|| panic!("{attempt:?}"))
    }
}

#[tokio::test]
async fn the_documented_receiver_takes_what_is_signed_and_nothing_else() {
    let [old, new, other] = [(); 3].map(|()| Secret::generate().unwrap());
    let receiver = Receiver::start(&old);
    let now = Timestamp::now();
    assert_eq!(receiver.answers(&[&old], now).await, 204);
    assert_eq!(
        receiver.answers(&[&new, &old], now).await,
        204,
        "in rotation"
    );
    assert_eq!(receiver.answers(&[&other], now).await, 401);
    let long_ago = now - jiff::SignedDuration::from_mins(10);
    assert_eq!(receiver.answers(&[&old], long_ago).await, 401);
}
