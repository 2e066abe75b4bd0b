//! What the decoder asks of an opened upload, whatever it is.

use jaga::domain::media::MediaFacts;
use jaga::domain::plan::FramePlan;

use crate::fault::Stop;
use crate::outlet::Outlet;

/// An opened upload.
pub(crate) trait Source {
    /// What is known of it.
    fn facts(&self) -> &MediaFacts;
    /// Sends chosen, then every chosen frame or its miss; the number of packets that were decoded.
    fn play(&mut self, plan: &FramePlan, outlet: &mut Outlet) -> Result<u64, Stop>;
}
