//! Whether the facts that a child tells can be true.

use super::ProtocolError;
use crate::domain::media::MediaFacts;
use crate::media::limits::MediaLimits;

/// Longest name of a container, a codec or a colour.
const MAX_NAME_BYTES: usize = 64;

/// Checks that facts can be true under `limits`.
pub fn check_facts(facts: &MediaFacts, limits: &MediaLimits) -> Result<(), ProtocolError> {
    if limits.check_frame(facts.width, facts.height).is_err() {
        return Err(ProtocolError::Lie(
            "facts with a frame larger than the limits",
        ));
    }
    if !(facts.duration_s.is_finite() && facts.duration_s >= 0.0)
        || limits.check_duration(facts.duration_s).is_err()
    {
        return Err(ProtocolError::Lie(
            "facts with a duration outside the limits",
        ));
    }
    if facts
        .frame_rate
        .is_some_and(|rate| !rate.is_finite() || rate <= 0.0)
    {
        return Err(ProtocolError::Lie("facts with a frame rate that is none"));
    }
    if ![0, 90, 180, 270].contains(&facts.rotation_deg) {
        return Err(ProtocolError::Lie("facts with a turn that is none"));
    }
    // A packet can hold a shown frame and one that is shown later.
    if facts.frame_count > limits.max_packets.saturating_mul(2) {
        return Err(ProtocolError::Lie("facts with more frames than packets"));
    }
    if !names(facts).all(is_name) {
        return Err(ProtocolError::Lie("facts with a name that is none"));
    }
    Ok(())
}

fn names(facts: &MediaFacts) -> impl Iterator<Item = &str> {
    let color = &facts.color;
    let colors = [
        &color.primaries,
        &color.transfer,
        &color.matrix,
        &color.range,
    ];
    [&facts.container, &facts.video_codec]
        .into_iter()
        .chain(colors.into_iter().flatten())
        .map(String::as_str)
}

/// True for a name as FFmpeg's tables have them: short, of plain characters.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}
