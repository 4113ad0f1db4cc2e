//! One generation request from its body to its last byte, faults included.
//!
//! The tokens of a stream are sent by the engine's driver, not from here: this task writes heads and whole answers, watches for
//! the client's leaving, and sends what the socket did not take at once.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::answer::{Answer, Choice, Cut, Hold, Identity, Need, Parts, Stage, Usage};
use super::ask::{Ask, Delivery, Ending, Kind, Prompt};
use super::http::{self, Connection, Framing, Persistence, Request, Response};
use super::refusal::{Refusal, error_object};
use super::service::{Place, Service};
use super::tokens::Words;
use super::truth::{Outcome, Row};
use super::{AcceptModel, clock};
use crate::fault::{Fault, FaultKind};
use crate::model::{Admission, EngineRequest, prefix};

/// Prompts above this many bytes are counted on another thread, so that streams go on meanwhile.
const LONG_PROMPT: usize = 32 * 1024;

/// One request being served.
struct Serving<'a> {
    service: &'a Service,
    connection: &'a mut Connection,
    request: &'a Request,
    kind: Kind,
    fault: Option<Fault>,
    /// Counts generation requests from 0.
    index: u64,
    row: Row,
}

/// How long the prompt is, and how its blocks are named.
struct Measured {
    prompt_tokens: u32,
    hashes: Option<Arc<[u64]>>,
}

/// Serves a request. Says whether the connection is kept.
pub(super) async fn generate(
    service: &Service,
    connection: &mut Connection,
    request: &Request,
    kind: Kind,
) -> io::Result<Persistence> {
    let serving = {
        let mut state = service.state.borrow_mut();
        let index = state.requests;
        state.requests += 1;
        let fault = state.faults.draw();
        let id = request.request_id.clone();
        let id = id.unwrap_or_else(|| format!("{:016x}", mix(service.seed ^ index)));
        Serving {
            row: state.truth.row(id, request.arrival),
            service,
            connection,
            request,
            kind,
            fault,
            index,
        }
    };
    serving.serve().await
}

impl Serving<'_> {
    fn has(&self, kind: FaultKind) -> bool {
        self.fault.is_some_and(|fault| fault.kind == kind)
    }

    /// The fault's own number of seconds.
    fn seconds(&self) -> f64 {
        self.fault
            .and_then(|fault| fault.parameter())
            .unwrap_or(0.0)
    }

    /// Whether the connection is kept after a good answer, and whether the client is told.
    fn persistence(&self) -> (Persistence, Persistence) {
        let asked = self.request.connection;
        if self.request.framing == Framing::UntilClose || self.has(FaultKind::Refuse) {
            (Persistence::Close, Persistence::Close)
        } else if self.has(FaultKind::SilentClose) {
            (Persistence::Close, asked)
        } else {
            (asked, asked)
        }
    }

    async fn serve(mut self) -> io::Result<Persistence> {
        self.row.fault = self.fault.map(|fault| fault.kind);
        let seconds = self.seconds();
        match self.fault.map(|fault| fault.kind) {
            Some(FaultKind::Http500) => return self.refuse(&Refusal::Broken).await,
            Some(FaultKind::Http429) => return self.refuse(&Refusal::TooMany(seconds)).await,
            Some(FaultKind::Reset) => {
                self.connection.reset_on_close();
                self.close(Outcome::Cut);
                return Ok(Persistence::Close);
            }
            _ => {}
        }
        match self.prepare().await {
            Ok((ask, measured)) => self.answer(ask, measured).await,
            Err(refusal) => self.refuse(&refusal).await,
        }
    }

    /// Sends an error.
    async fn refuse(mut self, refusal: &Refusal) -> io::Result<Persistence> {
        let mut response = refusal.response();
        if self.has(FaultKind::TruncatedJson) || self.has(FaultKind::Stall) {
            // Those befall answers, and this is none.
            self.row.fault = None;
        }
        let (kept, told) = self.persistence();
        if response.status == 429 && response.headers.is_empty() {
            response.headers = "retry-after: 1\r\n".to_owned();
        }
        self.connection.send(&response.bytes(told)).await?;
        self.close(Outcome::Refused);
        Ok(kept)
    }

    fn close(&self, outcome: Outcome) {
        if self.has(FaultKind::Refuse) {
            self.service.refuse_seconds.set(self.seconds());
            self.service.refuse.notify_one();
        }
        self.service.state.borrow_mut().close(&self.row, outcome);
    }

    /// Reads the body, measures the prompt, and waits for the time that a front end takes.
    async fn prepare(&mut self) -> Result<(Ask, Measured), Refusal> {
        let ask = Ask::parse(self.kind, &self.request.body)?;
        if let (AcceptModel::Served, Some(model)) = (self.service.accept_model, &ask.model)
            && *model != self.service.model
        {
            return Err(Refusal::UnknownModel(model.clone()));
        }
        let measured = self.measure(&ask.prompt).await?;
        self.row.prompt_tokens = Some(measured.prompt_tokens);
        let overhead = Duration::from_secs_f64(self.service.profile.request_overhead_ms / 1e3);
        let passed = clock::now()
            .saturating_sub(self.request.arrival)
            .to_duration();
        if passed < overhead {
            sleep(overhead - passed).await;
        }
        Ok((ask, measured))
    }

    async fn measure(&self, prompt: &Prompt) -> Result<Measured, Refusal> {
        let block_size = self
            .service
            .profile
            .kv_cache
            .prefix_caching
            .then_some(self.service.profile.kv_cache.block_size);
        let tokens = Arc::clone(&self.service.tokens);
        if self.request.body.len() <= LONG_PROMPT {
            return measure(&tokens, prompt, block_size);
        }
        let prompt = prompt.clone();
        tokio::task::spawn_blocking(move || measure(&tokens, &prompt, block_size))
            .await
            .map_err(|_| Refusal::Broken)?
    }

    async fn answer(mut self, ask: Ask, measured: Measured) -> io::Result<Persistence> {
        let delivery = ask.delivery;
        if delivery == Delivery::Whole
            && self
                .fault
                .is_some_and(|fault| !fault.kind.befalls_whole_answers())
        {
            self.fault = None;
            self.row.fault = None;
        }
        let wake = Rc::new(Notify::new());
        let admitted = match self.parts(&ask, &measured, &wake) {
            Ok(parts) => self.admit(parts, measured),
            Err(refusal) => Err(refusal),
        };
        let place = match admitted {
            Ok(place) => place,
            Err(refusal) => return self.refuse(&refusal).await,
        };
        if delivery == Delivery::Whole {
            self.deliver_whole(place, &wake).await
        } else {
            self.deliver_stream(place, &wake).await
        }
    }

    fn parts(&self, ask: &Ask, measured: &Measured, wake: &Rc<Notify>) -> Result<Parts, Refusal> {
        let prompt_tokens = measured.prompt_tokens;
        let most = self.most_tokens(ask, prompt_tokens)?;
        let choices = (0..ask.choices)
            .map(|choice| self.choice(ask, most, choice))
            .collect();
        let prefix = match self.kind {
            Kind::Chat => "chatcmpl",
            Kind::Completion => "cmpl",
        };
        Ok(Parts {
            row: self.row.clone(),
            kind: self.kind,
            delivery: ask.delivery,
            framing: self.request.framing,
            choices,
            usage: Usage {
                prompt_tokens,
                cached_tokens: measured.hashes.is_some().then_some(0),
            },
            fault: self.fault,
            socket: Rc::clone(&self.connection.socket),
            wake: Rc::clone(wake),
            identity: Identity {
                id: format!("{prefix}-{}", self.row.request_id),
                created: clock::unix_seconds(),
                model: ask
                    .model
                    .clone()
                    .unwrap_or_else(|| self.service.model.clone()),
            },
        })
    }

    fn most_tokens(&self, ask: &Ask, prompt_tokens: u32) -> Result<u32, Refusal> {
        let context = self.service.profile.max_model_len;
        let room = context.saturating_sub(prompt_tokens);
        let default = self.service.profile.default_max_tokens.max(ask.min_tokens);
        let most = ask.max_tokens.unwrap_or(default.min(room).max(1));
        if most > room {
            return Err(Refusal::BadRequest(format!(
                "the context holds {context} tokens, but the prompt has {prompt_tokens} and the answer may have {most}"
            )));
        }
        Ok(most)
    }

    fn choice(&self, ask: &Ask, most: u32, choice: u32) -> Choice {
        let number = self.index * u64::from(super::ask::MOST_CHOICES) + u64::from(choice);
        let words = Words::new(mix(self.service.seed ^ mix(number)));
        match &self.service.profile.eos {
            Some(eos) if ask.ending == Ending::Natural => {
                let natural = eos.draw(self.service.seed, number).max(ask.min_tokens);
                let reason = if natural < most { "stop" } else { "length" };
                Choice::new(natural.min(most), reason, words)
            }
            _ => Choice::new(most, "length", words),
        }
    }

    fn admit(&self, parts: Parts, measured: Measured) -> Result<Place, Refusal> {
        let mut answer = Box::new(Answer::new(parts));
        if answer.delivery != Delivery::Whole {
            let head = http::stream_head(self.request.framing, self.persistence().1);
            if self.has(FaultKind::SlowHeaders) {
                answer.outlet().hold(None);
            } else {
                answer.outlet().keep(head.as_bytes());
            }
        }
        let request = EngineRequest {
            prompt_tokens: measured.prompt_tokens,
            output_tokens: 0,
            hashes: measured.hashes,
        };
        let mut state = self.service.state.borrow_mut();
        match state.admit(answer, &request) {
            Ok(place) => {
                state.answer(place).outlet().flush();
                drop(state);
                self.service.work.notify_one();
                Ok(place)
            }
            Err(Admission::QueueFull) => Err(Refusal::TooMany(1.0)),
            Err(_) => Err(Refusal::BadRequest(format!(
                "prompt and answer together are longer than the key-value cache holds: {} prompt tokens",
                request.prompt_tokens
            ))),
        }
    }

    async fn deliver_stream(&mut self, place: Place, wake: &Notify) -> io::Result<Persistence> {
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

    async fn deliver_whole(&mut self, place: Place, wake: &Notify) -> io::Result<Persistence> {
        let outcome = self.attend(place, wake).await;
        if outcome != Outcome::Finished {
            return Ok(self.finish(place, outcome));
        }
        let body = {
            let mut state = self.service.state.borrow_mut();
            state.answer(place).whole(&self.service.tokens)
        };
        let (outcome, cut) = self.send_whole(place, body).await;
        let kept = self.finish(place, outcome);
        if cut {
            self.connection.reset_on_close();
        }
        Ok(kept)
    }

    /// Sends an answer in one piece, or as a fault has it. Says how that ended, and whether with a reset.
    async fn send_whole(&mut self, place: Place, body: String) -> (Outcome, bool) {
        let fault = self.fault.map(|fault| fault.kind);
        let mut response = Response {
            body: body.into_bytes(),
            ..Response::json(200, &())
        };
        match fault {
            Some(FaultKind::TruncatedJson) => response.body.truncate(response.body.len() / 2),
            Some(FaultKind::ErrorInStream) => {
                let message = "the engine failed on this request";
                let error = error_object(500, "InternalServerError", message, None);
                response.body = Response::json(200, &error).body;
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
        for piece in [
            &bytes[..head / 2],
            &bytes[head / 2..head + 1],
            &bytes[head + 1..],
        ] {
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

fn measure(
    tokens: &super::tokens::Tokens,
    prompt: &Prompt,
    block_size: Option<u32>,
) -> Result<Measured, Refusal> {
    let refuse =
        |error: crestline_workload::template::TemplateError| Refusal::BadRequest(error.to_string());
    let counted = |count: usize| Measured {
        prompt_tokens: count as u32,
        hashes: None,
    };
    let Some(block_size) = block_size else {
        return Ok(counted(match prompt {
            Prompt::Text(text) => tokens.count_text(text),
            Prompt::TokenIds(ids) => ids.len(),
            Prompt::Messages(messages) => tokens.count_chat(messages).map_err(refuse)?,
        }));
    };
    let ids = match prompt {
        Prompt::Text(text) => tokens.encode_text(text),
        Prompt::TokenIds(ids) => ids.clone(),
        Prompt::Messages(messages) => tokens.encode_chat(messages).map_err(refuse)?,
    };
    Ok(Measured {
        hashes: Some(prefix::block_hashes(&ids, block_size)),
        ..counted(ids.len())
    })
}

/// Spreads a number over all bits.
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
