//! `jaga policy test`.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{Shell, clip, read};
use crate::media_files::have_ffmpeg;

const HEAD: &str =
    "[policy]\nname = \"strict\"\nversion = \"3\"\nactions = [\"none\", \"label\"]\n";

fn rule(name: &str, min_score: f64) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nquestion = \"ai_generated\"\nmin_score = {min_score}\nfrom = \"2999-01-01\"\naction = \"label\"\n"
    )
}

#[test]
fn what_score_printed_is_decided_anew() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let clip = clip();
    let (code, lines, err) = shell.run(&[
        "score", "--region", "ID-JK", "--format", "jsonl", &clip, "/nowhere",
    ]);
    assert_eq!((code, err.as_str()), (3, ""));
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let decided = &line["report"]["policy"];
    assert_eq!(
        (&decided["lane"], &decided["region"]),
        (&"live".into(), &"id-jk".into())
    );
    let old = decided["action"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (reports, policy) = (path("reports.jsonl"), path("policy.toml"));
    std::fs::write(&reports, &lines).unwrap();
    std::fs::write(&policy, format!("{HEAD}{}", rule("late", 0.0))).unwrap();
    let tested = |more: &[&str]| {
        let (code, out, err) = shell.run(&[&["policy", "test", &policy], more].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
        out
    };
    let text = tested(&[&reports, &reports]);
    assert!(text.contains("policy strict 3: 2 reports, "), "{text}");
    assert!(
        text.contains("2 lines have a problem and no report"),
        "{text}"
    );
    let sheet: Value = serde_json::from_str(&tested(&[
        "--on",
        "2999-01-01",
        "--format",
        "json",
        &reports,
    ]))
    .unwrap();
    assert_eq!(
        sheet["transitions"],
        serde_json::json!([{ "from": old, "to": "label", "count": 1 }])
    );
    assert_eq!(
        (&sheet["reports"], &sheet["problems"]),
        (&1.into(), &1.into())
    );

    let mut command: Command = shell.command(&["policy", "test", &policy, "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    input.write_all(b"{}\n").unwrap();
    drop(input);
    let (code, out, err) = read(&child.wait_with_output().unwrap());
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("line 3"), "{err}");
}

#[test]
fn a_faulty_policy_is_told_with_its_line() {
    let Some(shell) = Shell::new() else { return };
    let policy = tempfile::NamedTempFile::new().unwrap();
    let path = policy.path().to_str().unwrap();
    let told = |text: &str, more: &[&str]| {
        std::fs::write(path, text).unwrap();
        let (code, out, err) = shell.run(&[&["policy", "test", path, "-"], more].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        err
    };
    let needless = told(
        &format!("{HEAD}{}{}", rule("one", 0.5), rule("two", 0.6)),
        &[],
    );
    assert!(
        needless.contains("line 11: rule `two` can never change the action"),
        "{needless}"
    );
    let unknown = told(
        &format!("{HEAD}{}", rule("one", 0.5)),
        &["--question", "face_manipulation"],
    );
    assert!(
        unknown.contains("line 7: question `ai_generated`"),
        "{unknown}"
    );
    let form = told(&format!("{HEAD}colour = 1\n"), &[]);
    assert!(form.contains("colour"), "{form}");
}
