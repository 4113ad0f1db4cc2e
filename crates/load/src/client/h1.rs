//! Reads HTTP/1.1 responses (RFC 9112): bytes go in, head and body come out, wherever the network cut them.
//!
//! Knows nothing of sockets or of what the body means. Own code rather than a library because the moment at which a
//! byte was read has to stay with it, and because this is the client's hot path (docs/decisions/0002-own-http1.md).

use memchr::memmem;

/// Longest response head, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Longest line with a chunk's size and extensions, in bytes.
const LINE_LIMIT: usize = 4 * 1024;

/// What was read that is not HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The head cannot be parsed.
    #[error("the response does not begin with an HTTP/1.1 head: {0}")]
    Head(String),
    /// The head does not end.
    #[error("the response head is longer than {HEAD_LIMIT} bytes")]
    HeadTooLong,
    /// A chunk's size cannot be parsed, or a chunk is not followed by a line end.
    #[error("the chunked response body is malformed")]
    Chunk,
    /// Bytes after the end of the response.
    #[error("{0} bytes follow the end of the response")]
    Surplus(usize),
}

/// The parts of a response head that matter here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// The body is server-sent events.
    pub is_event_stream: bool,
    /// The body is raw bytes.
    pub is_binary: bool,
    /// `metadata`: what vLLM says in JSON of a body of raw bytes.
    pub metadata: Option<String>,
    /// `Retry-After` as the server wrote it.
    pub retry_after: Option<String>,
    /// The connection stays open after this response.
    pub keep_alive: bool,
}

/// Where the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(Chunk),
    /// At the end of the connection.
    Close,
}

/// The place inside a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// In the line with the size.
    Size,
    /// Inside the data, so many bytes are left.
    Data(u64),
    /// At the line end after the data.
    End,
    /// In the trailer, after the last chunk.
    Trailer,
}

/// The state between two reads.
#[derive(Debug)]
enum State {
    Head,
    Body(Framing),
    Done,
}

/// Reads one response.
#[derive(Debug)]
pub struct ResponseDecoder {
    state: State,
    /// An incomplete head or chunk line.
    kept: Vec<u8>,
    head: Head,
}

impl Default for ResponseDecoder {
    fn default() -> Self {
        Self {
            state: State::Head,
            kept: Vec::new(),
            head: Head::default(),
        }
    }
}

impl ResponseDecoder {
    /// Takes the next bytes and hands over the pieces of the body that they hold.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut body: impl FnMut(&Head, &[u8]),
    ) -> Result<(), ResponseError> {
        while !bytes.is_empty() {
            let used = match self.state {
                State::Head => self.feed_head(bytes)?,
                State::Done => return Err(ResponseError::Surplus(bytes.len())),
                State::Body(framing) => self.feed_body(framing, bytes, &mut body)?,
            };
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// The head, once it is complete.
    pub fn head(&self) -> Option<&Head> {
        (!matches!(self.state, State::Head)).then_some(&self.head)
    }

    /// The whole response was read.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The connection was closed by the server: true where that is how this body ends.
    pub fn finish(&mut self) -> bool {
        if matches!(self.state, State::Body(Framing::Close)) {
            self.state = State::Done;
        }
        self.is_done()
    }

    /// The connection may carry another request.
    pub fn is_reusable(&self) -> bool {
        self.is_done() && self.head.keep_alive
    }

    fn feed_head(&mut self, bytes: &[u8]) -> Result<usize, ResponseError> {
        let seen = self.kept.len();
        // The end may straddle the cut: look again at the last three bytes.
        self.kept.extend_from_slice(bytes);
        if !self.kept.starts_with(&b"HTTP/1."[..self.kept.len().min(7)]) {
            return Err(ResponseError::Head("it starts otherwise".to_owned()));
        }
        let from = seen.saturating_sub(3);
        let Some(end) = memmem::find(&self.kept[from..], b"\r\n\r\n").map(|at| from + at + 4)
        else {
            if self.kept.len() > HEAD_LIMIT {
                return Err(ResponseError::HeadTooLong);
            }
            return Ok(bytes.len());
        };
        if end > HEAD_LIMIT {
            return Err(ResponseError::HeadTooLong);
        }
        let (head, framing) = parse_head(&self.kept[..end])?;
        self.kept.clear();
        if head.status >= 200 {
            self.head = head;
            self.state = match framing {
                Framing::Length(0) => State::Done,
                framing => State::Body(framing),
            };
        }
        Ok(end - seen)
    }

    fn feed_body(
        &mut self,
        framing: Framing,
        bytes: &[u8],
        body: &mut impl FnMut(&Head, &[u8]),
    ) -> Result<usize, ResponseError> {
        match framing {
            Framing::Close => {
                body(&self.head, bytes);
                Ok(bytes.len())
            }
            Framing::Length(left) => {
                let now = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                body(&self.head, &bytes[..now]);
                let left = left - now as u64;
                self.state = if left == 0 {
                    State::Done
                } else {
                    State::Body(Framing::Length(left))
                };
                Ok(now)
            }
            Framing::Chunked(Chunk::Data(left)) => {
                let now = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                body(&self.head, &bytes[..now]);
                let left = left - now as u64;
                self.go(if left == 0 {
                    Chunk::End
                } else {
                    Chunk::Data(left)
                });
                Ok(now)
            }
            Framing::Chunked(place) => self.feed_line(place, bytes),
        }
    }

    /// The lines between the data of chunks.
    fn feed_line(&mut self, place: Chunk, bytes: &[u8]) -> Result<usize, ResponseError> {
        let Some(length) = memchr::memchr(b'\n', bytes) else {
            self.kept.extend_from_slice(bytes);
            return if self.kept.len() > LINE_LIMIT {
                Err(ResponseError::Chunk)
            } else {
                Ok(bytes.len())
            };
        };
        let next = if self.kept.is_empty() {
            after_line(place, &bytes[..length])?
        } else {
            self.kept.extend_from_slice(&bytes[..length]);
            let next = after_line(place, &self.kept)?;
            self.kept.clear();
            next
        };
        match next {
            Some(next) => self.go(next),
            None => self.state = State::Done,
        }
        Ok(length + 1)
    }

    fn go(&mut self, place: Chunk) {
        self.state = State::Body(Framing::Chunked(place));
    }
}

/// What follows a line (without its line feed) of a chunked body; `None` is the end.
fn after_line(place: Chunk, line: &[u8]) -> Result<Option<Chunk>, ResponseError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match place {
        Chunk::Size => match chunk_size(line)? {
            0 => Ok(Some(Chunk::Trailer)),
            size => Ok(Some(Chunk::Data(size))),
        },
        Chunk::Trailer if line.is_empty() => Ok(None),
        Chunk::Trailer => Ok(Some(Chunk::Trailer)),
        Chunk::End if line.is_empty() => Ok(Some(Chunk::Size)),
        Chunk::End | Chunk::Data(_) => Err(ResponseError::Chunk),
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, ResponseError> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || digits > 15 || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err(ResponseError::Chunk);
    }
    let hex = |byte: u8| u64::from((byte as char).to_digit(16).unwrap_or_default());
    Ok(line[..digits]
        .iter()
        .fold(0, |size, &byte| size << 4 | hex(byte)))
}

fn parse_head(bytes: &[u8]) -> Result<(Head, Framing), ResponseError> {
    let mut headers = [httparse::EMPTY_HEADER; 96];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed
        .parse(bytes)
        .map_err(|error| ResponseError::Head(error.to_string()))?;
    let status = parsed.code.unwrap_or_default();
    let mut head = Head {
        status,
        keep_alive: parsed.version == Some(1),
        ..Head::default()
    };
    let (mut chunked, mut length) = (false, None);
    for header in parsed.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        let lower = value.trim().to_ascii_lowercase();
        match header.name.to_ascii_lowercase().as_str() {
            "connection" if lower.contains("close") => head.keep_alive = false,
            "connection" if lower.contains("keep-alive") => head.keep_alive = true,
            "transfer-encoding" => chunked = lower.ends_with("chunked"),
            "content-length" => length = lower.parse().ok(),
            "content-type" => {
                head.is_event_stream = lower.starts_with("text/event-stream");
                head.is_binary = lower.starts_with("application/octet-stream");
            }
            "metadata" => head.metadata = Some(value.trim().to_owned()),
            "retry-after" => head.retry_after = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let framing = match (chunked, length) {
        _ if status == 204 || status == 304 => Framing::Length(0),
        (true, _) => Framing::Chunked(Chunk::Size),
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::Close,
    };
    head.keep_alive &= framing != Framing::Close;
    Ok((head, framing))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Read {
        body: Vec<u8>,
        decoder: ResponseDecoder,
        result: Result<(), ResponseError>,
    }

    fn read(pieces: &[&[u8]]) -> Read {
        let mut decoder = ResponseDecoder::default();
        let mut body = Vec::new();
        let result = pieces
            .iter()
            .try_for_each(|piece| decoder.feed(piece, |_, part| body.extend_from_slice(part)));
        Read {
            body,
            decoder,
            result,
        }
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
        Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: a\r\n\r\n";

    #[test]
    fn a_chunked_body_is_the_same_wherever_it_is_cut() {
        for first in 0..CHUNKED.len() {
            for second in first..CHUNKED.len() {
                let wire = CHUNKED.as_bytes();
                let read = read(&[&wire[..first], &wire[first..second], &wire[second..]]);
                assert_eq!(read.result, Ok(()), "cut at {first} and {second}");
                assert_eq!(read.body, b"hello world", "cut at {first} and {second}");
                assert!(read.decoder.is_reusable() && read.decoder.head().unwrap().is_event_stream);
            }
        }
    }

    #[test]
    fn a_body_may_end_by_its_length_or_with_the_connection() {
        let read_length = read(&[b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]);
        assert!(read_length.decoder.is_reusable());
        let mut until_close = read(&[b"HTTP/1.1 200 OK\r\n\r\nok"]);
        assert!(!until_close.decoder.is_done());
        assert!(until_close.decoder.finish() && !until_close.decoder.is_reusable());
        assert_eq!(
            (read_length.body, until_close.body),
            (b"ok".to_vec(), b"ok".to_vec())
        );
    }

    #[test]
    fn a_connection_cut_inside_a_body_is_not_an_end() {
        let mut cut = read(&[b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel"]);
        assert!(!cut.decoder.finish());
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let read = read(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many\r\nRetry-After: 3\r\ncontent-length: 0\r\n\r\n"]);
        let head = read.decoder.head().unwrap();
        assert_eq!((head.status, head.retry_after.as_deref()), (429, Some("3")));
        assert!(read.decoder.is_reusable());
    }

    #[test]
    fn a_server_that_says_close_is_believed() {
        let close = read(&[b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n"]);
        assert!(close.decoder.is_done() && !close.decoder.is_reusable());
        let old = read(&[b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"]);
        assert!(!old.decoder.is_reusable());
    }

    #[test]
    fn a_recorded_answer_of_llama_cpp_is_whole_wherever_it_is_cut() {
        let wire = include_bytes!("../../../../fixtures/streams/llama-cpp-chat.txt");
        let whole = read(&[wire]);
        assert_eq!(whole.result, Ok(()));
        assert!(whole.decoder.is_reusable() && whole.decoder.head().unwrap().is_event_stream);
        assert!(whole.body.ends_with(b"data: [DONE]\n\n"));
        for cut in (0..wire.len()).step_by(7) {
            assert_eq!(
                read(&[&wire[..cut], &wire[cut..]]).body,
                whole.body,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_blank_line_first_is_no_head_in_one_piece_or_in_two() {
        let wire = b"\r\nHTTP/1.1 204 No Content\r\n\r\n";
        assert!(matches!(read(&[wire]).result, Err(ResponseError::Head(_))));
        assert!(matches!(
            read(&[&wire[..1], &wire[1..]]).result,
            Err(ResponseError::Head(_))
        ));
    }

    #[test]
    fn what_is_not_http_is_an_error_at_once() {
        assert!(matches!(
            read(&[b"SSH-2.0"]).result,
            Err(ResponseError::Head(_))
        ));
        let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
        assert_eq!(read(&[chunk]).result, Err(ResponseError::Chunk));
        let surplus = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nabc";
        assert_eq!(read(&[surplus]).result, Err(ResponseError::Surplus(2)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_bytes_make_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..6)) {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let pieces: Vec<&[u8]> = std::iter::once(&head[..]).chain(pieces.iter().map(Vec::as_slice)).collect();
            let _ = read(&pieces);
            let _ = read(&pieces[1..]);
        }

        #[test]
        fn any_body_in_any_chunks_comes_out_whole(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..80), 0..6), cut in 0.0..1.0f64) {
            let mut wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for chunk in &chunks {
                wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"0\r\n\r\n");
            let cut = (cut * wire.len() as f64) as usize;
            let read = read(&[&wire[..cut], &wire[cut..]]);
            prop_assert_eq!(read.body, chunks.concat());
            prop_assert!(read.decoder.is_done());
        }
    }
}
