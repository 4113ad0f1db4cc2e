//! A request over HTTP/2: takes a place on a connection that it shares with others.

use std::future::poll_fn;
use std::rc::Rc;

use crestline_core::record::Failure;
use crestline_core::units::Nanos;

use super::Flight;
use crate::client::answer::Answer;
use crate::client::exchange::End;
use crate::client::http2::{Link, Parts, StreamExchange};
use crate::engine::links::Seat;

impl Flight {
    /// Runs to the end.
    ///
    /// A request that the server did not read, as far as can be told, is sent again, once, over a connection that is
    /// newer than the trouble.
    pub(crate) async fn run_http2(mut self) {
        let mut resent_after = None;
        loop {
            let seat = match self.take_seat(resent_after.unwrap_or_default()).await {
                Ok(seat) => seat,
                Err(failure) => return self.fail(failure),
            };
            let Some(link) = seat.link() else { continue };
            match self.stream(link).await {
                End::ClosedUnanswered(_) if resent_after.is_none() => {
                    resent_after = Some(link.first_trouble(self.worker.desk.clock.now()));
                    self.record.reconnects += 1;
                    self.answer = Answer::default();
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

    /// A place on an open connection, with the time that was spent to have one.
    async fn take_seat(&mut self, since: Nanos) -> Result<Seat, Failure> {
        let worker = Rc::clone(&self.worker);
        let clock = worker.desk.clock;
        let from = clock.now();
        loop {
            let seat = worker.links.take(since, clock.now());
            if since == Nanos::ZERO {
                // Otherwise the trouble is counted already.
                self.record.reconnects += seat.closed;
            }
            if seat.link().is_none() {
                let opened = seat.open(&worker.route, clock).await.map(drop);
                self.record.connect = Some(clock.now().saturating_sub(from));
                opened?;
            }
            if seat.is_good() {
                return Ok(seat);
            }
        }
    }

    async fn stream(&mut self, link: &Link) -> End {
        let worker = Rc::clone(&self.worker);
        let request = worker.head.http2(&self.record.request_id, self.body.len());
        let parts = Parts {
            desk: &worker.desk,
            link,
            answer: &mut self.answer,
        };
        self.record.sent = worker.desk.clock.now();
        let mut exchange = StreamExchange::send(parts, request, self.body.clone(), worker.limits());
        let mut chunks = 0;
        let end = poll_fn(|cx| {
            exchange.poll(cx, |at, answer| {
                let now = answer.progress().0;
                worker.heard(at, u64::from(now - chunks));
                chunks = now;
            })
        })
        .await;
        self.head = exchange.head().cloned();
        self.record.end = exchange.heard().max(self.record.sent);
        end
    }
}
