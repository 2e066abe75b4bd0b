//! Flags: taken in an organisation's name, answered before the rest, and counted.

use std::process::Command;

use jaga::domain::role::Role;
use jaga::http::config::Auth;
use jaga::store::KeyStore;
use reqwest::blocking::Response;
use serde_json::{Value, json};

use super::drain::picture;
use super::jobs::{fetching, grey, page, site};
use super::openapi::Described;
use crate::server::{Server, answer, eventually};

/// A server that asks for keys, and those of two organisations, a flagger without one, a reviewer, a
/// client and an admin.
struct Guarded {
    server: Server,
    keys: [String; 6],
}

const KPU: usize = 0;
const WATCH: usize = 1;
const LONE: usize = 2;
const REVIEWER: usize = 3;
const CLIENT: usize = 4;
const ADMIN: usize = 5;

impl Guarded {
    fn start() -> Option<Self> {
        let server = Server::start(|config| {
            config.server.auth = Auth::Required;
            let due = [("kpu".parse().unwrap(), 900.0)];
            config.jobs.flags.due_s_of = due.into();
        })?;
        let store = KeyStore::open(server.data.path()).unwrap();
        let of = |name: &str| store.create_for(name.parse().unwrap(), None).unwrap();
        let role = |role| store.create(role, None).unwrap();
        let keys = [
            of("kpu"),
            of("watch-2"),
            role(Role::Flagger),
            role(Role::Reviewer),
            role(Role::Client),
            role(Role::Admin),
        ];
        let guarded = Self {
            server,
            keys: keys.map(|token| token.reveal().to_owned()),
        };
        eventually("the server knows the keys", || {
            guarded.get(ADMIN, "/v1/models").status() == 200
        });
        Some(guarded)
    }

    fn get(&self, key: usize, path: &str) -> Response {
        let request = self.server.client.get(self.server.url(path));
        request.bearer_auth(&self.keys[key]).send().unwrap()
    }

    fn flag(&self, key: usize, query: &str, body: Vec<u8>) -> Response {
        let url = self.server.url(&format!("/v1/flags{query}"));
        let request = self.server.client.post(url).body(body);
        request.bearer_auth(&self.keys[key]).send().unwrap()
    }

    fn answered(&self, key: usize, id: &str) -> Value {
        let path = format!("/v1/flags/{id}");
        eventually("the flag is over", || {
            !answer(self.get(key, &path)).1["outcome"].is_null()
        });
        Described::new().check("get", "/v1/flags/{id}", self.get(key, &path))
    }
}

fn seconds_between(early: &Value, late: &Value) -> f64 {
    let time = |value: &Value| -> jiff::Timestamp { value.as_str().unwrap().parse().unwrap() };
    time(late).duration_since(time(early)).as_secs_f64()
}

#[test]
fn a_flag_is_acknowledged_at_once_and_answered() {
    let Some(guarded) = Guarded::start() else {
        return;
    };
    let described = Described::new();
    let query = "?case_ref=2026/17&reason=a%20swapped%20face&content_url=https://example.org/17";
    let taken = guarded.flag(KPU, query, picture());
    assert_eq!(taken.status(), 202);
    let location = taken.headers()["location"].to_str().unwrap().to_owned();
    let receipt = described.check("post", "/v1/flags", taken);
    let hash = blake3::hash(&picture()).to_hex().to_string();
    assert_eq!(
        receipt["content"],
        json!({ "blake3": hash, "bytes": picture().len() })
    );
    assert_eq!(
        (
            &receipt["organisation"],
            &receipt["lane"],
            &receipt["case_ref"]
        ),
        (&"kpu".into(), &"flagger".into(), &"2026/17".into())
    );
    let due = seconds_between(&receipt["received_at"], &receipt["due_at"]);
    assert!((due - 900.0).abs() < 1e-6, "{due}");
    let id = receipt["id"].as_str().unwrap();
    assert_eq!(location, format!("/v1/flags/{id}"));
    let flag = guarded.answered(KPU, id);
    assert_eq!(
        (&flag["outcome"], &flag["late"], &flag["reason"]),
        (&"done".into(), &false.into(), &"a swapped face".into())
    );
    assert_eq!(flag["content_url"], "https://example.org/17");
    assert_eq!(flag["job"]["report"]["policy"]["lane"], "flagger");
    assert_eq!(flag["report_id"], flag["job"]["report"]["id"]);
    // The job behind it is the flag's, and says so.
    let job = described.check(
        "get",
        "/v1/jobs/{id}",
        guarded.get(KPU, &format!("/v1/jobs/{id}")),
    );
    assert_eq!(
        (&job["flag"]["organisation"], &job["flag"]["case_ref"]),
        (&"kpu".into(), &"2026/17".into())
    );
    let other = guarded.flag(WATCH, "", b"no video, whatever it says".to_vec());
    let other = described.check("post", "/v1/flags", other);
    let due = seconds_between(&other["received_at"], &other["due_at"]);
    assert!((due - 3600.0).abs() < 1e-6, "{due}");
    let failed = guarded.answered(WATCH, other["id"].as_str().unwrap());
    assert_eq!(
        (&failed["outcome"], &failed["job"]["problem"]["code"]),
        (&"failed".into(), &"unsupported_media".into())
    );
}

#[test]
fn each_organisation_flags_and_sees_for_itself() {
    let Some(guarded) = Guarded::start() else {
        return;
    };
    let taken = |key, query: &str| {
        let flag = guarded.flag(key, query, picture());
        let flag = Described::new().check("post", "/v1/flags", flag);
        flag["id"].as_str().unwrap().to_owned()
    };
    let own = taken(KPU, "");
    let letter = taken(ADMIN, "?organisation=watch-2");
    let refused = |key, query: &str| {
        let refused = guarded.flag(key, query, picture());
        Described::new().check("post", "/v1/flags", refused)["code"].clone()
    };
    for key in [LONE, REVIEWER, CLIENT] {
        assert_eq!(refused(key, "?organisation=kpu"), "forbidden", "{key}");
    }
    assert_eq!(refused(KPU, "?organisation=watch-2"), "forbidden");
    assert_eq!(refused(ADMIN, ""), "bad_request");
    assert_eq!(refused(KPU, "?lane=live"), "bad_request");
    let seen = [KPU, WATCH, LONE, REVIEWER, CLIENT, ADMIN].map(|key| {
        [&own, &letter].map(|id| {
            guarded
                .get(key, &format!("/v1/flags/{id}"))
                .status()
                .as_u16()
        })
    });
    assert_eq!(
        seen,
        [
            [200, 404],
            [404, 200],
            [403, 403],
            [200, 200],
            [403, 403],
            [200, 200]
        ]
    );
    let listed = |key, query: &str| {
        let list = guarded.get(key, &format!("/v1/flags{query}"));
        let list = Described::new().check("get", "/v1/flags", list);
        list["flags"].as_array().map(Vec::len)
    };
    assert_eq!(listed(KPU, ""), Some(1));
    assert_eq!(listed(REVIEWER, "?organisation=watch-2"), Some(1));
    assert_eq!(listed(ADMIN, "?limit=500"), Some(2));
    assert_eq!(listed(KPU, "?organisation=watch-2"), None);
    guarded.answered(KPU, &own);
    assert_eq!(listed(KPU, "?over=true"), Some(1));
    assert_eq!(listed(KPU, "?over=false"), Some(0));
}

#[test]
fn the_service_of_a_channel_can_be_shown() {
    let Some(guarded) = Guarded::start() else {
        return;
    };
    for (key, body) in [
        (KPU, picture()),
        (KPU, grey(9)),
        (KPU, b"no video, whatever it says".to_vec()),
        (WATCH, picture()),
    ] {
        let flag = Described::new().check("post", "/v1/flags", guarded.flag(key, "", body));
        guarded.answered(key, flag["id"].as_str().unwrap());
    }
    let today = jiff::Timestamp::now()
        .to_zoned_datetime(jiff::tz::TimeZone::UTC)
        .date();
    // The day may end while this runs.
    let (from, to) = (
        today.yesterday().unwrap(),
        today.saturating_add(jiff::Span::new().days(2)),
    );
    let figures = |key, more: &str| {
        let path = format!("/v1/flags/figures?from={from}&to={to}{more}");
        Described::new().check("get", "/v1/flags/figures", guarded.get(key, &path))
    };
    let own = figures(KPU, "");
    let kpu = &own["organisations"]["kpu"];
    let counts = [
        "received",
        "answered",
        "in_time",
        "failed",
        "cancelled",
        "waiting",
        "overdue",
    ];
    assert_eq!(
        counts.map(|name| kpu[name].as_u64().unwrap()),
        [3, 2, 2, 1, 0, 0, 0]
    );
    assert!(kpu["median_s"].as_f64().unwrap() <= kpu["p95_s"].as_f64().unwrap());
    assert!(own["organisations"]["watch-2"].is_null());
    let all = figures(ADMIN, "");
    assert_eq!(all["organisations"]["watch-2"]["received"], 1);
    assert_eq!(
        figures(REVIEWER, "&organisation=kpu")["organisations"],
        own["organisations"]
    );
    for wrong in [
        "",
        "?from=2026-11-02&to=2026-11-02",
        "?from=2026-11-02",
        "?from=x&to=y",
    ] {
        let path = format!("/v1/flags/figures{wrong}");
        let problem = Described::new().check("get", "/v1/flags/figures", guarded.get(KPU, &path));
        assert_eq!(problem["code"], "bad_request", "{wrong}");
    }
    let metrics = guarded.get(ADMIN, "/metrics").text().unwrap();
    assert!(metrics.contains("jaga_flags_overdue 0"), "{metrics}");
}

#[test]
fn a_flag_by_url_is_fetched_where_the_public_sees_it_or_where_the_file_is() {
    let site = site(vec![page("200 OK", &picture())]);
    let Some(server) = fetching(std::slice::from_ref(&site), |_| {}) else {
        return;
    };
    let flag = |json: &Value| {
        let request = server.client.post(server.url("/v1/flags"));
        let flag = request.json(json).send().unwrap();
        Described::new().check("post", "/v1/flags", flag)
    };
    let seen = format!("{site}/17.png");
    let page = "https://example.org/watch/17";
    for (json, fetched) in [
        (json!({ "organisation": "kpu", "content_url": seen }), &seen),
        (
            json!({ "organisation": "kpu", "content_url": page, "url": seen, "frames": 4 }),
            &seen,
        ),
    ] {
        let receipt = flag(&json);
        assert_eq!(&receipt["content"]["url"], fetched, "{receipt}");
        let path = format!("/v1/flags/{}", receipt["id"].as_str().unwrap());
        eventually("the flag is answered", || {
            answer(server.get(&path)).1["outcome"] == "done"
        });
        assert_eq!(
            answer(server.get(&path)).1["content_url"],
            json["content_url"]
        );
    }
    for (json, code) in [
        (
            json!({ "organisation": "kpu", "content_url": page }),
            "bad_url",
        ),
        (json!({ "organisation": "kpu" }), "bad_url"),
        (
            json!({ "organisation": "kpu", "url": seen, "lane": "live" }),
            "bad_request",
        ),
        (
            json!({ "organisation": "kpu", "url": seen, "cases": "1" }),
            "bad_request",
        ),
        (json!({ "url": seen }), "bad_request"),
        (json!([seen]), "bad_request"),
    ] {
        assert_eq!(flag(&json)["code"], code, "{json}");
    }
}

#[test]
fn a_key_is_made_for_an_organisation() {
    let data = tempfile::tempdir().unwrap();
    let create = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jaga"));
        command.args(["keys", "create"]).args(words);
        let done = command.env("JAGA_DATA_DIR", data.path()).output().unwrap();
        done.status.code()
    };
    assert_eq!(
        create(&["--role", "flagger", "--organisation", "kpu"]),
        Some(0)
    );
    assert_eq!(
        create(&["--role", "client", "--organisation", "kpu"]),
        Some(2)
    );
    assert_eq!(
        create(&["--role", "flagger", "--organisation", "K P U"]),
        Some(2)
    );
    let keys = KeyStore::open(data.path()).unwrap().list().unwrap();
    let named: Vec<_> = keys.iter().map(|key| key.organisation.clone()).collect();
    assert_eq!(named, [Some("kpu".parse().unwrap())]);
}
