//! A certificate with its key, read from two files.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use super::error::TlsError;

/// What a connection begins with.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) acceptor: TlsAcceptor,
    /// When clients begin to refuse it.
    pub(super) not_after: Timestamp,
}

impl Pair {
    /// Reads both files. TLS 1.2 and 1.3 with ring's algorithms; HTTP/2 is preferred, HTTP/1.1
    /// offered (ALPN, RFC 7301). A certificate that isn't valid `now` is an error: every client
    /// would refuse it.
    pub(super) fn load(certificate: &Path, key: &Path, now: Timestamp) -> Result<Self, TlsError> {
        let chain = chain(certificate)?;
        let not_after = valid(certificate, &chain, now)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
            what: "private key",
            path: key.to_owned(),
            source,
        })?;
        let unusable = |source| TlsError::Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            source,
        };
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(unusable)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            not_after,
        })
    }
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::File {
            what: "certificate",
            path: path.to_owned(),
            source,
        })
}

/// The last moment at which the first of the chain is valid.
fn valid(path: &Path, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<Timestamp, TlsError> {
    let path = path.to_owned();
    let Some(own) = chain.first() else {
        return Err(TlsError::Empty { path });
    };
    let own = match Certificate::from_der(own) {
        Ok(own) => own,
        Err(source) => return Err(TlsError::Malformed { path, source }),
    };
    let validity = own.tbs_certificate().validity();
    let (not_before, not_after) = (moment(validity.not_before), moment(validity.not_after));
    if now < not_before || now > not_after {
        return Err(TlsError::NotValidNow {
            path,
            not_before,
            not_after,
            now,
        });
    }
    Ok(not_after)
}

/// X.509 has no time before 1970 or after 9999.
fn moment(time: Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok();
    seconds
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A pair whose certificate is valid in the year 2020.
    fn write(folder: &Path) -> [PathBuf; 2] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 12, 31);
        let own = params.self_signed(&key).unwrap();
        let paths = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
        std::fs::write(&paths[0], own.pem()).unwrap();
        std::fs::write(&paths[1], key.serialize_pem()).unwrap();
        paths
    }

    fn load(paths: &[PathBuf; 2], now: &str) -> Result<Pair, TlsError> {
        Pair::load(&paths[0], &paths[1], now.parse().unwrap())
    }

    #[test]
    fn a_certificate_is_taken_while_it_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let paths = write(folder.path());
        let pair = load(&paths, "2020-06-01T00:00:00Z").unwrap();
        assert_eq!(pair.not_after, "2020-12-31T00:00:00Z".parse().unwrap());
        for now in ["2019-12-31T23:59:59Z", "2020-12-31T00:00:01Z"] {
            let told = load(&paths, now).err().unwrap().to_string();
            assert!(
                told.contains("certificate.pem")
                    && told.contains("2020-12-31")
                    && told.contains(now),
                "{told}"
            );
        }
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let now = "2020-06-01T00:00:00Z";
        let [certificate, key] = write(folder.path());
        let told = load(&[key.clone(), key.clone()], now).err().unwrap();
        assert!(matches!(told, TlsError::Empty { .. }), "{told}");
        let told = load(&[certificate.clone(), certificate.clone()], now);
        assert!(matches!(
            told.err(),
            Some(TlsError::File {
                what: "private key",
                ..
            })
        ));
        let none = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&certificate, none).unwrap();
        let told = load(&[certificate, key], now).err().unwrap();
        assert!(matches!(told, TlsError::Malformed { .. }), "{told}");
    }
}
