use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::face::Rect;
use super::super::frame::Picture;
use super::*;

/// A person's look: faces are told apart by it.
fn look(person: u8) -> Appearance {
    let colour = [
        person.wrapping_mul(83),
        person.wrapping_mul(151),
        person.wrapping_mul(37),
    ];
    let rgb = colour.iter().copied().cycle().take(16 * 16 * 3).collect();
    let picture = Picture::new(16, 16, rgb).unwrap();
    Appearance::of(&picture, &face(8.0, 8.0, 8.0))
}

/// A square face around this centre.
fn face(x: f64, y: f64, side: f64) -> Face {
    Face {
        rect: Rect {
            x: x - side / 2.0,
            y: y - side / 2.0,
            width: side,
            height: side,
        },
        landmarks: None,
        confidence: 0.9,
    }
}

/// A frame with these people at these places.
fn frame(time_s: f64, people: &[(u8, f64)]) -> FrameFaces {
    let sighted = |(person, x): &(u8, f64)| Sighted {
        face: face(*x, 100.0, 40.0),
        appearance: look(*person),
    };
    FrameFaces {
        time_s,
        cut_before: false,
        faces: people.iter().map(sighted).collect(),
    }
}

/// Each track as the people that it holds, frame by frame; `people` as given to [`frame`].
fn persons(frames: &[Vec<(u8, f64)>], every_s: f64) -> Vec<Vec<(usize, u8)>> {
    let times = std::iter::successors(Some(0.0), |t| Some(t + every_s));
    let seen: Vec<FrameFaces> = times.zip(frames).map(|(t, p)| frame(t, p)).collect();
    let person = |m: &Member| (m.frame, frames[m.frame][m.face].0);
    let tracks = join(&seen);
    let ids: Vec<u32> = tracks.iter().map(|t| t.id).collect();
    assert_eq!(ids, (1..).take(tracks.len()).collect::<Vec<u32>>());
    tracks
        .iter()
        .map(|t| t.members.iter().map(person).collect())
        .collect()
}

/// One person from one frame to another, inclusive.
fn whole(person: u8, frames: std::ops::RangeInclusive<usize>) -> Vec<(usize, u8)> {
    frames.map(|frame| (frame, person)).collect()
}

#[test]
fn nothing_gives_nothing() {
    assert!(join(&[]).is_empty());
    assert!(join(&[frame(0.0, &[]), frame(1.0, &[])]).is_empty());
}

#[test]
fn looks_of_the_tests_people_differ() {
    for (a, b) in [(1, 2), (1, 3), (2, 3)] {
        let distance = look(a).distance(&look(b));
        assert!(distance > 0.5, "{a} {b}: {distance}");
    }
}

#[test]
fn two_people_who_cross_keep_their_identities() {
    // 25 frames a second, four boxes apart, past each other within one second.
    let dense: Vec<Vec<(u8, f64)>> = (0..25)
        .map(|i| f64::from(i) * 160.0 / 24.0)
        .map(|way| vec![(1, 100.0 + way), (2, 260.0 - way)])
        .collect();
    assert_eq!(persons(&dense, 0.04), [whole(1, 0..=24), whole(2, 0..=24)]);
    // The same, where one is hidden behind the other for six frames.
    let mut hidden = dense;
    for faces in hidden.iter_mut().skip(9).take(6) {
        faces.retain(|(person, _)| *person == 1);
    }
    let two: Vec<(usize, u8)> = [whole(2, 0..=8), whole(2, 15..=24)].concat();
    assert_eq!(persons(&hidden, 0.04), [whole(1, 0..=24), two]);
    // They change places between two frames that are a second apart.
    let sparse = vec![
        vec![(1, 100.0), (2, 300.0)],
        vec![(1, 110.0), (2, 290.0)],
        vec![(2, 105.0), (1, 295.0)],
        vec![(2, 100.0), (1, 300.0)],
    ];
    assert_eq!(persons(&sparse, 1.0), [whole(1, 0..=3), whole(2, 0..=3)]);
}

#[test]
fn people_who_sit_still_stay_apart_at_sparse_sampling() {
    let still: Vec<Vec<(u8, f64)>> = (0..12)
        .map(|i| f64::from(i % 3) * 6.0)
        .map(|sway| vec![(2, 300.0 - sway), (1, 100.0 + sway), (3, 200.0 + sway)])
        .collect();
    let wanted = [whole(1, 0..=11), whole(3, 0..=11), whole(2, 0..=11)];
    assert_eq!(persons(&still, 5.0), wanted);
    // Even if they look the same.
    let twins: Vec<Vec<(u8, f64)>> = (0..12).map(|_| vec![(1, 100.0), (1, 200.0)]).collect();
    assert_eq!(persons(&twins, 5.0).len(), 2);
}

#[test]
fn who_takes_anothers_seat_is_somebody_else() {
    let seat = |person: u8| vec![(person, 200.0)];
    let frames: Vec<Vec<(u8, f64)>> = [seat(1), seat(1), seat(1), seat(2), seat(2)].into();
    assert_eq!(persons(&frames, 4.0), [whole(1, 0..=2), whole(2, 3..=4)]);
}

#[test]
fn a_far_face_at_once_is_somebody_else() {
    let frames: Vec<Vec<(u8, f64)>> = vec![vec![(1, 100.0)], vec![(2, 400.0)]];
    assert_eq!(persons(&frames, 0.04).len(), 2);
}

#[test]
fn a_track_survives_a_few_frames_without_its_face_and_no_more() {
    let missing = |count: usize| {
        let mut frames = vec![vec![(1, 100.0)]];
        frames.extend((0..count).map(|_| Vec::new()));
        frames.push(vec![(1, 100.0)]);
        frames
    };
    assert_eq!(persons(&missing(GAP_FRAMES), 5.0).len(), 1);
    assert_eq!(persons(&missing(GAP_FRAMES + 1), 5.0).len(), 2);
    // Frames close in time: many may be missing.
    assert_eq!(persons(&missing(20), 0.04).len(), 1);
    assert_eq!(persons(&missing(30), 0.04).len(), 2);
}

#[test]
fn a_face_for_one_frame_is_a_track() {
    let mut frames: Vec<Vec<(u8, f64)>> = (0..5).map(|_| vec![(1, 100.0)]).collect();
    frames[2].push((2, 300.0));
    assert_eq!(persons(&frames, 1.0), [whole(1, 0..=4), whole(2, 2..=2)]);
}

#[test]
fn a_cut_ends_all_tracks() {
    let people = [(1, 100.0), (2, 300.0)];
    let mut frames: Vec<FrameFaces> = (0..4)
        .map(|i| frame(f64::from(i) * 0.04, &people))
        .collect();
    frames[2].cut_before = true;
    let tracks = join(&frames);
    let spans: Vec<Vec<usize>> = tracks
        .iter()
        .map(|t| t.members.iter().map(|m| m.frame).collect())
        .collect();
    assert_eq!(spans, [[0, 1], [0, 1], [2, 3], [2, 3]]);
}

#[test]
fn a_crowd_keeps_its_places() {
    let crowd = |i: u8| -> Vec<(u8, f64)> {
        (0u8..32)
            .map(|n| (n, f64::from(n) * 60.0 + f64::from(i)))
            .collect()
    };
    let frames: Vec<Vec<(u8, f64)>> = (0..6).map(crowd).collect();
    let wanted: Vec<Vec<(usize, u8)>> = (0..32).map(|n| whole(n, 0..=5)).collect();
    assert_eq!(persons(&frames, 1.0), wanted);
}

/// A few people at any places, each at most once a frame.
fn some_frames() -> impl Strategy<Value = Vec<FrameFaces>> {
    let people = prop::collection::btree_map(0u8..6, 0.0f64..600.0, 0..6);
    let one = (people, 0.0f64..3.0, prop::bool::weighted(0.1));
    prop::collection::vec(one, 0..8).prop_map(|frames| {
        let mut time_s = 0.0;
        let seen = frames.into_iter().map(|(people, wait_s, cut_before)| {
            time_s += wait_s;
            let people: Vec<(u8, f64)> = people.into_iter().collect();
            FrameFaces {
                cut_before,
                ..frame(time_s, &people)
            }
        });
        seen.collect()
    })
}

/// The tracks by the places of their faces instead of their order.
fn by_place(frames: &[FrameFaces], tracks: &[Track]) -> BTreeMap<u32, Vec<(usize, String)>> {
    let place = |m: &Member| {
        let rect = frames[m.frame].faces[m.face].face.rect;
        (m.frame, format!("{rect:?}"))
    };
    tracks
        .iter()
        .map(|t| (t.id, t.members.iter().map(place).collect()))
        .collect()
}

proptest! {
    #[test]
    fn every_face_is_in_one_track_and_a_track_has_one_face_a_frame(frames in some_frames()) {
        let tracks = join(&frames);
        let mut seen = std::collections::BTreeSet::new();
        for track in &tracks {
            prop_assert!(track.members.windows(2).all(|pair| pair[0].frame < pair[1].frame));
            for member in &track.members {
                prop_assert!(seen.insert((member.frame, member.face)));
            }
            let (first, last) = (track.members[0].frame, track.members.last().unwrap().frame);
            let crossed = frames[first + 1..=last].iter().any(|f| f.cut_before);
            prop_assert!(!crossed);
        }
        prop_assert_eq!(seen.len(), frames.iter().map(|f| f.faces.len()).sum::<usize>());
    }

    #[test]
    fn the_order_of_a_frames_faces_does_not_matter(frames in some_frames(), turn in 0usize..6) {
        let mut turned = frames.clone();
        for frame in &mut turned {
            let by = turn % frame.faces.len().max(1);
            frame.faces.rotate_left(by);
            if turn % 2 == 1 {
                frame.faces.reverse();
            }
        }
        prop_assert_eq!(
            by_place(&frames, &join(&frames)),
            by_place(&turned, &join(&turned))
        );
    }
}
