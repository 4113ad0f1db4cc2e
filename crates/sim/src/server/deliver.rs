//! The way of an answer to the client, once the engine has taken the request.
//!
//! The events of a stream are written by the engine's driver; here heads and whole answers are sent, a client's leaving is noticed,
//! and what the socket did not take at once follows.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::{Cut, Hold, Need, Stage};
use super::clock;
use super::generate::Serving;
use super::http::{self, Connection, Persistence, Response};
use super::refusal::error_object;
use super::service::Place;
use super::truth::Outcome;
use crate::fault::FaultKind;

impl Serving<'_> {
    pub(super) async fn deliver_stream(
        &mut self,
        place: Place,
        wake: &Notify,
    ) -> io::Result<Persistence> {
        if self.has(FaultKind::SlowHeaders) {
            let head = http::stream_head(self.request.framing, self.persistence().1);
            if dribble(self.connection, head.as_bytes(), self.seconds())
                .await
                .is_err()
            {
                return Ok(self.finish(place, Outcome::Abandoned));
            }
            let mut state = self.service.state.borrow_mut();
            state.answer(place).release(clock::now());
        }
        let outcome = self.attend(place, wake).await;
        Ok(self.finish(place, outcome))
    }

    /// Stays with an answer until all of it is sent, or nobody is there to take it.
    async fn attend(&mut self, place: Place, wake: &Notify) -> Outcome {
        let socket = Rc::clone(&self.connection.socket);
        let mut release_at = None;
        loop {
            let (need, stage) = {
                let mut state = self.service.state.borrow_mut();
                let answer = state.answer(place);
                (answer.outlet().need(), answer.stage)
            };
            match (need, stage) {
                (Need::GiveUp, _) => return Outcome::Abandoned,
                (Need::Nothing, Stage::Done) => return Outcome::Finished,
                (Need::Nothing, Stage::Cut(_)) => return Outcome::Cut,
                (
                    Need::Release(Hold {
                        seconds: Some(seconds),
                    }),
                    _,
                ) if release_at.is_none() => {
                    release_at = Some(Instant::now() + Duration::from_secs_f64(seconds));
                }
                _ => {}
            }
            tokio::select! {
                () = wake.notified() => {}
                () = self.connection.closed() => return Outcome::Abandoned,
                () = writable(&socket), if need == Need::Flush => {
                    self.service.state.borrow_mut().answer(place).outlet().flush();
                }
                () = sleep_until(release_at.unwrap_or_else(Instant::now)), if release_at.is_some() => {
                    release_at = None;
                    self.service.state.borrow_mut().answer(place).release(clock::now());
                }
            }
        }
    }

    /// Takes the answer out of the service. Says whether the connection is kept.
    fn finish(&mut self, place: Place, outcome: Outcome) -> Persistence {
        let answer = {
            let mut state = self.service.state.borrow_mut();
            let answer = state.remove(place);
            state.count_end(&answer, clock::now());
            answer
        };
        self.row = answer.row.clone();
        self.close(outcome);
        match (outcome, answer.stage) {
            (Outcome::Finished, _) | (Outcome::Cut, Stage::Cut(Cut::Error)) => self.persistence().0,
            (Outcome::Cut, _) => {
                self.connection.reset_on_close();
                Persistence::Close
            }
            _ => Persistence::Close,
        }
    }

    pub(super) async fn deliver_whole(
        &mut self,
        place: Place,
        wake: &Notify,
    ) -> io::Result<Persistence> {
        let outcome = self.attend(place, wake).await;
        if outcome != Outcome::Finished {
            return Ok(self.finish(place, outcome));
        }
        let response = {
            let mut state = self.service.state.borrow_mut();
            state.answer(place).whole(&self.service.tokens)
        };
        let (outcome, cut) = self.send_whole(place, response).await;
        let kept = self.finish(place, outcome);
        if cut {
            self.connection.reset_on_close();
        }
        Ok(kept)
    }

    /// Sends an answer in one piece, or as a fault has it. Says how that ended, and whether with a reset.
    async fn send_whole(&mut self, place: Place, mut response: Response) -> (Outcome, bool) {
        let fault = self.fault.map(|fault| fault.kind);
        match fault {
            Some(FaultKind::TruncatedJson) => response.body.truncate(response.body.len() / 2),
            Some(FaultKind::ErrorInStream) => {
                let message = "the engine failed on this request";
                let error = error_object(500, "InternalServerError", message, None);
                response = Response::json(200, &error);
            }
            _ => {}
        }
        let told = self.persistence().1;
        let bytes = response.bytes(told);
        let head = bytes.len() - response.body.len();
        self.service
            .state
            .borrow_mut()
            .answer(place)
            .row
            .sent(clock::now());
        let sent = match fault {
            Some(FaultKind::ResetMidStream) => {
                let half = head + response.body.len() / 2;
                // Whether it arrives or not, the reset follows.
                let _ = self.connection.send(&bytes[..half]).await;
                return (Outcome::Cut, true);
            }
            Some(FaultKind::Stall) => {
                self.send_stalling(&bytes, head + response.body.len() / 2)
                    .await
            }
            Some(FaultKind::SlowHeaders) => self.send_slowly(&bytes, head).await,
            Some(FaultKind::OddCuts) => self.send_cut(&bytes, head).await,
            _ => self.connection.send(&bytes).await,
        };
        match sent {
            Ok(()) => (Outcome::Finished, false),
            Err(_) => (Outcome::Abandoned, false),
        }
    }

    async fn send_stalling(&mut self, bytes: &[u8], half: usize) -> io::Result<()> {
        self.connection.send(&bytes[..half]).await?;
        let pause = async {
            match self.fault.and_then(|fault| fault.parameter()) {
                Some(seconds) => sleep(Duration::from_secs_f64(seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            () = self.connection.closed() => return Err(io::ErrorKind::ConnectionReset.into()),
        }
        self.connection.send(&bytes[half..]).await
    }

    async fn send_slowly(&mut self, bytes: &[u8], head: usize) -> io::Result<()> {
        dribble(self.connection, &bytes[..head], self.seconds()).await?;
        self.connection.send(&bytes[head..]).await
    }

    async fn send_cut(&mut self, bytes: &[u8], head: usize) -> io::Result<()> {
        let (start, rest) = bytes.split_at(head / 2);
        let (middle, end) = rest.split_at(head - start.len() + 1);
        for piece in [start, middle, end] {
            self.connection.send(piece).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// Sends bytes one by one over some seconds.
async fn dribble(connection: &Connection, bytes: &[u8], seconds: f64) -> io::Result<()> {
    let pause = Duration::from_secs_f64(seconds / bytes.len() as f64);
    for byte in bytes {
        sleep(pause).await;
        connection.send(std::slice::from_ref(byte)).await?;
    }
    Ok(())
}

/// An error shows at the next write.
async fn writable(socket: &tokio::net::TcpStream) {
    let _ = socket.writable().await;
}
