//! What is read from outside, with random changes: taken or refused, never a panic.
//!
//! `PROPTEST_CASES` asks for more than 256 cases each.

use std::fs;

use jaga::domain::media::MediaFacts;
use jaga::domain::plan::FramePlan;
use jaga::domain::policy::{DEFAULT_POLICY, Policy};
use jaga::inference::Bundle;
use jaga::media::MediaLimits;
use jaga::media::protocol::{Chosen, End, Failure, Hello, Missed, check_chosen, check_facts};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::service::{Service, score_head};
use crate::decoder::uniform;
use crate::inference::support::root;

/// Words that mean something to one of the parsers.
const WORDS: &[&str] = &[
    "",
    "\"",
    "'",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    "\n",
    "\0",
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "18446744073709551616",
    "true",
    "null",
    "..",
    "/",
    "\\u0000",
    "\u{202e}",
    "é",
    "\r\n",
    "--",
    ";",
    "name",
    "model",
    "file",
    "rule",
    "path",
    "9999-99-99",
];

/// A change of a text: from where, how much goes, what comes.
type Edit = (prop::sample::Index, u8, &'static str);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (
        any::<prop::sample::Index>(),
        0..30_u8,
        prop::sample::select(WORDS),
    );
    vec(edit, 1..6)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (at, gone, word) in edits {
        let from = at.index(characters.len() + 1);
        let to = (from + usize::from(*gone)).min(characters.len());
        characters.splice(from..to, word.chars());
    }
    characters.into_iter().collect()
}

fn runner() -> TestRunner {
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    })
}

fn plan() -> FramePlan {
    uniform(8).into()
}

const FACTS: &str = r#"{"container":"mov","video_codec":"h264","width":64,"height":48,"rotation_deg":0,
"duration_s":1.0,"frame_rate":25.0,"variable_frame_rate":false,"color":{"primaries":null,
"transfer":null,"matrix":null,"range":null},"has_audio":false,"frame_count":25,"truncated":false}"#;
const CHOSEN: &str = r#"{"times_s":[0.0,0.5],"stills":{"frames":[0,1],"missing":6},"windows":[]}"#;

#[test]
fn the_texts_that_are_changed_are_good_ones() {
    let facts: MediaFacts = serde_json::from_str(FACTS).unwrap();
    check_facts(&facts, &MediaLimits::default()).unwrap();
    let chosen: Chosen = serde_json::from_str(CHOSEN).unwrap();
    check_chosen(&chosen, &plan()).unwrap();
    Policy::parse(DEFAULT_POLICY).unwrap();
}

#[test]
fn a_childs_changed_words_are_within_bounds_or_refused() {
    let changed = |(edits, noise): (Vec<Edit>, Vec<u8>)| {
        if let Ok(facts) = serde_json::from_str::<MediaFacts>(&edited(FACTS, &edits))
            && check_facts(&facts, &MediaLimits::default()).is_ok()
        {
            let limits = MediaLimits::default();
            prop_assert!(facts.width.max(facts.height) <= limits.max_side_px);
            prop_assert!((0.0..=limits.max_duration_s).contains(&facts.duration_s));
        }
        if let Ok(chosen) = serde_json::from_str::<Chosen>(&edited(CHOSEN, &edits))
            && check_chosen(&chosen, &plan()).is_ok()
        {
            prop_assert!(chosen.times_s.len() <= 8);
            prop_assert!(chosen.times_s.is_sorted(), "{:?}", chosen.times_s);
        }
        // Of noise there is nothing to say but that it doesn't panic.
        let _hello = serde_json::from_slice::<Hello>(&noise);
        let _missed = serde_json::from_slice::<Missed>(&noise);
        let _end = serde_json::from_slice::<End>(&noise);
        let _failure = serde_json::from_slice::<Failure>(&noise);
        Ok(())
    };
    runner()
        .run(&(edits(), vec(any::<u8>(), 0..200)), changed)
        .unwrap();
}

#[test]
fn a_changed_policy_is_taken_or_says_what_is_wrong() {
    let changed = |edits: Vec<Edit>| {
        match Policy::parse(&edited(DEFAULT_POLICY, &edits)) {
            Ok(policy) => prop_assert!(!policy.name.is_empty()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        Ok(())
    };
    runner().run(&edits(), changed).unwrap();
}

#[test]
fn a_changed_bundle_is_taken_or_its_error_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    crate::server::tiny_model(folder.path());
    let bundle = folder.path().join("tiny");
    let manifest = bundle.join("model.toml");
    let good = fs::read_to_string(&manifest).unwrap();
    Bundle::open(&bundle, &root().join("nowhere")).unwrap();
    let changed = |edits: Vec<Edit>| {
        fs::write(&manifest, edited(&good, &edits)).unwrap();
        if let Err(error) = Bundle::open(&bundle, &root().join("nowhere")) {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                text.push_str(&inner.to_string());
                source = inner.source();
            }
            prop_assert!(
                text.contains("model.toml") || text.contains("tiny"),
                "{}",
                text
            );
        }
        Ok(())
    };
    runner().run(&edits(), changed).unwrap();
}

const FORM: &str = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\
Content-Type: video/mp4\r\n\r\nno video at all\r\n--edge--\r\n";
const QUERY: &str = "model=tiny&policy=default&frames=4&sampling=uniform&frame_scores=true";

#[test]
fn a_changed_form_or_query_has_a_code() {
    let Some(service) = Service::start(&[]) else {
        return;
    };
    let before = service.holdings();
    // One of them, as a query that is refused keeps the form from being read.
    let changed = |(of_form, edits): (bool, Vec<Edit>)| {
        let (form, query) = if of_form {
            (edited(FORM, &edits), QUERY.to_owned())
        } else {
            (FORM.to_owned(), edited(QUERY, &edits))
        };
        let query: String = query.chars().filter(char::is_ascii_graphic).collect();
        let head = score_head(
            form.len(),
            "content-type: multipart/form-data; boundary=edge\r\n",
        )
        .replacen("/v1/score", &format!("/v1/score?{query}"), 1);
        let (status, problem) = service.exchange(&[head.as_bytes(), form.as_bytes()].concat());
        let code = problem["code"].as_str().unwrap_or("none");
        let known = [
            (400, "bad_request"),
            (415, "unsupported_media"),
            (422, "unknown_model"),
            (422, "empty_media"),
            // The HTTP library's own, of a request line that is none.
            (400, "none"),
        ];
        prop_assert!(known.contains(&(status, code)), "{} {}", status, problem);
        Ok(())
    };
    runner().run(&(any::<bool>(), edits()), changed).unwrap();
    service.settles(before);
}
