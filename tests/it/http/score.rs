//! `POST /v1/score` on good files.

use reqwest::blocking::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::media_files::{have_ffmpeg, remade, still_clip};
use crate::server::{Server, answer, blind_model};

/// Twelve seconds of one colour, a keyframe a second.
fn clip(name: &str, rgb: [u8; 3]) -> std::path::PathBuf {
    let picture: Vec<u8> = rgb.repeat(64 * 48);
    let arguments = ["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p"];
    still_clip(name, "mp4", (64, 48, &picture), 300, &arguments)
}

fn grey() -> std::path::PathBuf {
    clip("grey", [128, 128, 128])
}

/// sigmoid of the tiny model's logit on a picture of one colour: values · 0.002 − 0.25, weighted.
fn expected(rgb: [f64; 3]) -> f64 {
    let [r, g, b] = rgb.map(|v| v * 0.002 - 0.25);
    1.0 / (1.0 + (-(r + 2.0 * g + 4.0 * b)).exp())
}

#[test]
fn a_report_is_as_the_contract_says() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (status, report) = server.score("?frame_scores=true", &grey());
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["schema"], "jaga.report/1");
    assert_eq!(report["id"].as_str().unwrap().len(), 26);
    assert!(report["created_at"].as_str().unwrap().ends_with('Z'));
    let bytes = std::fs::read(grey()).unwrap();
    assert_eq!(
        report["media"]["blake3"],
        blake3::hash(&bytes).to_hex().as_str()
    );
    assert_eq!(report["media"]["bytes"], bytes.len());
    for (key, value) in [
        ("video_codec", json!("h264")),
        ("width", json!(64)),
        ("height", json!(48)),
        ("rotation_deg", json!(0)),
        ("duration_s", json!(12.0)),
        ("frame_rate", json!(25.0)),
        ("variable_frame_rate", json!(false)),
        ("has_audio", json!(false)),
        ("frame_count", json!(300)),
        ("truncated", json!(false)),
    ] {
        assert_eq!(report["media"][key], value, "media.{key}");
    }
    let model = &report["models"][0];
    assert_eq!(
        model["coverage"],
        json!({"planned": 16, "decoded": 16, "scored": 16, "left_out": 0, "failed": 0})
    );
    assert_eq!(model["frames"].as_array().unwrap().len(), 16);
    assert_eq!(model["provider"], "CPUExecutionProvider");
    let segment = &model["segments"][0];
    assert_eq!(
        (segment["start_s"].as_f64(), segment["end_s"].as_f64()),
        (Some(0.0), Some(12.0))
    );
    let score = report["score"].as_f64().unwrap();
    // Grey survives YUV within one step of 255.
    assert!((score - expected([128.0; 3])).abs() < 0.01, "{score}");
    assert_eq!(
        report["questions"]["ai_generated"]["score"],
        report["score"]
    );
    assert_eq!(
        report["questions"]["ai_generated"]["models"],
        json!(["tiny"])
    );
    assert_eq!(
        report["questions"]["face_manipulation"],
        json!({"score": null, "verdict": "inconclusive", "voted": 0, "reason": "no_model"})
    );
    assert_eq!(report["verdict"], "uncertain");
    assert_eq!(report["policy"]["name"], "default");
    assert_eq!(report["policy"]["action"], "none");
    assert_eq!(report["receipt"]["plan"], "keyframe/16");
    for stage in [
        "spool",
        "decode",
        "preprocess",
        "queue",
        "inference",
        "total",
    ] {
        assert!(
            report["timings_ms"][stage].as_f64().unwrap() >= 0.0,
            "{stage}"
        );
    }
    assert_eq!(server.spooled(), 0);
}

#[test]
fn the_same_upload_gives_the_same_report_by_any_way_in() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let hash = |report: &Value| {
        report["receipt"]["report_blake3"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (_, first) = server.score("", &grey());
    let (_, second) = server.score("", &grey());
    let part = Part::file(grey()).unwrap().file_name("../../etc/passwd");
    let form = server
        .client
        .post(server.url("/v1/score"))
        .multipart(Form::new().part("file", part));
    let (status, third) = answer(form.send().unwrap());
    assert_eq!(status, 200, "{third}");
    assert_eq!((hash(&first), hash(&first)), (hash(&second), hash(&third)));
    assert_ne!(first["id"], second["id"]);
    let (_, other) = server.score("?frames=4", &grey());
    assert_ne!(hash(&first), hash(&other));
    assert_ne!(
        first["receipt"]["config_blake3"],
        other["receipt"]["config_blake3"]
    );
}

#[test]
fn the_hash_of_a_report_can_be_computed_from_it() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (_, mut report) = server.score("?frame_scores=true", &grey());
    let hash = report["receipt"]["report_blake3"]
        .as_str()
        .unwrap()
        .to_owned();
    let object = report.as_object_mut().unwrap();
    for key in ["id", "created_at", "timings_ms"] {
        object.remove(key).unwrap();
    }
    object["receipt"]
        .as_object_mut()
        .unwrap()
        .remove("report_blake3")
        .unwrap();
    report.sort_all_objects();
    assert_eq!(
        hash,
        blake3::hash(report.to_string().as_bytes())
            .to_hex()
            .as_str()
    );
}

#[test]
fn options_are_kept() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    for (query, frames, plan) in [
        ("?frames=1", 1, "keyframe/1"),
        ("?frames=256&sampling=uniform", 256, "uniform/256"),
        ("?model=tiny&model=tiny&policy=default", 16, "keyframe/16"),
    ] {
        let (status, report) = server.score(query, &grey());
        assert_eq!(status, 200, "{report}");
        assert_eq!(report["models"].as_array().unwrap().len(), 1);
        assert_eq!(report["models"][0]["coverage"]["scored"], frames, "{query}");
        assert_eq!(report["receipt"]["plan"], plan);
        assert!(
            report["models"][0].get("frames").is_none(),
            "frames come on request only"
        );
    }
}

#[test]
fn a_high_score_is_acted_on_by_the_policy() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let (_, report) = server.score("", &clip("white", [255, 255, 255]));
    let score = report["score"].as_f64().unwrap();
    assert!((score - expected([255.0; 3])).abs() < 0.02, "{score}");
    let reason = &report["policy"]["reasons"];
    if score >= 0.85 {
        assert_eq!(report["policy"]["action"], "review");
        assert_eq!(reason[0]["score"], report["score"]);
    } else {
        assert_eq!(
            (&report["policy"]["action"], reason),
            (&json!("none"), &json!([]))
        );
    }
}

#[test]
fn a_file_cut_short_shows_in_coverage_and_below_half_there_is_no_score() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let index_first = remade(
        "grey-index-first",
        "mp4",
        &grey(),
        &[],
        &["-c", "copy", "-movflags", "+faststart"],
    );
    let whole = std::fs::read(index_first).unwrap();
    let cut = |parts: usize| whole[..whole.len() * parts / 20].to_vec();
    let (status, most) = server.score_bytes("?sampling=uniform", cut(18));
    assert_eq!(status, 200, "{most}");
    let coverage = &most["models"][0]["coverage"];
    assert_eq!(most["media"]["truncated"], true);
    assert_eq!(coverage["planned"], 16);
    assert!(coverage["failed"].as_u64().unwrap() > 0, "{coverage}");
    assert!(most["score"].is_number());
    let end_s = most["models"][0]["segments"][0]["end_s"].as_f64().unwrap();
    assert!(end_s < 12.0, "what is missing is not covered: {end_s}");
    // The index alone is most of this small file.
    for parts in (10..18).rev() {
        let (status, part) = server.score_bytes("?sampling=uniform", cut(parts));
        if status != 200 {
            assert_eq!(part["code"], "corrupt_media");
            continue;
        }
        let coverage = &part["models"][0]["coverage"];
        let enough = coverage["scored"].as_u64().unwrap() * 2 >= 16;
        assert_eq!(part["score"].is_number(), enough, "{coverage}");
        if !enough {
            assert_eq!(part["verdict"], "inconclusive");
            assert_eq!(part["questions"]["ai_generated"]["reason"], "low_coverage");
            return;
        }
    }
    panic!("no cut left less than half of the frames");
}

#[test]
fn a_frame_without_an_answer_is_never_a_score() {
    let Some(server) = Server::start_with(blind_model, |_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    assert!(server.score("", &grey()).1["score"].is_number());
    let (status, report) = server.score("", &clip("black", [0, 0, 0]));
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["score"], Value::Null);
    assert_eq!(report["verdict"], "inconclusive");
    assert_eq!(
        report["models"][0]["coverage"],
        json!({"planned": 16, "decoded": 16, "scored": 0, "left_out": 0, "failed": 16})
    );
}

#[test]
fn many_uploads_at_once_get_their_own_answers() {
    for (max_batch, max_delay_ms) in [(1, 0), (8, 0), (8, 20)] {
        let server = Server::start(|config| {
            config.models.max_batch = max_batch;
            config.models.max_delay_ms = max_delay_ms;
        });
        if let Some(server) = server.filter(|_| have_ffmpeg()) {
            uploads_get_their_own_answers(&server);
        }
    }
}

fn uploads_get_their_own_answers(server: &Server) {
    let (grey, white) = (grey(), clip("white", [255, 255, 255]));
    let alone = [&grey, &white].map(|file| server.score("", file).1["score"].clone());
    assert_ne!(alone[0], alone[1]);
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..24)
            .map(|i| {
                let file = if i % 2 == 0 { &grey } else { &white };
                scope.spawn(move || server.score("", file))
            })
            .collect();
        for (i, asked) in asked.into_iter().enumerate() {
            let (status, report) = asked.join().unwrap();
            assert_eq!((status, &report["score"]), (200, &alone[i % 2]));
        }
    });
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}
