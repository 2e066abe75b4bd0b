//! The walls around a child: that they stand, by the kernel's word, and that nothing gets out.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use jaga::media::decoder::examine;
use jaga::media::error::MediaErrorKind;
use jaga::media::sandbox::attempts::ATTEMPTS;
use jaga::media::sandbox::{ChildConfig, SandboxMode};
use jaga::media::{Decoder, MediaConfig, MediaError};
use tempfile::TempDir;

use super::encoders::H264;
use super::{config, open, play_with, uniform};
use crate::media_files::{ffmpeg, have_ffmpeg, made, numbered, still_clip};

/// The real child, started by way of a script, as somebody else or to do something else.
struct StandIn {
    folder: TempDir,
}

impl StandIn {
    /// `before` are words that start a program (such as `setpriv …`), `after` go before the
    /// child's own argument.
    fn new(before: &str, after: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/decoder/stand-in.sh");
        symlink(script, folder.path().join("child")).unwrap();
        // A copy, as another user may not reach where it was built.
        fs::copy(
            env!("CARGO_BIN_EXE_jaga-decoder"),
            folder.path().join("child.real"),
        )
        .unwrap();
        fs::write(folder.path().join("child.before"), before).unwrap();
        fs::write(folder.path().join("child.after"), after).unwrap();
        Self { folder }
    }

    fn config(&self) -> MediaConfig {
        MediaConfig {
            decoder: Some(self.folder.path().join("child")),
            warm_children: 1,
            ..MediaConfig::default()
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Version of this kernel's Landlock; less than 1 when it has none or it is off.
fn landlock_version() -> libc::c_long {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: without a structure and with this flag the call only tells its version.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) }
}

fn has_landlock() -> bool {
    landlock_version() > 0
}

fn clip() -> std::path::PathBuf {
    numbered("walls", "mp4", 48, "30", H264)
}

#[test]
fn every_wall_that_the_kernel_has_stands() {
    let decoder = Decoder::start(&MediaConfig {
        sandbox: SandboxMode::BestEffort,
        ..config()
    })
    .unwrap();
    let walls = decoder.walls();
    assert!(walls.limits.in_force && walls.no_new_privileges.in_force);
    assert!(walls.seccomp.in_force, "{walls:?}");
    assert_eq!(walls.landlock.in_force, has_landlock(), "{walls:?}");
    assert!(walls.user.in_force, "{walls:?}");
    let user = if is_root() {
        "user 65534, group 65534".to_owned()
    } else {
        let uid = rustix::process::getuid().as_raw();
        format!("user {uid}, as the server")
    };
    assert_eq!(walls.user.detail, user);
    // With every wall there, "required" is content, which is the default.
    let required = Decoder::start(&config());
    assert_eq!(required.is_ok(), has_landlock());
}

/// A field of `/proc/<pid>/status`.
fn status(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value.unwrap().1.trim().to_owned()
}

/// Soft and hard limit of a line of `/proc/<pid>/limits`.
fn limit(text: &str, name: &str) -> (String, String) {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let mut words = line[name.len()..].split_ascii_whitespace();
    let mut word = || words.next().unwrap().to_owned();
    (word(), word())
}

#[tokio::test]
async fn the_kernel_says_the_same_of_a_child_at_work() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = Decoder::start(&config()).unwrap();
    let media = open(&decoder, &clip()).await.unwrap();
    let proc = format!("/proc/{}", media.child_id().unwrap());
    let text = fs::read_to_string(format!("{proc}/status")).unwrap();
    assert_eq!(status(&text, "NoNewPrivs"), "1");
    // 2: a filter; two that answer with errors and the one that kills.
    assert_eq!(status(&text, "Seccomp"), "2");
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(status(&text, set), "0000000000000000", "{set}");
    }
    if is_root() {
        for ids in ["Uid", "Gid"] {
            assert_eq!(status(&text, ids), "65534\t65534\t65534\t65534");
        }
        assert_eq!(status(&text, "Groups"), "");
    }
    let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
    let child = ChildConfig::default();
    let both = |value: u64| (value.to_string(), value.to_string());
    assert_eq!(
        limit(&limits, "Max address space"),
        both(child.memory_bytes)
    );
    assert_eq!(
        limit(&limits, "Max cpu time").0,
        child.cpu_seconds.to_string()
    );
    assert_eq!(limit(&limits, "Max file size"), both(0));
    assert_eq!(limit(&limits, "Max core file size"), both(0));
    assert_eq!(limit(&limits, "Max open files"), both(16));
}

#[test]
fn every_way_out_is_closed() {
    for attempt in ATTEMPTS {
        let seen = examine(&config(), *attempt).unwrap();
        assert_eq!(
            seen.outcome,
            attempt.end.to_string(),
            "{} ended otherwise",
            attempt.name
        );
        assert!(seen.stopped);
    }
}

#[test]
fn a_try_that_there_is_not_is_not_called_stopped() {
    let unknown = jaga::media::sandbox::attempts::Attempt {
        name: "nonsense",
        ..ATTEMPTS[0]
    };
    let seen = examine(&config(), unknown).unwrap();
    assert_eq!(
        (seen.outcome.as_str(), seen.stopped),
        ("no such case", false)
    );
}

/// The last line of a self-test that runs without the system-call filter.
fn without_filter(case: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_jaga-decoder"))
        .args(["self-test", &format!("{case}/without-filter")])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    log.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn landlock_and_the_user_hold_without_the_filter() {
    const EPERM: &str = "errno 1";
    const EACCES: &str = "errno 13";
    if has_landlock() {
        for case in ["open-file", "open-own-memory", "create-file"] {
            assert_eq!(without_filter(case), EACCES, "{case}");
        }
        if landlock_version() >= 4 {
            assert_eq!(without_filter("socket-and-connect"), EACCES);
        }
    } else {
        assert_eq!(without_filter("open-file"), "done", "nothing else stops it");
    }
    if is_root() || landlock_version() >= 6 {
        assert_eq!(without_filter("kill-parent"), EPERM);
    }
    for case in ["become-root", "raise-limit", "ptrace"] {
        assert_eq!(without_filter(case), EPERM, "{case}");
    }
}

/// What the server makes of a child that, given an upload, does as `case` says.
async fn taken_over(case: &str) -> (MediaError, u64) {
    let stand_in = StandIn::new("", &format!("self-test {case}"));
    let decoder = Decoder::start(&MediaConfig {
        child: ChildConfig {
            memory_bytes: 512 << 20,
            cpu_seconds: 1,
            ..ChildConfig::default()
        },
        ..stand_in.config()
    })
    .unwrap();
    let upload = stand_in.folder.path().join("child.before");
    let error = open(&decoder, &upload).await.unwrap_err();
    (error, decoder.sandbox_violations())
}

#[tokio::test]
async fn a_child_that_was_taken_over_costs_its_upload_alone() {
    let damage = MediaErrorKind::Corrupt;
    for (case, kind, text) in [
        ("exec", damage, "stopped"),
        ("socket", damage, "stopped"),
        ("garbage", damage, "protocol"),
        ("panic", damage, "exit status: 101"),
        ("abort", damage, "signal: 6"),
        ("spin", MediaErrorKind::Limit, "cpu_seconds is 1,"),
        ("spin-deaf", MediaErrorKind::Limit, "cpu_seconds is 1,"),
        ("allocate", MediaErrorKind::Limit, "memory is 536870912,"),
    ] {
        let (error, violations) = taken_over(case).await;
        assert_eq!(error.kind(), kind, "{case}: {error}");
        assert!(error.to_string().contains(text), "{case}: {error}");
        let is_violation = matches!(error, MediaError::SandboxViolation);
        assert_eq!(violations, u64::from(is_violation), "{case}");
        assert_eq!(is_violation, text == "stopped", "{case}");
    }
}

fn little_memory() -> Decoder {
    Decoder::start(&MediaConfig {
        decoder_threads: 4,
        child: ChildConfig {
            memory_bytes: 256 << 20,
            ..ChildConfig::default()
        },
        ..config()
    })
    .unwrap()
}

#[tokio::test]
async fn a_file_that_needs_more_memory_names_that_limit() {
    if !have_ffmpeg() {
        return;
    }
    let decoder = little_memory();
    let (width, height) = (4096_u32, 4096_u32);
    let rgb: Vec<u8> = (0..width * height * 3)
        .map(|at| (at >> 9).to_le_bytes()[0])
        .collect();
    let video = still_clip("large", "mp4", (width, height, &rgb), 6, H264);
    let image = made("large", "png", &"6000x6000", |path| {
        image::GrayImage::new(6000, 6000).save(path).unwrap();
    });
    for path in [video, image] {
        let error = play_with(&decoder, &path, uniform(6)).await.unwrap_err();
        assert_eq!(error.kind(), MediaErrorKind::Limit, "{error}");
        let begins = "memory is 268435456,";
        assert!(error.to_string().starts_with(begins), "{error}");
    }
    // The server goes on.
    let played = play_with(&decoder, &clip(), uniform(4)).await.unwrap();
    assert_eq!(played.frames.len(), 4);
}

#[tokio::test]
async fn a_file_larger_than_the_childs_memory_is_read_all_the_same() {
    if !have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.mp4");
    // 5 MB a second of noise, repeated without being encoded again.
    let noise = made("noise", "mp4", &"1", |path| {
        let source = "nullsrc=size=640x360:rate=25:duration=2,geq=random(1)*255:128:128";
        let encode = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "10"];
        let all = [["-f", "lavfi", "-i", source].as_slice(), &encode].concat();
        ffmpeg(&all, &[], path);
    });
    let noise = noise.to_str().unwrap();
    ffmpeg(
        &[
            "-stream_loop",
            "-1",
            "-i",
            noise,
            "-fs",
            "300M",
            "-c",
            "copy",
        ],
        &[],
        &path,
    );
    assert!(path.metadata().unwrap().len() > 290_000_000);
    let played = play_with(&little_memory(), &path, uniform(4)).await;
    assert_eq!(played.unwrap().frames.len(), 4);
}

#[tokio::test]
async fn root_without_capabilities_needs_best_effort() {
    if !is_root() || !have_ffmpeg() {
        // Nobody but root can lack what root has; the next test is this user's.
        return;
    }
    // As a container has it with --cap-drop=ALL.
    let powerless = StandIn::new("setpriv --bounding-set=-all --inh-caps=-all", "");
    let error = Decoder::start(&powerless.config()).unwrap_err().to_string();
    for word in ["user: ", "CAP_SETUID", "CAP_KILL", "best-effort"] {
        assert!(error.contains(word), "{error}");
    }
    let decoder = Decoder::start(&MediaConfig {
        sandbox: SandboxMode::BestEffort,
        ..powerless.config()
    })
    .unwrap();
    let walls = decoder.walls();
    assert!(!walls.user.in_force && walls.seccomp.in_force);
    assert_eq!(walls.landlock.in_force, has_landlock());
    let played = play_with(&decoder, &clip(), uniform(4)).await.unwrap();
    assert_eq!(played.frames.len(), 4);
    let media = open(&decoder, &clip()).await.unwrap();
    let text = fs::read_to_string(format!("/proc/{}/status", media.child_id().unwrap())).unwrap();
    assert_eq!(status(&text, "CapPrm"), "0000000000000000");
}

#[tokio::test]
async fn who_is_not_root_has_nothing_to_drop() {
    if !have_ffmpeg() {
        return;
    }
    let ordinary = if is_root() {
        "setpriv --reuid=1000 --regid=1000 --clear-groups"
    } else {
        ""
    };
    let ordinary = StandIn::new(ordinary, "");
    let decoder = Decoder::start(&ordinary.config()).unwrap();
    let user = &decoder.walls().user;
    assert!(user.in_force && user.detail.ends_with(", as the server"));
    let played = play_with(&decoder, &clip(), uniform(4)).await.unwrap();
    assert_eq!(played.frames.len(), 4);
}

#[test]
fn the_documented_table_is_the_tested_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page = fs::read_to_string(page).unwrap();
    for attempt in ATTEMPTS {
        let begins = format!("| `{}` |", attempt.name);
        let row = page.lines().find(|line| line.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("{} has no row", attempt.name));
        assert!(
            row.contains(&format!("| {} ", attempt.end)),
            "{} ends with {}: {row}",
            attempt.name,
            attempt.end
        );
    }
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches('|').count() == 5);
    assert_eq!(
        rows.count(),
        ATTEMPTS.len(),
        "rows of the table of attempts"
    );
}
