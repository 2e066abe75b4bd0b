//! Files that name other files and addresses: none of them is opened.

use std::fs::File;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use jaga::media::error::MediaErrorKind;
use rustix::fs::inotify;
use tempfile::TempDir;

use super::encoders::H264;
use super::{play, uniform};
use crate::media_files::{have_ffmpeg, numbered, remade};

/// A file and a port that must not be touched.
struct Bait {
    folder: TempDir,
    watch: OwnedFd,
    listener: TcpListener,
}

impl Bait {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        let clip = numbered("bait", "ts", 24, "30", H264);
        let bait = folder.path().join("bait.ts");
        std::fs::copy(clip, &bait).unwrap();
        inotify::add_watch(&watch, &bait, inotify::WatchFlags::OPEN).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            folder,
            watch,
            listener,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("bait.ts")
    }

    fn address(&self) -> String {
        format!("http://{}/bait.ts", self.listener.local_addr().unwrap())
    }

    fn opened(&self) -> bool {
        let mut space = [MaybeUninit::uninit(); 512];
        inotify::Reader::new(&self.watch, &mut space).next().is_ok()
    }

    fn connected(&self) -> bool {
        match self.listener.accept() {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

/// Texts that make FFmpeg open `target`, were their formats allowed.
fn texts(target: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "m3u8",
            format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"),
        ),
        (
            "m3u8",
            format!(
                "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-KEY:METHOD=AES-128,URI=\"{target}\"\n\
                 #EXTINF:1,\nconcat:{target}|file:///etc/passwd\n#EXT-X-ENDLIST\n"
            ),
        ),
        (
            "ffconcat",
            format!("ffconcat version 1.0\nfile '{target}'\n"),
        ),
        (
            "mpd",
            format!(
                "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" \
                 type=\"static\" mediaPresentationDuration=\"PT1S\" \
                 profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\"><Period>\
                 <AdaptationSet mimeType=\"video/mp4\"><Representation id=\"1\" bandwidth=\"1\">\
                 <BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>\n"
            ),
        ),
        (
            "sdp",
            format!(
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={target}\nc=IN IP4 127.0.0.1\nt=0 0\n\
                 m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
            ),
        ),
        (
            "smil",
            format!("<smil><body><video src=\"{target}\"/></body></smil>\n"),
        ),
        (
            "asx",
            format!("<asx version=\"3.0\"><entry><ref href=\"{target}\"/></entry></asx>\n"),
        ),
        (
            "pls",
            format!("[playlist]\nFile1={target}\nNumberOfEntries=1\n"),
        ),
    ]
}

#[test]
fn the_bait_would_notice() {
    if !have_ffmpeg() {
        return;
    }
    let bait = Bait::new();
    assert!(!bait.opened() && !bait.connected());
    drop(File::open(bait.file()).unwrap());
    drop(std::net::TcpStream::connect(bait.listener.local_addr().unwrap()).unwrap());
    assert!(bait.opened() && bait.connected());
}

#[tokio::test]
async fn playlists_are_unsupported_and_open_nothing() {
    if !have_ffmpeg() {
        return;
    }
    let bait = Bait::new();
    let file = bait.file().to_str().unwrap().to_owned();
    let upload = bait.folder.path().join("upload");
    for target in [file.clone(), format!("file://{file}"), bait.address()] {
        for (extension, text) in texts(&target) {
            let upload = upload.with_extension(extension);
            std::fs::write(&upload, text).unwrap();
            let error = play(&upload, uniform(4)).await.unwrap_err();
            assert_eq!(
                error.kind(),
                MediaErrorKind::Unsupported,
                "{extension}: {error}"
            );
            assert!(!bait.opened(), "{extension} opened {target}");
            assert!(!bait.connected(), "{extension} connected to {target}");
        }
    }
}

/// Bytes of a box's length and name.
const BOX: usize = 8;

/// A data reference (`QuickTime` File Format, "data reference atoms") to the file at `path`: an
/// alias record with the fields that FFmpeg reads, the absolute path as its entry of kind 2.
fn alias(path: &str) -> Vec<u8> {
    let mut record = vec![0; 10];
    record.push(6);
    record.extend_from_slice(&[0; 27]);
    record.extend_from_slice(&[0; 12]);
    record.push(7);
    let mut name = b"bait.ts".to_vec();
    name.resize(63, 0);
    record.extend(name);
    record.extend_from_slice(&[0; 16]);
    // Levels from and to.
    record.extend_from_slice(&[0, 1, 0, 1]);
    record.extend_from_slice(&[0; 16]);
    let length = u16::try_from(path.len()).unwrap().to_be_bytes();
    record.extend_from_slice(&[&[0, 2], length.as_slice(), path.as_bytes()].concat());
    record.extend(std::iter::repeat_n(0, path.len() % 2));
    record.extend_from_slice(&[0xff, 0xff, 0, 0]);
    let size = u32::try_from(12 + record.len()).unwrap().to_be_bytes();
    [&size, b"alis".as_slice(), &[0; 4], &record].concat()
}

/// `whole`, an MP4 file whose index comes last, with its video in another file.
fn with_external_video(whole: &[u8], path: &str) -> Vec<u8> {
    let own = b"\0\0\0\x0curl \0\0\0\x01";
    let at = whole.windows(own.len()).rposition(|w| w == own).unwrap();
    let other = alias(path);
    let mut bytes = [&whole[..at], &other, &whole[at + own.len()..]].concat();
    let grown = u32::try_from(other.len() - own.len()).unwrap();
    // Every box around it, by its name: the last one of that name before it.
    for name in [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"] {
        let name_at = bytes[..at].windows(4).rposition(|w| w == name).unwrap();
        let size_at = name_at + 4 - BOX;
        let size: [u8; 4] = bytes[size_at..name_at].try_into().unwrap();
        let size = u32::from_be_bytes(size) + grown;
        bytes[size_at..name_at].copy_from_slice(&size.to_be_bytes());
    }
    bytes
}

#[tokio::test]
async fn a_movie_whose_video_is_in_another_file_does_not_get_it() {
    if !have_ffmpeg() {
        return;
    }
    let bait = Bait::new();
    let movie = numbered("references", "mov", 24, "30", H264);
    let bytes = with_external_video(
        &std::fs::read(movie).unwrap(),
        bait.file().to_str().unwrap(),
    );
    let upload = bait.folder.path().join("upload.mov");
    std::fs::write(&upload, bytes).unwrap();
    let result = play(&upload, uniform(4)).await;
    assert!(!bait.opened(), "{result:?}");
    // FFmpeg reads on in the file itself: frames of the upload, or none, but of no other file.
    let frames = result.map_or(0, |played| played.frames.len());
    assert!(frames <= 4);
}

#[tokio::test]
async fn subtitles_within_a_video_open_nothing() {
    if !have_ffmpeg() {
        return;
    }
    let bait = Bait::new();
    // A playlist as an embedded subtitle track, as in FFmpeg's faults of 2016 and 2017.
    let playlist = format!(
        "#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        bait.file().display()
    );
    let text = bait.folder.path().join("upload.srt");
    let cue = format!("1\n00:00:00,000 --> 00:00:01,000\n{playlist}\n");
    std::fs::write(&text, cue).unwrap();
    let text = text.to_str().unwrap();
    let clip = numbered("subtitled", "mp4", 24, "30", H264);
    let both = ["-i", text, "-map", "0", "-map", "1", "-c:v", "copy"];
    let movie = remade(
        "playlist",
        "mkv",
        &clip,
        &[],
        &[&both, ["-c:s", "srt"].as_slice()].concat(),
    );
    let played = play(&movie, uniform(4)).await.unwrap();
    assert_eq!(played.frames.len(), 4);
    assert!(!bait.opened() && !bait.connected());
}
