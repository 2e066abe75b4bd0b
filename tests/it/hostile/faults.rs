//! Faults of the machine while the server works.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};

use super::corpus::{on_two_threads, seeds};
use super::service::{Service, WARM, read_answer, score_head};
use crate::media_files::have_ffmpeg;
use crate::random::Random;
use crate::server::eventually;

fn clip() -> Vec<u8> {
    let (_, path) = seeds().into_iter().find(|(name, _)| name == "mp4").unwrap();
    fs::read(path).unwrap()
}

fn service(settings: &[(&str, &str)]) -> Option<(Service, Vec<u8>)> {
    let service = Service::start(settings).filter(|_| have_ffmpeg())?;
    Some((service, clip()))
}

/// A request that was sent but for its last byte.
fn half_sent(service: &Service, clip: &[u8]) -> TcpStream {
    let mut stream = service.connect();
    let request = [score_head(clip.len(), "").as_bytes(), clip].concat();
    stream.write_all(&request[..request.len() - 1]).unwrap();
    stream
}

#[test]
fn a_child_that_is_killed_costs_its_own_upload() {
    const UPLOADS: usize = 60;
    let Some((service, clip)) = service(&[]) else {
        return;
    };
    let (whole, before) = (service.score(&clip), service.holdings());
    let done = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random(11);
            while !done.load(Ordering::Relaxed) {
                let children = service.children();
                if let Some(id) = children.get(random.below(children.len().max(1))) {
                    let id = Pid::from_raw((*id).try_into().unwrap()).unwrap();
                    // It may have been reaped meanwhile.
                    let _gone = kill_process(id, Signal::KILL);
                }
                std::thread::sleep(std::time::Duration::from_micros(random.next() % 100_000));
            }
        });
        let answers = on_two_threads(&[(); UPLOADS], |()| service.score(&clip));
        done.store(true, Ordering::Relaxed);
        answers
    });
    let mut scored = 0;
    for (status, body) in answers {
        scored += usize::from(status == 200);
        let code = body["code"].as_str().unwrap_or("none");
        assert!(
            [(200, "none"), (422, "corrupt_media")].contains(&(status, code)),
            "{body}"
        );
        if status == 200 {
            assert_eq!(body["score"], whole.1["score"], "whole, or not at all");
        }
    }
    eprintln!("{scored} of {UPLOADS} scored while children were killed");
    service.settles(before);
    assert_eq!(service.score(&clip).1["score"], whole.1["score"]);
}

/// A small file system; gone with it.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, bytes: usize) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(at)
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("SKIPPED: can't mount a tmpfs here, so a full disk wasn't tried");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may still hold it.
        let _still_there = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_costs_the_uploads_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path(), 1 << 20) else {
        return;
    };
    let data = folder.path().to_str().unwrap();
    let Some((service, clip)) = service(&[("JAGA_DATA_DIR", data)]) else {
        return;
    };
    for _ in 0..3 {
        let (status, problem) = service.score(&vec![0; 3 << 20]);
        let told = (status, problem["code"].as_str().unwrap_or("none"));
        assert_eq!(told, (500, "internal"), "{problem}");
        assert!(
            !problem.to_string().contains("space"),
            "nothing of the inside"
        );
        assert_eq!(service.score(&clip).0, 200, "what fits is scored");
    }
    assert!(service.log().contains("No space left on device"));
    eventually("no upload is left on the disk", || {
        let now = rustix::fs::fstatvfs(fs::File::open(data).unwrap().as_fd()).unwrap();
        let used = (now.f_blocks - now.f_bfree) * now.f_frsize;
        // An upload has no name; what has one is the job store's.
        used - named_bytes(folder.path()) < 64 << 10
    });
}

/// Bytes on the disk of the files that have a name.
fn named_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|file| file.metadata().map_or(0, |facts| facts.blocks() * 512))
        .sum()
}

#[test]
fn a_model_whose_files_are_removed_goes_on() {
    let Some((service, clip)) = service(&[]) else {
        return;
    };
    let first = service.score(&clip).1;
    fs::remove_dir_all(service.folder.path().join("models")).unwrap();
    let (status, report) = service.score(&clip);
    assert_eq!((status, &report["score"]), (200, &first["score"]));
    assert_eq!(service.get("/readyz").0, 200);
    assert_eq!(service.get("/v1/models").0, 200);
}

#[test]
fn a_stop_finishes_the_upload_that_is_arriving() {
    let Some((mut service, clip)) = service(&[]) else {
        return;
    };
    let mut stream = half_sent(&service, &clip);
    eventually("it is inside", || service.holdings().inside == 1);
    service.signal(Signal::TERM);
    eventually("no connection is taken", || {
        TcpStream::connect(service.address).is_err()
    });
    stream.write_all(&clip[clip.len() - 1..]).unwrap();
    assert_eq!(read_answer(&mut stream).0, 200);
    assert_eq!(service.wait().code(), Some(0));
    let spool = service.folder.path().join("data/spool");
    assert_eq!(fs::read_dir(spool).unwrap().count(), 0);
}

#[test]
fn a_stop_cuts_off_what_takes_too_long_and_ends_well() {
    let Some((mut service, clip)) = service(&[("JAGA_SERVER__DRAIN_S", "0.2")]) else {
        return;
    };
    let mut stream = half_sent(&service, &clip);
    eventually("it is inside", || service.holdings().inside == 1);
    let children = service.children();
    service.signal(Signal::TERM);
    assert_eq!(
        read_answer(&mut stream).0,
        0,
        "cut off, without half an answer"
    );
    assert_eq!(service.wait().code(), Some(0));
    gone(&children);
}

/// Waits until none of the processes exists.
fn gone(children: &[u32]) {
    assert!(children.len() >= WARM);
    eventually("no child outlives the server", || {
        children.iter().all(|id| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // Whoever adopts it may leave it a zombie for a while.
            stat.is_empty() || stat.contains(") Z ")
        })
    });
}

#[test]
fn a_kill_leaves_no_file_and_no_child() {
    let Some((mut service, clip)) = service(&[]) else {
        return;
    };
    let mut streams: Vec<TcpStream> = (0..8).map(|_| half_sent(&service, &clip)).collect();
    eventually("all are inside", || service.holdings().inside == 8);
    streams[0].write_all(&clip[clip.len() - 1..]).unwrap();
    let children = service.children();
    service.signal(Signal::KILL);
    assert_eq!(service.wait().code(), None);
    for mut stream in streams.drain(1..) {
        assert_eq!(read_answer(&mut stream).0, 0);
    }
    gone(&children);
    let spool = service.folder.path().join("data/spool");
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0);
    // And the next server takes the same folder.
    let data = service.folder.path().join("data");
    let next = Service::start(&[("JAGA_DATA_DIR", data.to_str().unwrap())]).unwrap();
    assert_eq!(next.score(&clip).0, 200);
}
