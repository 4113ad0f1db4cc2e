//! Request builders and response parsers of the user's own, and how fast what is the user's own was.
//!
//! Knows nothing of who they are. They are never called where a request is timed: bodies are made by the threads that prepare
//! requests, and answers are read by whoever collects records, from what was kept of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crestline_core::health::{OwnPace, OwnPart};
use crestline_core::record::{Failure, FailureKind, RequestRecord, TokenCount, TokenSource};
use crestline_core::request::{Generation, Item};
use crestline_core::units::Nanos;
use crestline_workload::Workload;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::endpoint::{Body, Endpoint};
use crate::clock::Clock;

/// How a service is spoken to. The texts of errors say what went wrong.
pub trait Api: fmt::Debug + Send + Sync {
    /// Makes bodies; else those of the endpoint are sent.
    fn builds(&self) -> bool;

    /// Reads answers; else they are read as the endpoint's.
    fn reads(&self) -> bool;

    /// The body for an item.
    fn body(&self, item: &Item, asked: &Asked<'_>) -> Result<Map<String, Value>, String>;

    /// What a whole answer comes to: the data of each of its events, or its body; and the body of its request.
    fn read(&self, pieces: &[String], request: &str) -> Result<Reading, String>;
}

/// What is asked of all requests alike.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Name that is sent as `model`.
    pub model: &'a str,
    /// Settings of the generation.
    pub generation: &'a Generation,
}

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Tokens of the prompt, where they are known.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer, where they are known.
    pub output_tokens: Option<u32>,
    /// Its text, where it has one.
    pub text: Option<String>,
}

/// An API by its name, and what speaks it where that is at hand: a plan that was read from a file has the name alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct OwnApi {
    name: String,
    api: Option<Arc<dyn Api>>,
}

impl OwnApi {
    /// An API of that name.
    pub fn new(name: impl Into<String>, api: Arc<dyn Api>) -> Self {
        Self {
            name: name.into(),
            api: Some(api),
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What speaks it, where that is at hand.
    pub fn api(&self) -> Option<&Arc<dyn Api>> {
        self.api.as_ref()
    }
}

impl PartialEq for OwnApi {
    /// By name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl From<String> for OwnApi {
    fn from(name: String) -> Self {
        Self { name, api: None }
    }
}

impl From<OwnApi> for String {
    fn from(own: OwnApi) -> Self {
        own.name
    }
}

/// What is the user's own in a load, and how fast it is.
#[derive(Debug, Default)]
pub struct Own {
    api: Option<OwnApi>,
    items: Gauge,
    bodies: Gauge,
    threads: AtomicU64,
}

/// Calls, and the time that they took.
#[derive(Debug, Default)]
struct Gauge {
    calls: AtomicU64,
    busy_ns: AtomicU64,
}

impl Own {
    /// With an API, where the user has one.
    pub fn with(api: Option<OwnApi>) -> Self {
        Self {
            api,
            ..Self::default()
        }
    }

    /// What reads answers in place of the endpoint.
    pub fn reader(&self) -> Option<&Arc<dyn Api>> {
        let api = self.api.as_ref()?.api()?;
        api.reads().then_some(api)
    }

    /// What makes bodies in place of the endpoint.
    pub(crate) fn builder(&self) -> Option<&Arc<dyn Api>> {
        let api = self.api.as_ref()?.api()?;
        api.builds().then_some(api)
    }

    /// Items or bodies are made by the user's own code.
    pub(crate) fn makes(&self, workload: &Workload) -> bool {
        workload.is_own() || self.builder().is_some()
    }

    /// So many threads make items and bodies from now on.
    pub(crate) fn made_by(&self, threads: usize) {
        self.threads.store(threads as u64, Relaxed);
    }

    /// The item at an index.
    pub(crate) fn item(
        &self,
        workload: &Workload,
        index: u64,
        clock: Clock,
    ) -> Result<Item, Failure> {
        if !workload.is_own() {
            return Ok(workload.item(index));
        }
        let item = self.items.time(clock, || workload.try_item(index));
        item.map_err(|why| not_made(&format!("the data set: {why}")))
    }

    /// The body for an item: the endpoint's, or what the user's own builder makes of it.
    pub(crate) fn body(
        &self,
        endpoint: Endpoint,
        item: Item,
        asked: &Asked<'_>,
        clock: Clock,
    ) -> Result<Body, Failure> {
        let Some(builder) = self.builder() else {
            return Ok(endpoint.request(item, asked.model, asked.generation));
        };
        let fields = self.bodies.time(clock, || builder.body(&item, asked));
        let fields = fields.map_err(|why| not_made(&format!("the request builder: {why}")))?;
        Ok(Body { fields, file: None })
    }

    /// How fast each was since the last call.
    pub(crate) fn take(&self, workload: &Workload) -> Vec<OwnPace> {
        let threads = self.threads.load(Relaxed);
        let items = self.items.take().map(|(calls, busy)| OwnPace {
            part: OwnPart::Items,
            name: workload.own_name().unwrap_or_default().to_owned(),
            calls,
            busy,
            threads,
        });
        let bodies = self.bodies.take().map(|(calls, busy)| OwnPace {
            part: OwnPart::Bodies,
            name: self
                .api
                .as_ref()
                .map(|own| own.name.clone())
                .unwrap_or_default(),
            calls,
            busy,
            threads,
        });
        items.into_iter().chain(bodies).collect()
    }
}

impl Gauge {
    fn time<T>(&self, clock: Clock, call: impl FnOnce() -> T) -> T {
        let from = clock.now();
        let made = call();
        self.calls.fetch_add(1, Relaxed);
        let busy = clock.now().saturating_sub(from);
        self.busy_ns.fetch_add(busy.0, Relaxed);
        made
    }

    /// Calls and their time; `None` without any.
    fn take(&self) -> Option<(u64, Nanos)> {
        let calls = self.calls.swap(0, Relaxed);
        let busy = Nanos(self.busy_ns.swap(0, Relaxed));
        (calls > 0).then_some((calls, busy))
    }
}

/// Writes what an answer comes to into its record. What it cannot read is a failure of the request.
pub fn read_answer(api: &dyn Api, record: &mut RequestRecord) {
    let Some(exchange) = record.exchange.as_deref_mut() else {
        return;
    };
    let pieces = std::mem::take(&mut exchange.pieces);
    if record.failure.is_some() {
        return;
    }
    match api.read(&pieces, &exchange.request) {
        Ok(reading) => {
            let count = |count| TokenCount {
                count,
                source: TokenSource::Usage,
            };
            record.prompt_tokens = reading.input_tokens.map(count).or(record.prompt_tokens);
            record.output_tokens = reading.output_tokens.map(count).or(record.output_tokens);
            if let Some(text) = reading.text {
                exchange.answer = text;
            }
        }
        Err(why) => {
            record.failure = Some(Failure {
                kind: FailureKind::NotRead,
                text: format!("the response parser: {why}"),
            });
        }
    }
}

fn not_made(why: &str) -> Failure {
    Failure {
        kind: FailureKind::NotMade,
        text: why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
