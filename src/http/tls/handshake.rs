//! The first words on a connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Tls;
use crate::telemetry::metrics::Handshake;

/// Most bytes of a request without TLS that are read to be thrown away.
const MOST_PLAIN_BYTES: usize = 64 * 1024;

/// How a handshake ended that gave no connection.
pub(in crate::http) enum NoTls {
    /// The client speaks HTTP without TLS; the connection is given back for a last word.
    Plain(TcpStream),
    /// It took too long, or is no handshake that can be finished.
    Failed(Handshake, io::Error),
}

/// Agrees on a connection's keys within `limit`.
pub(in crate::http) async fn shake_hands(
    tls: &Tls,
    stream: TcpStream,
    limit: Duration,
) -> Result<TlsStream<TcpStream>, NoTls> {
    let hands = async {
        let mut first = [0];
        let begun = stream.peek(&mut first).await;
        // TLS begins with 22, a method with a letter.
        if begun.is_ok() && first[0].is_ascii_alphabetic() {
            return Err(NoTls::Plain(stream));
        }
        let shaken = tls.acceptor().accept(stream).await;
        shaken.map_err(|error| NoTls::Failed(Handshake::Failed, error))
    };
    timeout(limit, hands).await.unwrap_or_else(|late| {
        let error = io::Error::new(io::ErrorKind::TimedOut, late);
        Err(NoTls::Failed(Handshake::TimedOut, error))
    })
}

/// Says `answer`, which any socket has room for, to a client without TLS.
pub(in crate::http) async fn plain_words(mut stream: TcpStream, answer: &[u8]) {
    // What isn't read would turn the close into a reset, and the answer would be lost.
    let mut rest = MOST_PLAIN_BYTES;
    let mut piece = [0; 4096];
    while rest > 0 {
        match stream.try_read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => rest = rest.saturating_sub(bytes),
        }
    }
    // A client that is gone needs no answer.
    if stream.write_all(answer).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}
