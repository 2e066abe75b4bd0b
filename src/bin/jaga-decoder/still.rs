//! Still images, by the `image` crate: a video of one frame without a duration.

use std::io::{BufReader, Seek};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use jaga::domain::frame::Picture;
use jaga::domain::media::{ColorFacts, MediaFacts};
use jaga::domain::plan::FramePlan;
use jaga::domain::windows::WindowPlan;
use jaga::media::MediaLimits;
use jaga::media::protocol::{Chosen, ChosenStills, ChosenWindows};

use crate::fault::{Fault, Stop};
use crate::input::Upload;
use crate::outlet::{Outlet, Pixels};
use crate::{Source, Terms, orientation};

/// Bytes that the image decoder may have allocated for each allowed pixel: 16-bit RGBA twice.
const BYTES_PER_PIXEL: u64 = 16;

/// A decoded still image.
pub(crate) struct Still {
    facts: MediaFacts,
    picture: Picture,
}

/// The image format whose signature `head` begins with.
pub(crate) fn sniff(head: &[u8]) -> Option<ImageFormat> {
    match head {
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(ImageFormat::Png),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(ImageFormat::WebP),
        _ => None,
    }
}

impl Still {
    pub(crate) fn open(upload: Upload, format: ImageFormat, terms: &Terms) -> Result<Self, Stop> {
        let picture = decode(upload, format, &terms.limits)?;
        let name = format.extensions_str().last().copied().unwrap_or("image");
        let facts = MediaFacts {
            container: name.to_owned(),
            video_codec: name.to_owned(),
            width: picture.0.width(),
            height: picture.0.height(),
            rotation_deg: orientation::degrees(picture.1),
            duration_s: 0.0,
            frame_rate: None,
            variable_frame_rate: false,
            color: ColorFacts::default(),
            has_audio: false,
            frame_count: 1,
            truncated: false,
        };
        Ok(Self {
            facts,
            picture: picture.0,
        })
    }
}

impl Still {
    /// The picture, upright.
    #[allow(dead_code, reason = "of the perturber alone")]
    pub(crate) fn picture(&self) -> &Picture {
        &self.picture
    }
}

impl Source for Still {
    fn facts(&self) -> &MediaFacts {
        &self.facts
    }

    fn play(&mut self, plan: &FramePlan, outlet: &mut Outlet) -> Result<u64, Stop> {
        let no_window = |kind: &WindowPlan| ChosenWindows {
            windows: Vec::new(),
            missing: kind.count,
        };
        outlet.chosen(Chosen {
            times_s: vec![0.0],
            stills: ChosenStills {
                frames: vec![0],
                missing: 0,
            },
            windows: plan.windows.iter().map(no_window).collect(),
        })?;
        outlet.frame(
            0,
            Pixels {
                width: self.picture.width(),
                height: self.picture.height(),
                rgb: self.picture.rgb(),
            },
        )?;
        Ok(1)
    }
}

fn decode(
    mut upload: Upload,
    format: ImageFormat,
    limits: &MediaLimits,
) -> Result<(Picture, Orientation), Stop> {
    upload.rewind()?;
    let mut reader = ImageReader::with_format(BufReader::new(upload), format);
    // The sides are checked below, where the error can say both figures.
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL));
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(|error| fault(&error))?;
    let (width, height) = decoder.dimensions();
    limits.check_frame(width, height)?;
    // A damaged EXIF block doesn't make the picture unreadable.
    let turn = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| fault(&error))?;
    image.apply_orientation(turn);
    // Drops alpha without blending and scales 16 bits down, as Pillow's `convert("RGB")` does.
    let rgb = image.into_rgb8();
    let (width, height) = rgb.dimensions();
    let picture = Picture::new(width, height, rgb.into_raw())
        .map_err(|error| Fault::corrupt(error.to_string()))?;
    Ok((picture, turn))
}

fn fault(error: &ImageError) -> Stop {
    match error {
        ImageError::Unsupported(_) => Fault::unsupported_codec("a kind of image that is not read"),
        ImageError::Limits(_) => Fault::corrupt("the image needs more memory than its size allows"),
        ImageError::IoError(_)
        | ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_) => Fault::corrupt("the image can't be decoded"),
    }
    .into()
}
