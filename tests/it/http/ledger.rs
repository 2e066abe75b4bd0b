//! Decisions of people, counts for the public, statements, and the chain over all of it.

use jaga::config::Config;
use jaga::domain::report::content_hash;
use jaga::domain::role::Role;
use jaga::domain::transparency::statement::Terms;
use jaga::http::config::Auth;
use jaga::store::{KeyStore, Ledger, SqliteJobs};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use reqwest::blocking::Response;
use serde_json::{Value, json};

use super::drain::picture;
use super::openapi::Described;
use crate::server::{Server, answer, eventually};

const POLICY: &str = "[policy]\nname = \"strict\"\nversion = \"7\"\nactions = [\"none\", \"label\"]\n\
    [[rule]]\nname = \"any\"\nquestion = \"ai_generated\"\nmin_score = 0.0\naction = \"label\"\n";

fn terms() -> Terms {
    toml::from_str(
        "ground = \"Terms, 4.2\"\nexplanation = \"Synthetic media must bear a label\"\n\
         category = \"STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS\"\n\
         territorial_scope = [\"DE\"]\nvisibility = { label = \"labelled\" }\n",
    )
    .unwrap()
}

/// A server whose policy `strict` labels everything.
fn strict(change: impl FnOnce(&mut Config)) -> Option<Server> {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), POLICY).unwrap();
    Server::start(|config| {
        config.policy.files = vec![file.path().to_owned()];
        config.transparency.statements = Some(terms());
        change(config);
    })
}

/// A period around now, whatever the hour.
fn period() -> String {
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let (from, to) = (today.checked_sub(1.day()), today.checked_add(2.days()));
    format!("from={}&to={}", from.unwrap(), to.unwrap())
}

fn id(report: &Value) -> String {
    report["id"].as_str().unwrap().to_owned()
}

fn decide(server: &Server, report: &str, decision: &Value) -> Response {
    let url = server.url(&format!("/v1/reports/{report}/decision"));
    server.client.post(url).json(decision).send().unwrap()
}

/// The counts of a cut of one dimension.
fn counts(server: &Server, dimension: &str) -> Vec<(String, u64)> {
    let path = format!("/v1/transparency?{}&group_by={dimension}", period());
    let counted = Described::new().check("get", "/v1/transparency", server.get(&path));
    let groups = counted["groups"].as_array().unwrap().iter();
    let all: Vec<(String, u64)> = groups
        .map(|group| {
            let name = group[dimension].as_str().unwrap().to_owned();
            (name, group["count"].as_u64().unwrap())
        })
        .collect();
    let sum: u64 = all.iter().map(|(_, count)| count).sum();
    assert_eq!(counted["total"], sum, "{counted}");
    all
}

fn of(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    let each = pairs.iter();
    each.map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn what_was_decided_is_reviewed_counted_and_stated() {
    let Some(server) = strict(|_| {}) else { return };
    let described = Described::new();
    let (_, labelled) = server.score_bytes("?policy=strict", picture());
    let (_, passed) = server.score_bytes("?frame_scores=true", picture());
    let jobs = server.url("/v1/jobs?policy=strict&lane=backfill");
    let job = server.client.post(jobs).body(picture()).send().unwrap();
    let job = format!("/v1/jobs/{}", id(&answer(job).1));
    eventually("the job is done", || {
        answer(server.get(&job)).1["status"] == "done"
    });
    let reason = &labelled["policy"]["reasons"][0];
    assert_eq!(
        (&reason["rule"], &reason["action"]),
        (&json!("any"), &json!("label"))
    );
    assert_eq!(counts(&server, "action"), of(&[("label", 2), ("none", 1)]));
    assert_eq!(counts(&server, "lane"), of(&[("backfill", 1), ("live", 2)]));
    assert_eq!(counts(&server, "rule"), of(&[("", 1), ("any", 2)]));

    // One person upholds, another overturns on appeal; the last one counts.
    let report = id(&labelled);
    let upheld = json!({ "ruling": "upheld", "reviewer": " ana ", "note": "puppet" });
    let first = decide(&server, &report, &upheld);
    assert_eq!(first.status(), 201);
    let first = described.check("post", "/v1/reports/{id}/decision", first);
    assert_eq!(
        (&first["reviewer"], &first["note"]),
        (&json!("ana"), &json!("puppet"))
    );
    assert_eq!(
        counts(&server, "automation"),
        of(&[("fully", 2), ("partly", 1)])
    );
    let overturned = json!({ "ruling": "overturned", "reviewer": "bo", "appeal": true });
    let (status, second) = answer(decide(&server, &report, &overturned));
    assert_eq!((status, &second["chain"]["entries"]), (201, &json!(5)));
    assert_eq!(
        counts(&server, "overturned"),
        of(&[("false", 2), ("true", 1)])
    );
    let path = format!("/v1/reports/{report}/decisions");
    let history = described.check("get", "/v1/reports/{id}/decisions", server.get(&path));
    let rulings: Vec<&Value> = history["decisions"].as_array().unwrap().iter().collect();
    assert_eq!(rulings.len(), 2);
    assert_eq!(
        (&rulings[0]["ruling"], &rulings[1]["appeal"]),
        (&json!("upheld"), &json!(true))
    );
    // The report itself is what it was.
    let (_, kept) = answer(server.get(&format!("/v1/reports/{report}")));
    assert_eq!(kept, labelled);

    // As CSV, by either way of asking.
    let path = format!("/v1/transparency?{}&group_by=policy,action", period());
    let accept = server
        .client
        .get(server.url(&path))
        .header("accept", "text/csv");
    for csv in [
        accept.send().unwrap(),
        server.get(&format!("{path}&format=csv")),
    ] {
        assert!(
            csv.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/csv")
        );
        let text = csv.text().unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], "policy,action,count,median_s,p95_s");
        assert!(lines[1].starts_with("default,none,1,"), "{text}");
        assert!(lines[2].starts_with("strict,label,2,"), "{text}");
    }

    // What was overturned, or restricts nothing, isn't stated.
    let stated = server.get(&format!("/v1/transparency/statements?{}", period()));
    assert_eq!(stated.headers()["content-type"], "application/jsonl");
    let stated = stated.text().unwrap();
    let statement: Value = serde_json::from_str(stated.trim_end()).unwrap();
    assert_eq!(
        statement["decision_visibility"][0],
        "DECISION_VISIBILITY_CONTENT_LABELLED"
    );
    assert_eq!(statement["content_type"][0], "CONTENT_TYPE_IMAGE");
    assert_eq!(statement["puid"], answer(server.get(&job)).1["report_id"]);
    assert_ne!(statement["puid"], labelled["id"]);

    // And the chain vouches for all of it, beside the running server.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let audit = runtime.block_on(async {
        let store = SqliteJobs::read(server.data.path()).await.unwrap();
        store.audit(second["chain"]["hash"].as_str()).await.unwrap()
    });
    assert_eq!(audit.broken, None);
    assert_eq!((audit.reports, audit.decisions, audit.met), (3, 2, Some(5)));
    assert_eq!(passed["policy"]["action"], "none");
}

#[test]
fn what_can_not_be_decided_or_counted_is_told() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let (_, report) = server.score_bytes("", picture());
    let report = id(&report);
    let long = "x".repeat(4001);
    for (body, status) in [
        (
            json!({ "ruling": "upheld", "reviewer": "ana", "note": long }),
            400,
        ),
        (json!({ "ruling": "upheld", "reviewer": " " }), 400),
        (json!({ "ruling": "maybe", "reviewer": "ana" }), 400),
        (json!({ "ruling": "upheld" }), 400),
        (json!(["upheld", "ana"]), 400),
        (
            json!({ "ruling": "upheld", "reviewer": "ana", "score": 1 }),
            400,
        ),
        (
            json!({ "ruling": "upheld", "reviewer": "ana", "note": "x".repeat(70_000) }),
            400,
        ),
    ] {
        assert_eq!(decide(&server, &report, &body).status(), status, "{body}");
    }
    let good = json!({ "ruling": "upheld", "reviewer": "ana" });
    let (status, problem) = answer(decide(&server, "01NONE", &good));
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    let none = server.get("/v1/reports/01NONE/decisions");
    assert_eq!(none.status(), 404);
    let (_, history) = answer(server.get(&format!("/v1/reports/{report}/decisions")));
    assert_eq!(history["decisions"], json!([]));
    for query in ["", "?from=2026-10-01", "?from=2026-10-02&to=2026-10-01"] {
        let refused = server.get(&format!("/v1/transparency{query}"));
        let refused = Described::new().check("get", "/v1/transparency", refused);
        assert_eq!(refused["code"], "bad_request", "{query}");
    }
    // This server has no terms.
    let refused = server.get(&format!("/v1/transparency/statements?{}", period()));
    let (status, refused) = answer(refused);
    assert_eq!(status, 400);
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("[transparency.statements]")
    );
}

#[test]
fn reviewers_decide_and_count_and_senders_do_not() {
    let start = strict(|config| config.server.auth = Auth::Required);
    let Some(server) = start else { return };
    let store = KeyStore::open(server.data.path()).unwrap();
    let key = |role| {
        let token = store.create(role, None).unwrap();
        let secret = token.reveal().to_string();
        eventually("the server knows the key", || {
            let request = server.client.get(server.url("/v1/models"));
            request.bearer_auth(&secret).send().unwrap().status() == 200
        });
        (secret, token.id().to_owned())
    };
    let flagger = key(Role::Flagger);
    let request = server.client.post(server.url("/v1/score?policy=strict"));
    let request = request.body(picture()).bearer_auth(&flagger.0);
    let report = id(&answer(request.send().unwrap()).1);
    for role in Role::ALL {
        let (secret, name) = key(role);
        let url = server.url(&format!("/v1/reports/{report}/decision"));
        let body = json!({ "ruling": "upheld", "reviewer": "ana" });
        let decision = server.client.post(url).json(&body).bearer_auth(&secret);
        let (status, taken) = answer(decision.send().unwrap());
        let may = matches!(role, Role::Reviewer | Role::Admin);
        assert_eq!(status, if may { 201 } else { 403 }, "{role}");
        if may {
            assert_eq!(taken["key"], name.as_str());
        }
        for path in [
            format!("/v1/reports/{report}/decisions"),
            format!("/v1/transparency?{}&group_by=source", period()),
            format!("/v1/transparency/statements?{}", period()),
        ] {
            let request = server.client.get(server.url(&path)).bearer_auth(&secret);
            let answered = request.send().unwrap();
            assert_eq!(
                answered.status(),
                if may { 200 } else { 403 },
                "{role} {path}"
            );
            if may && path.contains("source") {
                let (_, counted) = answer(answered);
                assert_eq!(counted["groups"][0]["source"], "trusted_flagger");
            }
        }
    }
}

/// Two servers with nothing in common but model, policy and settings.
#[test]
fn the_same_upload_under_the_same_terms_has_the_same_hash() {
    let (Some(one), Some(other)) = (Server::start(|_| {}), Server::start(|_| {})) else {
        return;
    };
    for query in [
        "",
        "?frame_scores=true",
        "?frames=3&sampling=uniform&region=id-jk",
    ] {
        let reports = [&one, &other, &other].map(|server| server.score_bytes(query, picture()).1);
        for report in &reports {
            let told = report["receipt"]["report_blake3"].as_str().unwrap();
            assert_eq!(report["receipt"], reports[0]["receipt"], "{query}");
            // Whoever has the report can compute it.
            assert_eq!(content_hash(&report.to_string()).unwrap(), told, "{query}");
            assert_ne!(report["id"], Value::Null);
        }
        assert_ne!(reports[1]["id"], reports[2]["id"]);
        let path = format!("/v1/reports/{}", id(&reports[1]));
        let stored = other.get(&path).text().unwrap();
        let told = reports[0]["receipt"]["report_blake3"].as_str().unwrap();
        assert_eq!(content_hash(&stored).unwrap(), told, "as it is stored");
    }
    let hash = |query: &str| {
        let (_, report) = one.score_bytes(query, picture());
        report["receipt"]["report_blake3"].clone()
    };
    assert_ne!(hash("?frames=3"), hash("?frames=4"));
}
