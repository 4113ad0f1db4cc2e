//! HTTP/1.1 on a raw socket: requests in, response bytes out.
//!
//! Knows no path and no body format. Requests are read one at a time; a client that sends the next one early is read later.

use std::io;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use crestline_core::units::Nanos;
use tokio::net::TcpStream;

use super::reading;

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 256 * 1024 * 1024;
const MAX_HEADERS: usize = 96;
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A whole request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// `x-request-id`.
    pub(super) id: Option<String>,
    /// `content-type`; empty where there is none.
    pub(super) content_type: String,
    /// `authorization`.
    pub(super) authorization: Option<String>,
    pub(super) framing: Framing,
    pub(super) connection: Persistence,
    pub(super) body: Vec<u8>,
    /// When its last byte reached this machine.
    pub(super) arrival: Nanos,
}

/// How the client learns where a response of unknown length ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Chunks (HTTP/1.1).
    Chunked,
    /// The end of the connection (HTTP/1.0).
    UntilClose,
}

/// What happens to the connection after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Persistence {
    KeepAlive,
    Close,
}

/// A request that is not one.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("not an HTTP request")]
    Malformed,
    #[error("request head above {MAX_HEAD} bytes")]
    HeadTooLarge,
    #[error("request body above {MAX_BODY} bytes")]
    BodyTooLarge,
}

impl HttpError {
    /// Status to answer with; `None` where nobody is there any more.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Socket(_) => None,
            Self::Malformed => Some(400),
            Self::HeadTooLarge => Some(431),
            Self::BodyTooLarge => Some(413),
        }
    }
}

/// A connection and what has been read of it ahead.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Rc<TcpStream>,
    buffer: BytesMut,
    /// When the last of `buffer` reached this machine.
    latest: Nanos,
}

/// The head of a request.
struct Head {
    request: Request,
    length: BodyLength,
    expects_continue: bool,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyLength {
    Known(usize),
    Chunked,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket: Rc::new(socket),
            buffer: BytesMut::new(),
            latest: Nanos::ZERO,
        }
    }

    /// The next request; `None` when the client has closed the connection between two.
    pub(super) async fn next_request(&mut self) -> Result<Option<Request>, HttpError> {
        let head = loop {
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(HttpError::HeadTooLarge);
            }
            if !self.read_more().await? {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(HttpError::Malformed)
                };
            }
        };
        self.buffer.advance(head.bytes);
        let mut request = head.request;
        if head.expects_continue {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = self.read_body(head.length).await?;
        request.arrival = self.latest;
        Ok(Some(request))
    }

    async fn read_body(&mut self, length: BodyLength) -> Result<Vec<u8>, HttpError> {
        loop {
            match length {
                BodyLength::Known(length) if length > MAX_BODY => {
                    return Err(HttpError::BodyTooLarge);
                }
                BodyLength::Known(length) if self.buffer.len() >= length => {
                    return Ok(self.buffer.split_to(length).to_vec());
                }
                BodyLength::Known(length) => self.buffer.reserve(length - self.buffer.len()),
                BodyLength::Chunked => {
                    if let Some((body, used)) = parse_chunks(&self.buffer)? {
                        self.buffer.advance(used);
                        return Ok(body);
                    }
                }
            }
            if !self.read_more().await? {
                return Err(HttpError::Malformed);
            }
        }
    }

    /// Says no at the end of the stream.
    async fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.reserve(4096);
        loop {
            self.socket.readable().await?;
            match reading::read(&self.socket, &mut self.buffer) {
                Ok((count, came)) => {
                    self.latest = came;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the client has gone. What it sends meanwhile is kept for the next request.
    pub(super) async fn closed(&mut self) {
        while self.buffer.len() < MAX_HEAD && matches!(self.read_more().await, Ok(true)) {}
        if self.buffer.len() >= MAX_HEAD {
            std::future::pending::<()>().await;
        }
    }

    /// Writes all bytes.
    pub(super) async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.socket.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes the coming close a reset: the client's next read fails, and what it has not read may be lost.
    pub(super) fn reset_on_close(&self) {
        // A socket that is gone already needs no reset.
        let _ = socket2::SockRef::from(&*self.socket).set_linger(Some(std::time::Duration::ZERO));
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let bytes = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HttpError::HeadTooLarge),
        Err(_) => return Err(HttpError::Malformed),
    };
    let header = |name: &str| -> Option<&str> {
        let found = parsed
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let has = |name: &str, token: &str| {
        header(name).is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(token))
        })
    };
    let length = if has("transfer-encoding", "chunked") {
        BodyLength::Chunked
    } else {
        let length = header("content-length").map(|value| value.trim().parse());
        BodyLength::Known(length.unwrap_or(Ok(0)).map_err(|_| HttpError::Malformed)?)
    };
    let old = parsed.version == Some(0);
    let persists = if old {
        has("connection", "keep-alive")
    } else {
        !has("connection", "close")
    };
    let target = parsed.path.unwrap_or("/");
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: target.split(['?', '#']).next().unwrap_or(target).to_owned(),
        id: header("x-request-id").map(str::to_owned),
        content_type: header("content-type").unwrap_or_default().to_owned(),
        authorization: header("authorization").map(str::to_owned),
        framing: if old {
            Framing::UntilClose
        } else {
            Framing::Chunked
        },
        connection: if persists {
            Persistence::KeepAlive
        } else {
            Persistence::Close
        },
        body: Vec::new(),
        arrival: Nanos::ZERO,
    };
    Ok(Some(Head {
        request,
        length,
        expects_continue: has("expect", "100-continue"),
        bytes,
    }))
}

/// The body and the bytes it took; `None` while its end is missing. Trailers are read over.
fn parse_chunks(buffer: &[u8]) -> Result<Option<(Vec<u8>, usize)>, HttpError> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line_end(&buffer[at..]) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&buffer[at..at + line]).map_err(|_| HttpError::Malformed)?;
        let digits = text.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| HttpError::Malformed)?;
        at += line + 2;
        if size == 0 {
            return Ok(trailers_end(&buffer[at..]).map(|used| (body, at + used)));
        }
        if size > MAX_BODY - body.len() {
            return Err(HttpError::BodyTooLarge);
        }
        let Some(chunk) = buffer.get(at..at + size + 2) else {
            return Ok(None);
        };
        let (data, end) = chunk.split_at(size);
        if end != b"\r\n" {
            return Err(HttpError::Malformed);
        }
        body.extend_from_slice(data);
        at += size + 2;
    }
}

fn trailers_end(buffer: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = line_end(&buffer[at..])?;
        at += line + 2;
        if line == 0 {
            return Some(at);
        }
    }
}

fn line_end(buffer: &[u8]) -> Option<usize> {
    buffer.windows(2).position(|pair| pair == b"\r\n")
}

/// A whole response.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    /// Further header lines, each with its line end.
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self {
            status,
            content_type: "application/json",
            headers: String::new(),
            body: serde_json::to_vec(body).expect("plain data has a JSON form"),
        }
    }

    pub(super) fn text(body: String) -> Self {
        Self {
            status: 200,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            headers: String::new(),
            body: body.into_bytes(),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            headers: String::new(),
            body: Vec::new(),
        }
    }

    /// The status line and headers, with the blank line.
    pub(super) fn head(&self, connection: Persistence) -> String {
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n{}{}\r\n",
            self.status,
            reason(self.status),
            self.content_type,
            self.body.len(),
            self.headers,
            connection_header(connection),
        )
    }

    pub(super) fn bytes(&self, connection: Persistence) -> Vec<u8> {
        let mut bytes = self.head(connection).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The head of a response of server-sent events.
pub(super) fn stream_head(framing: Framing, connection: Persistence) -> String {
    let (encoding, connection) = match framing {
        Framing::Chunked => ("transfer-encoding: chunked\r\n", connection),
        Framing::UntilClose => ("", Persistence::Close),
    };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n{encoding}{}\r\n",
        connection_header(connection),
    )
}

fn connection_header(connection: Persistence) -> &'static str {
    match connection {
        Persistence::KeepAlive => "",
        Persistence::Close => "connection: close\r\n",
    }
}

/// Appends a piece of a body of unknown length.
pub(super) fn push_chunk(out: &mut Vec<u8>, framing: Framing, data: &[u8]) {
    if framing == Framing::UntilClose {
        out.extend_from_slice(data);
        return;
    }
    let length = data.len();
    let mut shift = (usize::BITS - (length | 1).leading_zeros()).div_ceil(4) * 4;
    while shift > 0 {
        shift -= 4;
        out.push(HEX_DIGITS[(length >> shift) & 15]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a body of unknown length.
pub(super) fn push_end(out: &mut Vec<u8>, framing: Framing) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_complete_at_its_blank_line_wherever_it_is_cut() {
        let wire = b"POST /v1/models?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Request-Id: r-1\r\nExpect: 100-continue\r\n\r\nabc";
        for cut in 0..wire.len() - 3 {
            assert!(parse_head(&wire[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        let head = parse_head(wire).unwrap().unwrap();
        assert_eq!(head.bytes, wire.len() - 3);
        assert_eq!(head.length, BodyLength::Known(3));
        assert!(head.expects_continue);
        assert_eq!(head.request.path, "/v1/models");
        assert_eq!(head.request.id.as_deref(), Some("r-1"));
        assert_eq!(head.request.connection, Persistence::KeepAlive);
    }

    #[test]
    fn old_clients_close_unless_they_say_otherwise() {
        let connection = |wire: &[u8]| parse_head(wire).unwrap().unwrap().request.connection;
        let close = Persistence::Close;
        assert_eq!(connection(b"GET / HTTP/1.0\r\n\r\n"), close);
        assert_eq!(
            connection(b"GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n"),
            close
        );
        let kept = connection(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(kept, Persistence::KeepAlive);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for wire in [
            &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ] {
            assert!(matches!(parse_head(wire), Err(HttpError::Malformed)));
        }
    }

    #[test]
    fn a_chunked_body_is_whole_after_its_trailers_wherever_it_is_cut() {
        let wire = b"4;x=y\r\nWiki\r\n5\r\npedia\r\n0\r\nA: b\r\n\r\nrest";
        let whole = wire.len() - 4;
        for cut in 0..whole {
            assert!(
                parse_chunks(&wire[..cut]).unwrap().is_none(),
                "cut at {cut}"
            );
        }
        let body = b"Wikipedia".to_vec();
        assert_eq!(parse_chunks(wire).unwrap(), Some((body, whole)));
        assert!(parse_chunks(b"4\r\nWikiXX").is_err());
        assert!(parse_chunks(b"zz\r\n").is_err());
    }

    #[test]
    fn chunks_carry_their_length_in_hex() {
        for (length, digits) in [(1, "1"), (15, "f"), (16, "10"), (255, "ff"), (4096, "1000")] {
            let mut out = Vec::new();
            push_chunk(&mut out, Framing::Chunked, &vec![b'a'; length]);
            assert!(
                out.starts_with(format!("{digits}\r\na").as_bytes()),
                "{length}"
            );
            let (body, _) = {
                push_end(&mut out, Framing::Chunked);
                parse_chunks(&out).unwrap().unwrap()
            };
            assert_eq!(body.len(), length);
        }
    }
}
