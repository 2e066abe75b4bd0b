//! Why there is no TLS.

use std::path::PathBuf;

use jiff::Timestamp;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

/// A fault of the certificate's files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that can't be read or is no PEM of its kind.
    #[error("can't read the {what} in {}", path.display())]
    File {
        /// Certificate or private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: pem::Error,
    },
    /// A file of certificates without one.
    #[error("{} has no certificate (PEM, the server's own first)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that can't be understood.
    #[error("the first certificate in {} is none", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: x509_cert::der::Error,
    },
    /// A certificate that clients would refuse now.
    #[error(
        "the certificate in {} is valid from {not_before} to {not_after}, and now it is {now}",
        path.display()
    )]
    NotValidNow {
        /// The file.
        path: PathBuf,
        /// First moment.
        not_before: Timestamp,
        /// Last moment.
        not_after: Timestamp,
        /// When it was looked at.
        now: Timestamp,
    },
    /// Files that don't belong together, or that hold what rustls doesn't take.
    #[error("can't use {} with {}", certificate.display(), key.display())]
    Pair {
        /// The file of certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}
