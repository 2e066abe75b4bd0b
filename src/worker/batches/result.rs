//! One line of results, of either door.

use serde::Serialize;
use serde_json::value::RawValue;

/// How a line of a manifest ended. Exactly one of `report` and `problem` is there.
#[derive(Debug, Serialize)]
pub struct ResultLine<'a> {
    /// The line's id.
    pub id: &'a str,
    /// The line's own reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ref: Option<&'a str>,
    /// The job that it was; over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<&'a str>,
    /// What `after` has to be to go on behind this line; over HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The report as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a RawValue>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'a RawValue>,
}

impl ResultLine<'_> {
    /// With its end.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
