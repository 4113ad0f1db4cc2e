//! A request over HTTP/2: takes a place on a connection that it shares with others.

use std::future::poll_fn;
use std::rc::Rc;

use crestline_core::record::Failure;
use crestline_core::units::Nanos;

use super::Flight;
use crate::client::exchange::End;
use crate::client::http2::{Link, Sent, StreamExchange};
use crate::client::limits::Watch;
use crate::engine::links::Seat;

/// A request that has its place on a connection, and was sent where that was open.
#[derive(Debug)]
pub(crate) struct Begun {
    seat: Seat,
    sent: Option<Sent>,
}

impl Flight {
    /// Takes a place on a connection, and sends at once where it is open.
    pub(crate) fn begin_http2(&mut self) -> Begun {
        let now = self.worker.desk.clock.now();
        let place = self.worker.links.take(Nanos::ZERO, now);
        self.record.reconnects += place.closed;
        let sent = place.link().map(|link| self.send(link));
        Begun { seat: place, sent }
    }

    /// Runs to the end.
    ///
    /// A request that the server did not read, as far as can be told, is sent again, once, over a connection that is
    /// newer than the trouble.
    pub(crate) async fn run_http2(mut self, begun: Begun) {
        let Begun { mut seat, mut sent } = begun;
        let mut trouble = None;
        loop {
            let sent = match sent.take() {
                Some(sent) => sent,
                None => match self.open_link(&mut seat, trouble.unwrap_or_default()).await {
                    Ok(link) => self.send(&link),
                    Err(failure) => return self.fail(failure),
                },
            };
            let link = Rc::clone(&sent.link);
            match self.stream(sent).await {
                End::ClosedUnanswered(_) if trouble.is_none() => {
                    let now = self.worker.desk.clock.now();
                    let since = link.first_trouble(now);
                    trouble = Some(since);
                    self.record.reconnects += 1;
                    self.answer = self.worker.blank_answer();
                    seat = self.worker.links.take(since, now);
                }
                End::Complete => {
                    drop(seat);
                    return self.report();
                }
                End::Failed(failure) | End::ClosedUnanswered(failure) => {
                    drop(seat);
                    return self.fail(failure);
                }
            }
        }
    }

    /// Waits until the connection is open; where that has too many requests, for another one.
    async fn open_link(&mut self, seat: &mut Seat, since: Nanos) -> Result<Rc<Link>, Failure> {
        let worker = Rc::clone(&self.worker);
        let clock = worker.desk.clock;
        let from = seat.at;
        loop {
            let waits = seat.link().is_none();
            let link = seat.open(&worker.route, clock).await;
            if waits {
                self.record.connect = Some(clock.now().saturating_sub(from));
            }
            let link = link?;
            if seat.is_good() {
                return Ok(link);
            }
            *seat = worker.links.take(since, clock.now());
        }
    }

    fn send(&mut self, link: &Rc<Link>) -> Sent {
        let request = self.worker.head.http2(self.names(), self.body.len());
        self.record.sent = self.worker.desk.clock.now();
        link.send(request, self.body.clone())
    }

    async fn stream(&mut self, sent: Sent) -> End {
        let worker = Rc::clone(&self.worker);
        let track = self.track.as_deref();
        if let Some(track) = track {
            track.send(self.record.sent);
        }
        let watch = Watch::new(worker.desk.clock, self.record.sent, worker.limits());
        let mut exchange = StreamExchange::new(&worker.desk, sent, &mut self.answer, watch);
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
        self.head = exchange.head().cloned();
        self.record.end = exchange.heard().max(self.record.sent);
        end
    }
}
