//! Windows are put together from the parts of their frames as those come in.
//!
//! A window of faces holds one face through all of its frames: the faces of its frames are joined
//! as tracks are, and each track that is in every frame makes one input.

use std::collections::BTreeMap;

use super::faces::Seen;
use super::sight::{Part, Sight};
use super::views::Group;
use crate::domain::quality::LeftOut;
use crate::domain::shots;
use crate::domain::tracks::{FrameFaces, Track, join};
use crate::inference::Pixels;

/// Frames whose parts wait for the rest of their windows, as a multiple of a window's length: a
/// frame that never comes must not hold back the parts of all others.
const WAITING: usize = 4;

/// An input that is complete.
#[derive(Debug)]
pub(super) struct Ready {
    /// Place in the request's groups.
    pub(super) group: usize,
    /// Which window of its kind.
    pub(super) window: usize,
    /// Index of its first frame.
    pub(super) first_frame: usize,
    /// Place of the face among those of the first frame; none for whole pictures.
    pub(super) face: Option<usize>,
    /// For each member of the group, why it isn't asked.
    pub(super) left_out: Vec<Option<LeftOut>>,
    /// One a frame, in order of time; none where nobody is asked.
    pub(super) pixels: Vec<Pixels>,
}

/// The windows of one group that are not complete yet.
#[derive(Debug)]
pub(super) struct Assembly {
    group: usize,
    members: usize,
    finder: Option<usize>,
    /// For each window the indices of its frames.
    windows: Vec<Vec<usize>>,
    done: Vec<bool>,
    waiting: BTreeMap<usize, Held>,
}

/// What is kept of one frame.
#[derive(Debug)]
struct Held {
    faces: FrameFaces,
    look: shots::Look,
    parts: Vec<Part>,
}

impl Held {
    /// What there is of one of its faces, or of it as a whole.
    fn part(&self, face: Option<usize>) -> Option<&Part> {
        self.parts.iter().find(|part| part.face == face)
    }
}

impl Assembly {
    /// Of the group in `place`, whose kind of window came down to `windows`.
    pub(super) fn new(place: usize, group: &Group, windows: Vec<Vec<usize>>) -> Self {
        Self {
            group: place,
            members: group.members.len(),
            finder: group.view.cut.as_ref().map(|cut| cut.finder),
            done: vec![false; windows.len()],
            windows,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes a frame's parts for this group; the windows that it completes.
    pub(super) fn add(&mut self, sight: &Sight, parts: Vec<Part>) -> Vec<Ready> {
        let seen = self.finder.and_then(|finder| sight.faces.get(finder));
        let faces = seen.map_or_else(Vec::new, Seen::sighted);
        let held = Held {
            faces: FrameFaces {
                time_s: sight.time_s,
                cut_before: false,
                faces,
            },
            look: sight.look.clone(),
            parts,
        };
        self.waiting.insert(sight.index, held);
        let complete: Vec<usize> = (0..self.windows.len())
            .filter(|window| self.completes(*window, sight.index))
            .collect();
        let ready = complete
            .iter()
            .flat_map(|window| self.ready(*window))
            .collect();
        for window in complete {
            if let Some(done) = self.done.get_mut(window) {
                *done = true;
            }
        }
        self.forget();
        ready
    }

    fn frames(&self, window: usize) -> &[usize] {
        self.windows.get(window).map_or(&[], Vec::as_slice)
    }

    fn completes(&self, window: usize, index: usize) -> bool {
        let frames = self.frames(window);
        let open = !self.done.get(window).copied().unwrap_or(true);
        open && frames.contains(&index) && frames.iter().all(|i| self.waiting.contains_key(i))
    }

    /// Drops frames that no open window wants, and the earliest ones beyond what may wait.
    fn forget(&mut self) {
        let open: Vec<&Vec<usize>> = self
            .windows
            .iter()
            .zip(&self.done)
            .filter_map(|(frames, done)| (!done).then_some(frames))
            .collect();
        self.waiting
            .retain(|index, _| open.iter().any(|frames| frames.contains(index)));
        let length = self.windows.first().map_or(0, Vec::len);
        while self.waiting.len() > length.saturating_mul(WAITING) {
            self.waiting.pop_first();
        }
    }

    fn ready(&self, window: usize) -> Vec<Ready> {
        let held: Vec<&Held> = self
            .frames(window)
            .iter()
            .filter_map(|index| self.waiting.get(index))
            .collect();
        match self.finder {
            None => vec![self.whole(window, &held)],
            Some(_) => self.of_faces(window, &held),
        }
    }

    /// Of whole pictures: the one part of each frame.
    fn whole(&self, window: usize, held: &[&Held]) -> Ready {
        let parts: Vec<Option<&Part>> = held.iter().map(|held| held.part(None)).collect();
        self.input(window, None, &parts)
    }

    /// Of faces: one input for each that is in all frames.
    fn of_faces(&self, window: usize, held: &[&Held]) -> Vec<Ready> {
        let mut frames: Vec<FrameFaces> = Vec::with_capacity(held.len());
        for (place, now) in held.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| held.get(before));
            frames.push(FrameFaces {
                cut_before: before.is_some_and(|before| now.look.cut(&before.look)),
                ..now.faces.clone()
            });
        }
        let tracks = join(&frames);
        let whole = tracks
            .iter()
            .filter(|track| track.members.len() == held.len());
        let ready: Vec<Ready> = whole
            .map(|track| self.of_track(window, track, held))
            .collect();
        if ready.is_empty() {
            vec![self.of_nobody(window, held)]
        } else {
            ready
        }
    }

    fn of_track(&self, window: usize, track: &Track, held: &[&Held]) -> Ready {
        let members = track.members.iter().zip(held);
        let parts: Vec<Option<&Part>> = members
            .map(|(member, held)| held.part(Some(member.face)))
            .collect();
        let start = track.members.first().map(|member| member.face);
        self.input(window, start, &parts)
    }

    /// Of no face: left out for what its frames say, else because no face is in all of them. It
    /// failed where one of its frames did.
    fn of_nobody(&self, window: usize, held: &[&Held]) -> Ready {
        let parts: Vec<Option<&Part>> = held.iter().map(|held| held.part(None)).collect();
        let mut ready = self.input(window, None, &parts);
        if !parts.iter().flatten().any(|part| part.has_failed()) {
            for reason in &mut ready.left_out {
                reason.get_or_insert(LeftOut::NoFace);
            }
        }
        ready
    }

    /// One input; a member that isn't asked about one of the frames isn't asked about the window.
    fn input(&self, window: usize, face: Option<usize>, parts: &[Option<&Part>]) -> Ready {
        let reason = |member: usize| {
            let mut parts = parts.iter().flatten();
            parts.find_map(|part| part.left_out.get(member).copied().flatten())
        };
        let pixels: Option<Vec<Pixels>> = parts
            .iter()
            .map(|part| part.and_then(|part| part.pixels.clone()))
            .collect();
        Ready {
            group: self.group,
            window,
            first_frame: self.frames(window).first().copied().unwrap_or_default(),
            face,
            left_out: (0..self.members).map(reason).collect(),
            pixels: pixels.unwrap_or_default(),
        }
    }
}
