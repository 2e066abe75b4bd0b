//! What a head is fitted to: embeddings with class and group.

use std::path::Path;

use ndarray::{Array2, Axis};

use super::archive::{Archive, Numbers};
use super::balance::Balance;
use super::error::FitError;
use super::table::Table;
use super::videos::{Answer, Gathered};
use crate::evaluation::Manifest;

/// Clips that a head can be fitted to.
#[derive(Debug, Clone)]
pub struct Clips {
    /// [clips, dimensions] each: means of a clip's L2-normalised embeddings. A linear head's log-odds
    /// of such a mean is the mean of its log-odds of the frames, which is what `mean_logit`
    /// aggregates.
    pub arrays: Vec<Array2<f64>>,
    /// By clip.
    pub synthetic: Vec<bool>,
    /// By clip; clips of one group are never in both parts of a fold.
    pub groups: Vec<String>,
    /// By clip: what it is from within its group.
    pub sources: Vec<String>,
    /// By clip, where the table tells: whether it is among those that are alike but for their class.
    pub matched: Option<Vec<bool>>,
    /// What they were read from, with its BLAKE3 in hex.
    pub files: Vec<(String, String)>,
}

/// Where clips are read from.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// An archive of arrays (`.npz`).
    pub embeddings: &'a Path,
    /// What its rows are of.
    pub table: &'a Path,
    /// Names of arrays.
    pub arrays: &'a [String],
    /// Rows are taken as they are, since they are means of L2-normalised embeddings already.
    pub averaged: bool,
}

impl Clips {
    /// What each clip counts.
    pub fn weights(&self, balance: Balance) -> Vec<f64> {
        balance.weights(&self.synthetic, &self.groups, &self.sources)
    }

    /// Reads `arrays` of an archive, [rows, dimensions] or [rows, copies, dimensions], and its table
    /// (`Table`). The array `video` says which row of the table, from 0, an embedding is of;
    /// without it they come in the table's order. Where there is an array `degraded`, rows that it
    /// has no 0 for are left out, and so are clips without an embedding.
    pub fn read(files: &Files<'_>) -> Result<Self, FitError> {
        let table = Table::read(files.table)?;
        let mut archive = Archive::open(files.embeddings)?;
        let place = Places {
            video: archive.whole("video")?,
            degraded: archive.whole("degraded")?,
            clips: table.synthetic.len(),
            averaged: files.averaged,
        };
        let mut means = Vec::new();
        for name in files.arrays {
            let numbers = archive.numbers(name)?;
            let fault = |reason: &str| archive.fault(name, reason);
            means.push(place.means(&numbers).map_err(|reason| fault(&reason))?);
        }
        let whole = |clip: &usize| means.iter().all(|(_, counts)| counts[*clip] > 0);
        let kept: Vec<usize> = (0..table.synthetic.len()).filter(whole).collect();
        let pick = |mean: &Array2<f64>| mean.select(Axis(0), &kept);
        Ok(Self {
            arrays: means.iter().map(|(mean, _)| pick(mean)).collect(),
            synthetic: kept.iter().map(|clip| table.synthetic[*clip]).collect(),
            groups: kept
                .iter()
                .map(|clip| table.groups[*clip].clone())
                .collect(),
            matched: table
                .matched
                .map(|all| kept.iter().map(|clip| all[*clip]).collect()),
            sources: kept
                .iter()
                .map(|clip| table.sources[*clip].clone())
                .collect(),
            files: vec![hashed(files.embeddings)?, hashed(files.table)?],
        })
    }
}

/// A file's name and hash.
fn hashed(path: &Path) -> Result<(String, String), FitError> {
    let at = |source| FitError::File {
        path: path.to_owned(),
        source,
    };
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).map_err(at)?;
    hasher.update_reader(file).map_err(at)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((name.into_owned(), hasher.finalize().to_hex().to_string()))
}

/// Which clip a row of an array is of.
struct Places {
    video: Option<Vec<i64>>,
    degraded: Option<Vec<i64>>,
    clips: usize,
    averaged: bool,
}

impl Places {
    /// The mean over each clip's rows, and of how many.
    fn means(&self, numbers: &Numbers) -> Result<(Array2<f64>, Vec<usize>), String> {
        let mut sums = Array2::<f64>::zeros((self.clips, numbers.rows.ncols()));
        let mut counts = vec![0usize; self.clips];
        for (row, values) in numbers.rows.rows().into_iter().enumerate() {
            let row = row / numbers.copies;
            let degraded = self.degraded.as_ref().map(|all| all.get(row));
            match degraded {
                Some(None) => return Err("degraded has fewer rows".to_owned()),
                Some(Some(1..)) => continue,
                Some(Some(_)) | None => {}
            }
            let clip = match &self.video {
                Some(video) => video.get(row).and_then(|clip| usize::try_from(*clip).ok()),
                None => Some(row),
            };
            let clip = clip.filter(|clip| *clip < self.clips);
            let clip = clip.ok_or_else(|| format!("row {row} is of no row of the table"))?;
            let norm = values.dot(&values).sqrt();
            if !(norm.is_finite() && norm > 0.0) {
                return Err(format!("row {row} is 0 or not finite"));
            }
            let factor = if self.averaged { 1.0 } else { norm.recip() };
            sums.row_mut(clip).scaled_add(factor, &values);
            counts[clip] = counts[clip].saturating_add(1);
        }
        for (mut sum, count) in sums.axis_iter_mut(Axis(0)).zip(&counts) {
            sum /= (*count).max(1) as f64;
        }
        Ok((sums, counts))
    }
}

/// Clips of a manifest's videos that came to an embedding.
pub fn clips_of(manifest: &Manifest, gathered: &Gathered, name: &str) -> Result<Clips, FitError> {
    let (mut values, mut synthetic, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (video, answer) in manifest.videos.iter().zip(&gathered.answers) {
        if let Answer::Numbers { values: own } = answer {
            values.extend_from_slice(own);
            synthetic.push(video.synthetic);
            groups.push(video.cluster().to_owned());
        }
    }
    let columns = values.len() / synthetic.len().max(1);
    let rows = Array2::from_shape_vec((synthetic.len(), columns), values);
    let rows = rows.map_err(|error| FitError::Solver(error.to_string()))?;
    Ok(Clips {
        arrays: vec![rows],
        synthetic,
        sources: groups.clone(),
        groups,
        matched: None,
        files: vec![
            (name.to_owned(), manifest.blake3.clone()),
            ("the videos' hashes".to_owned(), gathered.blake3.clone()),
        ],
    })
}
