//! Children that lie, stop early or never end: the server's side must not believe them.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use jaga::media::error::MediaErrorKind;
use jaga::media::protocol::{self, FrameHeader, Header, Kind, ProtocolError};
use jaga::media::{Decoded, Decoder, MediaConfig, MediaError};
use tempfile::TempDir;
use tokio::time::Instant;

use super::uniform;

/// A fake child and its folder.
pub(crate) struct Fake {
    folder: TempDir,
}

fn message(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        kind,
        payload_bytes: u32::try_from(payload.len()).unwrap(),
    };
    [&header.encode(), payload].concat()
}

fn hello(protocol: u32) -> Vec<u8> {
    let wall = r#"{"in_force":true,"detail":"fake"}"#;
    let json = format!(
        r#"{{"protocol":{protocol},"program":"0","ffmpeg":"fake","walls":{{"limits":{wall},
        "no_new_privileges":{wall},"user":{wall},"landlock":{wall},"seccomp":{wall}}}}}"#
    );
    message(Kind::Hello, json.as_bytes())
}

fn facts(width: u32) -> Vec<u8> {
    let json = format!(
        r#"{{"container":"fake","video_codec":"fake","width":{width},"height":2,"rotation_deg":0,
        "duration_s":1.0,"frame_rate":2.0,"variable_frame_rate":false,
        "color":{{"primaries":null,"transfer":null,"matrix":null,"range":null}},
        "has_audio":false,"frame_count":2,"truncated":false}}"#
    );
    message(Kind::Facts, json.as_bytes())
}

fn chosen() -> Vec<u8> {
    message(
        Kind::Chosen,
        br#"{"times_s":[0.0,0.5],"stills":{"frames":[0,1],"missing":0},"windows":[]}"#,
    )
}

fn frame(index: u32, time_s: f64) -> Vec<u8> {
    let header = FrameHeader {
        index,
        width: 2,
        height: 2,
        time_s,
    };
    message(
        Kind::Frame,
        &[header.encode().as_slice(), &[7; 12]].concat(),
    )
}

fn missed(index: u32) -> Vec<u8> {
    message(Kind::Missed, format!(r#"{{"index":{index}}}"#).as_bytes())
}

fn end(frames: u32, missed: u32) -> Vec<u8> {
    let json = format!(r#"{{"frames":{frames},"missed":{missed},"packets_decoded":2}}"#);
    message(Kind::End, json.as_bytes())
}

impl Fake {
    /// Is ready, knows all about the upload and then says nothing more.
    pub(crate) fn stalling() -> Self {
        Self::new(&[hello(protocol::VERSION), facts(2)], "stall")
    }

    /// Is ready and answers with a picture where facts are due.
    pub(crate) fn lying() -> Self {
        Self::new(&[hello(protocol::VERSION), frame(0, 0.0)], "stall")
    }

    /// The program to start.
    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("fake")
    }

    /// Says `parts` at once, then does `then`.
    fn new(parts: &[Vec<u8>], then: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/decoder/fake-decoder.sh"
        );
        symlink(script, folder.path().join("fake")).unwrap();
        std::fs::write(folder.path().join("fake.says"), parts.concat()).unwrap();
        std::fs::write(folder.path().join("fake.then"), then).unwrap();
        Self { folder }
    }

    fn start(&self) -> Result<Decoder, MediaError> {
        Decoder::start(&MediaConfig {
            decoder: Some(self.folder.path().join("fake")),
            warm_children: 1,
            ..MediaConfig::default()
        })
    }

    /// The frames and misses that came before the end or the error.
    async fn play(&self, patience: Duration) -> (usize, Result<(), MediaError>) {
        let mut answers = 0;
        let played = async {
            let upload = std::fs::File::open(self.folder.path().join("fake.says")).unwrap();
            let decoder = self.start()?;
            let deadline = Instant::now() + patience;
            let mut media = decoder.open(upload.into(), deadline).await?;
            media.choose(&uniform(2).into()).await?;
            while let Some(Decoded::Frame(_) | Decoded::Missed(_)) = media.next().await? {
                answers += 1;
            }
            Ok(())
        };
        let result = played.await;
        (answers, result)
    }

    async fn error(&self) -> MediaError {
        let (_, result) = self.play(Duration::from_secs(20)).await;
        result.unwrap_err()
    }
}

fn good() -> [Vec<u8>; 3] {
    [hello(protocol::VERSION), facts(2), chosen()]
}

#[tokio::test]
async fn an_honest_fake_is_believed() {
    let says = [&good(), [frame(1, 0.5), missed(0), end(1, 1)].as_slice()].concat();
    let (answers, result) = Fake::new(&says, "exit").play(Duration::from_secs(20)).await;
    result.unwrap();
    assert_eq!(answers, 2);
}

#[tokio::test]
async fn lies_are_protocol_errors_and_count_as_damage() {
    let renamed = |name: &str| {
        let fake = String::from_utf8(facts(2)[8..].to_vec()).unwrap();
        message(Kind::Facts, fake.replacen("fake", name, 1).as_bytes())
    };
    let deep = ["[".repeat(4000), "]".repeat(4000)].concat();
    let lies: [(&str, Vec<Vec<u8>>); 20] = [
        ("facts that break a limit", vec![facts(9000)]),
        ("chosen before facts", vec![chosen()]),
        ("facts twice", vec![facts(2), facts(2)]),
        (
            "more chosen than planned",
            vec![
                facts(2),
                message(Kind::Chosen, br#"{"times_s":[0.0,1.0,2.0],"stills":{"frames":[0,1,2],"missing":0},"windows":[]}"#),
            ],
        ),
        (
            "times that fall",
            vec![
                facts(2),
                message(Kind::Chosen, br#"{"times_s":[1.0,0.0],"stills":{"frames":[0,1],"missing":0},"windows":[]}"#),
            ],
        ),
        (
            "a frame twice",
            vec![facts(2), chosen(), frame(0, 0.0), frame(0, 0.0)],
        ),
        (
            "a frame not chosen",
            vec![facts(2), chosen(), frame(2, 0.5)],
        ),
        (
            "a frame at another time",
            vec![facts(2), chosen(), frame(0, 0.25)],
        ),
        ("a miss not chosen", vec![facts(2), chosen(), missed(7)]),
        (
            "an end too early",
            vec![facts(2), chosen(), frame(0, 0.0), end(1, 0)],
        ),
        (
            "an end that counts wrongly",
            vec![facts(2), chosen(), frame(0, 0.0), frame(1, 0.5), end(1, 1)],
        ),
        (
            "no frame at all",
            vec![facts(2), chosen(), missed(0), missed(1), end(0, 2)],
        ),
        (
            "a time behind the end",
            vec![
                facts(2),
                message(Kind::Chosen, br#"{"times_s":[0.0,1.5],"missing":0}"#),
            ],
        ),
        ("a name that goes on", vec![renamed(&"x".repeat(65))]),
        ("a name of two lines", vec![renamed("x\\ny")]),
        (
            "facts as a list of lists",
            vec![message(Kind::Facts, deep.as_bytes())],
        ),
        (
            "facts that are nothing but long",
            vec![message(Kind::Facts, &[b' '; 8193])],
        ),
        (
            "another field",
            vec![
                facts(2),
                chosen(),
                message(Kind::Missed, br#"{"index":0,"more":1}"#),
            ],
        ),
        (
            "a kind that is none",
            vec![facts(2), vec![99, 0, 0, 0, 0, 0, 0, 0]],
        ),
        (
            "a length beyond the kind's",
            vec![vec![2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]],
        ),
    ];
    for (what, says) in lies {
        let says = [&[hello(protocol::VERSION)], says.as_slice()].concat();
        let error = Fake::new(&says, "stall").error().await;
        assert!(
            matches!(error, MediaError::Protocol(_)),
            "{what}: {error:?}"
        );
        assert_eq!(error.kind(), MediaErrorKind::Corrupt, "{what}");
    }
}

#[tokio::test]
async fn another_version_is_refused_at_the_start() {
    // The first version's hello had no walls.
    let first = br#"{"protocol":1,"program":"0","ffmpeg":"fake"}"#;
    let error = Fake::new(&[message(Kind::Hello, first)], "stall")
        .start()
        .unwrap_err();
    assert!(
        matches!(
            error,
            MediaError::Protocol(ProtocolError::Version { got: 1 })
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_stream_that_stops_is_no_short_video() {
    let whole = [
        &good(),
        [frame(0, 0.0), frame(1, 0.5), end(2, 0)].as_slice(),
    ]
    .concat()
    .concat();
    let start = hello(protocol::VERSION).len();
    // Cut in every message, at its seams and within, the last byte included.
    let cuts = (start..whole.len()).step_by(7).chain([whole.len() - 1]);
    for cut in cuts {
        let fake = Fake::new(&[whole[..cut].to_vec()], "exit");
        let (_, result) = fake.play(Duration::from_secs(20)).await;
        let error = result.expect_err("cut");
        assert!(
            matches!(error, MediaError::ChildDied { .. }),
            "{cut}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_child_that_is_killed_died() {
    let says = [&good(), [frame(0, 0.0)].as_slice()].concat();
    match Fake::new(&says, "kill").error().await {
        MediaError::ChildDied { status, .. } => assert!(status.contains("signal: 9"), "{status}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_child_that_stalls_meets_the_deadline() {
    let says = [&good(), [frame(0, 0.0)].as_slice()].concat();
    let fake = Fake::new(&says, "stall");
    let (answers, result) = fake.play(Duration::from_millis(700)).await;
    assert!(matches!(result, Err(MediaError::Deadline)), "{result:?}");
    assert_eq!(answers, 1);
}

#[tokio::test]
async fn failures_become_their_errors() {
    let limit =
        br#"{"reason":{"limit":{"limit":"max_pixels","allowed":1.0,"actual":2.0}},"detail":"x"}"#;
    let cases: [(&[u8], MediaErrorKind); 4] = [
        (
            br#"{"reason":"no_video_stream","detail":""}"#,
            MediaErrorKind::NoVideoStream,
        ),
        (
            br#"{"reason":"deadline","detail":""}"#,
            MediaErrorKind::Deadline,
        ),
        (
            br#"{"reason":"internal","detail":""}"#,
            MediaErrorKind::Internal,
        ),
        (limit, MediaErrorKind::Limit),
    ];
    for (json, kind) in cases {
        let fake = Fake::new(
            &[hello(protocol::VERSION), message(Kind::Failure, json)],
            "exit",
        );
        assert_eq!(fake.error().await.kind(), kind);
    }
}

#[test]
fn a_program_that_is_missing_or_mute_is_told_at_the_start() {
    let missing = MediaConfig {
        decoder: Some(PathBuf::from("/nonexistent/jaga-decoder")),
        ..MediaConfig::default()
    };
    assert!(matches!(
        Decoder::start(&missing),
        Err(MediaError::Spawn { .. })
    ));
    let mute = Fake::new(&[], "exit").start().unwrap_err();
    assert!(matches!(mute, MediaError::ChildDied { .. }), "{mute:?}");
}
