//! Whose certificates are believed.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::OutboundError;

/// TLS 1.2 and 1.3 with the system's roots and those of `extra_ca`, HTTP/1.1 alone, without a
/// certificate of our own. Without any root it is an error, unless `can_do_without` TLS.
pub(super) fn client_config(
    extra_ca: Option<&Path>,
    can_do_without: bool,
) -> Result<Arc<ClientConfig>, OutboundError> {
    let mut roots = RootCertStore::empty();
    // One that can't be read is none; that there is one at all is checked below.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_ca {
        add(&mut roots, path)?;
    }
    if roots.is_empty() && !can_do_without {
        return Err(OutboundError::NoRoots);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| OutboundError::Setup {
            what: "TLS",
            source: std::io::Error::other(source),
        })?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), OutboundError> {
    let wrong = |source| OutboundError::File {
        path: path.to_owned(),
        expected: "certificates in PEM",
        source,
    };
    let text = std::fs::read(path).map_err(|error| wrong(Some(error)))?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| wrong(Some(std::io::Error::other(e))))?;
        roots
            .add(certificate)
            .map_err(|e| wrong(Some(std::io::Error::other(e))))?;
    }
    if roots.len() == before {
        return Err(wrong(None));
    }
    Ok(())
}
