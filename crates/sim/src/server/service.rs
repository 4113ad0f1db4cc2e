//! What all connections and the engine's driver share: the engine, the answers under way, counts and files.
//!
//! One thread only. Nothing here waits, so a borrow of the state never lasts over an `await`.

use std::cell::{Cell, RefCell};
use std::io;

use crestline_core::units::Nanos;
use tokio::sync::Notify;

use super::answer::{Answer, Scratch, Stage, Tick};
use super::metrics::Metrics;
use super::tokens::Tokens;
use super::truth::{Outcome, Row, Truth};
use super::{AcceptModel, Health, Life, Options, ServeError, clock};
use crate::fault::Faults;
use crate::model::{Admission, Engine, EngineRequest, Progress};
use crate::profile::Profile;

/// The simulated service behind one listener.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) profile: Profile,
    pub(super) model: String,
    pub(super) adapters: Vec<String>,
    pub(super) accept_model: AcceptModel,
    pub(super) api_key: Option<String>,
    pub(super) seed: u64,
    pub(super) life: Life,
    born: Nanos,
    pub(super) tokens: std::sync::Arc<Tokens>,
    pub(super) state: RefCell<State>,
    /// There is work for an idle engine.
    pub(super) work: Notify,
    /// It is to end.
    pub(super) crash: Notify,
    /// Nobody is to listen for some seconds.
    pub(super) refuse: Notify,
    pub(super) refuse_seconds: Cell<f64>,
}

/// What changes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) faults: Faults,
    pub(super) metrics: Metrics,
    pub(super) truth: Truth,
    answers: Vec<Option<Box<Answer>>>,
    vacant: Vec<u32>,
    /// Generation requests so far.
    pub(super) requests: u64,
    scratch: Scratch,
    /// The truth can not be written any more.
    pub(super) broken: Option<io::Error>,
}

/// Choices of one answer have ids that differ in these low bits.
const CHOICE_BITS: u32 = 12;

/// Place of an answer in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    fn id(self, choice: usize) -> u64 {
        (u64::from(self.0) << CHOICE_BITS) | choice as u64
    }
}

impl Service {
    pub(super) fn new(options: Options) -> Result<Self, ServeError> {
        let profile = options.profile.with(&options.overrides)?;
        let truth = Truth::create(options.truth.as_deref(), options.truth_chunks.as_deref());
        Ok(Self {
            state: RefCell::new(State {
                engine: Engine::new(&profile, options.seed),
                faults: Faults::new(options.faults, options.seed)?,
                metrics: Metrics::new(),
                truth: truth.map_err(ServeError::Truth)?,
                answers: Vec::new(),
                vacant: Vec::new(),
                requests: 0,
                scratch: Scratch::default(),
                broken: None,
            }),
            profile,
            model: options.model,
            adapters: options.adapters,
            accept_model: options.accept_model,
            api_key: options.api_key,
            seed: options.seed,
            life: options.life,
            born: clock::now(),
            tokens: std::sync::Arc::new(Tokens::load(options.tokenizer.as_deref())?),
            work: Notify::new(),
            crash: Notify::new(),
            refuse: Notify::new(),
            refuse_seconds: Cell::new(0.0),
        })
    }

    /// The page of metrics now.
    pub(super) fn metrics_page(&self) -> String {
        let state = self.state.borrow();
        state.metrics.page(&self.model, &state.engine)
    }

    /// Whether it still loads its model.
    pub(super) fn loads(&self) -> bool {
        clock::now().saturating_sub(self.born).to_duration() < self.life.loading
    }

    /// What `/health` says when nothing is loaded any more.
    pub(super) fn is_healthy(&self) -> bool {
        self.life.health == Health::Good
    }

    /// Counts a generation request and gives its number, from 0; the one too many ends the server.
    pub(super) fn number_request(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        let number = state.requests;
        state.requests += 1;
        if self.life.crash.after_requests == Some(number) {
            self.crash.notify_one();
        }
        number
    }

    /// Whether a request may name this model.
    pub(super) fn serves(&self, model: &str) -> bool {
        self.accept_model == AcceptModel::Any
            || self.model == model
            || self.adapters.iter().any(|name| name == model)
    }

    /// Hands out the tokens of the iteration that has just ended.
    pub(super) fn publish(&self, progress: &[Progress]) {
        let mut state = self.state.borrow_mut();
        for one in progress {
            state.tick(one, &self.tokens);
        }
    }
}

impl State {
    /// Queues all choices of an answer, or none. They take the prompts in turn.
    pub(super) fn admit(
        &mut self,
        answer: Box<Answer>,
        prompts: &[EngineRequest],
    ) -> Result<Place, Admission> {
        let place = Place(self.vacant.pop().unwrap_or_else(|| {
            self.answers.push(None);
            (self.answers.len() - 1) as u32
        }));
        for (index, choice) in answer.choices.iter().enumerate() {
            let request = EngineRequest {
                output_tokens: choice.tokens,
                ..prompts[index % prompts.len()].clone()
            };
            let admission = self.engine.submit(place.id(index), request);
            if admission != Admission::Queued {
                for earlier in 0..index {
                    self.engine.abort(place.id(earlier));
                }
                self.vacant.push(place.0);
                return Err(admission);
            }
        }
        self.answers[place.0 as usize] = Some(answer);
        Ok(place)
    }

    /// The answer at a place that has been given out and not yet taken back.
    pub(super) fn answer(&mut self, place: Place) -> &mut Answer {
        self.answers[place.0 as usize]
            .as_mut()
            .expect("a place is held until its answer is removed")
    }

    /// Takes an answer out; the engine stops working on it.
    pub(super) fn remove(&mut self, place: Place) -> Box<Answer> {
        let answer = self.answers[place.0 as usize]
            .take()
            .expect("a place is held until its answer is removed");
        self.vacant.push(place.0);
        self.stop(place, answer.choices.len());
        answer
    }

    fn stop(&mut self, place: Place, choices: usize) {
        for choice in 0..choices {
            self.engine.abort(place.id(choice));
        }
    }

    fn tick(&mut self, progress: &Progress, tokens: &Tokens) {
        let place = Place((progress.id >> CHOICE_BITS) as u32);
        let Some(answer) = self.answers[place.0 as usize].as_mut() else {
            return;
        };
        if answer.stage != Stage::Running {
            return;
        }
        let tick = Tick {
            choice: (progress.id & ((1 << CHOICE_BITS) - 1)) as usize,
            tokens: progress.tokens,
            cached_tokens: progress.cached_tokens,
            at: clock::now(),
        };
        let first = answer.row.output_tokens == 0;
        let shown = answer.tick(tick, tokens, &mut self.scratch);
        if answer.kind.only_reads() {
            // What the engine yields at the end of a prompt is none that was asked for.
            self.metrics.only_read += u64::from(tick.tokens);
        } else if first {
            let waited = tick.at.saturating_sub(answer.row.arrival);
            self.metrics.ttft.record(waited);
        }
        if let Some(gap) = shown.gap {
            self.metrics.between_tokens.record(gap);
        }
        if matches!(answer.stage, Stage::Cut(_)) {
            let choices = answer.choices.len();
            self.stop(place, choices);
        }
    }

    /// Counts a request that has ended and writes its truth.
    pub(super) fn close(&mut self, row: &Row, outcome: Outcome) {
        if let Err(error) = self.truth.write(row, outcome) {
            self.broken.get_or_insert(error);
        }
    }

    /// Writes the truth of all answers under way as abandoned, and empties the files' buffers.
    pub(super) fn wind_up(&mut self) {
        let open: Vec<_> = self.answers.drain(..).flatten().collect();
        for answer in open {
            self.close(&answer.row, Outcome::Abandoned);
        }
        self.flush_truth();
    }

    pub(super) fn flush_truth(&mut self) {
        if let Err(error) = self.truth.flush() {
            self.broken.get_or_insert(error);
        }
    }

    /// Counts the end of an answer.
    pub(super) fn count_end(&mut self, answer: &Answer, now: Nanos) {
        for choice in &answer.choices {
            match choice.finish_reason {
                _ if choice.open() => self.metrics.aborted += 1,
                "stop" => self.metrics.stopped += 1,
                _ => self.metrics.at_length += 1,
            }
        }
        if answer.stage == Stage::Done {
            let span = now.saturating_sub(answer.row.arrival);
            self.metrics.request.record(span);
        }
    }
}
