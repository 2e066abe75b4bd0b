//! The Parquet tables beside the CSV ones, as pandas reads them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::Shell;
use crate::inference::support::{python, root, skip};

/// A Python that reads Parquet.
fn with_pyarrow() -> Option<std::path::PathBuf> {
    let python = python()?;
    let has = Command::new(&python)
        .args(["-c", "import pandas, pyarrow"])
        .output();
    if has.unwrap().status.success() {
        return Some(python);
    }
    skip("JAGA_TEST_PYTHON has no pandas or pyarrow; `./scripts/test` sets them up");
    None
}

fn compared(python: &Path, out: &Path, table: &str) -> Value {
    let output = Command::new(python)
        .arg(root().join("tests/reference/tables.py"))
        .arg(out.join(table).with_extension("csv"))
        .arg(out.join(table).with_extension("parquet"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{table}: {told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn parquet_has_the_rows_of_the_csv_tables() {
    let Some(shell) = Shell::new() else { return };
    let place = tempfile::tempdir().unwrap();
    for number in 0..3_u8 {
        let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([80 * number; 3]));
        picture
            .save(place.path().join(format!("p{number}.png")))
            .unwrap();
    }
    fs::copy(place.path().join("p2.png"), place.path().join("ö, 2.png")).unwrap();
    fs::write(place.path().join("text.mp4"), "no video\n".repeat(99)).unwrap();
    let manifest = place.path().join("m.csv");
    let rows = "path,label,source,method\np0.png,real,one,\np1.png,fake,,gan\n\
                \"ö, 2.png\",fake,\"a \"\"b\"\"\",gan\ntext.mp4,real,,\n";
    fs::write(&manifest, rows).unwrap();
    let out = place.path().join("out");
    let run = || {
        let (code, _, err) = shell.run(&[
            "eval",
            manifest.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]);
        assert_eq!((code, err.as_str()), (3, ""), "a file failed");
        ["scores", "frames"].map(|name| fs::read(out.join(name).with_extension("parquet")).unwrap())
    };
    let first = run();
    assert!(first == run(), "the same bytes again");
    let Some(python) = with_pyarrow() else { return };
    let scores = compared(&python, &out, "scores");
    assert_eq!(scores["rows"], 4);
    assert_eq!(scores["types"]["score"], "float64");
    assert_eq!(scores["types"]["label"], "int64");
    let missing = &scores["missing"];
    let counts = ["path", "source", "method", "score", "failure"].map(|name| &missing[name]);
    assert_eq!(json!(counts), json!([0, 2, 2, 1, 3]), "{scores}");
    let frames = compared(&python, &out, "frames");
    assert_eq!(
        (&frames["rows"], &frames["missing"]["score"]),
        (&json!(3), &json!(0))
    );
}
