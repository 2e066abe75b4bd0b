//! Stores that are full, for measurements.

use crate::store::SqliteJobs;
use crate::store::jobs::{JobsError, Millis};

/// Milliseconds between reports.
const EVERY_MS: Millis = 100;

/// Text of the example in `docs/report.md`, on one line.
fn example() -> String {
    let page = include_str!("../../../docs/report.md");
    let begin = page.split_once("```json\n").unwrap().1;
    let text = begin.split_once("```").unwrap().0;
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value.to_string()
}

/// Id of the report in place `n`.
pub(crate) fn id(n: u64) -> String {
    format!("01KB0000000000000000{n:06X}")
}

/// Puts `number` reports like the documented one into `store`.
pub(crate) async fn fill(store: &SqliteJobs, number: u64) -> Result<(), JobsError> {
    let example = example();
    let (old_id, old_score) = ("01M88FVVCG424NQGF2B0MNNBN9", "0.688764479841272");
    assert!(example.contains(old_id) && example.contains(old_score));
    let mut n = 0;
    while n < number {
        let mut transaction = store.begin().await?;
        for n in n..number.min(n + 10_000) {
            let chance = (n * 7919 % 1000) as f64 / 1000.0;
            let body = example
                .replace(old_id, &id(n))
                .replace(old_score, &chance.to_string());
            sqlx::query(
                "INSERT INTO reports (id, owner, lane, asked_ms, created_ms, body) \
                 VALUES (?1, '', 'live', ?2, ?2, ?3)",
            )
            .bind(id(n))
            .bind(1_795_000_000_000 + i64::try_from(n).unwrap() * EVERY_MS)
            .bind(body)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        n += 10_000;
    }
    Ok(())
}
