//! One request and its response over one HTTP/1.1 connection: writes, reads, stamps.
//!
//! A poll function rather than an async one, because the buffer that bytes are read into is shared by all exchanges of
//! a worker and must not be held while waiting.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use crestline_core::record::{Failure, FailureKind};
use crestline_core::stats::Histogram;
use crestline_core::units::Nanos;

use super::answer::Answer;
use super::h1::ResponseDecoder;
pub use super::limits::Limits;
use super::limits::Watch;
use super::wire::Wire;
use crate::clock::{Clock, Read};

/// Of so many handled reads, the lag of one is taken.
const LAG_EVERY: u32 = 8;

/// What all exchanges of a worker share: the buffer, and the gauges of how well the worker keeps up.
#[derive(Debug)]
pub struct Desk {
    /// The run's clock.
    pub clock: Clock,
    buffer: RefCell<Box<[u8]>>,
    read_lag: RefCell<Histogram>,
    counts: Cell<u32>,
    unstamped: Cell<u64>,
    reads: Cell<u64>,
    events: Cell<u64>,
}

/// How well a worker kept up with what arrived.
#[derive(Debug, Default)]
pub struct ReadGauges {
    /// Time from when bytes reached this machine to the end of their handling, in ns.
    pub lag: Histogram,
    /// Socket reads whose bytes the system had not stamped.
    pub unstamped: u64,
    /// Socket reads with data.
    pub reads: u64,
    /// Server-sent events in them.
    pub events: u64,
}

impl Desk {
    /// An empty desk.
    pub fn new(clock: Clock) -> Self {
        let buffer = RefCell::new(vec![0; 64 * 1024].into_boxed_slice());
        Self {
            clock,
            buffer,
            read_lag: RefCell::default(),
            counts: Cell::new(0),
            unstamped: Cell::new(0),
            reads: Cell::new(0),
            events: Cell::new(0),
        }
    }

    /// What was read has been handled: so many socket reads and events. The lag of each eighth is taken: a look at the clock
    /// costs as much as the handling itself.
    pub fn count(&self, reads: u64, events: u64, read: Read) {
        let turn = self.counts.replace(self.counts.get().wrapping_add(1));
        if turn.is_multiple_of(LAG_EVERY) {
            let lag = self.clock.now().saturating_sub(read.came);
            self.read_lag.borrow_mut().add(lag.0);
        }
        if !read.is_stamped {
            self.unstamped.set(self.unstamped.get() + reads);
        }
        self.reads.set(self.reads.get() + reads);
        self.events.set(self.events.get() + events);
    }

    /// The gauges since the last call.
    pub fn take_gauges(&self) -> ReadGauges {
        ReadGauges {
            lag: self.read_lag.take(),
            unstamped: self.unstamped.take(),
            reads: self.reads.take(),
            events: self.events.take(),
        }
    }
}

/// How an exchange ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The response is whole.
    Complete,
    /// It will not be.
    Failed(Failure),
    /// The server closed the connection before any byte of the response.
    ClosedUnanswered(Failure),
}

/// What is left to be written.
#[derive(Debug)]
pub struct Outgoing {
    head: Vec<u8>,
    body: Bytes,
    written: usize,
}

impl Outgoing {
    /// A request as bytes.
    pub fn new(head: Vec<u8>, body: Bytes) -> Self {
        Self {
            head,
            body,
            written: 0,
        }
    }

    /// From the start again, for another connection.
    pub fn rewind(&mut self) {
        self.written = 0;
    }

    /// Writes what the socket takes without waiting.
    pub fn write_now(&mut self, wire: &mut Wire) -> io::Result<()> {
        while !self.is_written() {
            let written = wire.write_now(&self.parts())?;
            if written == 0 {
                break;
            }
            self.written += written;
        }
        Ok(())
    }

    fn is_written(&self) -> bool {
        self.written == self.head.len() + self.body.len()
    }

    fn parts(&self) -> [IoSlice<'_>; 2] {
        let head = &self.head[self.written.min(self.head.len())..];
        let body = &self.body[self.written.saturating_sub(self.head.len())..];
        [IoSlice::new(head), IoSlice::new(body)]
    }

    fn poll_write(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        use tokio::io::AsyncWrite;
        while !self.is_written() {
            let written = ready!(Pin::new(&mut *wire).poll_write_vectored(cx, &self.parts()))?;
            self.written += written;
        }
        Pin::new(wire).poll_flush(cx)
    }
}

/// What an exchange works with: the connection, the request and the answer outlive it.
#[derive(Debug)]
pub struct Parts<'a> {
    /// Shared by the worker.
    pub desk: &'a Desk,
    /// The connection.
    pub wire: &'a mut Wire,
    /// The request.
    pub out: &'a mut Outgoing,
    /// The answer.
    pub answer: &'a mut Answer,
}

/// One request on its way over one connection.
#[derive(Debug)]
pub struct Exchange<'a> {
    parts: Parts<'a>,
    decoder: ResponseDecoder,
    watch: Watch,
    /// The request could not be written; the response may still say why.
    write_error: Option<io::Error>,
}

impl<'a> Exchange<'a> {
    /// A request whose first bytes were written at `began`.
    pub fn new(parts: Parts<'a>, began: Nanos, limits: Limits) -> Self {
        let watch = Watch::new(parts.desk.clock, began, limits);
        let decoder = ResponseDecoder::default();
        Self {
            parts,
            decoder,
            watch,
            write_error: None,
        }
    }

    /// The response's decoder, for its head.
    pub fn decoder(&self) -> &ResponseDecoder {
        &self.decoder
    }

    /// When the last bytes were read.
    pub fn heard(&self) -> Nanos {
        self.watch.heard()
    }

    /// Goes on as far as the socket allows. `each_read` is called with the time of each read after it was handled.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut each_read: impl FnMut(Nanos, &Answer),
    ) -> Poll<End> {
        if self.write_error.is_none()
            && let Poll::Ready(Err(error)) = self.parts.out.poll_write(self.parts.wire, cx)
        {
            self.write_error = Some(error);
        }
        loop {
            match self.poll_once(cx) {
                Poll::Ready(Some(end)) => {
                    each_read(self.watch.heard(), self.parts.answer);
                    return Poll::Ready(end);
                }
                Poll::Ready(None) => each_read(self.watch.heard(), self.parts.answer),
                Poll::Pending => return self.watch.poll(cx).map(End::Failed),
            }
        }
    }

    /// One read; `None` where the response goes on.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let desk = self.parts.desk;
        let buffer = &mut **desk.buffer.borrow_mut();
        let length = match ready!(self.parts.wire.poll_read_into(cx, buffer)) {
            Ok(0) => return Poll::Ready(Some(self.closed("the server closed the connection"))),
            Err(error) => return Poll::Ready(Some(self.closed(&error.to_string()))),
            Ok(length) => length,
        };
        let read = desk.clock.read(self.parts.wire.came());
        // Never before what was heard last, whatever the stamp says.
        let at = read.came.max(self.watch.heard());
        self.watch.hear(at);
        let events = self.parts.answer.events();
        let end = self.take(&buffer[..length], at);
        desk.count(1, self.parts.answer.events() - events, read);
        Poll::Ready(end)
    }

    fn take(&mut self, bytes: &[u8], at: Nanos) -> Option<End> {
        let answer = &mut *self.parts.answer;
        answer.begin(at);
        let fed = self
            .decoder
            .feed(bytes, |head, part| answer.feed(head, part, at));
        if let Err(error) = fed {
            return Some(failed(FailureKind::MalformedHttp, error.to_string()));
        }
        if let Some(failure) = answer.failure() {
            return Some(End::Failed(failure.clone()));
        }
        if !self.decoder.is_done() {
            return None;
        }
        if let Some(head) = self.decoder.head() {
            answer.finish(head, at);
        }
        Some(
            answer
                .failure()
                .map_or(End::Complete, |failure| End::Failed(failure.clone())),
        )
    }

    /// The connection is at its end.
    fn closed(&mut self, why: &str) -> End {
        let at = self.parts.desk.clock.now();
        let why = self.write_error.as_ref().map_or(why.to_owned(), |error| {
            format!("{why}; writing failed: {error}")
        });
        let answer = &mut *self.parts.answer;
        let Some(head) = self.decoder.head().cloned() else {
            if answer.has_begun() {
                let text = format!("{why} inside the head of the response");
                return failed(FailureKind::CutMidStream, text);
            }
            return End::ClosedUnanswered(Failure {
                kind: FailureKind::ConnectionClosed,
                text: why,
            });
        };
        let whole = answer.is_complete_without_end();
        if self.decoder.finish() || whole {
            if !whole {
                // Only the end of the connection says that the response is whole.
                self.watch.hear(at);
            }
            answer.finish(&head, self.watch.heard());
            return answer
                .failure()
                .map_or(End::Complete, |failure| End::Failed(failure.clone()));
        }
        failed(
            FailureKind::CutMidStream,
            format!("{why} inside the response"),
        )
    }
}

fn failed(kind: FailureKind, text: String) -> End {
    End::Failed(Failure { kind, text })
}
