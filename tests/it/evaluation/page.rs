//! `report.html` in a real browser, without a network.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::command::scores;
use crate::cli::Shell;
use crate::media_files::{have_ffmpeg, numbered};

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

/// What `probe.js` sees of `page` in a frame of this width.
fn measured(browser: &Path, page: &Path, width: u32, more: &[&str]) -> Value {
    let place = tempfile::tempdir().unwrap();
    let script = include_str!("probe.js");
    let html = fs::read_to_string(page).unwrap();
    let allowed = "style-src 'unsafe-inline'; script-src 'unsafe-inline'";
    let html = html
        .replacen("style-src 'unsafe-inline'", allowed, 1)
        .replacen("</body>", &format!("<script>{script}</script></body>"), 1);
    fs::write(place.path().join("page.html"), html).unwrap();
    // A window can't be as narrow as a phone, a frame can.
    let around = format!(
        "<!doctype html><title></title><script>addEventListener('message', (told) => {{ \
         document.title = btoa(unescape(encodeURIComponent(told.data))); }})</script>\
         <style>:root {{ color-scheme: light dark }}</style>\
         <iframe src=page.html style='border:0;width:{width}px;height:2000px'></iframe>"
    );
    let around_path = place.path().join("around.html");
    fs::write(&around_path, around).unwrap();
    let dom = browse(browser, &around_path, &[&["--dump-dom"], more].concat());
    let (_, title) = dom.split_once("<title>").unwrap();
    let (title, _) = title.split_once("</title>").unwrap();
    serde_json::from_slice(&STANDARD.decode(title).unwrap()).unwrap()
}

const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// Looks at `page` in light and dark, on a desk and on a phone.
fn check(browser: &Path, page: &Path, charts: usize, pictures: usize) {
    for (width, scheme) in [(1200, ""), (1200, DARK), (390, ""), (390, DARK)] {
        let more: Vec<&str> = Some(scheme).filter(|s| !s.is_empty()).into_iter().collect();
        let found = measured(browser, page, width, &more);
        let number = |name: &str| found[name].as_f64().unwrap();
        assert_eq!(found["dark"], scheme == DARK);
        assert_eq!(found["width"], width);
        assert!(number("needed") <= f64::from(width), "scrolls: {found}");
        assert_eq!(found["requests"], json!([]));
        assert!(number("texts") > 50.0);
        // WCAG 2, AA: 4.5 for text, 3 for graphics.
        assert!(
            found["faintest"]["ratio"].as_f64().unwrap() >= 4.5,
            "{found}"
        );
        assert!(number("faintest_line") >= 3.0, "{found}");
        assert_eq!(found["outside"], json!([]), "text outside of its chart");
        let sizes = found["charts"].as_array().unwrap();
        assert_eq!(sizes.len(), charts);
        for size in sizes {
            let [wide, high] = [0, 1].map(|side| size[side].as_f64().unwrap());
            assert!(wide >= 250.0 && high >= 60.0, "{size}");
        }
        let images = found["pictures"].as_array().unwrap();
        assert_eq!(images.len(), pictures);
        for image in images {
            assert_eq!(image[0], true, "{image}");
            let natural = image[1].as_f64().unwrap();
            let [wide, high] = [2, 3].map(|side| image[side].as_f64().unwrap());
            assert!(natural >= 30.0 && wide >= 30.0 && high >= 20.0, "{image}");
        }
    }
}

/// Mean brightness, and how many pixels are far from it.
pub(crate) fn look(picture: &Path) -> (f64, usize) {
    let pixels = image::open(picture).unwrap().to_luma8();
    let values = || pixels.pixels().map(|pixel| f64::from(pixel.0[0]));
    let mean = values().sum::<f64>() / f64::from(pixels.width() * pixels.height());
    (mean, values().filter(|v| (v - mean).abs() > 100.0).count())
}

/// Four curves for both, a histogram and slices for each.
const CHARTS_OF_SCORES: usize = 8;

#[test]
fn scores_over_time_and_thumbnails_are_to_be_seen() {
    let Some(shell) = Shell::new().filter(|_| have_ffmpeg()) else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let encoding = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
    let clip = numbered("thumbnails", "mp4", 50, "25", &encoding);
    let mut table = "path,label,source,method\n".to_owned();
    for name in ["a.mp4", "b.mp4"] {
        fs::copy(&clip, place.path().join(name)).unwrap();
    }
    table += "a.mp4,fake,one,gan\nb.mp4,real,two,\n";
    for number in 0_u8..16 {
        // The darker half is real.
        let picture = image::RgbImage::from_pixel(60, 40, image::Rgb([16 * number; 3]));
        let name = format!("{number}.png");
        picture.save(place.path().join(&name)).unwrap();
        let label = ["real", "fake"][usize::from(number >= 8)];
        writeln!(
            table,
            "{name},{label},s{number},{}",
            ["", "gan"][usize::from(number >= 8)]
        )
        .unwrap();
    }
    let manifest = place.path().join("m.csv");
    fs::write(&manifest, table).unwrap();
    let out = place.path().join("out");
    let (code, _, err) = shell.run(&[
        "eval",
        manifest.to_str().unwrap(),
        "--sampling",
        "uniform",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!((code, err.as_str()), (0, ""));
    let page = out.join("report.html");
    let html = fs::read_to_string(&page).unwrap();
    let pictures = html.matches("<img src=\"data:image/jpeg;base64,").count();
    assert!(pictures >= 4, "{pictures}");
    assert_eq!(
        html.matches("src=").count(),
        pictures,
        "nothing from outside"
    );
    let Some(browser) = browser() else { return };
    let charts = html.matches("<svg").count();
    // Four curves, a histogram, slices, and a score over time of each error.
    assert!(charts >= 7, "{charts}");
    check(&browser, &page, charts, pictures);
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
    assert_eq!(document.matches("<svg").count(), CHARTS_OF_SCORES);
    check(&browser, &page, CHARTS_OF_SCORES, 0);
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
    let (dark, ink) = shot("dark.png", &[DARK]);
    assert!(dark < 70.0 && ink > 20_000, "dark: {dark}, {ink}");
}
