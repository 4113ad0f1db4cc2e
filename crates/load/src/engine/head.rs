//! The head of all requests of a run: it is put together once, for HTTP/1.1 and for HTTP/2.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE};
use http::header::{TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request, Uri, Version};

use super::Setup;
use crate::client::connect::Route;
use crate::target::Target;

/// Carries the id of a request.
const REQUEST_ID: &str = "x-request-id";
/// Carries the name of a conversation, on each of its turns.
const SESSION_ID: &str = "x-session-id";
/// Have no meaning in HTTP/2, which has its own means (RFC 9113, section 8.2.2).
const OF_HTTP1: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What is the same in the heads of all requests.
#[derive(Debug)]
pub(crate) struct RequestHead {
    /// HTTP/1.1, up to the value of the request id.
    text: Vec<u8>,
    uri: Uri,
    fields: HeaderMap,
}

/// What a service is told that a request is called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) request: &'a str,
    /// The conversation that it is a turn of.
    pub(crate) session: Option<&'a str>,
}

impl<'a> Names<'a> {
    /// Of a request that stands alone.
    pub(super) fn alone(request: &'a str) -> Self {
        Self {
            request,
            session: None,
        }
    }
}

/// A header that cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Not a header of HTTP.
    #[error("the header `{0}` has a name or a value that HTTP does not allow")]
    Malformed(String),
    /// One that each request has in its own right.
    #[error("the header `{0}` is set for each request by crestline itself")]
    Taken(String),
}

/// Headers whose value differs from request to request.
const TAKEN: [&str; 3] = [REQUEST_ID, "content-length", "transfer-encoding"];

impl RequestHead {
    /// The head of requests to the service.
    pub(super) fn new(setup: &Setup, route: &Route) -> Result<Self, HeaderError> {
        let headers = headers(&setup.target, route, setup.endpoint.content_type());
        let mut text = format!("POST {} HTTP/1.1\r\n", route.request_target());
        let mut fields = HeaderMap::new();
        let mut host = "";
        for (name, value) in &headers {
            text.extend([name, ": ", value, "\r\n"]);
            let wrong = || HeaderError::Malformed(name.clone());
            let field = HeaderName::try_from(name).map_err(|_| wrong())?;
            let is_session = field == SESSION_ID && setup.workload.most_turns().is_some();
            if is_session || TAKEN.contains(&field.as_str()) {
                return Err(HeaderError::Taken(name.clone()));
            }
            let content = HeaderValue::try_from(value).map_err(|_| wrong())?;
            if field == HOST {
                host = value;
            }
            if !OF_HTTP1.contains(&field) {
                fields.append(field, content);
            }
        }
        text.extend([REQUEST_ID, ": "]);
        let uri = Uri::builder()
            .scheme("https")
            .authority(host)
            .path_and_query(route.address().path.as_str())
            .build()
            .map_err(|_| HeaderError::Malformed("Host".to_owned()))?;
        Ok(Self {
            text: text.into_bytes(),
            uri,
            fields,
        })
    }

    /// The head of one request in HTTP/1.1.
    pub(super) fn http1(&self, names: Names<'_>, length: usize) -> Vec<u8> {
        let session = names.session.map_or(0, |session| session.len() + 16);
        let room = self.text.len() + names.request.len() + session + 32;
        let mut head = Vec::with_capacity(room);
        head.extend_from_slice(&self.text);
        head.extend_from_slice(names.request.as_bytes());
        if let Some(session) = names.session {
            for part in ["\r\n", SESSION_ID, ": ", session] {
                head.extend_from_slice(part.as_bytes());
            }
        }
        head.extend_from_slice(b"\r\nContent-Length: ");
        head.extend_from_slice(length.to_string().as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        head
    }

    /// The head of one request in HTTP/2.
    pub(super) fn http2(&self, names: Names<'_>, length: usize) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        let mut fields = self.fields.clone();
        if let Ok(id) = HeaderValue::try_from(names.request) {
            fields.insert(REQUEST_ID, id);
        }
        if let Some(Ok(id)) = names.session.map(HeaderValue::try_from) {
            fields.insert(SESSION_ID, id);
        }
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
        *request.headers_mut() = fields;
        request
    }
}

/// The headers of all requests: the user's own win over the usual ones, the API key over both.
pub(crate) fn headers(target: &Target, route: &Route, content_type: &str) -> Vec<(String, String)> {
    let agent = concat!("crestline/", env!("CARGO_PKG_VERSION"));
    let mut headers: Vec<(String, String)> = vec![
        ("Host".into(), route.address().authority()),
        ("User-Agent".into(), agent.into()),
        (
            "Accept".into(),
            "text/event-stream, application/json".into(),
        ),
        ("Content-Type".into(), content_type.into()),
    ];
    let mut set = |name: &str, value: String| {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.to_owned(), value));
    };
    if let Some(credentials) = route.proxy_credentials() {
        set("Proxy-Authorization", credentials.reveal().to_owned());
    }
    for header in &target.headers {
        set(&header.name, header.value.reveal().to_owned());
    }
    if let Some(key) = &target.api_key {
        set("Authorization", format!("Bearer {}", key.reveal()));
    }
    headers
}
