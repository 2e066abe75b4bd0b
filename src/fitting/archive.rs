//! Archives of arrays (`.npz`).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{Array2, ArrayD, Ix1, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadDataError, ReadableElement};
use py_literal::Value;

use super::error::FitError;

/// An array of embeddings.
pub(super) struct Numbers {
    /// [rows · copies, dimensions]
    pub(super) rows: Array2<f64>,
    /// Neighbouring rows that are of one thing.
    pub(super) copies: usize,
}

/// An open archive.
pub(super) struct Archive {
    path: PathBuf,
    reader: NpzReader<File>,
    names: Vec<String>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self, FitError> {
        let file = File::open(path).map_err(|source| FitError::File {
            path: path.to_owned(),
            source,
        })?;
        let fault = |error: &dyn std::fmt::Display| FitError::Table {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut reader = NpzReader::new(file).map_err(|error| fault(&error))?;
        let names = reader.names().map_err(|error| fault(&error))?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            names,
        })
    }

    /// What is wrong with one of its arrays.
    pub(super) fn fault(&self, array: &str, reason: &str) -> FitError {
        FitError::Array {
            path: self.path.clone(),
            array: array.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn read<T: ReadableElement>(&mut self, name: &str) -> Result<ArrayD<T>, String> {
        let array = self.reader.by_name::<OwnedRepr<T>, IxDyn>(name);
        array.map_err(|error| error.to_string())
    }

    /// An array of 2 or 3 axes in float16, 32 or 64.
    pub(super) fn numbers(&mut self, name: &str) -> Result<Numbers, FitError> {
        if !self.names.iter().any(|known| known == name) {
            let found = format!("there are: {}", self.names.join(", "));
            return Err(self.fault(name, &found));
        }
        let array = match self.read::<Half>(name) {
            Ok(array) => array.mapv(|value| value.0.to_f64()),
            Err(_) => match self.read::<f32>(name) {
                Ok(array) => array.mapv(f64::from),
                Err(_) => self.read::<f64>(name).map_err(|e| self.fault(name, &e))?,
            },
        };
        let (rows, copies, columns) = match array.shape() {
            [rows, columns] => (*rows, 1, *columns),
            [rows, copies, columns] => (*rows, *copies, *columns),
            _ => return Err(self.fault(name, "it has neither 2 nor 3 axes")),
        };
        // Contiguous rows, whatever the order in the file.
        let array = array.as_standard_layout().into_owned();
        let rows = array.into_shape_with_order((rows.saturating_mul(copies), columns));
        Ok(Numbers {
            rows: rows.map_err(|error| self.fault(name, &error.to_string()))?,
            copies: copies.max(1),
        })
    }

    /// A list of whole numbers; `None` where there is no such array.
    pub(super) fn whole(&mut self, name: &str) -> Result<Option<Vec<i64>>, FitError> {
        if !self.names.iter().any(|known| known == name) {
            return Ok(None);
        }
        let list = self
            .list::<i64>(name)
            .or_else(|_| self.list::<i32>(name))
            .or_else(|_| self.list::<u8>(name))
            .or_else(|_| self.list::<i8>(name))
            .or_else(|_| self.list::<bool>(name));
        list.map(Some).map_err(|error| self.fault(name, &error))
    }

    fn list<T>(&mut self, name: &str) -> Result<Vec<i64>, String>
    where
        T: ReadableElement + Copy,
        i64: From<T>,
    {
        let array = self.reader.by_name::<OwnedRepr<T>, Ix1>(name);
        let array = array.map_err(|error| error.to_string())?;
        Ok(array.iter().map(|value| i64::from(*value)).collect())
    }
}

/// A half-precision number, of an array of dtype `<f2`, which `ndarray-npy` doesn't know.
#[derive(Debug, Clone, Copy)]
struct Half(f16);

impl ReadableElement for Half {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        dtype: &Value,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        if !matches!(dtype, Value::String(name) if name == "<f2") {
            return Err(ReadDataError::WrongDescriptor(dtype.clone()));
        }
        let mut bytes = Vec::new();
        let wanted = (len as u64).saturating_mul(2);
        reader
            .take(wanted.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < wanted {
            return Err(ReadDataError::MissingData);
        }
        if bytes.len() as u64 > wanted {
            return Err(ReadDataError::ExtraBytes(1));
        }
        let pairs = bytes.as_chunks::<2>().0.iter();
        Ok(pairs.map(|pair| Self(f16::from_le_bytes(*pair))).collect())
    }
}
