//! Every bad upload has its code, and leaves nothing.

use reqwest::blocking::Body;
use reqwest::blocking::multipart::{Form, Part};

use crate::media_files::{have_ffmpeg, made, numbered, remade};
use crate::server::{Server, answer};

fn bytes_of(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn each_fault_of_a_file_has_its_code() {
    let Some(server) = Server::start(|_| {}).filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = numbered(
        "problem",
        "mp4",
        30,
        "30",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    let sound = made("sound", "m4a", &"sine", |path| {
        crate::media_files::ffmpeg(&["-f", "lavfi", "-i", "sine=d=1"], &[], path);
    });
    let headers_only = [
        "-c",
        "copy",
        "-frames:v",
        "0",
        "-movflags",
        "+empty_moov+default_base_moof",
    ];
    let no_frame = remade("no-frame", "mp4", &clip, &[], &headers_only);
    let index_last = bytes_of(&clip);
    let cases: [(&str, Vec<u8>, u16, &str); 6] = [
        ("an empty body", Vec::new(), 422, "empty_media"),
        (
            "a text",
            b"hello, this is a text\n".repeat(100),
            415,
            "unsupported_media",
        ),
        ("sound alone", bytes_of(&sound), 422, "no_video_stream"),
        (
            "a clip cut before its index",
            index_last[..index_last.len() / 2].to_vec(),
            422,
            "corrupt_media",
        ),
        (
            "a clip without a frame",
            bytes_of(&no_frame),
            422,
            "corrupt_media",
        ),
        (
            "a PDF",
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n".to_vec(),
            415,
            "unsupported_media",
        ),
    ];
    for (what, body, status, code) in cases {
        let (got, problem) = server.score_bytes("", body);
        assert_eq!(
            (got, problem["code"].as_str()),
            (status, Some(code)),
            "{what}: {problem}"
        );
        assert_eq!(problem["type"], format!("urn:jaga:problem:{code}"));
        assert_eq!(problem["request_id"].as_str().unwrap().len(), 26);
    }
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}

#[test]
fn a_picture_is_one_frame_whatever_its_name() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let png = tempfile::NamedTempFile::with_suffix(".mp4").unwrap();
    image::RgbImage::from_pixel(40, 30, image::Rgb([128, 128, 128]))
        .save_with_format(png.path(), image::ImageFormat::Png)
        .unwrap();
    let part = Part::file(png.path())
        .unwrap()
        .mime_str("video/mp4")
        .unwrap();
    let form = server
        .client
        .post(server.url("/v1/score"))
        .multipart(Form::new().part("file", part));
    let (status, report) = answer(form.send().unwrap());
    assert_eq!(status, 200, "{report}");
    assert_eq!(report["media"]["container"], "png");
    assert_eq!(report["media"]["duration_s"], 0.0);
    assert_eq!(report["models"][0]["coverage"]["planned"], 1);
    // 128 · 0.002 − 0.25 in each channel, weighted 1 + 2 + 4.
    let expected = 1.0 / (1.0 + (-7.0 * (128.0 * 0.002 - 0.25_f64)).exp());
    assert!((report["score"].as_f64().unwrap() - expected).abs() < 1e-6);
}

#[test]
fn limits_are_named() {
    let Some(server) = Server::start(|config| {
        config.data.max_upload_bytes = 200_000;
        config.media.limits.max_side_px = 200;
    })
    .filter(|_| have_ffmpeg()) else {
        return;
    };
    let (status, problem) = server.score_bytes("", vec![0; 200_001]);
    assert_eq!((status, problem["code"].as_str()), (413, Some("too_large")));
    assert_eq!(
        (problem["allowed"].as_u64(), problem["actual"].as_u64()),
        (Some(200_000), Some(200_001))
    );
    // Chunked: nothing is declared, the spool counts.
    let body = Body::new(std::io::Cursor::new(vec![0; 300_000]));
    let url = server.url("/v1/score");
    let (status, problem) = answer(server.client.post(url).body(body).send().unwrap());
    assert_eq!((status, problem["code"].as_str()), (413, Some("too_large")));
    let form = Form::new().part("file", Part::bytes(vec![0; 200_001]));
    let (status, problem) = answer(
        server
            .client
            .post(server.url("/v1/score"))
            .multipart(form)
            .send()
            .unwrap(),
    );
    assert_eq!((status, problem["code"].as_str()), (413, Some("too_large")));
    let clip = numbered(
        "limit",
        "mp4",
        5,
        "25",
        &["-c:v", "libx264", "-pix_fmt", "yuv420p"],
    );
    let (status, problem) = server.score("", &clip);
    assert_eq!(
        (status, problem["code"].as_str()),
        (422, Some("limit_exceeded")),
        "{problem}"
    );
    assert_eq!(problem["limit"], "max_side_px");
    assert_eq!(
        (problem["allowed"].as_f64(), problem["actual"].as_f64()),
        (Some(200.0), Some(256.0))
    );
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}

#[test]
fn what_can_be_refused_is_refused_before_the_upload() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    for (query, status, code) in [
        ("?model=nobody", 422, "unknown_model"),
        ("?policy=nobody", 400, "bad_request"),
        ("?frames=0", 400, "bad_request"),
        ("?frames=257", 400, "bad_request"),
        ("?sampling=all", 400, "bad_request"),
        ("?frame=3", 400, "bad_request"),
    ] {
        let (got, problem) = server.score_bytes(query, Vec::new());
        assert_eq!(
            (got, problem["code"].as_str()),
            (status, Some(code)),
            "{query}"
        );
    }
}

#[test]
fn forms_that_are_none_are_bad_requests() {
    let Some(server) = Server::start(|_| {}) else {
        return;
    };
    let url = server.url("/v1/score");
    let post = |form: Form| answer(server.client.post(&url).multipart(form).send().unwrap());
    let (status, problem) = post(Form::new().text("video", "x"));
    assert_eq!(
        (status, problem["code"].as_str()),
        (400, Some("bad_request"))
    );
    let (status, _) = post(Form::new());
    assert_eq!(status, 400);
    let broken = server
        .client
        .post(&url)
        .header("content-type", "multipart/form-data; boundary=x")
        .body("--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc");
    let (status, problem) = answer(broken.send().unwrap());
    assert_eq!(
        (status, problem["code"].as_str()),
        (400, Some("bad_request")),
        "{problem}"
    );
    assert_eq!((server.inside(), server.spooled()), (0, 0));
}
