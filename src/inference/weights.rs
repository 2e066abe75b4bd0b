//! Weights that the sessions of one model share.
//!
//! ONNX Runtime gives every session its own copy. A session that gets its initializers from
//! outside uses them where they lie, so one copy does for all, at the price of multiplying with
//! weights that were not rearranged for the processor.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::bundle::ExternalTensor;

/// `TensorProto.DataType.FLOAT`.
const FLOAT32: u64 = 1;

/// Smaller tensors are left to the sessions, in bytes: graph optimisations look into them.
const MIN_BYTES: u64 = 1 << 10;

/// One weight with its values.
#[derive(Debug)]
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) dims: Vec<i64>,
    pub(super) values: Vec<f32>,
}

/// A weight in its file.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    dims: Vec<i64>,
    file: PathBuf,
    start: u64,
    count: usize,
}

/// Those of a graph's `external` weights that can be shared: large float32 initializers. Their files
/// are in `folder`.
pub(super) fn shareable(external: &[ExternalTensor], folder: &Path) -> Vec<Place> {
    let places = external.iter().filter_map(|tensor| {
        let (start, end) = (tensor.bytes.start?, tensor.bytes.end?);
        let bytes = end.checked_sub(start)?;
        let count = tensor.dims.iter().try_fold(1_u64, |product, dim| {
            product.checked_mul(u64::try_from(*dim).ok()?)
        })?;
        let fits = tensor.data_type == FLOAT32 && count.checked_mul(4) == Some(bytes);
        (tensor.is_initializer && fits && bytes >= MIN_BYTES).then(|| Place {
            name: tensor.name.clone(),
            dims: tensor.dims.clone(),
            file: folder.join(&tensor.location),
            start,
            count: usize::try_from(count).unwrap_or_default(),
        })
    });
    places.collect()
}

impl Place {
    /// Reads the values.
    pub(super) fn read(self) -> io::Result<Weight> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.start))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut values = Vec::with_capacity(self.count);
        let mut chunk = [0_u8; 1 << 14];
        let mut left = self.count;
        while left > 0 {
            let (part, _) = chunk.split_at_mut((left * 4).min(1 << 14));
            reader.read_exact(part)?;
            let (numbers, _) = part.as_chunks::<4>();
            values.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            left -= numbers.len();
        }
        Ok(Weight {
            name: self.name,
            dims: self.dims,
            values,
        })
    }
}
