//! `POST /v1/policies/{name}/simulate`: stored reports decided anew.

use serde_json::{Value, json};

use crate::http::openapi::Described;
use crate::server::{Server, answer};

/// A policy that labels whatever has a score of at least `min_score`.
fn policy(name: &str, min_score: f64, action: &str) -> String {
    format!(
        "[policy]\nname = \"{name}\"\nversion = \"9\"\nactions = [\"none\", \"{action}\"]\n\
         [[rule]]\nname = \"all\"\nquestion = \"ai_generated\"\nmin_score = {min_score}\nfrom = \"2000-01-01\"\naction = \"{action}\"\n"
    )
}

/// A picture of one grey.
fn picture(grey: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(64, 64, image::Rgb([grey; 3]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

fn simulate(server: &Server, path: &str, body: &str) -> (u16, Value) {
    let url = server.url(&format!("/v1/policies/{path}"));
    answer(
        server
            .client
            .post(url)
            .body(body.to_owned())
            .send()
            .unwrap(),
    )
}

#[test]
fn stored_reports_are_decided_anew_and_stay_as_they_are() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let mut reports = Vec::new();
    for grey in [10, 120, 240] {
        let (status, report) = server.score_bytes("", picture(grey));
        assert_eq!(status, 200, "{report}");
        reports.push(report);
    }
    let score = |report: &Value| report["score"].as_f64().unwrap();
    reports.sort_by(|a, b| score(a).total_cmp(&score(b)));
    let between = f64::midpoint(score(&reports[1]), score(&reports[2]));
    let candidate = policy("election", between, "hide");
    let old = |report: &Value| report["policy"]["action"].as_str().unwrap().to_owned();
    let url = server.url("/v1/policies/election/simulate");
    let response = server.client.post(url).body(candidate.clone()).send();
    let described = Described::new();
    let body = described.check("post", "/v1/policies/{name}/simulate", response.unwrap());
    assert_eq!(
        (&body["reports"], &body["unreadable"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(body["policy"]["candidate"], true);
    let transitions = body["transitions"].as_array().unwrap();
    let hidden = transitions.iter().find(|t| t["to"] == "hide").unwrap();
    assert_eq!(
        *hidden,
        json!({ "from": old(&reports[2]), "to": "hide", "count": 1, "examples": [reports[2]["id"]] })
    );
    let of_others =
        |query: &str| simulate(&server, &format!("election/simulate{query}"), &candidate);
    assert_eq!(of_others("?lane=flagger").1["reports"], 0);
    assert_eq!(of_others("?decided_by=other").1["reports"], 0);
    assert_eq!(of_others("?decided_by=default").1["reports"], 3);
    assert_eq!(of_others("?to=2020-01-01").1["reports"], 0);
    // Before the rule holds.
    let (_, early) = of_others("?on=1999-12-31&examples=0");
    assert!(
        early["transitions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|t| t["to"] == "none")
    );

    let (status, same) = simulate(&server, "default/simulate", "");
    assert_eq!((status, &same["changed"]), (200, &json!(0)));
    assert_eq!(same["policy"]["candidate"], false);
    let (_, stored) = answer(server.get(&format!(
        "/v1/reports/{}",
        reports[2]["id"].as_str().unwrap()
    )));
    assert_eq!(stored, reports[2]);
}

#[test]
fn what_cant_be_simulated_is_told() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let unknown = policy("election", 0.5, "hide").replace("ai_generated", "nobody_answers_it");
    for (path, body, status, word) in [
        ("nowhere/simulate", "", 404, "no loaded policy"),
        (
            "other/simulate",
            &*policy("election", 0.5, "hide"),
            400,
            "`election`",
        ),
        ("election/simulate", "[policy]\nname = 1\n", 400, "line 2"),
        ("election/simulate", &*unknown, 400, "nobody_answers_it"),
        ("default/simulate?lane=fast", "", 400, "lane"),
    ] {
        let (got, problem) = simulate(&server, path, body);
        assert_eq!(got, status, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{problem}"
        );
    }
}
