//! One request and its response over one stream of an HTTP/2 connection.
//!
//! Frames, header compression and flow control are the `h2` library's. What is added is the time: a response is stamped
//! with the socket read that brought it. Which connection a request takes is decided elsewhere.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use crestline_core::record::{Failure, FailureKind};
use crestline_core::units::Nanos;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use http::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::exchange::{Desk, End};
use super::h1::Head;
use super::limits::Watch;
use super::wire::Wire;
use crate::clock::{Clock, Read};

/// Requests at a time over one connection, where the server does not allow fewer.
pub const MOST_STREAMS: usize = 100;
/// Bytes that a server may send ahead on one stream, and on a connection: so many that it never waits for the client.
/// The library's limit on small frames, which a stream of tokens is made of, grows with them.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// An HTTP/2 connection, driven by a task of its own that ends with it.
#[derive(Debug)]
pub struct Link {
    requests: SendRequest<Bytes>,
    reads: Rc<Reads>,
    history: Cell<History>,
    trouble: Cell<Option<Nanos>>,
    driver: Driver,
}

/// What a connection has shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum History {
    Fresh,
    /// A request was sent.
    Carried,
    /// A response has begun.
    Answered,
}

/// The socket reads of a connection.
#[derive(Debug, Default)]
struct Reads {
    last: Cell<Read>,
    /// Those that were not counted yet.
    uncounted: Cell<u64>,
}

/// The task that reads and writes the connection.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// Begins to speak HTTP/2, and waits until the server has said how many requests at a time it takes. Needs a runtime
    /// for local tasks.
    pub async fn open(wire: Wire, clock: Clock) -> Result<Self, Failure> {
        let reads = Rc::<Reads>::default();
        let stamped = Stamped {
            wire,
            clock,
            reads: Rc::clone(&reads),
            has_read: false,
        };
        let begun = Builder::new()
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_push(false)
            // None before the server's settings are known: that is how their arrival is seen.
            .initial_max_send_streams(0)
            .handshake(stamped)
            .await;
        let (requests, mut connection) = begun.map_err(|error| no_link(&error.to_string()))?;
        settle(&requests, &mut connection).await?;
        let driver = tokio::task::spawn_local(async move {
            // Each stream is told of the error.
            drop(connection.await);
        });
        Ok(Self {
            requests,
            reads,
            history: Cell::new(History::Fresh),
            trouble: Cell::new(None),
            driver: Driver(driver),
        })
    }

    /// Hands over a request; the library splits the body as the server's windows allow.
    pub fn send(self: &Rc<Self>, request: Request<()>, body: Bytes) -> Sent {
        let history = self.history.get();
        self.history.set(history.max(History::Carried));
        let sent = self.requests.clone().send_request(request, false);
        let stage = sent.and_then(|(response, mut stream)| {
            stream.send_data(body, true)?;
            Ok(response)
        });
        Sent {
            link: Rc::clone(self),
            stage: stage.map_or_else(Stage::Unsent, Stage::Sent),
            history,
        }
    }

    /// Takes new requests: neither closed nor announced to be.
    pub fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut requests = self.requests.clone();
        !self.driver.0.is_finished() && !matches!(requests.poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Requests at a time.
    pub fn streams(&self) -> usize {
        self.requests.current_max_send_streams().min(MOST_STREAMS)
    }

    /// When the first request over it was refused or lost its connection; `now` where this is the first.
    pub fn first_trouble(&self, now: Nanos) -> Nanos {
        let first = self.trouble.get().unwrap_or(now);
        self.trouble.set(Some(first));
        first
    }
}

/// Waits for the server's settings.
async fn settle(
    requests: &SendRequest<Bytes>,
    connection: &mut Connection<Stamped, Bytes>,
) -> Result<(), Failure> {
    poll_fn(|cx| {
        let ended = Pin::new(&mut *connection).poll(cx);
        if requests.current_max_send_streams() > 0 {
            return Poll::Ready(Ok(()));
        }
        ended.map(|result| {
            let why = result.err().map(|error| error.to_string());
            Err(no_link(why.as_deref().unwrap_or("the server closed it")))
        })
    })
    .await
}

fn no_link(why: &str) -> Failure {
    Failure {
        kind: FailureKind::Connect,
        text: format!("the server does not begin HTTP/2: {why}"),
    }
}

/// A request that was handed to a connection. Dropped before the end of the response, it resets its stream.
#[derive(Debug)]
pub struct Sent {
    /// The connection.
    pub link: Rc<Link>,
    stage: Stage,
    /// What the connection had shown before.
    history: History,
}

#[derive(Debug)]
enum Stage {
    Unsent(h2::Error),
    Sent(ResponseFuture),
    Body(RecvStream),
}

/// The response to one request.
#[derive(Debug)]
pub struct StreamExchange<'a> {
    desk: &'a Desk,
    sent: Sent,
    answer: &'a mut Answer,
    head: Option<Head>,
    watch: Watch,
}

impl<'a> StreamExchange<'a> {
    /// Waits for the response to what was sent at the time that the watch began.
    pub fn new(desk: &'a Desk, sent: Sent, answer: &'a mut Answer, watch: Watch) -> Self {
        Self {
            desk,
            sent,
            answer,
            head: None,
            watch,
        }
    }

    /// The response's head, once it was received.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// When the last bytes were read.
    pub fn heard(&self) -> Nanos {
        self.watch.heard()
    }

    /// Goes on as far as the connection's task has read. `each_read` is called with the time of each read after what it
    /// brought was handled.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut each_read: impl FnMut(Nanos, &Answer),
    ) -> Poll<End> {
        loop {
            match self.poll_once(cx) {
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => each_read(self.watch.heard(), self.answer),
                Poll::Pending => return self.watch.poll(cx).map(End::Failed),
            }
        }
    }

    /// One frame; `None` where the response goes on.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let events = self.answer.events();
        let frame = match &mut self.sent.stage {
            Stage::Unsent(error) => {
                return Poll::Ready(Some(never_sent(error, self.sent.history)));
            }
            Stage::Sent(response) => ready!(Pin::new(response).poll(cx)).map(Frame::Head),
            Stage::Body(body) => match ready!(body.poll_data(cx)) {
                None => Ok(Frame::End),
                Some(data) => data.map(Frame::Data),
            },
        };
        let read = self.sent.link.reads.last.get();
        let at = read.came.max(self.watch.heard());
        Poll::Ready(match frame {
            Ok(frame) => {
                self.watch.hear(at);
                let end = self.take(frame, at);
                let events = self.answer.events() - events;
                let reads = self.sent.link.reads.uncounted.take();
                self.desk.count(reads, events, read);
                end
            }
            Err(error) => Some(self.broken(&error, at)),
        })
    }

    fn take(&mut self, frame: Frame, at: Nanos) -> Option<End> {
        let answer = &mut *self.answer;
        match frame {
            Frame::Head(response) => {
                self.sent.link.history.set(History::Answered);
                answer.begin(at);
                let (parts, body) = response.into_parts();
                self.head = Some(read_head(parts.status, &parts.headers));
                self.sent.stage = Stage::Body(body);
                None
            }
            Frame::Data(bytes) => {
                if let Stage::Body(body) = &mut self.sent.stage {
                    // Fails only for more than was received.
                    drop(body.flow_control().release_capacity(bytes.len()));
                }
                if let Some(head) = &self.head {
                    answer.feed(head, &bytes, at);
                }
                answer.failure().cloned().map(End::Failed)
            }
            Frame::End => Some(self.finish(at)),
        }
    }

    fn finish(&mut self, at: Nanos) -> End {
        if let Some(head) = &self.head {
            self.answer.finish(head, at);
        }
        let failure = self.answer.failure();
        failure.map_or(End::Complete, |failure| End::Failed(failure.clone()))
    }

    /// The stream or the connection is at its end.
    fn broken(&mut self, error: &h2::Error, at: Nanos) -> End {
        if self.head.is_some() && self.answer.is_complete_without_end() {
            return self.finish(at);
        }
        let text = error.to_string();
        if error.is_library() {
            let kind = FailureKind::MalformedHttp;
            return End::Failed(Failure { kind, text });
        }
        if self.head.is_some() {
            let kind = FailureKind::CutMidStream;
            let text = format!("{text} inside the response");
            return End::Failed(Failure { kind, text });
        }
        unanswered(error, self.sent.history)
    }
}

/// What a stream may bring.
enum Frame {
    Head(http::Response<RecvStream>),
    Data(Bytes),
    End,
}

/// Whether a request without any answer may be sent again. A server that refuses it says that it did not look at it; a
/// connection that ends may have been closed before the request was read, as a kept-alive one is in HTTP/1.1. Neither
/// counts on a connection that was made for this request.
fn unanswered(error: &h2::Error, history: History) -> End {
    let failure = Failure {
        kind: FailureKind::ConnectionClosed,
        text: error.to_string(),
    };
    let refused =
        error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
    let may_be_unread = match history {
        History::Fresh => false,
        History::Carried => refused,
        History::Answered => refused || error.is_io(),
    };
    if may_be_unread {
        End::ClosedUnanswered(failure)
    } else {
        End::Failed(failure)
    }
}

/// The connection was closed before the request got into it.
fn never_sent(error: &h2::Error, history: History) -> End {
    let failure = Failure {
        kind: FailureKind::ConnectionClosed,
        text: error.to_string(),
    };
    if history == History::Fresh {
        End::Failed(failure)
    } else {
        End::ClosedUnanswered(failure)
    }
}

fn read_head(status: StatusCode, headers: &HeaderMap) -> Head {
    let text = |name| {
        let value = headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
    };
    let kind = text(CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    Head {
        status: status.as_u16(),
        is_event_stream: kind.starts_with("text/event-stream"),
        is_binary: kind.starts_with("application/octet-stream"),
        metadata: headers
            .get("metadata")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()),
        retry_after: text(RETRY_AFTER),
        keep_alive: true,
    }
}

/// A connection that notes when it was read from.
///
/// After each read it is not ready once: what was read is handled by the streams that wait for it before the next read
/// gets a later time.
#[derive(Debug)]
struct Stamped {
    wire: Wire,
    clock: Clock,
    reads: Rc<Reads>,
    has_read: bool,
}

impl AsyncRead for Stamped {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.has_read) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.wire).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.has_read = true;
            this.reads.last.set(this.clock.read(this.wire.came()));
            this.reads.uncounted.set(this.reads.uncounted.get() + 1);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().wire).poll_write_vectored(cx, parts)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().wire).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::tcp::Tcp;
    use super::*;

    #[tokio::test]
    async fn after_each_read_the_connection_is_not_ready_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"ab").await.unwrap();
        let reads = Rc::<Reads>::default();
        let mut stamped = Stamped {
            wire: Wire::Plain(Tcp::new(tcp)),
            clock: Clock::start(),
            reads: Rc::clone(&reads),
            has_read: false,
        };
        let mut bytes = [0];
        let mut outcomes = Vec::new();
        while outcomes.iter().filter(|outcome| **outcome).count() < 2 {
            poll_fn(|cx| {
                let mut buffer = ReadBuf::new(&mut bytes);
                let polled = Pin::new(&mut stamped).poll_read(cx, &mut buffer);
                outcomes.push(polled.is_ready());
                // Woken again in either case: by the bytes that are left, or by itself.
                polled.map(drop)
            })
            .await;
        }
        assert!(
            outcomes.ends_with(&[true, false, true]),
            "{outcomes:?}: a read, none, a read"
        );
        assert_eq!(reads.uncounted.get(), 2);
        assert!(reads.last.get().came > Nanos::ZERO);
    }

    #[test]
    fn a_head_is_read_whatever_the_case_of_its_values() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "Text/Event-Stream; x".parse().unwrap());
        headers.insert(RETRY_AFTER, " 7".parse().unwrap());
        let head = read_head(StatusCode::TOO_MANY_REQUESTS, &headers);
        let expected = Head {
            status: 429,
            is_event_stream: true,
            retry_after: Some("7".to_owned()),
            keep_alive: true,
            ..Head::default()
        };
        assert_eq!(head, expected);
    }
}
