//! Still images are videos of one frame.

use std::io::Cursor;
use std::path::PathBuf;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use jaga::media::MediaError;

use super::{keyframe, play, uniform};
use crate::media_files::made;

/// Left red, right blue, twice as wide as high.
fn two_halves() -> RgbImage {
    RgbImage::from_fn(32, 16, |x, _| {
        Rgb(if x < 16 { [200, 0, 0] } else { [0, 0, 200] })
    })
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn file(name: &str, extension: &str, bytes: &[u8]) -> PathBuf {
    made(name, extension, &bytes, |path| {
        std::fs::write(path, bytes).unwrap();
    })
}

#[tokio::test]
async fn every_format_gives_its_one_frame_whatever_its_name() {
    let image = DynamicImage::ImageRgb8(two_halves());
    let formats = [
        (ImageFormat::Jpeg, "jpeg"),
        (ImageFormat::Png, "png"),
        (ImageFormat::WebP, "webp"),
    ];
    for (format, name) in formats {
        for extension in [name, "mp4"] {
            let path = file("still", extension, &encoded(&image, format));
            for plan in [uniform(16), keyframe(1)] {
                let played = play(&path, plan).await.unwrap();
                assert_eq!(played.facts.container, name);
                assert_eq!(played.facts.frame_rate, None);
                assert_eq!(played.facts.frame_count, 1);
                assert!(played.facts.duration_s.abs() < f64::EPSILON);
                assert_eq!(played.chosen.times_s, [0.0]);
                let picture = &played.frames[0].picture;
                assert_eq!((picture.width(), picture.height()), (32, 16));
                assert!(picture.rgb()[0] > 190 && picture.rgb()[1] < 10, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn alpha_is_dropped_not_blended() {
    let image = RgbaImage::from_pixel(4, 4, image::Rgba([10, 20, 30, 0]));
    let path = file("alpha", "png", &encoded(&image.into(), ImageFormat::Png));
    let played = play(&path, uniform(1)).await.unwrap();
    assert_eq!(played.frames[0].picture.rgb()[..3], [10, 20, 30]);
}

#[tokio::test]
async fn sixteen_bits_become_eight() {
    let pixel = Rgb([0u16, 0x8080, 0xffff]);
    let image = DynamicImage::ImageRgb16(image::ImageBuffer::from_pixel(4, 4, pixel));
    let path = file("deep", "png", &encoded(&image, ImageFormat::Png));
    let played = play(&path, uniform(1)).await.unwrap();
    assert_eq!(played.frames[0].picture.rgb()[..3], [0, 0x80, 0xff]);
}

/// The JPEG with an EXIF block of one entry, the orientation.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let tiff = [
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(),
        &[orientation, 0, 0, 0, 0, 0, 0, 0],
    ]
    .concat();
    let length = u16::try_from(tiff.len() + 8).unwrap().to_be_bytes();
    let app1 = [b"\xff\xe1".as_slice(), &length, b"Exif\0\0", &tiff].concat();
    [&jpeg[..2], &app1, &jpeg[2..]].concat()
}

#[tokio::test]
async fn exif_orientation_is_applied() {
    let jpeg = encoded(&two_halves().into(), ImageFormat::Jpeg);
    // Where the red half is after the turn, by the EXIF specification: (x, y) of a red pixel.
    let turns = [
        (1, 0, (32, 16), (2, 8)),
        (3, 180, (32, 16), (29, 8)),
        (6, 90, (16, 32), (8, 2)),
        (8, 270, (16, 32), (8, 29)),
    ];
    for (orientation, degrees, sides, (x, y)) in turns {
        let path = file("exif", "jpg", &with_orientation(&jpeg, orientation));
        let played = play(&path, uniform(1)).await.unwrap();
        let picture = &played.frames[0].picture;
        assert_eq!(played.facts.rotation_deg, degrees);
        assert_eq!((picture.width(), picture.height()), sides, "{orientation}");
        let at = usize::try_from((y * picture.width() + x) * 3).unwrap();
        assert!(picture.rgb()[at] > 150, "{orientation}: red is elsewhere");
    }
}

#[tokio::test]
async fn a_damaged_image_is_corrupt_and_a_huge_one_passes_a_limit() {
    let png = encoded(&two_halves().into(), ImageFormat::Png);
    let path = file("cut", "png", &png[..png.len() / 2]);
    let error = play(&path, uniform(1)).await.unwrap_err();
    assert!(matches!(error, MediaError::Corrupt(_)), "{error}");

    // Only the header claims the size; the checksum behind it is corrected.
    let mut huge = png;
    huge[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    let checksum = crc32(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&checksum);
    let error = play(&file("huge", "png", &huge), uniform(1))
        .await
        .unwrap_err();
    assert!(matches!(error, MediaError::Limit(_)), "{error}");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}
