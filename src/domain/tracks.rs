//! Faces of sampled frames, joined over time into tracks: one person of one shot each.
//!
//! Frame by frame, tracks and faces are matched one to one at the least total cost (Kuhn 1955).
//! The cost is that of position, where frames are close in time, and more and more that of
//! appearance, where they are seconds apart. `docs/tracks.md` has the numbers and the limits.

mod cost;

use pathfinding::matrix::Matrix;
use pathfinding::prelude::kuhn_munkres_min;

use super::appearance::Appearance;
use super::face::Face;
use cost::{Gap, NEW_TRACK, NOT_ALLOWED};

/// Frames that a track survives without its face, however far apart they are in time.
pub const GAP_FRAMES: usize = 3;

/// Seconds that a track survives without its face, however many frames that is.
pub const GAP_S: f64 = 1.0;

/// Sights of a face that a new one is compared with: one may be half hidden.
const REMEMBERED: usize = 3;

/// A face with what it looks like.
#[derive(Debug, Clone)]
pub struct Sighted {
    /// Where it is.
    pub face: Face,
    /// What it looks like there.
    pub appearance: Appearance,
}

/// The faces of one sampled frame.
#[derive(Debug, Clone)]
pub struct FrameFaces {
    /// Seconds after the first video frame; not before the previous one's.
    pub time_s: f64,
    /// Whether a shot begins between the previous frame and this one.
    pub cut_before: bool,
    /// In any order.
    pub faces: Vec<Sighted>,
}

/// One face over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// From 1, in the order of first appearance; of one frame's from left to right.
    pub id: u32,
    /// Its faces, at most one a frame, in order of time; at least one.
    pub members: Vec<Member>,
}

/// Place of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Place among the frames.
    pub frame: usize,
    /// Place among that frame's faces.
    pub face: usize,
}

/// Joins faces; each one is in exactly one track. The cost a frame grows with the cube of its
/// faces, so the caller bounds them (32 by default).
pub fn join(frames: &[FrameFaces]) -> Vec<Track> {
    let mut tracks: Vec<Open<'_>> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        for track in &mut tracks {
            track.ended |= frame.cut_before || track.is_lost(index, frame.time_s);
        }
        let mut faces: Vec<(usize, &Sighted)> = frame.faces.iter().enumerate().collect();
        // By place, so that the order in which they were found does not matter.
        faces.sort_by(|(_, a), (_, b)| left_to_right(&a.face, &b.face));
        let mut open: Vec<&mut Open<'_>> = tracks.iter_mut().filter(|t| !t.ended).collect();
        let matched = assign(&open, &faces, frame.time_s);
        let mut begun = Vec::new();
        for ((face, sighted), track) in faces.into_iter().zip(matched) {
            let member = Member { frame: index, face };
            match track.and_then(|place| open.get_mut(place)) {
                Some(track) => track.add(member, sighted, frame.time_s),
                None => begun.push(Open::new(member, sighted, frame.time_s)),
            }
        }
        tracks.append(&mut begun);
    }
    let numbered = (1u32..).zip(tracks);
    numbered
        .map(|(id, track)| Track {
            id,
            members: track.members,
        })
        .collect()
}

fn left_to_right(a: &Face, b: &Face) -> std::cmp::Ordering {
    let key = |f: &Face| {
        [
            f.rect.x,
            f.rect.y,
            f.rect.width,
            f.rect.height,
            f.confidence,
        ]
    };
    let pairs = key(a).into_iter().zip(key(b));
    pairs.fold(std::cmp::Ordering::Equal, |order, (a, b)| {
        order.then(a.total_cmp(&b))
    })
}

/// A track while faces are joined.
struct Open<'a> {
    members: Vec<Member>,
    /// The last ones, newest last.
    sights: Vec<&'a Sighted>,
    last_s: f64,
    ended: bool,
}

impl<'a> Open<'a> {
    fn new(member: Member, sighted: &'a Sighted, time_s: f64) -> Self {
        Self {
            members: vec![member],
            sights: vec![sighted],
            last_s: time_s,
            ended: false,
        }
    }

    fn add(&mut self, member: Member, sighted: &'a Sighted, time_s: f64) {
        self.members.push(member);
        if self.sights.len() >= REMEMBERED {
            self.sights.remove(0);
        }
        self.sights.push(sighted);
        self.last_s = time_s;
    }

    /// Whether it was too long without its face to have one in frame `index`.
    fn is_lost(&self, index: usize, time_s: f64) -> bool {
        let last = self.members.last().map_or(index, |member| member.frame);
        let missed = index.saturating_sub(last).saturating_sub(1);
        missed > GAP_FRAMES && time_s - self.last_s > GAP_S
    }

    /// Cost of `face`, `time_s` being its frame's.
    fn cost(&self, face: &Sighted, time_s: f64) -> i64 {
        let distances = self
            .sights
            .iter()
            .map(|s| s.appearance.distance(&face.appearance));
        let unlike = distances.fold(1.0, f64::min);
        self.sights.last().map_or(NOT_ALLOWED, |last| {
            Gap::between(&last.face, &face.face, time_s - self.last_s).cost(unlike)
        })
    }
}

/// For each face the place of its track; `None` for a new one.
fn assign(open: &[&mut Open<'_>], faces: &[(usize, &Sighted)], time_s: f64) -> Vec<Option<usize>> {
    // One column a track, and one a face for the track that it may begin.
    let rows = faces.iter().map(|(_, face)| {
        let joined = open.iter().map(|track| track.cost(face, time_s));
        joined.chain(faces.iter().map(|_| NEW_TRACK)).collect()
    });
    let rows: Vec<Vec<i64>> = rows.collect();
    let Some(costs) = Matrix::from_rows(rows).ok().filter(|m| m.rows > 0) else {
        return vec![None; faces.len()];
    };
    let (_, columns) = kuhn_munkres_min(&costs);
    let places = columns.into_iter();
    places
        .map(|column| (column < open.len()).then_some(column))
        .collect()
}

#[cfg(test)]
mod tests;
