//! The bar of a command that takes long.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error for so many `items` (their name in the plural); hidden when that is no
/// terminal.
pub(super) fn bar(number: usize, items: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {items}, {{per_sec}}, {{eta}} left");
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(number as u64).with_style(style)
}
