//! `jaga transparency`, `jaga audit` and `jaga reviews`, beside a server that holds the store.

use jaga::domain::lanes::Lane;
use jaga::domain::report::content_hash;
use jaga::domain::review::{Review, Ruling};
use jaga::store::jobs::{JobStore, KeptReport};
use jaga::store::{Ledger, SqliteJobs};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio::runtime::Runtime;

use super::Shell;

/// 2026-11-24T12:00:00Z
const NOON: i64 = 1_795_521_600_000;

fn kept(id: &str, content: &[u8], score: Option<f64>) -> KeptReport {
    let acts = score.is_some_and(|score| score > 0.5);
    let reasons = if acts {
        json!([{ "rule": "r", "question": "q", "score": score, "threshold": 0.5, "action": "label" }])
    } else {
        json!([])
    };
    let mut report = json!({
        "id": id,
        "media": { "blake3": blake3::hash(content).to_hex().as_str(), "container": "png" },
        "score": score,
        "verdict": "uncertain",
        "policy": { "name": "p", "version": "1", "action": if acts { "label" } else { "none" }, "reasons": reasons },
        "receipt": {},
    });
    report["receipt"]["report_blake3"] = content_hash(&report.to_string()).unwrap().into();
    KeptReport {
        id: id.to_owned(),
        owner: String::new(),
        lane: Lane::Live,
        asked_ms: NOON - 2000,
        created_ms: NOON,
        body: report.to_string(),
    }
}

async fn ruled(store: &SqliteJobs, report: &str, ruling: Ruling) {
    let review = Review {
        appeal: false,
        decided_at: Timestamp::from_millisecond(NOON + 1).unwrap(),
        key: String::new(),
        note: String::new(),
        report: report.to_owned(),
        reviewer: "ana".to_owned(),
        ruling,
    };
    assert!(store.review(review).await.unwrap().is_some());
}

/// What a server keeps that still runs: two right decisions, two wrong ones, and one without any.
fn served(shell: &Shell, runtime: &Runtime) -> SqliteJobs {
    std::fs::create_dir_all(shell.data()).unwrap();
    runtime.block_on(async {
        let store = SqliteJobs::open(&shell.data()).await.unwrap();
        for (id, score, ruling) in [
            ("a", Some(0.9), Some(Ruling::Upheld)),
            ("b", Some(0.8), Some(Ruling::Overturned)),
            ("c", Some(0.2), Some(Ruling::Upheld)),
            ("d", Some(0.3), Some(Ruling::Overturned)),
            ("e", None, Some(Ruling::Upheld)),
            ("f", Some(0.9), None),
        ] {
            let content = format!("content of {id}");
            store
                .keep(kept(id, content.as_bytes(), score))
                .await
                .unwrap();
            if let Some(ruling) = ruling {
                ruled(&store, id, ruling).await;
            }
        }
        store
    })
}

const PERIOD: [&str; 5] = ["transparency", "--from", "2026-11-24", "--to", "2026-11-25"];

#[test]
fn counts_and_statements_come_out_beside_the_server() {
    let Some(shell) = Shell::new() else { return };
    let (code, out, err) = shell.run(&PERIOD);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("jaga.sqlite"), "{err}");
    let runtime = Runtime::new().unwrap();
    let _store = served(&shell, &runtime);
    let run = |more: &[&str]| shell.run(&[&PERIOD, more].concat());
    let (code, out, err) = run(&["--group-by", "action,overturned"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let counted: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(counted["total"], 6);
    let sum: u64 = counted["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["count"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 6);
    let (code, out, _) = run(&["--group-by", "action", "--format", "csv"]);
    let want = "action,count,median_s,p95_s\r\nlabel,3,2.000,2.000\r\nnone,3,2.000,2.000\r\n";
    assert_eq!((code, out.as_str()), (0, want));
    let (code, out, _) = shell.run(&["transparency", "--from", "2026-11-25", "--to", "2026-11-26"]);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["total"],
        0,
        "{code}"
    );
    for wrong in [&["--group-by", "colour"][..], &["--format", "statements"]] {
        let (code, out, err) = run(wrong);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
    }
    let backwards = ["transparency", "--from", "2026-11-24", "--to", "2026-11-24"];
    assert_eq!(shell.run(&backwards).0, 2);
    let toml = "[transparency.statements]\nground = \"4.2\"\nexplanation = \"why\"\n\
                category = \"STATEMENT_CATEGORY_SCAMS_AND_FRAUD\"\nterritorial_scope = [\"DE\"]\n\
                visibility = { label = \"labelled\" }\n";
    let path = shell.folder.path().join("jaga.toml");
    std::fs::write(&path, toml).unwrap();
    let (code, out, err) = run(&["--format", "statements"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let puids: Vec<String> = out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["puid"].to_string())
        .collect();
    assert_eq!(
        puids,
        ["\"a\"", "\"f\""],
        "what was overturned isn't stated"
    );
    std::fs::write(&path, toml.replace("DE", "XX")).unwrap();
    let (code, _, err) = run(&[]);
    assert_eq!(code, 2);
    assert!(
        err.contains("transparency.statements.territorial_scope"),
        "{err}"
    );
}

#[test]
fn the_chain_is_verified_and_its_first_break_named() {
    let Some(shell) = Shell::new() else { return };
    let runtime = Runtime::new().unwrap();
    let store = served(&shell, &runtime);
    let verify = |more: &[&str]| shell.run(&[&["audit", "verify"], more].concat());
    let (code, out, err) = verify(&["--format", "json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let audit: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(audit["whole"], true);
    assert_eq!(
        (
            &audit["chain"]["entries"],
            &audit["reports"],
            &audit["decisions"]
        ),
        (&json!(11), &json!(6), &json!(5))
    );
    let head = audit["chain"]["hash"].as_str().unwrap();
    // The chain goes on, and still comes by the head that was kept.
    runtime.block_on(ruled(&store, "f", Ruling::Upheld));
    let (code, out, _) = verify(&["--head", head]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("entries    12") && out.contains("is that of entry 11"),
        "{out}"
    );
    let (code, out, _) = verify(&["--head", &"0a".repeat(32)]);
    assert_eq!(code, 1);
    assert!(
        out.starts_with("BROKEN     no entry has the hash 0a0a"),
        "{out}"
    );
    assert_eq!(verify(&["--head", "0a"]).0, 2);

    // Somebody writes into the file.
    drop(store);
    let file = shell.data().join("jaga.sqlite");
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(file);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE reports SET body = replace(body, '0.2', '0.7') WHERE id = 'c'")
            .execute(&pool)
            .await
            .unwrap();
        pool.close().await;
    });
    let (code, out, err) = verify(&[]);
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(
        out.starts_with("BROKEN     the report c of entry 5 is not as it was written"),
        "{out}"
    );
    assert!(out.contains("entries    4"), "{out}");
    let (_, out, _) = verify(&["--format", "json"]);
    let audit: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(audit["whole"], false);
}

#[test]
fn what_reviewers_decided_is_a_table_for_an_evaluation() {
    let Some(shell) = Shell::new() else { return };
    let runtime = Runtime::new().unwrap();
    let _store = served(&shell, &runtime);
    let (code, out, err) = shell.run(&["reviews", "export"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("1 decisions say nothing"), "{err}");
    let mut rows: Vec<Vec<&str>> = out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.remove(0)[..3], ["path", "label", "score"]);
    rows.sort_by_key(|row| row[4]);
    let told: Vec<(&str, &str, &str)> = rows.iter().map(|row| (row[4], row[1], row[2])).collect();
    let want = [
        ("a", "1", "0.9"),
        ("b", "0", "0.8"),
        ("c", "0", "0.2"),
        ("d", "1", "0.3"),
    ];
    assert_eq!(told, want);
    let scores = shell.folder.path().join("scores.csv");
    std::fs::write(&scores, &out).unwrap();
    let (code, out, err) = shell.run(&["eval", "--from", scores.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let metrics: Value = serde_json::from_str(&out).unwrap();
    let judged = &metrics["models"]["scores"]["video"]["counts"];
    assert_eq!(
        (&judged["scored"], &judged["real"], &judged["synthetic"]),
        (&json!(4), &json!(2), &json!(2))
    );

    // With the videos at hand, their paths.
    let videos = shell.folder.path().join("videos/deeper");
    std::fs::create_dir_all(&videos).unwrap();
    std::fs::write(videos.join("one.png"), "content of a").unwrap();
    std::fs::write(videos.join("two, three.png"), "content of b").unwrap();
    std::fs::write(videos.join("other.png"), "not reviewed").unwrap();
    let (code, out, err) = shell.run(&["reviews", "export", "--files", "videos"]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("4 reviewed videos; 2 files in"), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3);
    let path = videos.join("one.png");
    assert!(
        lines[1].starts_with(&format!("{},1,0.9,", path.display())),
        "{out}"
    );
    assert!(lines[2].contains("two, three.png\",0,0.8,"), "{out}");
    let none = [
        "reviews",
        "export",
        "--from",
        "2026-11-25",
        "--to",
        "2026-11-26",
    ];
    let (code, out, _) = shell.run(&none);
    assert_eq!((code, out.lines().count()), (0, 1));
    let (code, _, err) = shell.run(&["reviews", "export", "--files", "nowhere"]);
    assert_eq!(code, 1);
    assert!(err.contains("nowhere"), "{err}");
}
