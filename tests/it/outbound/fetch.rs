//! Videos by URL.

use std::sync::Arc;

use jaga::outbound::config::FetchConfig;
use jaga::outbound::{Fetcher, OutboundError, OutboundErrorKind, Url};

use super::site::{HOST, Names, Reply, Site};

const LIMIT: u64 = 1000;

fn config(site: &Site) -> FetchConfig {
    FetchConfig {
        enabled: true,
        hosts: vec!["*".parse().unwrap()],
        ports: vec![443, site.port],
        // And no other address of this machine.
        allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
        extra_ca: Some(site.ca()),
        ..FetchConfig::default()
    }
}

fn here() -> Arc<Names> {
    Names::new(&[(HOST, &[&["127.0.0.1"]])])
}

async fn fetch(
    config: &FetchConfig,
    names: &Arc<Names>,
    url: &str,
) -> Result<Vec<u8>, OutboundError> {
    let names = Arc::clone(names);
    let fetcher = Fetcher::with_resolver(config, LIMIT, names).unwrap();
    let url = fetcher.parse(url)?;
    let mut download = fetcher.fetch(&url).await?;
    let mut whole = Vec::new();
    while let Some(piece) = download.next().await? {
        whole.extend(&piece[..]);
    }
    Ok(whole)
}

async fn refusal(config: &FetchConfig, names: &Arc<Names>, url: &str) -> String {
    let error = fetch(config, names, url).await.unwrap_err();
    assert_eq!(error.kind(), OutboundErrorKind::Refused, "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_file_comes_whole_and_the_request_tells_nothing() {
    let site = Site::start(true, |_| Reply::ok(b"a video")).await;
    let (config, names) = (config(&site), here());
    let whole = fetch(&config, &names, &site.url("/a%20b?c=d#e")).await;
    assert_eq!(whole.unwrap(), b"a video");
    let [request] = &site.requests()[..] else {
        panic!("one request")
    };
    assert!(
        request.starts_with("GET /a%20b?c=d HTTP/1.1\r\n"),
        "{request}"
    );
    let mut headers: Vec<_> = request
        .lines()
        .skip(1)
        .filter_map(|line| line.split(':').next().filter(|name| !name.is_empty()))
        .collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        ["accept-encoding", "connection", "host", "user-agent"]
    );
    assert!(request.contains(&format!("host: {HOST}:{}\r\n", site.port)));
}

#[tokio::test]
async fn it_is_off_unless_it_is_on() {
    let site = Site::start(true, |_| Reply::ok(b"")).await;
    let off = FetchConfig {
        enabled: false,
        ..config(&site)
    };
    let told = refusal(&off, &here(), &site.url("/")).await;
    assert_eq!(told, "fetch.enabled is false on this server");
    assert!(site.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_for_that_host() {
    let site = Site::start(true, |_| Reply::ok(b"")).await;
    let other = Site::start(true, |_| Reply::ok(b"")).await;
    let stranger = FetchConfig {
        extra_ca: Some(other.ca()),
        ..config(&site)
    };
    let error = fetch(&stranger, &here(), &site.url("/")).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
    let names = Names::new(&[("other.example", &[&["127.0.0.1"]])]);
    let url = format!("https://other.example:{}/", site.port);
    let error = fetch(&config(&site), &names, &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Connect { .. }), "{error:?}");
    assert!(site.requests().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_whatever_else_it_leads_to() {
    let site = Site::start(true, |_| Reply::ok(b"")).await;
    let inside = "10.0.0.1";
    let names = Names::new(&[
        ("private.example", &[&[inside]]),
        ("metadata.example", &[&["169.254.169.254"]]),
        ("mapped.example", &[&["::ffff:10.0.0.1"]]),
        ("local6.example", &[&["::1"]]),
        ("mixed.example", &[&["127.0.0.1", inside]]),
    ]);
    for name in ["private", "metadata", "mapped", "local6", "mixed"] {
        let host = format!("{name}.example");
        let url = format!("https://{host}:{}/", site.port);
        let told = refusal(&config(&site), &names, &url).await;
        assert_eq!(
            told,
            format!("the host {host} has an address that is not public")
        );
    }
    let nowhere = Names::new(&[("empty.example", &[&[]])]);
    for host in ["empty.example", "unknown.example"] {
        let url = format!("https://{host}:{}/", site.port);
        let error = fetch(&config(&site), &nowhere, &url).await.unwrap_err();
        assert_eq!(error.kind(), OutboundErrorKind::Transient, "{error}");
    }
    assert!(site.requests().is_empty());
}

#[tokio::test]
async fn addresses_are_refused_however_they_are_written() {
    let site = Site::start(false, |_| Reply::ok(b"")).await;
    let config = FetchConfig {
        allow_http: true,
        allow_addresses: Vec::new(),
        ..config(&site)
    };
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[::7f00:1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ] {
        let url = format!("http://{host}:{}/", site.port);
        let told = refusal(&config, &here(), &url).await;
        assert!(
            told.ends_with("has an address that is not public"),
            "{host}: {told}"
        );
    }
    assert!(site.requests().is_empty());
}

#[tokio::test]
async fn a_name_is_asked_once_and_what_it_said_is_what_counts() {
    let site = Site::start(true, |path| match path {
        "/again" => Reply::raw("302 Found\r\nlocation: /", b""),
        _ => Reply::ok(b"a video"),
    })
    .await;
    // Rebinding: public when checked, inside when connected to.
    let names = Names::new(&[(HOST, &[&["127.0.0.1"], &["10.0.0.1"]])]);
    let whole = fetch(&config(&site), &names, &site.url("/")).await;
    assert_eq!(whole.unwrap(), b"a video");
    assert_eq!(names.asked(HOST), 1);
    // The next hop of the same host is a connection of its own, checked anew.
    let names = Names::new(&[(HOST, &[&["127.0.0.1"], &["10.0.0.1"]])]);
    refusal(&config(&site), &names, &site.url("/again")).await;
    assert_eq!(names.asked(HOST), 2);
}

#[tokio::test]
async fn redirections_are_followed_under_the_same_rules() {
    let site = Site::start(true, |path| match path {
        "/0" => Reply::raw("301 Moved\r\nlocation: /1", b""),
        "/1" => Reply::raw("302 Found\r\nlocation: /2", b""),
        "/2" => Reply::raw("307 Temporary\r\nlocation: /end", b""),
        "/end" => Reply::ok(b"a video"),
        "/loop" => Reply::raw("308 Permanent\r\nlocation: /loop", b""),
        "/local" => Reply::raw("302 Found\r\nlocation: https://127.0.0.2/", b""),
        "/metadata" => Reply::raw("302 Found\r\nlocation: https://169.254.169.254/latest", b""),
        "/plain" => Reply::raw("302 Found\r\nlocation: http://videos.example/", b""),
        "/user" => Reply::raw("302 Found\r\nlocation: https://a:b@videos.example/", b""),
        "/port" => Reply::raw("302 Found\r\nlocation: https://videos.example:22/", b""),
        "/file" => Reply::raw("302 Found\r\nlocation: file:///etc/passwd", b""),
        _ => Reply::raw("302 Found", b""),
    })
    .await;
    let mut config = config(&site);
    config.allow_http = true;
    let whole = fetch(&config, &here(), &site.url("/0")).await;
    assert_eq!(whole.unwrap(), b"a video");
    for path in [
        "/local",
        "/metadata",
        "/plain",
        "/user",
        "/port",
        "/file",
        "/nowhere",
    ] {
        refusal(&config, &here(), &site.url(path)).await;
    }
    config.max_redirects = 2;
    for path in ["/0", "/loop"] {
        let error = fetch(&config, &here(), &site.url(path)).await.unwrap_err();
        assert!(
            matches!(error, OutboundError::Redirects { limit: 2 }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_by_declaration_or_by_count() {
    let site = Site::start(true, |path| match path {
        "/declared" => Reply::raw("200 OK\r\ncontent-length: 1001", b"").hanging(),
        "/fits" => Reply::ok(&[7; 1000]),
        _ => Reply::raw("200 OK\r\nconnection: close", &[7; 1001]),
    })
    .await;
    let config = config(&site);
    assert_eq!(
        fetch(&config, &here(), &site.url("/fits"))
            .await
            .unwrap()
            .len(),
        1000
    );
    for (path, wanted) in [("/declared", Some(1001)), ("/counted", None)] {
        let error = fetch(&config, &here(), &site.url(path)).await.unwrap_err();
        let OutboundError::TooLarge { limit, declared } = error else {
            panic!("{error:?}")
        };
        assert_eq!((limit, declared), (LIMIT, wanted));
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let site = Site::start(true, |path| match path {
        "/silent" => Reply::raw("200 OK\r\ncontent-length: 5", b"a").hanging(),
        _ => Reply::raw("200 OK\r\ncontent-length: 5", b"a"),
    })
    .await;
    let mut config = config(&site);
    let error = fetch(&config, &here(), &site.url("/short"))
        .await
        .unwrap_err();
    assert!(matches!(error, OutboundError::Protocol { .. }), "{error:?}");
    config.timeout_s = 0.5;
    let error = fetch(&config, &here(), &site.url("/silent"))
        .await
        .unwrap_err();
    assert!(matches!(error, OutboundError::Timeout { .. }), "{error:?}");
    assert_eq!(error.kind(), OutboundErrorKind::Transient);
}

#[tokio::test]
async fn answers_are_told_apart() {
    let site = Site::start(true, |path| match path {
        "/gone" => Reply::raw("404 Not Found", b""),
        "/busy" => Reply::raw("503 Busy\r\nretry-after: 7", b""),
        "/part" => Reply::raw("206 Partial\r\ncontent-length: 1", b"a"),
        "/zipped" => Reply::raw(
            "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1",
            b"a",
        ),
        _ => Reply::raw("no http", b""),
    })
    .await;
    let config = config(&site);
    for (path, kind) in [
        ("/gone", OutboundErrorKind::Permanent),
        ("/busy", OutboundErrorKind::Transient),
        ("/part", OutboundErrorKind::Permanent),
        ("/zipped", OutboundErrorKind::Permanent),
        ("/rubbish", OutboundErrorKind::Transient),
    ] {
        let error = fetch(&config, &here(), &site.url(path)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
        let asked = error.retry_after().map(|wait| wait.as_secs());
        assert_eq!(asked, (path == "/busy").then_some(7));
    }
}

#[tokio::test]
async fn a_job_can_be_refused_before_it_is_accepted() {
    let site = Site::start(true, |_| Reply::ok(b"")).await;
    let names = Names::new(&[("in.example", &[&["10.0.0.1"]]), (HOST, &[&["127.0.0.1"]])]);
    let fetcher = Fetcher::with_resolver(&config(&site), LIMIT, names).unwrap();
    let inside = Url::parse("https://in.example/").unwrap();
    assert!(fetcher.check(&inside).await.is_err());
    let fine = Url::parse(&site.url("/")).unwrap();
    fetcher.check(&fine).await.unwrap();
    assert!(site.requests().is_empty(), "nothing is connected to");
}
