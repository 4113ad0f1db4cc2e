//! Where a server listens, and whether anybody does.

use std::fmt;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest time for a connection to a port of this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address; an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Somebody accepts connections there.
    pub fn answers(&self) -> bool {
        let Ok(found) = (self.host.as_str(), self.port).to_socket_addrs() else {
            return false;
        };
        let mut found = found;
        found.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
    }
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
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_answers_while_somebody_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address {
            host: "localhost".to_owned(),
            port: listener.local_addr().unwrap().port(),
        };
        assert!(address.answers());
        drop(listener);
        assert!(!address.answers());
    }

    #[test]
    fn an_ipv6_address_has_brackets_before_its_port() {
        let shown = |host: &str| {
            Address {
                host: host.to_owned(),
                port: 1,
            }
            .to_string()
        };
        assert_eq!([shown("::1"), shown("a.b")], ["[::1]:1", "a.b:1"]);
    }
}
