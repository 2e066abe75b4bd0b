//! Black bars are cut off before anything is scored.
//!
//! A dark scene can look like bars, so a frame doesn't decide alone: the first few pictures are
//! held back until their bars are known, and of every picture only what lies outside of both its
//! own bars and those that the first ones agree on is cut off.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use tracing::Span;

use super::error::AnalyzeError;
use super::source::Source;
use crate::domain::frame::{Frame, Picture};
use crate::domain::letterbox::Bars;

/// Pictures that are held back.
const HELD: usize = 4;

/// Bytes of pictures that are held back; at least one is.
const HELD_BYTES: usize = 64 << 20;

/// A frame, and what may be cut off it.
pub(super) struct Framed {
    pub(super) frame: Frame,
    /// How many came before it.
    pub(super) place: usize,
    /// What the first pictures agree on; none where bars are left as they are.
    pub(super) bars: Bars,
    /// Waiting for the decoder.
    pub(super) waited: Duration,
}

impl Framed {
    /// The picture without its bars, and the bars that it had.
    pub(super) fn into_inner(self) -> (Picture, Bars) {
        let picture = self.frame.picture;
        if self.bars.is_none() {
            return (picture, self.bars);
        }
        let own = Bars::of(&picture);
        let bars = own.map_or(self.bars, |own| own.min(self.bars));
        (picture.without(bars), bars)
    }
}

struct State {
    source: Source,
    /// Ends with the last frame.
    _decoding: Span,
    held: VecDeque<(Frame, Duration)>,
    bars: Bars,
    place: usize,
}

/// The frames that come out of `source`. With `cut`, bars that the first ones share are to be
/// cut off; `told` gets them. `decoding` is held until the last one is out.
pub(super) fn framed(
    source: Source,
    cut: bool,
    told: Arc<std::sync::OnceLock<Bars>>,
    decoding: Span,
) -> impl Stream<Item = Result<Framed, AnalyzeError>> {
    let state = State {
        source,
        _decoding: decoding,
        held: VecDeque::new(),
        bars: Bars::default(),
        place: 0,
    };
    stream::try_unfold(state, move |mut state| {
        let told = Arc::clone(&told);
        async move {
            if told.get().is_none() {
                if cut {
                    state.look_ahead().await?;
                }
                let _first = told.set(state.bars);
            }
            let next = match state.held.pop_front() {
                Some(held) => Some(held),
                None => next(&mut state.source).await?,
            };
            Ok(next.map(|(frame, waited)| {
                let (bars, place) = (state.bars, state.place);
                state.place = place.saturating_add(1);
                (
                    Framed {
                        frame,
                        place,
                        bars,
                        waited,
                    },
                    state,
                )
            }))
        }
    })
}

impl State {
    /// Holds the first pictures back and learns the bars that they share.
    async fn look_ahead(&mut self) -> Result<(), AnalyzeError> {
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        while self.held.len() < HELD && bytes < HELD_BYTES {
            let Some((frame, waited)) = next(&mut self.source).await? else {
                break;
            };
            bytes = bytes.saturating_add(frame.picture.rgb().len());
            let (bars, frame) =
                tokio::task::spawn_blocking(move || (Bars::of(&frame.picture), frame)).await?;
            found.push(bars);
            self.held.push_back((frame, waited));
        }
        self.bars = Bars::shared(found.into_iter());
        Ok(())
    }
}

/// The next frame, with the time that was spent waiting for it.
async fn next(source: &mut Source) -> Result<Option<(Frame, Duration)>, AnalyzeError> {
    let begin = Instant::now();
    let frame = source.next().await?;
    Ok(frame.map(|frame| (frame, begin.elapsed())))
}
