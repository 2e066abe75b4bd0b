//! stub
/// stub
pub struct Decoder;
/// stub
pub struct OpenMedia;
