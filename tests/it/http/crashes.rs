//! What a machine does to a server: kills it, fills its disk, takes its disk away, turns its clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::blocking::Client;
use serde_json::Value;

use super::callbacks::Receiver;
use super::jobs::grey;
use super::process::Process;
use crate::random::Random;
use crate::server::{answer, eventually};

fn submit(server: &Process, query: &str, body: Vec<u8>) -> Option<(u16, Value)> {
    let url = server.url(&format!("/v1/jobs{query}"));
    let sent = Client::new().post(url).body(body).send().ok()?;
    let status = sent.status().as_u16();
    Some((status, sent.json().ok()?))
}

fn get(server: &Process, path: &str) -> Value {
    answer(Client::new().get(server.url(path)).send().unwrap()).1
}

/// `JAGA_TEST_KILLS` sets how often; 4 by default.
#[test]
fn no_callback_is_lost_when_the_server_is_killed() {
    let kills = std::env::var("JAGA_TEST_KILLS").map_or(4, |n| n.parse().unwrap());
    let receiver = Receiver::start(204);
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        Process::start_in(folder.path(), |command| {
            receiver.allow(command);
            command.env("JAGA_JOBS__MAX_ATTEMPTS", "100");
        })
    };
    let (mut random, mut accepted) = (Random(11), Vec::new());
    for _ in 0..kills {
        let Some(server) = start() else { return };
        let id = server.id();
        // Any moment will do; there is nothing to wait for.
        let moment = Duration::from_millis(50 + random.next() % 500);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(moment);
            let pid = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        });
        let mut value = 0;
        while let Some((status, job)) = submit(&server, &receiver.query(), grey(value)) {
            assert_eq!(status, 202, "{job}");
            accepted.push(job["id"].as_str().unwrap().to_owned());
            value = value.wrapping_add(1);
        }
        killer.join().unwrap();
    }
    assert!(!accepted.is_empty());
    let Some(_server) = start() else { return };
    let told =
        || -> BTreeSet<String> { receiver.messages().into_iter().map(|(id, _)| id).collect() };
    let wanted: BTreeSet<String> = accepted.iter().map(|id| format!("msg_{id}")).collect();
    eventually("every end was told", || told().is_superset(&wanted));
    // What came twice is the same message.
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for (id, body) in receiver.messages() {
        let first = bodies.entry(id).or_insert_with(|| body.clone());
        assert_eq!(first, &body);
        assert!(body.contains("\"job.done\""), "{body}");
    }
}

/// Words that run a program with a file system of its own at `folder`, if that may be done here.
fn mounted(folder: &Path, options: &str) -> Option<Vec<String>> {
    let script = format!("mount {options} \"$0\" && exec \"$@\"");
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    for way in ways {
        let mut words = vec!["/usr/bin/unshare".to_owned()];
        words.extend(way.iter().map(|&word| word.to_owned()));
        let shell = ["/bin/sh", "-c", &script, folder.to_str().unwrap()];
        words.extend(shell.map(str::to_owned));
        let mut tried = Command::new(&words[0]);
        tried.args(&words[1..]).arg("/bin/true");
        if tried.output().is_ok_and(|done| done.status.success()) {
            return Some(words);
        }
    }
    eprintln!("not tried: this user may mount nothing");
    None
}

fn under(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn a_full_disk_turns_jobs_away_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let Some(words) = mounted(&data, "-t tmpfs -o size=16m,mode=777 tmpfs") else {
        return;
    };
    let start = Process::start_under(&under(&words), folder.path(), |command| {
        command
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            // In a name space of users there is nobody whom a child could become.
            .env("JAGA_MEDIA__SANDBOX", "best-effort")
            .env("JAGA_JOBS__MIN_FREE_BYTES", (8_u64 << 20).to_string())
            .env("JAGA_ANALYSIS__CONCURRENCY", "1");
    });
    let Some(server) = start else { return };
    // A picture, and what no decoder reads behind it: each takes half a megabyte of the disk.
    let large = |value| [grey(value), vec![0; 512 << 10]].concat();
    let (mut accepted, mut refused) = (Vec::new(), None);
    for value in 0..200 {
        let (status, job) = submit(&server, "", large(value)).unwrap();
        if status == 202 {
            accepted.push(job["id"].as_str().unwrap().to_owned());
        } else {
            refused = Some((status, job));
            break;
        }
    }
    if let Some((status, problem)) = refused {
        assert_eq!((status, &problem["code"]), (503, &"overloaded".into()));
        assert_eq!(problem["limit"], "jobs.min_free_bytes");
    }
    for id in &accepted {
        let path = format!("/v1/jobs/{id}");
        eventually("the job is done", || {
            get(&server, &path)["status"] == "done"
        });
    }
    eventually("there is room again", || {
        submit(&server, "", large(200)).unwrap().0 == 202
    });
    // With a margin that the disk doesn't have, nothing is taken at all.
    drop(server);
    let start = Process::start_under(&under(&words), folder.path(), |command| {
        command
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("JAGA_MEDIA__SANDBOX", "best-effort")
            .env("JAGA_JOBS__MIN_FREE_BYTES", (1_u64 << 40).to_string());
    });
    let (status, problem) = submit(&start.unwrap(), "", grey(1)).unwrap();
    assert_eq!((status, &problem["code"]), (503, &"overloaded".into()));
}

/// `jaga serve` behind these words over `folder`: what it says when it can't start.
fn refusal(words: &[String], folder: &Path) -> String {
    let mut all = words.to_vec();
    all.push(env!("CARGO_BIN_EXE_jaga").to_owned());
    let done = Command::new(&all[0])
        .args(&all[1..])
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("JAGA_DATA_DIR", folder)
        .output()
        .unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{told}");
    told
}

#[test]
fn a_data_directory_that_can_only_be_read_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let Some(words) = mounted(folder.path(), "-t tmpfs -o ro,mode=777 tmpfs") else {
        return;
    };
    let told = refusal(&words, folder.path());
    let named = folder.path().to_str().unwrap();
    assert!(
        told.contains(named) && told.contains("Read-only file system"),
        "{told}"
    );
}

#[test]
fn a_database_that_is_none_ends_the_start_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let database: PathBuf = folder.path().join("jaga.sqlite");
    let rubbish = b"this was a database once, before the disk failed".repeat(100);
    std::fs::write(&database, &rubbish).unwrap();
    let told = refusal(&[], folder.path());
    assert!(told.contains(database.to_str().unwrap()), "{told}");
    assert_eq!(std::fs::read(&database).unwrap(), rubbish);
}

/// The library that lies about the time, where Debian puts it.
fn faketime() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    let found = found.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let found = { found }.find(|path| path.exists());
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "libfaketime is missing: ./scripts/test installs it"
    );
    found
}

#[test]
fn a_clock_that_is_set_back_by_a_day_holds_nothing_up() {
    let Some(library) = faketime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let receiver = Receiver::start(503);
    let start = Process::start_in(folder.path(), |command| {
        receiver.allow(command);
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("JAGA_JOBS__LEASE_S", "0.3");
    });
    let Some(server) = start else { return };
    let (_, first) = submit(&server, &receiver.query(), grey(1)).unwrap();
    let first = format!("/v1/jobs/{}", first["id"].as_str().unwrap());
    eventually("its callback failed once", || {
        !receiver.messages().is_empty()
    });
    let before = get(&server, &first);
    std::fs::write(&clock, "-1d").unwrap();
    receiver.answers(204);
    let (_, second) = submit(&server, &receiver.query(), grey(2)).unwrap();
    let second = format!("/v1/jobs/{}", second["id"].as_str().unwrap());
    eventually("the next job is done", || {
        get(&server, &second)["status"] == "done"
    });
    let finished = |job: &Value| job["finished_at"].as_str().unwrap().to_owned();
    let after = get(&server, &second);
    assert!(finished(&after) < finished(&before), "{after} {before}");
    let told = |job: &Value| format!("msg_{}", job["id"].as_str().unwrap());
    eventually("both were told", || {
        let messages = receiver.messages();
        let times = |id: &str| messages.iter().filter(|(told, _)| told == id).count();
        times(&told(&before)) >= 2 && times(&told(&after)) >= 1
    });
    // A list goes on in the order of acceptance, whatever the times say.
    let list = get(&server, "/v1/jobs");
    let ids = [&list["jobs"][0]["id"], &list["jobs"][1]["id"]];
    assert_eq!(ids, [&after["id"], &before["id"]]);
}
