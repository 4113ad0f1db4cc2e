//! Which certificates are accepted, as settings of TLS.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use crate::target::{Certificates, Target};

/// Certificates to trust in addition to the system's, in DER. Empty but for services with a private authority.
pub type ExtraRoots = [CertificateDer<'static>];

/// Whom a client takes for the service.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Whoever the system's authorities, or these, vouch for.
    VouchedFor(&'a ExtraRoots),
    /// Whoever answers.
    Anyone,
}

impl<'a> Trust<'a> {
    /// What a target asks for.
    pub fn of(target: &Target, roots: &'a ExtraRoots) -> Self {
        match target.certificates {
            Certificates::Checked => Self::VouchedFor(roots),
            Certificates::Unchecked => Self::Anyone,
        }
    }
}

/// Settings that offer HTTP/2 and HTTP/1.1.
pub(super) fn tls_config(trust: Trust<'_>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = match trust {
        Trust::VouchedFor(extra) => builder.with_root_certificates(authorities(extra)),
        Trust::Anyone => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked { provider })),
    }
    .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Those of the system, or where it has none, those that are built in.
fn authorities(extra: &ExtraRoots) -> rustls::RootCertStore {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(extra.iter().cloned());
    roots
}

/// Accepts every certificate and every signature, also of certificates that cannot be read.
#[derive(Debug)]
struct Unchecked {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _shown: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
