//! Faces, tracks, windows and several models, from the upload to the report.

pub(crate) mod bundles;
mod models;
mod people;
mod real;
pub(crate) mod scene;
mod windows;

use serde_json::Value;

use crate::media_files::have_ffmpeg;
use crate::server::Server;

/// A server with the bundles that `make` writes, of which `default` score.
pub(crate) fn server(make: impl FnOnce(&std::path::Path), default: &[&str]) -> Option<Server> {
    if !have_ffmpeg() {
        return None;
    }
    Server::start_with(make, |config| {
        config.models.default = default.iter().map(|name| (*name).to_owned()).collect();
    })
}

/// The report on a clip.
pub(crate) fn report(server: &Server, query: &str, clip: &std::path::Path) -> Value {
    let (status, report) = server.score(query, clip);
    assert_eq!(status, 200, "{report:#}");
    report
}

pub(crate) fn close(got: &Value, want: f64, tolerance: f64, what: &str) {
    let got = got
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: {got} is no number"));
    assert!((got - want).abs() <= tolerance, "{what}: {got}, not {want}");
}
