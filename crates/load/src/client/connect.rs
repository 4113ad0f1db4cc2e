//! Opens connections: name look-up, proxy, TCP, TLS. Time spent here is kept apart from the service's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crestline_core::record::{Failure, FailureKind};
use crestline_core::units::Nanos;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::{Address, AddressError, proxy_for};
use super::http2::Link;
use super::tcp::Tcp;
use super::trust::{Trust, tls_config};
use super::wire::Wire;
use crate::clock::Clock;
use crate::target::Secret;

/// Longest time for the first connection, where no connect time-out is set.
const TRIAL_LIMIT: Nanos = Nanos::from_secs(60);

/// The way to the service, found once for a run.
#[derive(Debug, Clone)]
pub struct Route {
    address: Address,
    proxy: Option<Address>,
    hops: Vec<SocketAddr>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    timeout: Nanos,
    http2: bool,
}

/// A way that cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The URL or a proxy's.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The name look-up failed.
    #[error("the host name `{host}` cannot be looked up")]
    Dns {
        /// The name.
        host: String,
        /// The system's error.
        source: io::Error,
    },
    /// The name is none that a certificate can be for.
    #[error("`{0}` is not a host name that a certificate can be issued for")]
    ServerName(String),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

impl Route {
    /// Looks up names and loads certificates. `env` gives the proxy variables.
    pub async fn find(
        url: &str,
        timeout: Nanos,
        trust: Trust<'_>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, RouteError> {
        let address = Address::of_service(url)?;
        let proxy = proxy_for(&address, env)?;
        let first = proxy.as_ref().unwrap_or(&address);
        let dns = |source| RouteError::Dns {
            host: first.host.clone(),
            source,
        };
        let hops: Vec<_> = tokio::net::lookup_host((first.host.as_str(), first.port))
            .await
            .map_err(dns)?
            .collect();
        let tls = if address.tls {
            let name = ServerName::try_from(address.host.clone());
            let name = name.map_err(|_| RouteError::ServerName(address.host.clone()))?;
            Some((Arc::new(tls_config(trust)?), name))
        } else {
            None
        };
        Ok(Self {
            address,
            proxy,
            hops,
            tls,
            timeout,
            http2: false,
        })
    }

    /// Opens a connection where the service is reached by TLS, to see that it can be and whether HTTP/2 is spoken. All
    /// others are then asked for the same protocol.
    pub async fn try_out(&mut self) -> Result<(), Failure> {
        if self.tls.is_none() {
            return Ok(());
        }
        let limit = self.timeout.min(TRIAL_LIMIT);
        self.http2 = within(limit, self.open()).await?.speaks_http2();
        if let Some((config, _)) = &mut self.tls {
            let only: &[u8] = if self.http2 { b"h2" } else { b"http/1.1" };
            Arc::make_mut(config).alpn_protocols = vec![only.to_vec()];
        }
        Ok(())
    }

    /// Asks servers for HTTP/1.1 alone from now on.
    pub fn keep_to_http1(&mut self) {
        self.http2 = false;
        if let Some((config, _)) = &mut self.tls {
            Arc::make_mut(config).alpn_protocols = vec![b"http/1.1".to_vec()];
        }
    }

    /// Requests go over HTTP/2, many at a time over one connection.
    pub fn is_http2(&self) -> bool {
        self.http2
    }

    /// The service's address.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What stands in the request line: the path, or the whole URL where an HTTP proxy forwards the request.
    pub fn request_target(&self) -> String {
        match (&self.proxy, self.address.tls) {
            (Some(_), false) => format!("http://{}{}", self.address.authority(), self.address.path),
            _ => self.address.path.clone(),
        }
    }

    /// What an HTTP proxy that forwards requests wants to be sent with each, as `Proxy-Authorization`.
    pub fn proxy_credentials(&self) -> Option<&Secret> {
        let proxy = self.proxy.as_ref().filter(|_| !self.address.tls)?;
        proxy.credentials.as_ref()
    }

    /// Opens a connection, within the connect time-out; without one, within that of a whole request.
    pub async fn connect(&self) -> Result<Wire, Failure> {
        within(self.timeout, self.open()).await
    }

    /// Opens a connection and begins HTTP/2 on it, within the connect time-out.
    pub async fn connect_http2(&self, clock: Clock) -> Result<Link, Failure> {
        let open = async {
            let wire = self.open().await?;
            if !wire.speaks_http2() {
                let text = "the server does not choose HTTP/2 any more".to_owned();
                return Err(failure(FailureKind::Tls, text));
            }
            Link::open(wire, clock).await
        };
        within(self.timeout, open).await
    }

    async fn open(&self) -> Result<Wire, Failure> {
        let mut tcp = self.open_tcp().await?;
        let Some((config, name)) = &self.tls else {
            return Ok(Wire::Plain(Tcp::new(tcp)));
        };
        if let Some(proxy) = &self.proxy {
            tunnel(&mut tcp, &self.address, proxy).await?;
        }
        let connector = TlsConnector::from(Arc::clone(config));
        let tls = connector.connect(name.clone(), Tcp::new(tcp)).await;
        tls.map(|tls| Wire::Tls(Box::new(tls)))
            .map_err(|error| failure(FailureKind::Tls, error.to_string()))
    }

    /// The first address that answers.
    async fn open_tcp(&self) -> Result<TcpStream, Failure> {
        let mut last = failure(
            FailureKind::Dns,
            format!("{} has no address", self.address.host),
        );
        for hop in &self.hops {
            match TcpStream::connect(hop).await {
                Ok(tcp) => {
                    let option = tcp.set_nodelay(true);
                    return option
                        .map(|()| tcp)
                        .map_err(|error| connect_failure(*hop, &error));
                }
                Err(error) => last = connect_failure(*hop, &error),
            }
        }
        Err(last)
    }
}

async fn within<T>(
    limit: Nanos,
    open: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let result = tokio::time::timeout(limit.to_duration(), open).await;
    result.unwrap_or_else(|_| {
        let text = format!("no connection within {limit}");
        Err(failure(FailureKind::ConnectTimeout, text))
    })
}

/// Asks an HTTP proxy for a tunnel.
async fn tunnel(tcp: &mut TcpStream, to: &Address, proxy: &Address) -> Result<(), Failure> {
    let wrong = |text: String| {
        failure(
            FailureKind::Connect,
            format!("the proxy opens no tunnel: {text}"),
        )
    };
    let authority = if to.host.contains(':') {
        format!("[{}]:{}", to.host, to.port)
    } else {
        format!("{}:{}", to.host, to.port)
    };
    let mut ask = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credentials) = &proxy.credentials {
        ask.extend(["Proxy-Authorization: ", credentials.reveal(), "\r\n"]);
    }
    ask += "\r\n";
    tcp.write_all(ask.as_bytes())
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = tcp
            .read_u8()
            .await
            .map_err(|error| wrong(error.to_string()))?;
        answer.push(byte);
        if answer.len() > 16 * 1024 {
            return Err(wrong("its answer has no end".to_owned()));
        }
    }
    let line = String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    if line.split(' ').nth(1) == Some("200") {
        Ok(())
    } else {
        Err(wrong(line))
    }
}

fn connect_failure(hop: SocketAddr, error: &io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::ConnectRefused,
        io::ErrorKind::TimedOut => FailureKind::ConnectTimeout,
        _ => FailureKind::Connect,
    };
    failure(kind, format!("{hop}: {error}"))
}

fn failure(kind: FailureKind, text: String) -> Failure {
    Failure { kind, text }
}
