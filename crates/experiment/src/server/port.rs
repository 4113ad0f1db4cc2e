//! Where a server listens, and whether anybody else has the port.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Longest time for a connection.
const PATIENCE: Duration = Duration::from_secs(2);

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// A name or an address; an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// A server could not listen there, or somebody accepts connections.
    ///
    /// Both are tried. To listen is what the server will do: it fails also where somebody has the port and accepts nothing
    /// yet, or listens at all addresses of the machine; connections of an earlier server that the system still remembers do
    /// not matter, because servers allow for them (`SO_REUSEADDR`). To connect finds what is forwarded from here to another
    /// machine or container. At a loopback address both families are looked at: clients that are told `localhost` use either.
    pub fn is_taken(&self) -> bool {
        let all = self.found();
        all.iter().any(|address| is_bound(*address)) || all.iter().any(|address| accepts(*address))
    }

    fn found(&self) -> Vec<SocketAddr> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        let is_here =
            |address: &SocketAddr| address.ip().is_loopback() || address.ip().is_unspecified();
        if found.iter().any(is_here) {
            let loopback = [
                IpAddr::from(Ipv4Addr::LOCALHOST),
                IpAddr::from(Ipv6Addr::LOCALHOST),
            ];
            for address in loopback.map(|ip| SocketAddr::new(ip, self.port)) {
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }
}

/// Addresses of other machines, and ports that only the system may have, are not bound and not counted here.
fn is_bound(address: SocketAddr) -> bool {
    matches!(TcpListener::bind(address), Err(error) if error.kind() == ErrorKind::AddrInUse)
}

fn accepts(address: SocketAddr) -> bool {
    let Ok(connection) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return false;
    };
    // A connection to a free port that the system takes for this end of it as well reaches nobody else.
    let ends = (connection.local_addr(), connection.peer_addr());
    !matches!(ends, (Ok(here), Ok(there)) if here == there)
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_port_is_taken_while_somebody_listens_at_any_address_of_this_machine() {
        for theirs in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            let listener = TcpListener::bind(theirs).unwrap();
            let port = listener.local_addr().unwrap().port();
            for ours in ["localhost", "127.0.0.1", "::1", "0.0.0.0"] {
                assert!(address(ours, port).is_taken(), "{theirs} {ours}");
            }
            drop(listener);
            assert!(!address("localhost", port).is_taken(), "{theirs}");
        }
    }

    #[test]
    fn a_port_that_is_bound_and_accepts_nothing_is_taken_as_well() {
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = held.local_addr().unwrap().port();
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(address("127.0.0.1", port).is_taken());
        drop(held);
        assert!(!address("127.0.0.1", port).is_taken());
    }

    #[test]
    fn connections_that_the_system_still_remembers_take_no_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (served, _) = listener.accept().unwrap();
        // The server's end closes first, and is the one that is remembered.
        drop(served);
        drop(listener);
        drop(client);
        assert!(!address("127.0.0.1", port).is_taken());
    }

    #[test]
    fn an_ipv6_address_has_brackets_before_its_port() {
        let shown = |host: &str| address(host, 1).to_string();
        assert_eq!([shown("::1"), shown("a.b")], ["[::1]:1", "a.b:1"]);
    }
}
