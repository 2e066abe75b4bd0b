//! Statements about the outbox.

use sqlx::sqlite::{SqliteConnection, SqlitePool};

use crate::store::jobs::{Delivery, JobsError, Message, Millis, Next};

type MessageRow = (String, String, String, u32, Millis);
type DeliveryRow = (String, Millis, i64, Option<u16>, Option<String>);

fn message((id, job_id, url, tries, created_ms): MessageRow) -> Message {
    Message {
        id,
        job_id,
        url,
        tries,
        created_ms,
    }
}

/// Puts the message of a job that ended into the outbox, if somebody wants to be told.
pub(super) async fn announce(
    connection: &mut SqliteConnection,
    job_id: &str,
    now: Millis,
) -> Result<(), JobsError> {
    sqlx::query(
        "INSERT INTO outbox (id, job_id, url, state, created_ms, next_ms) \
         SELECT 'msg_' || id, id, callback_url, 'pending', ?2, ?2 FROM jobs \
         WHERE id = ?1 AND callback_url IS NOT NULL",
    )
    .bind(job_id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn due(
    pool: &SqlitePool,
    now: Millis,
    limit: u32,
) -> Result<Vec<Message>, JobsError> {
    let rows: Vec<MessageRow> = sqlx::query_as(
        "SELECT id, job_id, url, tries, created_ms FROM outbox \
         WHERE state = 'pending' AND next_ms <= ? ORDER BY next_ms LIMIT ?",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(message).collect())
}

pub(super) async fn delivered(
    connection: &mut SqliteConnection,
    delivery: &Delivery,
    next: Next,
) -> Result<(), JobsError> {
    let (state, next_ms) = match next {
        Next::Delivered => ("delivered", None),
        Next::Retry(at) => ("pending", Some(at)),
        Next::GivenUp => ("given_up", None),
    };
    sqlx::query(
        "UPDATE outbox SET state = ?2, tries = tries + 1, next_ms = coalesce(?3, next_ms) \
         WHERE id = ?1",
    )
    .bind(&delivery.message_id)
    .bind(state)
    .bind(next_ms)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO deliveries (message_id, job_id, at_ms, duration_ms, status, error) \
         SELECT id, job_id, ?2, ?3, ?4, ?5 FROM outbox WHERE id = ?1",
    )
    .bind(&delivery.message_id)
    .bind(delivery.at_ms)
    .bind(i64::try_from(delivery.duration_ms).unwrap_or(i64::MAX))
    .bind(delivery.status)
    .bind(&delivery.error)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn deliveries(
    pool: &SqlitePool,
    job_id: &str,
) -> Result<Vec<Delivery>, JobsError> {
    let rows: Vec<DeliveryRow> = sqlx::query_as(
        "SELECT message_id, at_ms, duration_ms, status, error FROM deliveries \
         WHERE job_id = ? ORDER BY seq",
    )
    .bind(job_id)
    .fetch_all(pool)
    .await?;
    let delivery = |(message_id, at_ms, duration_ms, status, error): DeliveryRow| Delivery {
        message_id,
        at_ms,
        duration_ms: u64::try_from(duration_ms).unwrap_or_default(),
        status,
        error,
    };
    Ok(rows.into_iter().map(delivery).collect())
}

pub(super) async fn redeliver(
    pool: &SqlitePool,
    job_id: &str,
    now: Millis,
) -> Result<Option<Message>, JobsError> {
    let row: Option<MessageRow> = sqlx::query_as(
        "UPDATE outbox SET state = 'pending', next_ms = ?2 WHERE job_id = ?1 \
         RETURNING id, job_id, url, tries, created_ms",
    )
    .bind(job_id)
    .bind(now)
    .fetch_optional(pool)
    .await?;
    Ok(row.map(message))
}
