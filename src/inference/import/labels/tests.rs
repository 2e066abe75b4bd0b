//! Labels as published detectors have them, and what is told from them.

use std::path::Path;

use super::super::json;
use super::*;

fn read(text: &str) -> Result<Labels, String> {
    let file = Path::new("config.json");
    let value = json::parse(file, text).unwrap();
    let root = Object::root(file, &value).unwrap();
    Labels::read(&root).map_err(|error| error.to_string())
}

fn labels(names: &[&str]) -> Labels {
    Labels(names.iter().map(|name| (*name).to_owned()).collect())
}

fn told(names: &[&str]) -> Option<usize> {
    labels(names).synthetic(names.len(), None).ok()
}

#[test]
fn clear_names_are_told() {
    for (names, class) in [
        (&["fake", "real"][..], 0),
        (&["REAL", "FAKE"], 1),
        (&["artificial", "human"], 0),
        (&["Human", "AI"], 1),
        (&["Real", "Deepfake"], 1),
        (&["AI-generated", "authentic photo"], 0),
        (&["AiArtData", "RealArt"], 0),
        (&["real_image", "ai_generated_image"], 1),
        (&["natural", "GAN"], 1),
        (&["camera", "synthetic"], 1),
        (&["DeepFake", "Original"], 0),
        (&["photo", "human", "generated"], 2),
        (&["fake"], 0),
        (&["0_real", "1_fake"], 1),
    ] {
        assert_eq!(told(names), Some(class), "{names:?}");
    }
}

#[test]
fn what_is_not_clear_is_not_guessed() {
    for names in [
        &["LABEL_0", "LABEL_1"][..],
        &["cat", "dog"],
        &["fake", "cat"],
        &["ai", "hum"],
        &["real", "sd"],
        &["real", "gan", "diffusion"],
        &["fake", "real", "unknown"],
        &["not fake", "fake"],
        &["non-ai", "ai"],
        &["real or fake", "fake"],
        &["real fake", "real"],
        // Whole words: no "ai" in "rain", no "real" in "surreal", no "fake" in "fakery".
        &["rain", "real"],
        &["fake", "surreal"],
        &["fakery", "real"],
        &["real"],
        &[],
    ] {
        assert_eq!(told(names), None, "{names:?}");
    }
}

#[test]
fn the_error_lists_the_labels_and_the_flag() {
    let error = labels(&["LABEL_0", "a\nb"]).synthetic(2, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no label clearly means synthetic; the labels are:\n  0: \"LABEL_0\"\n  1: \"a\\nb\"\n\
         hint: --synthetic-label NAME or INDEX says it"
    );
    let many = vec!["x"; 1000];
    let text = labels(&many).synthetic(1000, None).unwrap_err().to_string();
    assert!(text.contains("19: \"x\"\n  … and 980 more\n"), "{text}");
    let unnamed = labels(&[]).synthetic(2, None).unwrap_err().to_string();
    assert!(unnamed.contains("  0\n  1\n"), "{unnamed}");
}

#[test]
fn a_choice_is_a_label_or_an_index() {
    let two = labels(&["Cat", "1", "0"]);
    for (choice, class) in [("Cat", 0), ("cat", 0), ("1", 1), ("0", 2), ("2", 2)] {
        assert_eq!(two.synthetic(3, Some(choice)).unwrap(), class, "{choice}");
    }
    for choice in ["3", "dog", "", "-1"] {
        let text = two.synthetic(3, Some(choice)).unwrap_err().to_string();
        assert!(text.starts_with("there is no label"), "{text}");
    }
    let same = labels(&["a", "A", "b", "b"]);
    assert_eq!(same.synthetic(4, Some("A")).unwrap(), 1);
    let text = same.synthetic(4, Some("b")).unwrap_err().to_string();
    assert!(text.starts_with("several labels are \"b\""), "{text}");
    assert_eq!(labels(&[]).synthetic(2, Some("1")).unwrap(), 1);
}

#[test]
fn every_form_is_read() {
    let want = labels(&["fake", "real"]);
    for text in [
        r#"{"id2label": {"0": "fake", "1": "real"}}"#,
        r#"{"id2label": {"1": "real", "0": "fake"}, "label2id": {"fake": 0, "real": 1}}"#,
        r#"{"label2id": {"real": "1", "fake": "0"}}"#,
        r#"{"label_names": ["fake", "real"], "num_classes": 2}"#,
        r#"{"pretrained_cfg": {"label_names": ["fake", "real"]}}"#,
    ] {
        assert_eq!(read(text).unwrap(), want, "{text}");
    }
    assert_eq!(read("{}").unwrap(), labels(&[]));
    assert_eq!(read(r#"{"id2label": null}"#).unwrap(), labels(&[]));
    // Ten classes and more are in the order of numbers, not of texts.
    let many: Vec<String> = (0..12).map(|i| format!("\"{i}\": \"c{i}\"")).collect();
    let many = read(&format!("{{\"id2label\": {{{}}}}}", many.join(","))).unwrap();
    assert_eq!(many.name(2), Some("c2"));
}

#[test]
fn broken_labels_name_their_key() {
    for (text, words) in [
        (r#"{"id2label": ["a"]}"#, "id2label must be an object"),
        (
            r#"{"id2label": {"0": "a", "2": "b"}}"#,
            "id2label must be labels of classes 0, 1",
        ),
        (r#"{"id2label": {"00": "a", "0": "b"}}"#, "once each"),
        (
            r#"{"id2label": {"x": "a"}}"#,
            "id2label.x must be a text under the number",
        ),
        (r#"{"id2label": {"0": 7}}"#, "id2label.0 must be a text"),
        (
            r#"{"label2id": {"a": -1}}"#,
            "label2id.a must be the number of a class",
        ),
        (r#"{"label2id": {"a": 1e300}}"#, "label2id.a"),
        (
            r#"{"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}"#,
            "label2id.a must be as id2label has it; it is 1",
        ),
        (
            r#"{"label_names": "fake"}"#,
            "label_names must be a list of texts",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(
            error.contains(words) && error.starts_with("config.json: "),
            "{error}"
        );
    }
}
