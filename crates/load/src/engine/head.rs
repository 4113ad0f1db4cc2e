//! The head of all requests of a run: it is put together once.

use crate::client::connect::Route;

use super::Setup;

/// The head of all requests up to the value of `x-request-id`.
pub(super) fn request_head(setup: &Setup, route: &Route) -> Vec<u8> {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\n",
        route.request_target(),
        route.address().authority()
    );
    for (name, value) in headers(setup) {
        head.extend([name.as_str(), ": ", &value, "\r\n"]);
    }
    head += "x-request-id: ";
    head.into_bytes()
}

/// The headers of all requests: the user's own win over the usual ones, the API key over both.
pub(super) fn headers(setup: &Setup) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = vec![
        (
            "User-Agent".into(),
            concat!("crestline/", env!("CARGO_PKG_VERSION")).into(),
        ),
        (
            "Accept".into(),
            "text/event-stream, application/json".into(),
        ),
        ("Content-Type".into(), "application/json".into()),
    ];
    let mut set = |name: &str, value: String| {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value));
    };
    for header in &setup.target.headers {
        set(&header.name, header.value.reveal().to_owned());
    }
    if let Some(key) = &setup.target.api_key {
        set("Authorization", format!("Bearer {}", key.reveal()));
    }
    headers
}
