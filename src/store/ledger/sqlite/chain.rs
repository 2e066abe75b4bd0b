//! Statements about the chain.

use sqlx::sqlite::SqliteConnection;

use crate::domain::audit::{Entry, EntryKind, Head, Sealed};
use crate::store::jobs::JobsError;

/// The end of the chain.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Head, JobsError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT sequence, hash FROM chain ORDER BY sequence DESC LIMIT 1")
            .fetch_optional(connection)
            .await?;
    let head = last.map(|(sequence, hash)| Head {
        entries: u64::try_from(sequence).unwrap_or_default(),
        hash,
    });
    Ok(head.unwrap_or_default())
}

/// Adds the entry that follows `head`, which it moves on.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    head: &mut Head,
    kind: EntryKind,
    subject: &str,
    content_blake3: String,
) -> Result<Sealed, JobsError> {
    let entry = Entry::after(head, kind, subject.to_owned(), content_blake3);
    let sealed = entry.seal().map_err(|error| unwritable(&error))?;
    sqlx::query(
        "INSERT INTO chain (sequence, kind, subject, content_blake3, previous, hash) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(sealed.entry.sequence))
    .bind(kind.name())
    .bind(subject)
    .bind(&sealed.entry.content_blake3)
    .bind(&sealed.entry.previous)
    .bind(&sealed.hash)
    .execute(connection)
    .await?;
    *head = sealed.head();
    Ok(sealed)
}

/// Something that has no JSON form.
pub(super) fn unwritable(error: &serde_json::Error) -> JobsError {
    JobsError::Row {
        what: "something",
        text: error.to_string(),
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
