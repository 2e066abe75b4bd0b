//! Class and group of each clip.

use std::path::Path;

use super::error::FitError;

/// The rows of a table, tab-separated or (`.csv`) comma-separated, with a column `label` and one of
/// `group` and `source`.
pub(super) struct Table {
    pub(super) synthetic: Vec<bool>,
    pub(super) groups: Vec<String>,
    /// The column `source`; the groups where there is none.
    pub(super) sources: Vec<String>,
    /// The column `matched`, where there is one.
    pub(super) matched: Option<Vec<bool>>,
}

impl Table {
    pub(super) fn read(path: &Path) -> Result<Self, FitError> {
        let wrong = |reason: String| FitError::Table {
            path: path.to_owned(),
            reason,
        };
        let comma = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(if comma { b',' } else { b'\t' })
            .from_path(path)
            .map_err(|error| wrong(error.to_string()))?;
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?;
        let column = |name: &str| header.iter().position(|column| column == name);
        let label = column("label").ok_or_else(|| wrong("no column \"label\"".to_owned()))?;
        let group = column("group").or_else(|| column("source"));
        let group = group.ok_or_else(|| wrong("no column \"group\" or \"source\"".to_owned()))?;
        let source = column("source").unwrap_or(group);
        let matched = column("matched");
        let mut table = Self {
            synthetic: Vec::new(),
            groups: Vec::new(),
            sources: Vec::new(),
            matched: matched.map(|_| Vec::new()),
        };
        for (number, record) in reader.records().enumerate() {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let truth = |place: usize, name: &str| {
                let found = record.get(place).unwrap_or_default();
                let row = number.saturating_add(1);
                match found {
                    "1" | "fake" => Ok(true),
                    "0" | "real" => Ok(false),
                    _ => Err(wrong(format!(
                        "row {row}: {name} must be 0, 1, real or fake, not {found:?}"
                    ))),
                }
            };
            table.synthetic.push(truth(label, "label")?);
            if let (Some(place), Some(list)) = (matched, table.matched.as_mut()) {
                list.push(truth(place, "matched")?);
            }
            let group = record.get(group).unwrap_or_default();
            if group.is_empty() {
                return Err(wrong(format!("row {}: no group", number.saturating_add(1))));
            }
            table.groups.push(group.to_owned());
            let source = record.get(source).unwrap_or_default();
            table.sources.push(source.to_owned());
        }
        Ok(table)
    }
}
