//! Another video of a video: its first seconds are decoded, each picture is changed, and all are
//! encoded again, once or several times.

mod bars;
mod caption;
mod codec;
mod grain;
mod line;
mod retouch;
mod screen;

use std::fs::File;
use std::os::fd::OwnedFd;

use image::RgbImage;
use jaga::domain::perturbation::Order;
use jaga::media::protocol::{Kind, MAX_PIECE_BYTES, Made, Request};

use crate::child::Terms;
use crate::fault::{Fault, Stop};
use crate::input::{SNIFF_BYTES, Upload};
use crate::outlet::{Outlet, Pixels};
use crate::sandbox::memory;
use crate::still;
use line::Line;

/// Does what a [`Request::Perturb`] asks for.
pub(crate) fn answer(
    request: Request,
    descriptor: Option<OwnedFd>,
    outlet: &mut Outlet,
) -> Result<(), Stop> {
    let (
        Request::Perturb {
            limits,
            deadline_ms,
            threads,
            order,
        },
        Some(descriptor),
    ) = (request, descriptor)
    else {
        return Err(Fault::internal("the request is not a perturb with a descriptor").into());
    };
    let terms = Terms::new(limits, deadline_ms, threads);
    let upload = Upload::new(File::from(descriptor))?;
    let (film, made) = perturbed(upload, &terms, &order)?;
    if memory::ran_out() {
        return Err(Fault::corrupt("something of the video may be missing").into());
    }
    for piece in film.chunks(MAX_PIECE_BYTES) {
        outlet.bytes(Kind::Piece, piece)?;
    }
    outlet.json(Kind::Made, &made)
}

fn perturbed(upload: Upload, terms: &Terms, order: &Order) -> Result<(Vec<u8>, Made), Stop> {
    let head = upload.head(SNIFF_BYTES)?;
    if head.is_empty() {
        return Err(Fault::empty().into());
    }
    let mut line = Line::new(order, terms)?;
    if let Some(format) = still::sniff(&head) {
        let still = still::Still::open(upload, format, terms)?;
        let picture = still.picture();
        let pixels = Pixels {
            width: picture.width(),
            height: picture.height(),
            rgb: picture.rgb(),
        };
        line.take(0.0, image(pixels)?)?;
    } else {
        codec::excerpt(&upload, terms, order.seconds, &mut |time_s, pixels| {
            line.take(time_s, image(pixels)?)
        })?;
    }
    line.finish()
}

fn image(pixels: Pixels<'_>) -> Result<RgbImage, Fault> {
    RgbImage::from_raw(pixels.width, pixels.height, pixels.rgb.to_vec())
        .ok_or_else(|| Fault::internal("a picture of another size than it says"))
}
