//! From decoded frames to upright RGB pictures with square pixels.
//!
//! swscale makes planes, which this module interleaves: with exact rounding and full chroma it
//! has vector code for planar RGB only, and takes five times as long for RGB24.

use std::ffi::c_int;
use std::ptr;

use ffmpeg::{ffi, frame};
use ffmpeg_next as ffmpeg;
use image::metadata::Orientation;
use jaga::media::MediaLimits;

use super::raw::{self, FrameLook};
use crate::fault::{Fault, Stop};
use crate::orientation;
use crate::outlet::Pixels;

/// Bicubic, chroma interpolated to every pixel, exact rounding: a detector looks at pixels.
const FLAGS: c_int =
    ffi::SWS_BICUBIC | ffi::SWS_ACCURATE_RND | ffi::SWS_FULL_CHR_H_INT | ffi::SWS_FULL_CHR_H_INP;
/// Bytes behind the last row, as swscale's vector code may write past a row's end.
const PADDING_BYTES: usize = 256;
/// Rows start at multiples of this, for the same code.
const ALIGNMENT_BYTES: usize = 64;
/// 1.0 in swscale's 16.16 contrast and saturation.
const UNITY: c_int = 1 << 16;

/// How the stream wants its frames shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Display {
    /// The container's sample aspect ratio, which goes before the frame's; 0 where it has none.
    pub(crate) sample_aspect: (i32, i32),
    pub(crate) orientation: Orientation,
}

impl Display {
    /// Sides of a picture as shown, from its coded sides.
    ///
    /// Pixels are made square by widening the side that is too short, never by dropping detail.
    pub(crate) fn shown(
        &self,
        width: u32,
        height: u32,
        frame_aspect: (i32, i32),
        limits: &MediaLimits,
    ) -> Result<(u32, u32), Fault> {
        limits.check_frame(width, height)?;
        let (wide, high) = square(width, height, self.aspect(frame_aspect));
        limits.check_frame(wide, high)?;
        Ok(orientation::turned(self.orientation, wide, high))
    }

    fn aspect(&self, frame_aspect: (i32, i32)) -> (i32, i32) {
        match self.sample_aspect {
            (1.., 1..) => self.sample_aspect,
            _ => frame_aspect,
        }
    }
}

/// Sides with square pixels. A ratio that is none counts as 1:1.
fn square(width: u32, height: u32, (numerator, denominator): (i32, i32)) -> (u32, u32) {
    let (Ok(n @ 1..), Ok(d @ 1..)) = (u64::try_from(numerator), u64::try_from(denominator)) else {
        return (width, height);
    };
    let stretch = |side: u32, by: u64, over: u64| {
        let rounded = (u64::from(side) * by + over / 2) / over;
        u32::try_from(rounded).unwrap_or(u32::MAX)
    };
    if n >= d {
        (stretch(width, n, d), height)
    } else {
        (width, stretch(height, d, n))
    }
}

/// Converts frames; keeps swscale's tables while frames look alike.
pub(crate) struct Converter {
    display: Display,
    limits: MediaLimits,
    scaler: Option<(FrameLook, Scaler)>,
    /// Pixels of the last picture; kept, since fresh memory for each costs as much as converting.
    rgb: Vec<u8>,
}

impl Converter {
    pub(crate) fn new(display: Display, limits: MediaLimits) -> Self {
        Self {
            display,
            limits,
            scaler: None,
            rgb: Vec::new(),
        }
    }

    /// The frame as shown.
    pub(crate) fn picture(&mut self, frame: &frame::Video) -> Result<Pixels<'_>, Stop> {
        let look = raw::look(frame);
        self.display
            .shown(look.width, look.height, look.sample_aspect, &self.limits)?;
        let aspect = self.display.aspect(look.sample_aspect);
        let (width, height) = square(look.width, look.height, aspect);
        let scaler = match self.scaler.take() {
            Some((seen, scaler)) if seen == look => scaler,
            _ => Scaler::new(&look, width, height)?,
        };
        let (_, scaler) = self.scaler.insert((look, scaler));
        scaler.run(frame, &mut self.rgb)?;
        let rgb = std::mem::take(&mut self.rgb);
        let (width, height, rgb) =
            orientation::upright(self.display.orientation, width, height, rgb)?;
        self.rgb = rgb;
        Ok(Pixels {
            width,
            height,
            rgb: &self.rgb,
        })
    }
}

/// An swscale context from one look of frames to planes of RGB.
struct Scaler {
    context: *mut ffi::SwsContext,
    width: u32,
    height: u32,
    planes: Vec<u8>,
}

impl Scaler {
    #[allow(unsafe_code, reason = "the wrapper can't set matrix and range")]
    fn new(look: &FrameLook, width: u32, height: u32) -> Result<Self, Fault> {
        let sides = [look.width, look.height, width, height].map(c_int::try_from);
        let [Ok(from_width), Ok(from_height), Ok(to_width), Ok(to_height)] = sides else {
            return Err(Fault::internal("sides beyond the limits"));
        };
        // SAFETY: positive sides and a format that came from a decoded frame; null filters and
        // parameters mean the defaults.
        let context = unsafe {
            ffi::sws_getContext(
                from_width,
                from_height,
                look.format,
                to_width,
                to_height,
                ffi::AVPixelFormat::AV_PIX_FMT_GBRP,
                FLAGS,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            )
        };
        if context.is_null() {
            return Err(Fault::unsupported_codec(
                "a pixel format that can't be converted",
            ));
        }
        let scaler = Self {
            context,
            width,
            height,
            planes: Vec::new(),
        };
        // SAFETY: the context is valid; the tables are static. Formats that have no matrix, such
        // as RGB, answer with an error that means nothing here.
        unsafe {
            ffi::sws_setColorspaceDetails(
                context,
                ffi::sws_getCoefficients(matrix(look)),
                c_int::from(look.full_range),
                ffi::sws_getCoefficients(ffi::SWS_CS_DEFAULT),
                1,
                0,
                UNITY,
                UNITY,
            );
        }
        Ok(scaler)
    }

    #[allow(unsafe_code, reason = "swscale reads and writes raw memory")]
    fn run(&mut self, frame: &frame::Video, rgb: &mut Vec<u8>) -> Result<(), Fault> {
        let (Ok(width), Ok(height)) = (usize::try_from(self.width), usize::try_from(self.height))
        else {
            return Err(Fault::internal("sides beyond the limits"));
        };
        let stride = width.next_multiple_of(ALIGNMENT_BYTES);
        let size = stride.saturating_mul(height);
        let bytes = size.saturating_mul(3).saturating_add(PADDING_BYTES);
        self.planes.resize(bytes, 0);
        let (green, rest) = self.planes.split_at_mut(size);
        let (blue, red) = rest.split_at_mut(size);
        let pointers = [
            green.as_mut_ptr(),
            blue.as_mut_ptr(),
            red.as_mut_ptr(),
            ptr::null_mut(),
        ];
        let linesize = c_int::try_from(stride).unwrap_or(0);
        // SAFETY: the context was made for this frame's size and format; the planes hold all
        // rows of the target, the last one with the padding that vector code may touch.
        let rows = unsafe {
            let pointer = frame.as_ptr();
            ffi::sws_scale(
                self.context,
                (*pointer).data.as_ptr().cast(),
                (*pointer).linesize.as_ptr(),
                0,
                (*pointer).height,
                pointers.as_ptr(),
                [linesize, linesize, linesize, 0].as_ptr(),
            )
        };
        if u32::try_from(rows) != Ok(self.height) {
            return Err(Fault::internal("a frame could not be converted whole"));
        }
        interleave(width, stride, [red, green, blue], rgb);
        Ok(())
    }
}

/// RGB24 without padding, of red, green and blue rows that are `stride` bytes apart.
fn interleave(width: usize, stride: usize, planes: [&[u8]; 3], rgb: &mut Vec<u8>) {
    let [red, green, blue] = planes.map(|plane| plane.chunks_exact(stride.max(1)));
    let width_bytes = width.saturating_mul(3).max(1);
    rgb.resize(width_bytes.saturating_mul(green.len()), 0);
    let rows = rgb.chunks_exact_mut(width_bytes);
    for (row, ((red, green), blue)) in rows.zip(red.zip(green).zip(blue)) {
        let pixels = red.iter().zip(green).zip(blue);
        for (pixel, ((r, g), b)) in row.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
            *pixel = [*r, *g, *b];
        }
    }
}

impl Drop for Scaler {
    #[allow(unsafe_code, reason = "frees what `new` made")]
    fn drop(&mut self) {
        // SAFETY: made by `sws_getContext`, freed once.
        unsafe { ffi::sws_freeContext(self.context) }
    }
}

/// The matrix of the frame. Where it doesn't say, as players do: BT.709 from 720 lines (or 1280
/// columns) on, BT.601 below.
fn matrix(look: &FrameLook) -> c_int {
    match look.color.matrix {
        1 => ffi::SWS_CS_ITU709,
        4 => ffi::SWS_CS_FCC,
        5 | 6 => ffi::SWS_CS_ITU601,
        7 => ffi::SWS_CS_SMPTE240M,
        9 | 10 => ffi::SWS_CS_BT2020,
        _ if look.height >= 720 || look.width >= 1280 => ffi::SWS_CS_ITU709,
        _ => ffi::SWS_CS_ITU601,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_become_square_by_growing() {
        assert_eq!(square(720, 576, (16, 15)), (768, 576));
        assert_eq!(square(1440, 1080, (4, 3)), (1920, 1080));
        assert_eq!(square(720, 480, (8, 9)), (720, 540));
        assert_eq!(square(100, 50, (0, 1)), (100, 50));
        assert_eq!(square(100, 50, (-4, 3)), (100, 50));
        assert_eq!(square(100, 50, (i32::MAX, 1)).0, u32::MAX);
    }
}
