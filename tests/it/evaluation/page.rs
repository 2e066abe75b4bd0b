//! `report.html` in a real browser, without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::command::scores;
use crate::cli::Shell;

/// Debian's Chromium, or what the variable names.
pub(crate) fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("JAGA_TEST_BROWSER").map(PathBuf::from);
    let known = || Some(PathBuf::from("/usr/bin/chromium")).filter(|path| path.exists());
    let found = named.or_else(known);
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI needs Chromium");
        eprintln!("skipped: no Chromium; JAGA_TEST_BROWSER may name one");
    }
    found
}

/// Runs the browser on `page` with `more` arguments; what it prints.
pub(crate) fn browse(browser: &Path, page: &Path, more: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--window-size=1200,2600",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Mean brightness, and how many pixels are far from it.
pub(crate) fn look(picture: &Path) -> (f64, usize) {
    let pixels = image::open(picture).unwrap().to_luma8();
    let values = || pixels.pixels().map(|pixel| f64::from(pixel.0[0]));
    let mean = values().sum::<f64>() / f64::from(pixels.width() * pixels.height());
    (mean, values().filter(|v| (v - mean).abs() > 100.0).count())
}

#[test]
fn the_page_opens_offline_in_light_and_dark() {
    let Some(shell) = Shell::new() else { return };
    let place = tempfile::tempdir().unwrap();
    let table = scores(place.path());
    // A name is shown as it is written.
    let text = fs::read_to_string(&table)
        .unwrap()
        .replace(",poor,", ",<b>poor</b>,");
    fs::write(&table, text).unwrap();
    let out = place.path().join("out");
    let (code, _, err) = shell.run(&[
        "eval",
        "--from",
        table.to_str().unwrap(),
        "--replicates",
        "100",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!((code, err.as_str()), (3, ""));
    let page = out.join("report.html");
    let html = fs::read_to_string(&page).unwrap();
    for outside in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(
            !html.contains(outside),
            "the page asks for something: {outside}"
        );
    }
    assert!(html.contains("&lt;b&gt;poor") && !html.contains("<b>poor"));
    let Some(browser) = browser() else { return };
    let document = browse(&browser, &page, &["--dump-dom"]);
    // Four curves for both, a histogram and slices for each.
    assert_eq!(document.matches("<svg").count(), 8);
    let shot = |name: &str, more: &[&str]| {
        let path = place.path().join(name);
        let option = format!("--screenshot={}", path.display());
        let mut arguments = vec![option.as_str()];
        arguments.extend(more);
        browse(&browser, &page, &arguments);
        if let Some(folder) = std::env::var_os("JAGA_TEST_SCREENSHOTS") {
            fs::copy(&path, Path::new(&folder).join(name)).unwrap();
        }
        look(&path)
    };
    let (light, ink) = shot("light.png", &[]);
    assert!(light > 200.0 && ink > 20_000, "light: {light}, {ink}");
    let (dark, ink) = shot("dark.png", &["--blink-settings=preferredColorScheme=0"]);
    assert!(dark < 70.0 && ink > 20_000, "dark: {dark}, {ink}");
}
