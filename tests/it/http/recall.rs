//! The same upload again: the report that was made before, unless the caller wants a new one.

use std::path::PathBuf;

use reqwest::blocking::Response;
use serde_json::Value;

use super::exposition::Exposition;
use crate::media_files::{have_ffmpeg, numbered};
use crate::server::{Server, answer};

fn clip(name: &str, frames: u32) -> PathBuf {
    let arguments = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    numbered(name, "mp4", frames, "25", &arguments)
}

fn server(max_bytes: u64) -> Option<Server> {
    let start = Server::start(|config| config.analysis.recall.max_bytes = max_bytes);
    start.filter(|_| have_ffmpeg())
}

fn exposition(server: &Server) -> Exposition {
    Exposition::read(&server.get("/metrics").text().unwrap())
}

/// Posts `file`; the answer's cache status and its body.
fn post(server: &Server, query: &str, file: &PathBuf, headers: &[(&str, &str)]) -> (String, Value) {
    let url = server.url(&format!("/v1/score{query}"));
    let mut request = server.client.post(url).body(std::fs::read(file).unwrap());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response: Response = request.send().unwrap();
    let header = |name| {
        let value = response.headers().get(name);
        value.map_or(String::new(), |v| v.to_str().unwrap().to_owned())
    };
    let (status, age) = (header("cache-status"), header("age"));
    assert_eq!(age.parse::<u64>().is_ok(), status == "jaga; hit", "{age}");
    (status, answer(response).1)
}

#[test]
fn the_same_upload_under_the_same_terms_gets_the_same_report() {
    let Some(server) = server(1 << 20) else {
        return;
    };
    let (one, other) = (clip("recall", 25), clip("recall-other", 30));
    let (status, first) = post(&server, "", &one, &[]);
    assert_eq!(status, "");
    let before = exposition(&server).sum("jaga_analyses_total", &[]);
    let (status, again) = post(&server, "", &one, &[]);
    assert_eq!((status.as_str(), &again), ("jaga; hit", &first));
    let after = exposition(&server);
    assert!((after.sum("jaga_analyses_total", &[]) - before).abs() < 1e-9);
    let recalled = after.sum("jaga_reports_recalled_total", &["lane=\"live\""]);
    assert!((recalled - 1.0).abs() < 1e-9, "{recalled}");
    for (query, file) in [
        ("?frames=4", &one),
        ("?frame_scores=true", &one),
        ("", &other),
    ] {
        let (status, report) = post(&server, query, file, &[]);
        assert_eq!(status, "", "{query}");
        assert_ne!(report["id"], first["id"], "{query}");
    }
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}

#[test]
fn who_asks_afresh_gets_a_new_report() {
    let Some(server) = server(1 << 20) else {
        return;
    };
    let clip = clip("recall", 25);
    let (_, first) = post(&server, "", &clip, &[]);
    let (status, second) = post(
        &server,
        "",
        &clip,
        &[("cache-control", "max-age=0, No-Cache")],
    );
    assert_eq!(status, "");
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["score"], first["score"]);
    let (status, third) = post(&server, "", &clip, &[]);
    assert_eq!((status.as_str(), &third), ("jaga; hit", &second));
}

#[test]
fn problems_are_not_kept_and_nothing_is_where_there_is_no_room() {
    let Some(small) = server(100) else { return };
    let text = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(text.path(), "no video at all").unwrap();
    for file in [text.path().to_owned(), clip("recall", 25)] {
        for _ in 0..2 {
            assert_eq!(post(&small, "", &file, &[]).0, "");
        }
    }
    let Some(none) = server(0) else { return };
    let clip = clip("recall", 25);
    let ids = [(); 2].map(|()| post(&none, "", &clip, &[]).1["id"].clone());
    assert_ne!(ids[0], ids[1]);
}
