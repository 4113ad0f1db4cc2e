//! One generation request: its fate, its body, its prompt's length, and its admission to the engine.
//!
//! Sends errors only; how an answer reaches the client is the part of `deliver`.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::answer::{Answer, Choice, Parts, Usage};
use super::ask::{Ask, Delivery, Ending, Kind, Prompt};
use super::clock;
use super::http::{self, Connection, Framing, Persistence, Request};
use super::refusal::Refusal;
use super::service::{Place, Service};
use super::spelling::Identity;
use super::tokens::{Tokens, Words};
use super::truth::{Outcome, Row};
use crate::fault::{Fault, FaultKind};
use crate::model::{Admission, EngineRequest, prefix};

/// Prompts above this many bytes are counted on another thread, so that streams go on meanwhile.
const LONG_PROMPT: usize = 32 * 1024;

/// One request being served.
pub(super) struct Serving<'a> {
    pub(super) service: &'a Service,
    pub(super) connection: &'a mut Connection,
    pub(super) request: &'a Request,
    kind: Kind,
    pub(super) fault: Option<Fault>,
    /// Counts generation requests from 0.
    index: u64,
    pub(super) row: Row,
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
        let index = service.number_request();
        let mut state = service.state.borrow_mut();
        let fault = state.faults.draw();
        let id = request.id.clone();
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
    pub(super) fn has(&self, kind: FaultKind) -> bool {
        self.fault.is_some_and(|fault| fault.kind == kind)
    }

    /// The fault's own number of seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.fault
            .and_then(|fault| fault.parameter())
            .unwrap_or(0.0)
    }

    /// Whether the connection is kept after a good answer, and whether the client is told.
    pub(super) fn persistence(&self) -> (Persistence, Persistence) {
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
        let response = refusal.response();
        let strikes_errors = |kind: &FaultKind| {
            use FaultKind::{Http429, Http500, Refuse, SilentClose};
            matches!(kind, Http500 | Http429 | Refuse | SilentClose)
        };
        // The other kinds befall answers, and this is none.
        self.row.fault = self.row.fault.filter(strikes_errors);
        let (kept, told) = self.persistence();
        self.connection.send(&response.bytes(told)).await?;
        self.close(Outcome::Refused);
        Ok(kept)
    }

    pub(super) fn close(&self, outcome: Outcome) {
        if self.has(FaultKind::Refuse) {
            self.service.refuse_seconds.set(self.seconds());
            self.service.refuse.notify_one();
        }
        self.service.state.borrow_mut().close(&self.row, outcome);
    }

    /// Reads the body, measures the prompt, and waits for the time that a front end takes.
    async fn prepare(&mut self) -> Result<(Ask, Vec<Measured>), Refusal> {
        let ask = Ask::parse(self.kind, &self.request.content_type, &self.request.body)?;
        if let Some(model) = ask
            .model
            .as_ref()
            .filter(|model| !self.service.serves(model))
        {
            return Err(Refusal::UnknownModel(model.clone()));
        }
        let measured = self.measure(&ask.prompt).await?;
        self.row.prompt_tokens = Some(all_tokens(&measured));
        let overhead = Duration::from_secs_f64(self.service.profile.request_overhead_ms / 1e3);
        let passed = clock::now()
            .saturating_sub(self.request.arrival)
            .to_duration();
        if let Some(left) = overhead.checked_sub(passed) {
            sleep(left).await;
        }
        Ok((ask, measured))
    }

    async fn measure(&self, prompt: &Prompt) -> Result<Vec<Measured>, Refusal> {
        let block_size = self
            .service
            .profile
            .kv_cache
            .prefix_caching
            .then_some(self.service.profile.kv_cache.block_size);
        let tokens = Arc::clone(&self.service.tokens);
        if self.request.body.len() <= LONG_PROMPT {
            return measure_all(&tokens, prompt, block_size);
        }
        let prompt = prompt.clone();
        tokio::task::spawn_blocking(move || measure_all(&tokens, &prompt, block_size))
            .await
            .map_err(|_| Refusal::Broken)?
    }

    async fn answer(mut self, ask: Ask, measured: Vec<Measured>) -> io::Result<Persistence> {
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

    fn parts(&self, ask: &Ask, measured: &[Measured], wake: &Rc<Notify>) -> Result<Parts, Refusal> {
        let most = self.most_tokens(ask, longest(measured))?;
        let choices = (0..ask.choices)
            .map(|choice| self.choice(ask, most, choice))
            .collect();
        let prefix = match self.kind {
            Kind::Chat => "chatcmpl",
            Kind::Completion => "cmpl",
            Kind::Response => "resp",
            Kind::Transcription => "trsc",
            Kind::Embedding => "embd",
            Kind::Pooling => "pool",
            Kind::Ranking => "score",
            Kind::Tgi | Kind::TensorRt => "gen",
        };
        Ok(Parts {
            row: self.row.clone(),
            kind: self.kind,
            delivery: ask.delivery,
            framing: self.request.framing,
            choices,
            usage: Usage {
                prompt_tokens: all_tokens(measured),
                cached_tokens: measured[0].hashes.is_some().then_some(0),
            },
            encoding: ask.encoding,
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

    fn admit(&self, parts: Parts, measured: Vec<Measured>) -> Result<Place, Refusal> {
        let mut answer = Box::new(Answer::new(parts));
        if answer.delivery != Delivery::Whole {
            let head = http::stream_head(self.request.framing, self.persistence().1);
            if self.has(FaultKind::SlowHeaders) {
                answer.outlet().hold(None);
            } else {
                answer.outlet().keep(head.as_bytes());
            }
        }
        let longest = longest(&measured);
        let prompts: Vec<EngineRequest> = measured
            .into_iter()
            .map(|one| EngineRequest {
                prompt_tokens: one.prompt_tokens,
                output_tokens: 0,
                hashes: one.hashes,
            })
            .collect();
        let mut state = self.service.state.borrow_mut();
        match state.admit(answer, &prompts) {
            Ok(place) => {
                state.answer(place).outlet().flush();
                drop(state);
                self.service.work.notify_one();
                Ok(place)
            }
            Err(Admission::QueueFull) => Err(Refusal::TooMany(1.0)),
            Err(_) => Err(Refusal::BadRequest(format!(
                "prompt and answer together are longer than the key-value cache holds: {longest} prompt tokens"
            ))),
        }
    }
}

fn all_tokens(measured: &[Measured]) -> u32 {
    measured.iter().map(|one| one.prompt_tokens).sum()
}

fn longest(measured: &[Measured]) -> u32 {
    let lengths = measured.iter().map(|one| one.prompt_tokens);
    lengths.max().unwrap_or(0)
}

/// Each sequence of a prompt; there is at least one.
fn measure_all(
    tokens: &Tokens,
    prompt: &Prompt,
    block_size: Option<u32>,
) -> Result<Vec<Measured>, Refusal> {
    match prompt {
        Prompt::Several(prompts) => prompts
            .iter()
            .map(|prompt| measure(tokens, prompt, block_size))
            .collect(),
        one => Ok(vec![measure(tokens, one, block_size)?]),
    }
}

fn measure(tokens: &Tokens, prompt: &Prompt, block_size: Option<u32>) -> Result<Measured, Refusal> {
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
            Prompt::Pair(query, document) => tokens.count_text(query) + tokens.count_text(document),
            Prompt::Sound(length) => *length as usize,
            Prompt::Several(_) => return Err(nested()),
        }));
    };
    let ids = match prompt {
        Prompt::Text(text) => tokens.encode_text(text),
        Prompt::TokenIds(ids) => ids.clone(),
        Prompt::Messages(messages) => tokens.encode_chat(messages).map_err(refuse)?,
        Prompt::Pair(query, document) => {
            [tokens.encode_text(query), tokens.encode_text(document)].concat()
        }
        // Two recordings have nothing in common.
        Prompt::Sound(length) => return Ok(counted(*length as usize)),
        Prompt::Several(_) => return Err(nested()),
    };
    Ok(Measured {
        hashes: Some(prefix::block_hashes(&ids, block_size)),
        ..counted(ids.len())
    })
}

fn nested() -> Refusal {
    Refusal::BadRequest("input is nested too deeply".to_owned())
}

/// Spreads a number over all bits.
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
