//! Certificates made for one test, and servers that show them.

use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate that signs itself, for one host.
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    pub(crate) fn of(host: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        Self {
            der: made.cert.der().clone(),
            key: made.signing_key.serialize_der(),
        }
    }

    /// What a client must trust to accept it.
    pub(crate) fn roots(&self) -> Vec<CertificateDer<'static>> {
        vec![self.der.clone()]
    }

    /// A server's settings, with the protocols that it offers.
    pub(crate) fn config(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.roots(), key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

/// Wraps a server's side of a connection in TLS.
pub(crate) fn encrypted(
    config: Arc<ServerConfig>,
) -> impl Fn(TcpStream) -> Option<StreamOwned<ServerConnection, TcpStream>> {
    move |tcp| {
        let tls = ServerConnection::new(Arc::clone(&config)).ok()?;
        Some(StreamOwned::new(tls, tcp))
    }
}
