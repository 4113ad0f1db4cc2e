//! URLs and proxy variables: what is accepted has a host, and can be written and read again.
//!
//! An input is a URL, a line feed, the value of `http_proxy`, a line feed, and the value of `no_proxy`.

#![no_main]

use crestline_load::client::address::{Address, proxy_for};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let (url, proxy, exempt) = (next(), next(), next());
    let Ok(address) = Address::parse(&url) else {
        return;
    };
    assert!(!address.host.is_empty(), "{url:?}");
    assert!(address.path.starts_with('/'), "{url:?}: {}", address.path);
    let scheme = if address.tls { "https" } else { "http" };
    let again = format!("{scheme}://{}{}", address.authority(), address.path);
    // Credentials are kept apart from what names the place.
    let place = Address {
        credentials: None,
        ..address.clone()
    };
    assert_eq!(Address::parse(&again), Ok(place), "{url:?}");
    let found = proxy_for(&address, |name| match name {
        "http_proxy" | "https_proxy" => Some(proxy.clone()),
        "no_proxy" => Some(exempt.clone()),
        _ => None,
    });
    if let Ok(Some(proxy)) = found {
        assert!(!proxy.host.is_empty());
    }
});
