use proptest::prelude::*;

use super::*;

/// A picture of `width` × `height` whose pixels are `value`, in grey.
fn grey(width: u32, height: u32, mut value: impl FnMut(u32, u32) -> u8) -> Picture {
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            rgb.extend([value(x, y); 3]);
        }
    }
    Picture::new(width, height, rgb).unwrap()
}

/// `content` with bars of black and a little noise around it.
fn framed(content: &Picture, bars: Bars, noise: u8) -> Picture {
    let width = content.width() + bars.left + bars.right;
    let height = content.height() + bars.top + bars.bottom;
    grey(width, height, |x, y| {
        let inside = x.checked_sub(bars.left).zip(y.checked_sub(bars.top));
        match inside.filter(|(x, y)| *x < content.width() && *y < content.height()) {
            Some((x, y)) => content.rgb()[((y * content.width() + x) * 3) as usize],
            None => u8::try_from((x * 7 + y * 13) % 5).unwrap() % noise.max(1),
        }
    })
}

fn bars(left: u32, top: u32, right: u32, bottom: u32) -> Bars {
    Bars {
        left,
        top,
        right,
        bottom,
    }
}

fn scene(width: u32, height: u32) -> Picture {
    grey(width, height, |x, y| {
        u8::try_from((x * 3 + y * 5) % 180 + 60).unwrap()
    })
}

#[test]
fn letterbox_pillarbox_and_both_are_found() {
    for wanted in [
        bars(0, 20, 0, 20),
        bars(40, 0, 40, 0),
        bars(12, 9, 13, 10),
        bars(0, 0, 0, 0),
    ] {
        let picture = framed(&scene(160, 90), wanted, 4);
        assert_eq!(Bars::of(&picture), Some(wanted));
        assert_eq!(picture.without(wanted), scene(160, 90));
    }
}

#[test]
fn a_bar_on_one_side_only_is_content() {
    let picture = framed(&scene(160, 90), bars(0, 20, 0, 0), 1);
    assert_eq!(Bars::of(&picture), Some(Bars::default()));
}

#[test]
fn narrow_bars_are_none() {
    let picture = framed(&scene(160, 90), bars(0, 3, 0, 3), 1);
    assert_eq!(Bars::of(&picture), Some(Bars::default()));
    let picture = framed(&scene(100, 1000), bars(0, 10, 0, 10), 1);
    assert_eq!(Bars::of(&picture), Some(Bars::default()));
}

#[test]
fn a_picture_with_a_subtitle_in_its_bar_does_not_tell() {
    let framed = framed(&scene(160, 90), bars(0, 30, 0, 30), 3);
    let subtitled = grey(160, 150, |x, y| {
        if (130..136).contains(&y) && (60..100).contains(&x) && x % 3 > 0 {
            230
        } else {
            framed.rgb()[((y * 160 + x) * 3) as usize]
        }
    });
    assert_eq!(Bars::of(&subtitled), None);
}

#[test]
fn dark_pictures_do_not_tell() {
    assert_eq!(Bars::of(&grey(160, 90, |_, _| 3)), None);
    // Night: a light in the middle, fading to black without an edge.
    let night = grey(200, 120, |x, y| {
        let far = x.abs_diff(100) + y.abs_diff(60);
        u8::try_from(160u32.saturating_sub(far * 3)).unwrap()
    });
    assert_eq!(Bars::of(&night), None);
    // Nothing is so small that it could have bars and content.
    assert_eq!(Bars::of(&grey(1, 1, |_, _| 0)), Some(Bars::default()));
}

#[test]
fn bars_one_way_take_what_is_dark_the_other_way_for_one_until_a_lighter_picture_tells() {
    // A scene that fades to black at its sides, with bars above and below.
    let faded = grey(160, 130, |x, y| {
        let light = x.min(159 - x) * 3;
        let inside = (20..110).contains(&y);
        u8::try_from(if inside { light.min(200) } else { 0 }).unwrap()
    });
    let dark = Bars::of(&faded).unwrap();
    assert_eq!((dark.top, dark.bottom), (20, 20));
    assert!(dark.left > 0);
    let light = Bars::of(&framed(&scene(160, 90), bars(0, 20, 0, 20), 1));
    let shared = Bars::shared([Some(dark), light].into_iter());
    assert_eq!(shared, bars(0, 20, 0, 20));
}

#[test]
fn a_video_has_the_bars_that_its_telling_pictures_share() {
    let shared = |pictures: &[Option<Bars>]| Bars::shared(pictures.iter().copied());
    assert_eq!(
        shared(&[Some(bars(8, 20, 8, 20)), None, Some(bars(0, 20, 0, 18))]),
        bars(0, 20, 0, 18)
    );
    assert!(shared(&[None, None]).is_none());
    assert!(shared(&[]).is_none());
    assert!(shared(&[Some(bars(0, 9, 0, 9)), Some(Bars::default())]).is_none());
}

#[test]
fn cutting_leaves_a_pixel() {
    let all = bars(100, 100, 100, 100);
    let left = scene(10, 10).without(all);
    assert_eq!((left.width(), left.height()), (1, 1));
}

prop_compose! {
    /// Content that is bright enough everywhere for its edge to be seen.
    fn content()(width in 16u32..120, height in 16u32..120)(
        grey in prop::collection::vec(48u8..=255, (width * height) as usize),
        width in Just(width), height in Just(height),
    ) -> Picture {
        let rgb = grey.into_iter().flat_map(|v| [v; 3]).collect();
        Picture::new(width, height, rgb).unwrap()
    }
}

proptest! {
    #[test]
    fn bars_added_to_any_content_are_found_exactly(
        content in content(), rows in 4u32..40, columns in 4u32..40,
        which in 0u8..4, more in 0u32..=2, noise in 0u8..=5,
    ) {
        // A pair takes less than nine tenths of the side, and its bars differ by two pixels.
        let rows = if which & 1 > 0 { rows.min(content.height() * 3) } else { 0 };
        let columns = if which & 2 > 0 { columns.min(content.width() * 3) } else { 0 };
        let extra = |n: u32| if n > 0 { n + more } else { 0 };
        let wanted = bars(columns, rows, extra(columns), extra(rows));
        let picture = framed(&content, wanted, noise);
        prop_assert_eq!(Bars::of(&picture), Some(wanted));
        prop_assert_eq!(picture.without(wanted), content);
    }

    #[test]
    fn any_picture_can_be_asked(width in 1u32..12, height in 1u32..12, seed in any::<u64>()) {
        let picture = grey(width, height, |x, y| {
            let bit = seed >> ((x * 11 + y * 17) % 64) & 1;
            if bit == 1 { 220 } else { 2 }
        });
        if let Some(found) = Bars::of(&picture) {
            prop_assert!(found.left + found.right < width && found.top + found.bottom < height);
            let cut = picture.without(found);
            prop_assert_eq!(cut.width(), width - found.left - found.right);
            prop_assert_eq!(cut.height(), height - found.top - found.bottom);
        }
    }
}
