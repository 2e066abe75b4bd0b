//! From pieces as they arrive to a spooled upload.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::error::StoreError;
use super::spool::{SpoolWriter, Upload};

/// Pieces between the network and the disk.
const PIECES_IN_FLIGHT: usize = 8;

/// A spool file that is written on a blocking thread. Dropping it leaves nothing.
#[derive(Debug)]
pub struct Feed {
    pieces: mpsc::Sender<Bytes>,
    written: JoinHandle<Result<Upload, StoreError>>,
}

impl Feed {
    /// Writes into `writer` what is pushed.
    pub fn new(mut writer: SpoolWriter) -> Self {
        let (pieces, mut receiver) = mpsc::channel::<Bytes>(PIECES_IN_FLIGHT);
        let written = tokio::task::spawn_blocking(move || {
            while let Some(piece) = receiver.blocking_recv() {
                writer.write(&piece)?;
            }
            Ok(writer.finish())
        });
        Self { pieces, written }
    }

    /// Adds a piece, once there is room for it. `false`: nothing more can be written;
    /// [`Feed::finish`] says why.
    pub async fn push(&self, piece: Bytes) -> bool {
        self.pieces.send(piece).await.is_ok()
    }

    /// The whole upload.
    pub async fn finish(self) -> Result<Result<Upload, StoreError>, JoinError> {
        drop(self.pieces);
        self.written.await
    }
}
