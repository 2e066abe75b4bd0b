//! Faces: what a finder's outputs say, and what a face model sees of them.
//!
//! Pure. A picture is fitted to a finder's input ([`fit`]), the outputs are decoded ([`decode`], a
//! file a family of finders) and thinned out ([`suppress`]), and [`Cropper`] cuts a face out of the
//! picture. `docs/faces.md` is the page on it.

mod align;
mod centerface;
mod crop;
pub mod decode;
pub mod fit;
pub mod suppress;
mod warp;

pub use centerface::CenterFace;
pub use crop::{CropError, Cropper};
