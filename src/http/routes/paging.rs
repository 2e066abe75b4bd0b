//! Lists that are shown a page at a time.

use super::options::unusable;
use crate::http::problem::Problem;

/// Entries of one page when the caller doesn't say.
pub(super) const PAGE: u32 = 50;
/// Entries of one page at most.
const LONGEST_PAGE: u32 = 500;

/// Reads `limit`.
pub(super) fn limit(value: &str) -> Result<u32, Problem> {
    let limit = value.parse().ok();
    let limit = limit.filter(|n| (1..=LONGEST_PAGE).contains(n));
    limit.ok_or_else(|| unusable("limit", "1 to 500"))
}

/// Reads `cursor`: the place before which a page begins.
pub(super) fn before(value: &str) -> Result<i64, Problem> {
    value
        .parse()
        .map_err(|_| unusable("cursor", "an earlier page's"))
}

/// What `cursor` has to be for the page after `page`; `None` where that isn't full, so the last one.
pub(super) fn cursor<T>(page: &[T], limit: u32, place: impl Fn(&T) -> i64) -> Option<String> {
    let is_full = u32::try_from(page.len()) == Ok(limit);
    let last = page.last().filter(|_| is_full);
    last.map(|last| place(last).to_string())
}
