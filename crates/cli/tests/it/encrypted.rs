//! An encrypted service: TLS with a certificate that nobody vouches for, in front of the simulated engine.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Place, Sim};

/// The service. It ends with the test's process.
pub(crate) struct Encrypted {
    /// Beginning of its URL.
    pub(crate) url: String,
    /// Its certificate, as PEM.
    pub(crate) certificate: PathBuf,
}

impl Encrypted {
    /// In front of an engine; the certificate is for `127.0.0.1`.
    pub(crate) fn before(sim: &Sim, place: &Place) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = place.path("service.pem");
        fs::write(&certificate, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let behind = sim.root().replacen("http://", "", 1);
        thread::spawn(move || serve(listener, &TlsAcceptor::from(Arc::new(config)), &behind));
        Self { url, certificate }
    }
}

fn serve(listener: std::net::TcpListener, acceptor: &TlsAcceptor, behind: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.to_owned());
            tokio::spawn(async move {
                let mut engine = TcpStream::connect(behind).await?;
                let mut service = acceptor.accept(tcp).await?;
                copy_bidirectional(&mut service, &mut engine).await
            });
        }
    });
}
