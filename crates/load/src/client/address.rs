//! Where requests go: the parts of a URL, and the proxy on the way.
//!
//! Opens nothing; the environment is an argument.

use std::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;

use crate::target::{Secret, masked_url};

/// The parts of an endpoint's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Encrypted.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, from the first slash.
    pub path: String,
    /// `Basic …` for an authorization header, where the URL has a user name or a password.
    pub credentials: Option<Secret>,
}

/// A URL that requests cannot be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Cannot be parsed, or has no host.
    #[error("`{0}` is not a URL such as http://127.0.0.1:8000/v1/chat/completions")]
    NotAUrl(String),
    /// Neither http nor https.
    #[error("`{url}` has the scheme `{scheme}`, but only http and https are spoken")]
    Scheme {
        /// The URL.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// User name or password before the host: URLs are written to files, and secrets are not.
    #[error(
        "the URL of {0} has a user name or a password in it; send an `Authorization` header in its place"
    )]
    Credentials(String),
    /// A proxy of another kind.
    #[error("the proxy `{0}` is not of the kind http://HOST:PORT, the only one that is spoken")]
    Proxy(String),
}

impl Address {
    /// Takes a URL apart.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::NotAUrl(masked_url(url));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(scheme) => {
                return Err(AddressError::Scheme {
                    url: masked_url(url),
                    scheme: scheme.to_owned(),
                });
            }
            None => return Err(wrong()),
        };
        let place = uri.authority().map_or("", |place| place.as_str());
        let (user, place) = match place.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, place),
        };
        let name = uri.host().unwrap_or_default();
        let host = bare_host(name).ok_or_else(wrong)?.to_owned();
        let port = match place.strip_prefix(name) {
            Some("") if tls => 443,
            Some("") => 80,
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0)
                .ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self {
            tls,
            host,
            port,
            path: format!("{slash}{path}"),
            credentials: user.map(basic),
        })
    }

    /// The URL of a service, which has no secrets in it.
    pub fn of_service(url: &str) -> Result<Self, AddressError> {
        let address = Self::parse(url)?;
        match address.credentials {
            None => Ok(address),
            Some(_) => Err(AddressError::Credentials(address.authority())),
        }
    }

    /// Host and port as the `Host` header has them: the port only where it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let own_port = if self.tls { 443 } else { 80 };
        if self.port == own_port {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

/// A host of a URL without brackets: those stand around an address of IPv6 (with its zone, where it has one) and
/// nothing else.
fn bare_host(host: &str) -> Option<&str> {
    let Some(six) = host.strip_prefix('[') else {
        return (!host.is_empty() && !host.contains(['[', ']'])).then_some(host);
    };
    let six = six.strip_suffix(']')?;
    let address = six.split_once('%').map_or(six, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(|_| six)
}

/// Credentials in the form of RFC 7617, out of `user:password` as a URL has them.
fn basic(user: &str) -> Secret {
    let mut plain = percent_decoded(user);
    if !plain.contains(&b':') {
        plain.push(b':');
    }
    Secret::new(format!("Basic {}", STANDARD.encode(plain)))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let [byte, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|_| *byte == b'%');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    decoded
}

/// The proxy for an address by the usual environment variables, lower case first: `http_proxy` or `https_proxy`, then
/// `all_proxy`; none for hosts in `no_proxy`.
pub fn proxy_for(
    address: &Address,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Address>, AddressError> {
    let variable = |name: &str| {
        let value = env(name).or_else(|| env(&name.to_ascii_uppercase()))?;
        (!value.trim().is_empty()).then(|| value.trim().to_owned())
    };
    let exempt = variable("no_proxy").is_some_and(|list| {
        list.split(',')
            .any(|item| covers(item.trim(), &address.host))
    });
    let name = if address.tls {
        "https_proxy"
    } else {
        "http_proxy"
    };
    let Some(url) = variable(name)
        .or_else(|| variable("all_proxy"))
        .filter(|_| !exempt)
    else {
        return Ok(None);
    };
    let full = if url.contains("://") {
        url.clone()
    } else {
        format!("http://{url}")
    };
    match Address::parse(&full) {
        Ok(proxy) if !proxy.tls => Ok(Some(proxy)),
        _ => {
            let shown = url.rsplit_once('@').map_or(url.as_str(), |(_, host)| host);
            Err(AddressError::Proxy(shown.to_owned()))
        }
    }
}

/// An item of `no_proxy`: `*`, a host, or a domain with all hosts in it.
fn covers(item: &str, host: &str) -> bool {
    let domain = item.trim_start_matches('.');
    if domain.is_empty() {
        return false;
    }
    domain == "*" || host.eq_ignore_ascii_case(domain) || {
        let (host, domain) = (host.to_ascii_lowercase(), domain.to_ascii_lowercase());
        host.strip_suffix(&domain)
            .is_some_and(|rest| rest.ends_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn a_query_without_a_path_is_of_the_root() {
        assert_eq!(address("https://host?a=b").path, "/?a=b");
    }

    #[test]
    fn a_url_falls_into_its_parts() {
        let plain = address("http://127.0.0.1:8801/v1/chat/completions?a=b");
        assert_eq!(
            (plain.tls, plain.port, plain.path.as_str()),
            (false, 8801, "/v1/chat/completions?a=b")
        );
        assert_eq!(plain.authority(), "127.0.0.1:8801");
        let secure = address("https://api.example.com");
        assert_eq!(
            (
                secure.port,
                secure.path.as_str(),
                secure.authority().as_str()
            ),
            (443, "/", "api.example.com")
        );
        let six = address("http://[::1]:80/x");
        assert_eq!(
            (six.host.as_str(), six.authority().as_str()),
            ("::1", "[::1]")
        );
        let zone = address("http://[fe80::1%eth0]:8000/x");
        assert_eq!(
            (zone.host.as_str(), zone.authority().as_str()),
            ("fe80::1%eth0", "[fe80::1%eth0]:8000")
        );
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for url in [
            "",
            "127.0.0.1:8000/v1",
            "/v1/completions",
            "http://",
            "https://[]y",
            "https://[]/",
            "https://[::1]y",
            "https://[%8*0]/b",
            "https://[host]/",
            "https://a[b]/",
            "http://h:/",
            "http://h:99999/",
            "http://h:0/",
            "http://h:1x/",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
        assert!(matches!(
            Address::parse("ftp://a/b"),
            Err(AddressError::Scheme { .. })
        ));
    }

    #[test]
    fn credentials_are_decoded_for_proxies_refused_for_services_and_never_shown() {
        let proxy = address("http://me:p%40ss%3a1@proxy:3128");
        // `printf 'me:p@ss:1' | base64`
        let credentials = proxy.credentials.as_ref().map(Secret::reveal);
        assert_eq!(credentials, Some("Basic bWU6cEBzczox"));
        assert_eq!(proxy.authority(), "proxy:3128");
        assert!(!format!("{proxy:?}").contains("bWU6"));
        let name_only = address("http://100%25@p/");
        // `printf '100%%:' | base64`
        assert_eq!(name_only.credentials.unwrap().reveal(), "Basic MTAwJTo=");
        let refused = Address::of_service("https://me:secret@api.example.com/v1").unwrap_err();
        assert_eq!(refused, AddressError::Credentials("api.example.com".into()));
        let env = |name: &str| (name == "all_proxy").then(|| "socks5://me:secret@p:1".to_owned());
        let error = proxy_for(&address("http://a/"), env).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn proxies_follow_the_environment() {
        let with = |url: &str, pairs: &[(&str, &str)]| {
            let env = |name: &str| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            proxy_for(&address(url), env).map(|proxy| proxy.map(|proxy| proxy.authority()))
        };
        let some = |authority: &str| Ok(Some(authority.to_owned()));
        assert_eq!(
            with("http://a/", &[("http_proxy", "http://p:3128")]),
            some("p:3128")
        );
        assert_eq!(
            with("http://a/", &[("HTTP_PROXY", "p:3128")]),
            some("p:3128")
        );
        assert_eq!(
            with("https://a/", &[("http_proxy", "http://p:3128")]),
            Ok(None)
        );
        assert_eq!(
            with("https://a/", &[("ALL_PROXY", "http://p:1")]),
            some("p:1")
        );
        let exempt = |list| {
            with(
                "http://a.b.c/",
                &[("http_proxy", "http://p:1"), ("NO_PROXY", list)],
            )
        };
        for list in ["*", "a.b.c", "x, .b.c", "b.c"] {
            assert_eq!(exempt(list), Ok(None), "{list}");
        }
        assert_eq!(exempt("xb.c,"), some("p:1"));
        assert!(with("http://a/", &[("http_proxy", "socks5://p:1")]).is_err());
    }
}
