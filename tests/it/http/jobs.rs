//! Jobs: taken, scored, told of, and kept across a kill.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jaga::config::Config;
use jaga::domain::role::Role;
use jaga::http::config::Auth;
use jaga::store::KeyStore;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};

use super::drain::picture;
use super::openapi::Described;
use super::process::Process;
use crate::decoder::protocol::Fake;
use crate::random::Random;
use crate::server::{Server, answer, eventually};

/// A picture of one grey.
pub(super) fn grey(value: u8) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(40, 30, image::Rgb([value; 3]))
        .write_to(&mut png, image::ImageFormat::Png)
        .unwrap();
    png.into_inner()
}

fn submit(server: &Server, query: &str, body: Vec<u8>, key: Option<&str>) -> Response {
    let mut request = server
        .client
        .post(server.url(&format!("/v1/jobs{query}")))
        .body(body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    request.send().unwrap()
}

pub(super) fn taken(server: &Server, query: &str, body: Vec<u8>) -> String {
    let (status, accepted) = answer(submit(server, query, body, None));
    assert_eq!(status, 202, "{accepted}");
    accepted["id"].as_str().unwrap().to_owned()
}

fn job(server: &Server, id: &str) -> Value {
    let (status, job) = answer(server.get(&format!("/v1/jobs/{id}")));
    assert_eq!(status, 200, "{job}");
    job
}

fn ended(server: &Server, id: &str) -> Value {
    let is_over = |job: &Value| !matches!(job["status"].as_str(), Some("queued" | "running"));
    eventually("the job is over", || is_over(&job(server, id)));
    job(server, id)
}

fn files(data: &Path) -> usize {
    std::fs::read_dir(data.join("jobs")).unwrap().count()
}

#[test]
fn a_job_gets_the_report_that_a_request_would_get() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let described = Described::new();
    let accepted = submit(
        &server,
        "?frame_scores=true&client_ref=post-7",
        picture(),
        None,
    );
    let location = accepted.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(accepted.status(), 202);
    let accepted = described.check("post", "/v1/jobs", accepted);
    assert_eq!(accepted["lane"], "live");
    let id = accepted["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/jobs/{id}"));
    let done = ended(&server, id);
    assert_eq!(
        (&done["status"], &done["attempts"]),
        (&"done".into(), &1.into())
    );
    assert_eq!(done["client_ref"], "post-7");
    let report = &done["report"];
    let (_, direct) = server.score_bytes("?frame_scores=true", picture());
    assert_eq!(report["models"][0]["frames"], direct["models"][0]["frames"]);
    assert_eq!(
        report["receipt"]["report_blake3"],
        direct["receipt"]["report_blake3"]
    );
    described.check("get", "/v1/jobs/{id}", server.get(&location));
    // Both reports are kept.
    for report in [report, &direct] {
        let path = format!("/v1/reports/{}", report["id"].as_str().unwrap());
        let kept = described.check("get", "/v1/reports/{id}", server.get(&path));
        assert_eq!(&kept, report);
    }
    let (status, problem) = answer(server.get("/v1/reports/01NONE"));
    assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")));
    eventually("the upload is deleted", || files(server.data.path()) == 0);
}

#[test]
fn bad_media_fails_at_once_with_its_problem() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let (status, problem) = answer(submit(&server, "", Vec::new(), None));
    assert_eq!(
        (status, problem["code"].as_str()),
        (422, Some("empty_media"))
    );
    let id = taken(
        &server,
        "",
        b"this is no video at all, whatever it says".to_vec(),
    );
    let failed = ended(&server, &id);
    assert_eq!(
        (&failed["status"], &failed["attempts"]),
        (&"failed".into(), &1.into())
    );
    assert_eq!(failed["problem"]["code"], "unsupported_media");
    assert_eq!(failed["problem"]["status"], 415);
    eventually("the upload is deleted", || files(server.data.path()) == 0);
    for query in ["?model=none", "?frames=0", "?lane=flagger", "?cal=1"] {
        let refused = submit(&server, query, picture(), None);
        assert!(matches!(refused.status().as_u16(), 400 | 422), "{query}");
    }
    let (_, list) = answer(server.get("/v1/jobs"));
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn a_fault_that_can_pass_is_tried_again_and_then_the_job_fails() {
    let fake = Fake::stalling();
    let start = Server::start(|config| {
        config.media.decoder = Some(fake.program());
        config.analysis.deadline_s = 0.1;
        config.jobs.backoff_s = 0.1;
        config.jobs.max_attempts = 3;
    });
    let Some(server) = start else { return };
    let failed = ended(&server, &taken(&server, "", picture()));
    assert_eq!(
        (&failed["status"], &failed["attempts"]),
        (&"failed".into(), &3.into())
    );
    assert_eq!(failed["problem"]["code"], "deadline_exceeded");
}

#[test]
fn the_same_request_again_is_the_same_job() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let first = submit(&server, "?frames=4", picture(), Some("k1"));
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let (_, first) = answer(first);
    let again = submit(&server, "?frames=4", picture(), Some("k1"));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(answer(again).1["id"], first["id"]);
    for (query, body) in [("?frames=4", grey(9)), ("?frames=5", picture())] {
        let (status, problem) = answer(submit(&server, query, body, Some("k1")));
        assert_eq!(
            (status, problem["code"].as_str()),
            (409, Some("idempotency_conflict"))
        );
    }
    let (_, list) = answer(server.get("/v1/jobs"));
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
    ended(&server, first["id"].as_str().unwrap());
    eventually("no upload is left", || files(server.data.path()) == 0);
}

#[test]
fn jobs_are_cancelled_whether_they_wait_or_run() {
    let fake = Fake::stalling();
    let start = Server::start(|config| {
        config.media.decoder = Some(fake.program());
        config.analysis.concurrency = 1;
    });
    let Some(server) = start else { return };
    let running = taken(&server, "", picture());
    eventually("it runs", || job(&server, &running)["status"] == "running");
    let waiting: Vec<String> = (0..3).map(|i| taken(&server, "", grey(i))).collect();
    for id in waiting.iter().rev().chain([&running]) {
        let url = server.url(&format!("/v1/jobs/{id}"));
        let cancelled = server.client.delete(&url).send().unwrap();
        let cancelled = Described::new().check("delete", "/v1/jobs/{id}", cancelled);
        assert_eq!(cancelled["status"], "cancelled");
    }
    eventually("its place is free", || {
        let metrics = server.get("/metrics").text().unwrap();
        metrics.contains("jaga_requests_running{lane=\"live\"} 0.0")
    });
    assert_eq!(files(server.data.path()), 0);
    let none = server.client.delete(server.url("/v1/jobs/01NONE")).send();
    assert_eq!(none.unwrap().status(), 404);
}

/// The data of each event until the stream ends.
fn events(response: Response) -> Vec<Value> {
    let lines = BufReader::new(response).lines().map(Result::unwrap);
    lines
        .filter_map(|line| Some(serde_json::from_str(line.strip_prefix("data: ")?).unwrap()))
        .collect()
}

#[test]
fn a_listener_hears_each_change_and_the_end() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let id = taken(&server, "", picture());
    let told = server.get(&format!("/v1/jobs/{id}/events"));
    assert_eq!(told.headers()["content-type"], "text/event-stream");
    let told = events(told);
    let last = told.last().unwrap();
    assert_eq!(last["status"], "done");
    assert_eq!(last["report"]["schema"], "jaga.report/1");
    let mut before = told.iter().rev().skip(1).map(|event| &event["status"]);
    assert!(before.all(|status| status == "running" || status == "queued"));
    // Whoever comes late hears the end.
    let late = events(server.get(&format!("/v1/jobs/{id}/events")));
    assert_eq!(late, std::slice::from_ref(last));
    assert_eq!(server.get("/v1/jobs/01NONE/events").status(), 404);
}

#[test]
fn a_key_sees_its_own_jobs_only_and_reviewers_see_all_reports() {
    let start = Server::start(|config| config.server.auth = Auth::Required);
    let Some(server) = start else { return };
    let store = KeyStore::open(server.data.path()).unwrap();
    let roles = [Role::Client, Role::Client, Role::Flagger, Role::Reviewer];
    let keys = roles.map(|role| store.create(role, None).unwrap());
    let ask = |key: usize, path: &str| {
        let request = server.client.get(server.url(path));
        answer(request.bearer_auth(keys[key].reveal()).send().unwrap())
    };
    eventually("the server knows the keys", || {
        ask(3, "/v1/models").0 == 200
    });
    let post = |key: usize, query: &str| {
        let url = server.url(&format!("/v1/jobs{query}"));
        let request = server.client.post(url).body(picture());
        answer(request.bearer_auth(keys[key].reveal()).send().unwrap())
    };
    let (status, mine) = post(0, "");
    assert_eq!((status, &mine["lane"]), (202, &"live".into()));
    let id = mine["id"].as_str().unwrap();
    assert_eq!(post(2, "").1["lane"], "flagger");
    assert_eq!(post(2, "?lane=backfill").1["lane"], "backfill");
    assert_eq!(post(3, "").0, 403, "reviewers send nothing");
    let path = format!("/v1/jobs/{id}");
    eventually("it is done", || ask(0, &path).1["status"] == "done");
    assert_eq!(ask(1, &path).0, 404);
    let report = ask(0, &path).1["report_id"].as_str().unwrap().to_owned();
    let report = format!("/v1/reports/{report}");
    assert_eq!(
        [0, 1, 2, 3].map(|key| ask(key, &report).0),
        [200, 404, 404, 200]
    );
    let listed = [0, 1, 2].map(|key| ask(key, "/v1/jobs").1["jobs"].as_array().unwrap().len());
    assert_eq!(listed, [1, 0, 2]);
}

#[test]
fn a_list_has_pages() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let mut sent: Vec<String> = (0..5).map(|i| taken(&server, "", grey(i))).collect();
    sent.reverse();
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?limit=2".to_owned();
    loop {
        let page = Described::new().check("get", "/v1/jobs", server.get(&path));
        let jobs = page["jobs"].as_array().unwrap();
        seen.extend(
            jobs.iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["cursor"].as_str() else {
            break;
        };
        path = format!("/v1/jobs?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, sent);
}

#[test]
fn a_full_lane_turns_jobs_away_and_loses_nothing() {
    let fake = Fake::stalling();
    let start = Server::start(|config| {
        config.media.decoder = Some(fake.program());
        config.analysis.concurrency = 1;
        config.jobs.max_queued.live = 2;
    });
    let Some(server) = start else { return };
    let running = taken(&server, "", picture());
    eventually("it runs", || job(&server, &running)["status"] == "running");
    // One more is claimed and waits for its place.
    taken(&server, "", grey(1));
    let (mut full, mut accepted) = (None, 2);
    for value in 2..8 {
        let answered = submit(&server, "", grey(value), None);
        if answered.status() == 202 {
            accepted += 1;
        } else {
            full = Some(answered);
        }
    }
    let full = full.expect("a lane of two doesn't take six");
    assert!(full.headers().contains_key("retry-after"));
    let problem = Described::new().check("post", "/v1/jobs", full);
    assert_eq!(
        (&problem["code"], &problem["lane"]),
        (&"overloaded".into(), &"live".into())
    );
    assert_eq!(files(server.data.path()), accepted);
    let backfill = submit(&server, "?lane=backfill", grey(9), None);
    assert_eq!(backfill.status(), 202, "another lane has room");
}

/// A web server that says `answers` one after the other, then the last one for ever, and its address.
pub(super) fn site(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(&stream).lines().map(Result::unwrap);
            let _whole = head.find(String::is_empty);
            let answer = &answers[number.min(answers.len() - 1)];
            // The client may have seen enough.
            let _ = stream.write_all(answer);
        }
    });
    format!("http://{address}")
}

pub(super) fn page(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A server that may fetch from these sites.
pub(super) fn fetching(sites: &[String], change: impl FnOnce(&mut Config)) -> Option<Server> {
    let port = |site: &String| site.rsplit(':').next().unwrap().parse().unwrap();
    Server::start(|config| {
        config.fetch.enabled = true;
        config.fetch.ports = sites.iter().map(port).collect();
        config.fetch.hosts = vec!["127.0.0.1".parse().unwrap()];
        config.fetch.allow_http = true;
        config.fetch.allow_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        config.jobs.backoff_s = 0.1;
        change(config);
    })
}

fn submit_json(server: &Server, json: &Value) -> Response {
    let request = server.client.post(server.url("/v1/jobs"));
    request.json(json).send().unwrap()
}

#[test]
fn a_job_by_url_is_fetched_and_scored() {
    // The first attempt meets a server that is down for the moment.
    let site = site(vec![page("503 Down", b""), page("200 OK", &picture())]);
    let Some(server) = fetching(std::slice::from_ref(&site), |_| {}) else {
        return;
    };
    let wanted = json!({ "url": format!("{site}/a.png"), "frame_scores": true, "client_ref": "7" });
    let accepted = submit_json(&server, &wanted);
    assert_eq!(accepted.status(), 202);
    let accepted = Described::new().check("post", "/v1/jobs", accepted);
    let done = ended(&server, accepted["id"].as_str().unwrap());
    assert_eq!(
        (&done["status"], &done["client_ref"]),
        (&"done".into(), &"7".into())
    );
    let (_, direct) = server.score_bytes("?frame_scores=true", picture());
    assert_eq!(
        done["report"]["receipt"]["report_blake3"],
        direct["receipt"]["report_blake3"]
    );
    eventually("the upload is deleted", || files(server.data.path()) == 0);
}

#[test]
fn what_can_not_be_fetched_fails_with_the_reason() {
    let cases = [
        (page("404 Gone", b""), "fetch_failed"),
        (page("200 OK", b""), "empty_media"),
        (page("200 OK", &[0; 1001]), "too_large"),
        (
            page("302 Found\r\nlocation: http://169.254.169.254/", b""),
            "bad_url",
        ),
        (
            page("200 OK", b"no video at all, as it seems to me"),
            "unsupported_media",
        ),
    ];
    let cases = cases.map(|(answer, code)| (site(vec![answer]), code));
    let sites = cases.clone().map(|(site, _)| site);
    let start = fetching(&sites, |config| config.data.max_upload_bytes = 1000);
    let Some(server) = start else { return };
    for (url, code) in cases {
        let (_, accepted) = answer(submit_json(&server, &json!({ "url": url })));
        let failed = ended(&server, accepted["id"].as_str().unwrap());
        assert_eq!(failed["problem"]["code"], code, "{failed}");
        assert_eq!(
            (&failed["status"], &failed["attempts"]),
            (&"failed".into(), &1.into())
        );
    }
    assert_eq!(files(server.data.path()), 0);
}

#[test]
fn urls_that_may_not_be_fetched_are_refused_at_once() {
    let Some(server) = fetching(&[], |_| {}) else {
        return;
    };
    for url in [
        "https://example.org/a",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "no url",
    ] {
        let refused = submit_json(&server, &json!({ "url": url }));
        let problem = Described::new().check("post", "/v1/jobs", refused);
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&422.into(), &"bad_url".into()),
            "{url}"
        );
    }
    let form = json!({ "url": "http://127.0.0.1/", "cal": 1 });
    assert_eq!(submit_json(&server, &form).status(), 400);
    let Some(off) = Server::start(|_| {}) else {
        return;
    };
    let (status, problem) = answer(submit_json(
        &off,
        &json!({ "url": "https://example.org/a" }),
    ));
    assert_eq!((status, problem["code"].as_str()), (422, Some("bad_url")));
}

#[test]
fn one_server_holds_a_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_first) = Process::start_in(folder.path(), |_| {}) else {
        return;
    };
    let second = Command::new(env!("CARGO_BIN_EXE_jaga"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("JAGA_DATA_DIR", folder.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains("another server uses"), "{told}");
}

/// What a client knows of the jobs that a server accepted: id by idempotency key.
type Accepted = BTreeMap<String, String>;

/// Sends one job after the other until the server is gone.
fn send_until_killed(address: std::net::SocketAddr, round: u32, accepted: &mut Accepted) {
    let client = Client::builder()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap();
    for number in 0.. {
        let key = format!("{round}-{number}");
        let body = grey(u8::try_from(number % 200).unwrap());
        let sent = client
            .post(format!("http://{address}/v1/jobs"))
            .header("Idempotency-Key", &key)
            .body(body)
            .send();
        let Ok(response) = sent else { return };
        let (status, job) = (response.status(), response.json::<Value>());
        // A body that broke off tells nothing.
        let Ok(job) = job else { return };
        assert_eq!(status, 202, "{job}");
        accepted.insert(key, job["id"].as_str().unwrap().to_owned());
    }
}

/// `JAGA_TEST_KILLS` sets how often; 6 by default.
#[test]
fn what_was_accepted_ends_once_whenever_the_server_is_killed() {
    let kills = std::env::var("JAGA_TEST_KILLS").map_or(6, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Process::start_in(folder.path(), |command| {
            command.env("JAGA_JOBS__MAX_ATTEMPTS", "100");
        })
    };
    let (mut random, mut accepted) = (Random(7), Accepted::new());
    for round in 0..kills {
        let Some(process) = start() else { return };
        let address = process.address;
        let killer = std::thread::spawn({
            // Any moment will do; there is nothing to wait for.
            let moment = Duration::from_millis(50 + random.next() % 600);
            move || {
                std::thread::sleep(moment);
                drop(process);
            }
        });
        send_until_killed(address, round, &mut accepted);
        killer.join().unwrap();
    }
    assert!(!accepted.is_empty());
    let Some(process) = start() else { return };
    let client = Client::new();
    let get = |path: &str| -> Value {
        client
            .get(process.url(path))
            .send()
            .unwrap()
            .json()
            .unwrap()
    };
    let mut reports = BTreeMap::new();
    for id in accepted.values() {
        let path = format!("/v1/jobs/{id}");
        eventually("the job is done", || get(&path)["status"] == "done");
        let report = get(&path)["report_id"].as_str().unwrap().to_owned();
        assert_eq!(reports.insert(report, id), None, "a report of its own");
    }
    // Asked again, each request gets the job that it got before.
    let (key, id) = accepted.first_key_value().unwrap();
    let number: u32 = key.split_once('-').unwrap().1.parse().unwrap();
    let again = client
        .post(process.url("/v1/jobs"))
        .header("Idempotency-Key", key)
        .body(grey(u8::try_from(number % 200).unwrap()))
        .send()
        .unwrap();
    assert_eq!(&answer(again).1["id"].as_str().unwrap(), id);
    eventually("no upload is left", || {
        files(&folder.path().join("data")) == 0
    });
}

#[test]
fn what_is_queued_stays_queued_when_the_server_stops() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Process::start_in(folder.path(), |_| {});
    let Some(process) = start() else { return };
    let client = Client::new();
    let ids: Vec<String> = (0..20)
        .map(|value| {
            let sent = client
                .post(process.url("/v1/jobs"))
                .body(grey(value))
                .send();
            answer(sent.unwrap()).1["id"].as_str().unwrap().to_owned()
        })
        .collect();
    process.terminate();
    let (code, _) = process.end();
    assert_eq!(code, Some(0));
    let Some(process) = start() else { return };
    for id in ids {
        eventually("the job is done", || {
            let job = client.get(process.url(&format!("/v1/jobs/{id}"))).send();
            let (status, job) = answer(job.unwrap());
            assert_eq!(
                (status, job["attempts"].as_u64() <= Some(1)),
                (200, true),
                "{job}"
            );
            job["status"] == "done"
        });
    }
}
