//! Inputs that are identical, or nearly so, are scored once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::frames::Outcome;
use super::inputs::Vectors;
use super::sight::{Part, Terms};
use super::views::Group;
use crate::domain::near;
use crate::domain::quality::LeftOut;
use crate::inference::Pixels;

/// What was said of inputs, by their pixels and by who was asked.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<blake3::Hash, Arc<OnceCell<Said>>>>);

/// What each member of the group said, and what their heads read.
pub(super) type Said = (Vec<Outcome>, Vectors);

impl Repeats {
    /// Where the answer of `group` to `pixels` is, or comes.
    pub(super) fn answer(
        &self,
        group: usize,
        left_out: &[Option<LeftOut>],
        pixels: &[Pixels],
    ) -> Arc<OnceCell<Said>> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&group.to_le_bytes());
        for reason in left_out {
            hasher.update(&[u8::from(reason.is_none())]);
        }
        for pixels in pixels {
            hasher.update(pixels.rgb());
        }
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(answers.entry(hasher.finalize()).or_default())
    }
}

/// The frames that one group of models sees, each with the one whose score counts for it.
///
/// Compared in the order in which they come out of the decoder, which the file alone decides, and
/// each with the frame that was scored last, not with the one before it: a slow pan doesn't add up.
#[derive(Debug)]
pub(super) struct Alike {
    width: usize,
    limit: f64,
    last: Option<Scored>,
    /// Frames that are scored, by pixels and by who is asked.
    exact: HashMap<blake3::Hash, usize>,
}

#[derive(Debug)]
struct Scored {
    frame: usize,
    asked: Vec<bool>,
    pixels: Pixels,
}

impl Alike {
    /// For a group that sees whole single frames; none for others.
    pub(super) fn of(group: &Group, terms: &Terms) -> Option<Self> {
        let [width, _] = group.backbone.preprocessor().size();
        group.view.is_whole().then(|| Self {
            width: usize::try_from(width).unwrap_or_default(),
            limit: terms.config.same_within,
            last: None,
            exact: HashMap::new(),
        })
    }

    /// The frame whose score counts for `part` of `frame`, which gets that frame's pixels; none
    /// where it is scored itself.
    pub(super) fn replace(&mut self, frame: usize, part: &mut Part) -> Option<usize> {
        let asked: Vec<bool> = part.left_out.iter().map(Option::is_none).collect();
        let pixels = part.pixels.as_mut()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(pixels.rgb());
        for asked in &asked {
            hasher.update(&[u8::from(*asked)]);
        }
        let hash = hasher.finalize();
        if let Some(same) = self.exact.get(&hash) {
            return Some(*same);
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.asked == asked)
            && near::difference(pixels.rgb(), last.pixels.rgb(), self.width)
                .is_some_and(|difference| difference <= self.limit)
        {
            pixels.clone_from(&last.pixels);
            return Some(last.frame);
        }
        self.exact.insert(hash, frame);
        // Without a limit there is nothing to compare with but the hashes.
        if self.limit > 0.0 {
            self.last = Some(Scored {
                frame,
                asked,
                pixels: pixels.clone(),
            });
        }
        None
    }
}
