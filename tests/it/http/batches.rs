//! Batches: manifests taken or refused, fed bit by bit, told of, and kept across a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jaga::config::Config;
use jaga::domain::role::Role;
use jaga::http::config::Auth;
use jaga::store::KeyStore;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use super::drain::picture;
use super::jobs::page;
use super::openapi::Described;
use super::process::Process;
use crate::decoder::protocol::Fake;
use crate::server::{Server, answer, eventually};

/// A web server whose paths that begin with `/ok` are a picture, and all others aren't there.
pub(crate) struct Pictures {
    pub(crate) url: String,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Pictures {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = head.next().unwrap_or_default();
                let _whole = head.find(String::is_empty);
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let answer = if path.starts_with("/ok") {
                    page("200 OK", &picture())
                } else {
                    page("404 Gone", b"")
                };
                kept.lock().unwrap().push(path);
                // The client may be gone: it is killed in some tests.
                let _ = stream.write_all(&answer);
            }
        });
        Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            asked,
        }
    }

    /// How often each path was asked for.
    pub(crate) fn asked(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for path in self.asked.lock().unwrap().iter() {
            *counts.entry(path.clone()).or_default() += 1;
        }
        counts
    }

    /// A line that names a picture.
    pub(crate) fn line(&self, id: &str) -> String {
        format!(
            "{}\n",
            json!({ "id": id, "url": format!("{}/ok/{id}", self.url) })
        )
    }

    /// So many lines, `a-0` and so on.
    fn manifest(&self, lines: usize) -> String {
        (0..lines).map(|n| self.line(&format!("a-{n}"))).collect()
    }

    fn allow(&self, config: &mut Config) {
        config.fetch.enabled = true;
        config.fetch.ports = vec![self.port];
        config.fetch.hosts = vec!["127.0.0.1".parse().unwrap()];
        config.fetch.allow_http = true;
        config.fetch.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        config.jobs.backoff_s = 0.1;
    }

    /// The same for a process.
    pub(crate) fn variables(&self) -> [(&'static str, String); 6] {
        [
            ("JAGA_FETCH__ENABLED", "true".to_owned()),
            ("JAGA_FETCH__PORTS", self.port.to_string()),
            ("JAGA_FETCH__HOSTS", "127.0.0.1".to_owned()),
            ("JAGA_FETCH__ALLOW_HTTP", "true".to_owned()),
            ("JAGA_FETCH__ALLOW_ADDRESSES", "127.0.0.0/8".to_owned()),
            ("JAGA_JOBS__BACKOFF_S", "0.1".to_owned()),
        ]
    }
}

fn start(pictures: &Pictures, change: impl FnOnce(&mut Config)) -> Option<Server> {
    Server::start(|config| {
        pictures.allow(config);
        change(config);
    })
}

fn submit(server: &Server, query: &str, manifest: impl Into<String>) -> Response {
    let url = server.url(&format!("/v1/batches{query}"));
    let manifest: String = manifest.into();
    server.client.post(url).body(manifest).send().unwrap()
}

fn taken(server: &Server, manifest: impl Into<String>) -> String {
    let (status, accepted) = answer(submit(server, "", manifest));
    assert_eq!(status, 202, "{accepted}");
    accepted["id"].as_str().unwrap().to_owned()
}

fn batch(server: &Server, id: &str) -> Value {
    let (status, batch) = answer(server.get(&format!("/v1/batches/{id}")));
    assert_eq!(status, 200, "{batch}");
    let counts = &batch["counts"];
    let of = |name: &str| counts[name].as_u64().unwrap();
    let sum: u64 = ["queued", "running", "done", "failed", "cancelled"]
        .map(of)
        .iter()
        .sum();
    assert_eq!(sum, of("lines"), "{batch}");
    batch
}

fn lines(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let lines = BufReader::new(response).lines().map(Result::unwrap);
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(&line).unwrap())
        .collect()
}

fn ids(results: &[Value]) -> Vec<&str> {
    let ids = results.iter().map(|line| line["id"].as_str().unwrap());
    ids.collect()
}

fn manifests(data: &Path) -> usize {
    std::fs::read_dir(data.join("batches")).unwrap().count()
}

#[test]
fn a_manifest_becomes_results_with_partial_failures_named() {
    let pictures = Pictures::start();
    let Some(server) = start(&pictures, |config| config.jobs.batches.window = 3) else {
        return;
    };
    let described = Described::new();
    let gone = json!({ "id": "gone", "url": format!("{}/none", pictures.url) });
    let refused = json!({ "id": "refused", "url": "https://example.org/" });
    let detailed = json!({ "id": "detailed", "url": format!("{}/ok", pictures.url),
        "client_ref": "post-7", "model": ["tiny"], "frame_scores": true });
    let manifest = format!("{gone}\n\n{refused}\r\n{}{detailed}", pictures.manifest(6));
    let accepted = submit(&server, "?client_ref=catalogue", manifest.clone());
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(accepted.status(), 202);
    let accepted = described.check("post", "/v1/batches", accepted);
    assert_eq!(accepted["lines"], 9);
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/batches/{id}"));
    // Follows the batch to its end.
    let results = lines(server.get(&format!("{location}/results?follow=true")));
    let seen: BTreeSet<&str> = ids(&results).into_iter().collect();
    assert_eq!((results.len(), seen.len()), (9, 9));
    for line in &results {
        let code = match line["id"].as_str().unwrap() {
            "gone" => "fetch_failed",
            "refused" => "bad_url",
            _ => {
                assert_eq!(line["report"]["schema"], "jaga.report/1");
                assert!(line.get("problem").is_none(), "{line}");
                continue;
            }
        };
        assert_eq!(line["problem"]["code"], code, "{line}");
        assert!(line.get("report").is_none(), "{line}");
    }
    let by_id = |id: &str| results.iter().find(|line| line["id"] == id).unwrap();
    assert_eq!(by_id("detailed")["client_ref"], "post-7");
    let frames = &by_id("detailed")["report"]["models"][0]["frames"];
    assert_eq!(frames.as_array().unwrap().len(), 1);
    assert!(by_id("a-0")["report"]["models"][0].get("frames").is_none());
    let over = described.check("get", "/v1/batches/{id}", server.get(&location));
    assert_eq!(
        (&over["status"], &over["client_ref"]),
        (&"done".into(), &"catalogue".into())
    );
    let counts =
        json!({ "lines": 9, "queued": 0, "running": 0, "done": 7, "failed": 2, "cancelled": 0 });
    assert_eq!(over["counts"], counts);
    assert_eq!(over["manifest"]["bytes"], manifest.len());
    assert!(over["lines_per_s"].as_f64().unwrap() > 0.0);
    assert_eq!(over["remaining_s"], 0.0);
    // Its jobs know it, and their reports are kept.
    let line = by_id("a-1");
    let (_, job) = answer(server.get(&format!("/v1/jobs/{}", line["job_id"].as_str().unwrap())));
    assert_eq!(
        (&job["batch_id"], &job["item_id"]),
        (&id.into(), &"a-1".into())
    );
    assert_eq!(
        (&job["lane"], &job["report"]),
        (&"backfill".into(), &line["report"])
    );
    // Every picture was fetched once.
    assert!(
        pictures.asked().values().all(|times| *times == 1),
        "{:?}",
        pictures.asked()
    );
    eventually("the manifest is deleted", || {
        manifests(server.data.path()) == 0
    });
}

#[test]
fn results_go_on_behind_a_cursor() {
    let pictures = Pictures::start();
    let Some(server) = start(&pictures, |_| {}) else {
        return;
    };
    let id = taken(&server, pictures.manifest(5));
    eventually("it is over", || batch(&server, &id)["status"] == "done");
    let path = format!("/v1/batches/{id}/results");
    let all = lines(server.get(&path));
    assert_eq!(all.len(), 5);
    let cursor = all[1]["cursor"].as_str().unwrap();
    assert_eq!(
        lines(server.get(&format!("{path}?after={cursor}"))),
        all[2..]
    );
    let last = all[4]["cursor"].as_str().unwrap();
    let end = format!("{path}?follow=true&after={last}");
    assert_eq!(lines(server.get(&end)), [] as [Value; 0]);
    for wrong in ["?after=x", "?after=-1", "?follow=1", "?limit=1"] {
        let refused = server.get(&format!("{path}{wrong}"));
        assert_eq!(answer(refused).1["code"], "bad_request", "{wrong}");
    }
    let none = server.get("/v1/batches/01NONE/results");
    assert_eq!(
        Described::new().check("get", "/v1/batches/{id}/results", none)["code"],
        "not_found"
    );
}

#[test]
fn a_manifest_that_is_wrong_is_refused_whole_and_the_line_is_named() {
    let pictures = Pictures::start();
    let start = start(&pictures, |config| {
        config.jobs.batches.max_line_bytes = 1024;
    });
    let Some(server) = start else { return };
    let described = Described::new();
    let good = pictures.line("a");
    let long = json!({ "id": "b", "url": "x".repeat(1100) });
    for (text, line, told) in [
        (format!("{good}\n{{\"id\":"), 3, "EOF while parsing"),
        (
            good.clone() + &good,
            2,
            "the id \"a\" stands in an earlier line",
        ),
        (format!("{good}{long}\n"), 2, "more than 1024 bytes"),
        (
            format!("{good}{}", json!({ "id": "b", "path": "/etc/passwd" })),
            2,
            "`path` is for `jaga batch`",
        ),
        (
            format!("{good}{}", json!({ "id": "b" })),
            2,
            "either `url` or `path`",
        ),
        (
            format!(
                "{good}{}",
                json!({ "id": "b", "url": "https://a.example/", "model": ["none"] })
            ),
            2,
            "none",
        ),
        (
            format!(
                "{good}{}",
                json!({ "id": "b", "url": "https://a.example/", "frames": 0 })
            ),
            2,
            "256",
        ),
        (
            format!(
                "{good}{}",
                json!({ "id": "b", "url": "https://a.example/", "policy": "x" })
            ),
            2,
            "x",
        ),
        (
            format!(
                "{good}{}",
                json!({ "id": "b", "url": "https://a.example/", "lane": "live" })
            ),
            2,
            "unknown field `lane`",
        ),
    ] {
        let problem = described.check("post", "/v1/batches", submit(&server, "", text.clone()));
        assert_eq!(
            (&problem["status"], &problem["line"]),
            (&400.into(), &line.into()),
            "{problem}"
        );
        assert!(
            problem["detail"].as_str().unwrap().contains(told),
            "{text}: {problem}"
        );
    }
    let (_, list) = answer(server.get("/v1/batches"));
    assert_eq!(list["batches"], json!([]));
    assert_eq!(manifests(server.data.path()), 0);
    assert_eq!(pictures.asked().len(), 0);
}

#[test]
fn a_manifest_that_is_too_large_or_empty_is_refused() {
    let pictures = Pictures::start();
    let start = start(&pictures, |config| {
        config.jobs.batches.max_lines = 3;
        config.jobs.batches.max_bytes = 3000;
    });
    let Some(server) = start else { return };
    let (described, good) = (Described::new(), pictures.line("a"));
    let many = submit(&server, "", pictures.manifest(4));
    let problem = described.check("post", "/v1/batches", many);
    assert_eq!(
        (&problem["code"], &problem["limit"]),
        (&"too_large".into(), &"jobs.batches.max_lines".into())
    );
    let problem = described.check(
        "post",
        "/v1/batches",
        submit(&server, "", "\n".repeat(3001)),
    );
    assert_eq!(
        (&problem["code"], &problem["limit"]),
        (&"too_large".into(), &"jobs.batches.max_bytes".into())
    );
    for (query, text) in [("", "\n"), ("?lane=live", good.as_str())] {
        let (status, problem) = answer(submit(&server, query, text));
        assert_eq!(
            (status, problem["code"].as_str()),
            (400, Some("bad_request"))
        );
    }
    let (_, list) = answer(server.get("/v1/batches"));
    assert_eq!(list["batches"], json!([]));
    let Some(off) = Server::start(|_| {}) else {
        return;
    };
    let (status, problem) = answer(submit(&off, "", good));
    assert_eq!((status, problem["code"].as_str()), (422, Some("bad_url")));
}

#[test]
fn a_cancelled_batch_stops_and_its_lines_say_so() {
    let (pictures, fake) = (Pictures::start(), Fake::stalling());
    let start = start(&pictures, |config| {
        config.media.decoder = Some(fake.program());
        config.analysis.concurrency = 1;
        config.jobs.batches.window = 4;
    });
    let Some(server) = start else { return };
    let id = taken(&server, pictures.manifest(20));
    eventually("one runs", || {
        batch(&server, &id)["counts"]["running"].as_u64() > Some(0)
    });
    // No more wait than may.
    let (_, jobs) = answer(server.get("/v1/jobs?limit=500"));
    assert!(jobs["jobs"].as_array().unwrap().len() <= 4, "{jobs}");
    let url = server.url(&format!("/v1/batches/{id}"));
    let cancelled = server.client.delete(&url).send().unwrap();
    let cancelled = Described::new().check("delete", "/v1/batches/{id}", cancelled);
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(cancelled["counts"]["cancelled"], 20);
    let results = lines(server.get(&format!("/v1/batches/{id}/results?follow=true")));
    assert!(results.len() <= 4 && !results.is_empty());
    assert!(
        results
            .iter()
            .all(|line| line["problem"]["code"] == "cancelled")
    );
    eventually("its place is free", || {
        let metrics = server.get("/metrics").text().unwrap();
        metrics.contains("jaga_requests_running{lane=\"backfill\"} 0.0")
    });
    let again = server.client.delete(&url).send().unwrap();
    assert_eq!(answer(again).1, batch(&server, &id));
    let files = std::fs::read_dir(server.data.path().join("jobs")).unwrap();
    assert_eq!((files.count(), manifests(server.data.path())), (0, 0));
    let none = server
        .client
        .delete(server.url("/v1/batches/01NONE"))
        .send();
    assert_eq!(none.unwrap().status(), 404);
}

#[test]
fn an_owner_sees_its_own_batches_and_has_so_many_open() {
    let (pictures, fake) = (Pictures::start(), Fake::stalling());
    let start = start(&pictures, |config| {
        config.server.auth = Auth::Required;
        config.media.decoder = Some(fake.program());
        config.jobs.batches.max_open = 2;
    });
    let Some(server) = start else { return };
    let store = KeyStore::open(server.data.path()).unwrap();
    let roles = [Role::Client, Role::Flagger, Role::Reviewer];
    let keys = roles.map(|role| store.create(role, None).unwrap());
    let ask = |key: usize, path: &str| {
        let request = server.client.get(server.url(path));
        answer(request.bearer_auth(keys[key].reveal()).send().unwrap())
    };
    eventually("the server knows the keys", || {
        ask(2, "/v1/models").0 == 200
    });
    let post = |key: usize, again: Option<&str>, manifest: String| {
        let mut request = server.client.post(server.url("/v1/batches")).body(manifest);
        if let Some(again) = again {
            request = request.header("Idempotency-Key", again);
        }
        request.bearer_auth(keys[key].reveal()).send().unwrap()
    };
    let first = answer(post(0, Some("k"), pictures.line("a"))).1;
    let again = post(0, Some("k"), pictures.line("a"));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(answer(again).1, first);
    let conflict = answer(post(0, Some("k"), pictures.line("b"))).1;
    assert_eq!(conflict["code"], "idempotency_conflict");
    assert_eq!(post(0, None, pictures.line("a")).status(), 202);
    let full = post(0, None, pictures.line("a"));
    assert!(full.headers().contains_key("retry-after"));
    let full = Described::new().check("post", "/v1/batches", full);
    assert_eq!(
        (&full["code"], &full["allowed"]),
        (&"overloaded".into(), &2.into())
    );
    assert_eq!(
        post(1, None, pictures.line("a")).status(),
        202,
        "another key"
    );
    assert_eq!(
        post(2, None, pictures.line("a")).status(),
        403,
        "reviewers send nothing"
    );
    let path = format!("/v1/batches/{}", first["id"].as_str().unwrap());
    assert_eq!([0, 1, 2].map(|key| ask(key, &path).0), [200, 404, 403]);
    assert_eq!(ask(1, &format!("{path}/results")).0, 404);
    let listed = [0, 1].map(|key| {
        ask(key, "/v1/batches").1["batches"]
            .as_array()
            .unwrap()
            .len()
    });
    assert_eq!(listed, [2, 1]);
    let (_, page) = ask(0, "/v1/batches?limit=1");
    let rest = format!(
        "/v1/batches?limit=1&cursor={}",
        page["cursor"].as_str().unwrap()
    );
    assert_eq!(ask(0, &rest).1["batches"][0]["id"], first["id"]);
}

#[test]
fn a_second_batch_does_not_wait_for_the_end_of_the_first() {
    let pictures = Pictures::start();
    let Some(server) = start(&pictures, |config| config.jobs.batches.window = 4) else {
        return;
    };
    let large = taken(&server, pictures.manifest(60));
    let small = taken(&server, pictures.line("small"));
    eventually("the small one is over", || {
        batch(&server, &small)["status"] == "done"
    });
    let order = lines(server.get(&format!("/v1/batches/{large}/results?follow=true")));
    assert_eq!(order.len(), 60);
    let of_small = lines(server.get(&format!("/v1/batches/{small}/results")));
    let place = |line: &Value| line["cursor"].as_str().unwrap().parse::<u64>().unwrap();
    assert!(
        place(&of_small[0]) < place(&order[59]),
        "not after the last of the large one"
    );
}

/// `JAGA_TEST_KILLS` sets how often; 4 by default.
#[test]
fn a_batch_goes_on_after_kills_and_each_line_has_one_result() {
    let kills = std::env::var("JAGA_TEST_KILLS").map_or(4, |n| n.parse().unwrap());
    let (folder, pictures) = (tempfile::tempdir().unwrap(), Pictures::start());
    let start = || {
        Process::start_in(folder.path(), |command| {
            command
                .envs(pictures.variables())
                .env("JAGA_JOBS__MAX_ATTEMPTS", "100")
                .env("JAGA_JOBS__BATCHES__WINDOW", "5");
        })
    };
    let client = Client::builder()
        .timeout(Duration::from_mins(2))
        .build()
        .unwrap();
    let Some(process) = start() else { return };
    let sent = client
        .post(process.url("/v1/batches"))
        .body(pictures.manifest(150))
        .send();
    let id = answer(sent.unwrap()).1["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/batches/{id}");
    let (mut running, mut after, mut results) = (process, "0".to_owned(), Vec::new());
    for round in 1..=kills {
        // Read a part of what there is, then kill.
        let url = running.url(&format!("{path}/results?follow=true&after={after}"));
        let stream = BufReader::new(client.get(url).send().unwrap()).lines();
        let wanted = 150 * round / (kills + 1) - results.len();
        for line in stream
            .map_while(Result::ok)
            .filter(|line| !line.is_empty())
            .take(wanted)
        {
            let line: Value = serde_json::from_str(&line).unwrap();
            line["cursor"].as_str().unwrap().clone_into(&mut after);
            results.push(line);
        }
        drop(running);
        running = start().unwrap();
    }
    let url = running.url(&format!("{path}/results?follow=true&after={after}"));
    results.extend(lines(client.get(url).send().unwrap()));
    // What was read across the kills is what one reader sees now.
    let whole = lines(
        client
            .get(running.url(&format!("{path}/results")))
            .send()
            .unwrap(),
    );
    assert_eq!(results, whole);
    let seen: BTreeSet<&str> = ids(&whole).into_iter().collect();
    assert_eq!((whole.len(), seen.len()), (150, 150));
    let reports: BTreeSet<&str> = whole
        .iter()
        .map(|line| line["report"]["id"].as_str().unwrap())
        .collect();
    assert_eq!(reports.len(), 150, "a report of its own");
    let batch = answer(client.get(running.url(&path)).send().unwrap()).1;
    assert_eq!(
        (&batch["status"], &batch["counts"]["done"]),
        (&"done".into(), &150.into())
    );
    // A line that had its result is never fetched again: more than once only what a kill met.
    let again: usize = pictures.asked().values().map(|times| times - 1).sum();
    assert!(
        again <= 10 * kills,
        "{again} fetched again by {kills} kills"
    );
}
