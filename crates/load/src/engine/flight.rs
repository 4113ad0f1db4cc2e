//! A request in flight: finds or opens its connection, runs the exchange, and reports exactly once, however it ends.

mod http2;

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use crestline_core::record::{
    Exchange as Texts, Failure, FailureKind, RequestRecord, TokenCount, TokenSource,
};
use crestline_core::units::Nanos;

use super::conversation::Thread;
use super::head::Names;
use super::roster::Track;
use super::worker::Worker;
use crate::client::answer::Answer;
use crate::client::exchange::{End, Exchange, Outgoing, Parts};
use crate::client::h1::Head;
use crate::client::wire::Wire;

/// A request in flight. Dropped before its end, it is reported as cancelled.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) worker: Rc<Worker>,
    pub(crate) record: RequestRecord,
    pub(crate) body: Bytes,
    pub(crate) prompt_tokens: Option<u32>,
    /// The conversation that it is a turn of.
    pub(crate) thread: Option<Box<Thread>>,
    /// Where others look at its progress.
    pub(crate) track: Option<Rc<Track>>,
    answer: Answer,
    head: Option<Head>,
    /// The connection may carry another request.
    reusable: bool,
    /// Its times and its failure are known.
    settled: bool,
    reported: bool,
}

impl Flight {
    /// A request that is about to be sent.
    pub(crate) fn new(worker: Rc<Worker>, record: RequestRecord, body: Bytes) -> Self {
        let answer = worker.blank_answer();
        Self {
            worker,
            record,
            body,
            prompt_tokens: None,
            thread: None,
            track: None,
            answer,
            head: None,
            reusable: false,
            settled: false,
            reported: false,
        }
    }

    /// What the service is told that it is called.
    pub(crate) fn names(&self) -> Names<'_> {
        Names {
            request: &self.record.request_id,
            session: self.thread.as_deref().map(Thread::session),
        }
    }

    /// Runs to the end over HTTP/1.1. A connection that is given has already taken the first bytes, at `record.sent`.
    ///
    /// Only a request whose kept-alive connection was closed before any byte of the response is sent again, once, over
    /// a new connection: the server may have closed it before it read the request.
    pub(crate) async fn run(mut self, mut out: Outgoing, kept: Option<Wire>) {
        match self.answered(&mut out, kept).await {
            Ok((end, wire)) => {
                self.settle(end);
                // All that has arrived for others is read first: their times depend on it, and those of this one are known.
                tokio::task::yield_now().await;
                if self.reusable {
                    self.worker.keep(wire);
                }
                // The record takes the body over; nothing else may hold it then.
                drop(out);
                self.report();
            }
            Err(failure) => self.fail(failure),
        }
    }

    /// The whole exchange, over a second connection where the first one was closed.
    async fn answered(
        &mut self,
        out: &mut Outgoing,
        kept: Option<Wire>,
    ) -> Result<(End, Wire), Failure> {
        if let Some(mut wire) = kept {
            match self.exchange(out, &mut wire).await {
                End::ClosedUnanswered(_) => {
                    self.record.reconnects += 1;
                    out.rewind();
                    self.answer = self.worker.blank_answer();
                }
                end => return Ok((end, wire)),
            }
        }
        let mut wire = self.open().await?;
        self.record.sent = self.worker.desk.clock.now();
        let end = self.exchange(out, &mut wire).await;
        Ok((end, wire))
    }

    async fn open(&mut self) -> Result<Wire, Failure> {
        let clock = self.worker.desk.clock;
        let from = clock.now();
        // Boxed: a handshake's state is far larger than that of a stream, and is there for a moment only.
        let wire = Box::pin(self.worker.route.connect()).await;
        self.record.connect = Some(clock.now().saturating_sub(from));
        wire
    }

    async fn exchange(&mut self, out: &mut Outgoing, wire: &mut Wire) -> End {
        let worker = Rc::clone(&self.worker);
        let track = self.track.as_deref();
        if let Some(track) = track {
            track.send(self.record.sent);
        }
        let parts = Parts {
            desk: &worker.desk,
            wire,
            out,
            answer: &mut self.answer,
        };
        let mut exchange = Exchange::new(parts, self.record.sent, worker.limits());
        let mut chunks = 0;
        let end = poll_fn(|cx| {
            exchange.poll(cx, |at, answer| {
                let progress = answer.progress();
                if let Some(track) = track {
                    track.see(progress);
                }
                worker.heard(at, u64::from(progress.0 - chunks));
                chunks = progress.0;
            })
        })
        .await;
        self.head = exchange.decoder().head().cloned();
        self.reusable = exchange.decoder().is_reusable();
        self.record.end = exchange.heard().max(self.record.sent);
        end
    }

    /// Its times and its failure are known.
    fn settle(&mut self, end: End) {
        if let End::Failed(failure) | End::ClosedUnanswered(failure) = end {
            self.record.end = self.worker.desk.clock.now();
            self.record.failure = Some(failure);
        }
        self.settled = true;
    }

    /// It ends before it was sent, or before it had a connection.
    pub(crate) fn fail(mut self, failure: Failure) {
        let now = self.worker.desk.clock.now();
        if self.record.sent == Nanos::ZERO {
            self.record.sent = now;
        }
        self.record.end = now;
        self.record.failure = Some(failure);
        self.report();
    }

    fn report(&mut self) {
        self.reported = true;
        let blank = RequestRecord::new(0, self.record.phase);
        let mut record = std::mem::replace(&mut self.record, blank);
        let texts = std::mem::take(&mut self.answer).settle(&mut record, self.head.as_ref());
        if record.prompt_tokens.is_none() {
            let counted = |count| TokenCount {
                count,
                source: TokenSource::Tokenizer,
            };
            record.prompt_tokens = self.prompt_tokens.map(counted);
        }
        let thread = self.thread.take().filter(|_| record.succeeded());
        let next = thread.and_then(|mut thread| {
            let pause = thread.hear(&texts.answer)?;
            Some((pause, thread))
        });
        let body = std::mem::take(&mut self.body);
        record.exchange = Some(Box::new(Texts {
            request: self.worker.text_of(body, &record),
            answer: texts.answer,
            reasoning: texts.reasoning,
            tool_calls: texts.tool_calls,
            pieces: texts.pieces,
        }));
        self.worker.finish(record, next);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.settled && !self.reported {
            self.report();
        } else if !self.reported {
            let now = self.worker.desk.clock.now();
            self.record.end = now;
            if self.record.sent == Nanos::ZERO {
                self.record.sent = now;
            }
            let text = "given up before its end".to_owned();
            self.record.failure = Some(Failure {
                kind: FailureKind::Cancelled,
                text,
            });
            self.report();
        }
    }
}

/// A body as text, in its own memory where nobody else holds it: thousands of requests may end together.
pub(super) fn into_text(body: Bytes) -> String {
    String::from_utf8(body.into())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_takes_the_body_over_and_copies_only_what_is_still_held() {
        let body = Bytes::copy_from_slice(br#"{"model":"m"}"#);
        let (at, sent) = (body.as_ptr(), body.clone());
        drop(sent);
        let text = into_text(body);
        assert_eq!((text.as_ptr(), text.as_str()), (at, r#"{"model":"m"}"#));
        let held = Bytes::copy_from_slice(b"{}");
        assert_eq!(into_text(held.clone()), "{}");
        assert_eq!(held, "{}");
        assert_eq!(into_text(Bytes::from_static(b"a\xff")), "a\u{fffd}");
    }
}
