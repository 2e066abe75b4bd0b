//! `scores.parquet` and `frames.parquet`: the columns of the CSV tables with types, where what is
//! empty there is null. The same results give the same bytes.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::manifest::Video;
use super::outcome::Results;
use super::rows::{self, FrameRow, ScoreRow};

const SCORES: &str = "message scores {
    required binary path (STRING);
    required int64 label;
    optional binary source (STRING);
    optional binary method (STRING);
    required binary model (STRING);
    optional double score;
    optional double coverage;
    optional binary reason (STRING);
    optional binary failure (STRING);
    optional binary blake3 (STRING);
}";

const FRAMES: &str = "message frames {
    required binary path (STRING);
    required int64 label;
    optional binary source (STRING);
    optional binary method (STRING);
    required binary model (STRING);
    required double time_s;
    required double score;
}";

/// Who wrote the file, in the form that readers parse.
const CREATED_BY: &str = concat!("jaga version ", env!("CARGO_PKG_VERSION"));

/// Rows that are encoded at a time.
const GROUP: usize = 100_000;

/// A row for each video and model, as in `scores.csv`.
pub fn scores_parquet(results: &Results) -> Result<Vec<u8>, ParquetError> {
    write(SCORES, rows::scores(results), |columns, rows| {
        head(columns, rows, |row: &ScoreRow<'_>| (row.video, row.model))?;
        columns.put::<DoubleType>(rows.iter().map(|row| row.outcome.score()))?;
        columns.put::<DoubleType>(rows.iter().map(|row| row.outcome.coverage()))?;
        columns.put::<ByteArrayType>(rows.iter().map(|row| told(row.reason())))?;
        columns.put::<ByteArrayType>(rows.iter().map(|row| told(row.failure())))?;
        columns.put::<ByteArrayType>(rows.iter().map(|row| told(row.content)))
    })
}

/// A row for each frame that has a score, as in `frames.csv`.
pub fn frames_parquet(results: &Results) -> Result<Vec<u8>, ParquetError> {
    write(FRAMES, rows::frames(results), |columns, rows| {
        head(columns, rows, |row: &FrameRow<'_>| (row.video, row.model))?;
        columns.put::<DoubleType>(rows.iter().map(|row| Some(row.time_s)))?;
        columns.put::<DoubleType>(rows.iter().map(|row| Some(row.score)))
    })
}

/// An empty text is none, as in CSV.
fn told(text: Option<&str>) -> Option<ByteArray> {
    text.filter(|text| !text.is_empty()).map(ByteArray::from)
}

/// The five columns that both tables begin with.
fn head<R>(
    columns: &mut Columns<'_, '_>,
    rows: &[R],
    of: impl Fn(&R) -> (&Video, &str),
) -> Result<(), ParquetError> {
    columns.put::<ByteArrayType>(rows.iter().map(|row| Some(of(row).0.path.as_str().into())))?;
    columns.put::<Int64Type>(rows.iter().map(|row| Some(i64::from(of(row).0.synthetic))))?;
    columns.put::<ByteArrayType>(rows.iter().map(|row| told(of(row).0.source.as_deref())))?;
    columns.put::<ByteArrayType>(rows.iter().map(|row| told(of(row).0.method.as_deref())))?;
    columns.put::<ByteArrayType>(rows.iter().map(|row| Some(of(row).1.into())))
}

/// The columns of some rows, in the schema's order.
struct Columns<'a, 'w> {
    group: &'a mut SerializedRowGroupWriter<'w, Vec<u8>>,
}

impl Columns<'_, '_> {
    /// Writes the next column; `None` is null, and isn't there in a required one.
    fn put<T: DataType>(
        &mut self,
        values: impl Iterator<Item = Option<T::T>>,
    ) -> Result<(), ParquetError> {
        let column = self.group.next_column()?;
        let mut column =
            column.ok_or_else(|| ParquetError::General("more columns than the schema".into()))?;
        let values: Vec<Option<T::T>> = values.collect();
        let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
        let values: Vec<T::T> = values.into_iter().flatten().collect();
        let writer = column.typed::<T>();
        let is_optional = writer.get_descriptor().max_def_level() > 0;
        writer.write_batch(&values, is_optional.then_some(&levels), None)?;
        column.close()
    }
}

fn write<R>(
    schema: &str,
    mut rows: impl Iterator<Item = R>,
    put_rows: impl Fn(&mut Columns<'_, '_>, &[R]) -> Result<(), ParquetError>,
) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder().set_created_by(CREATED_BY.to_owned());
    let schema = Arc::new(parse_message_type(schema)?);
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?;
    loop {
        let some: Vec<R> = rows.by_ref().take(GROUP).collect();
        if some.is_empty() {
            return file.into_inner();
        }
        let mut group = file.next_row_group()?;
        put_rows(&mut Columns { group: &mut group }, &some)?;
        group.close()?;
    }
}
