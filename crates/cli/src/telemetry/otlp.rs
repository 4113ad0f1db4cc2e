//! Sends metrics to an OpenTelemetry collector each few seconds, from a thread of its own.
//!
//! Says where they go, by flag or by OpenTelemetry's own environment variables, and how sending went. What is sent is made by
//! [`super::otlp_message`]. Nothing is queued: each message has all counts since the command began, and takes the place of
//! those that were lost before it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError, Ask};
use crestline_load::background::step_back;
use crestline_load::clock::{self, Clock};
use crestline_load::target::{Certificates, Header, Secret, Target, masked_url};

use super::Board;
use super::otlp_message::{Moment, message};
use crate::problem::Problem;

/// Between two messages, where `OTEL_METRIC_EXPORT_INTERVAL` says nothing.
const EVERY: Nanos = Nanos::from_secs(5);
/// Longest time for one message, where `OTEL_EXPORTER_OTLP_TIMEOUT` says nothing.
const TIMEOUT: Nanos = Nanos::from_secs(10);
/// Between two tries of the last message.
const AGAIN: Duration = Duration::from_millis(500);

/// Where metrics go.
#[derive(Debug)]
pub(super) struct Settings {
    target: Target,
    /// Path of the messages, with its query.
    path: String,
    every: Nanos,
    resource: Vec<(String, String)>,
    /// What asked for it: a flag or a variable.
    asked_by: &'static str,
}

/// What the flag and the environment ask for.
#[derive(Debug)]
pub(super) enum Choice {
    /// Nobody asks for it.
    Off,
    /// The environment asks for something that is not spoken.
    Unspoken(String),
    On(Box<Settings>),
}

const FLAG: &str = "--otlp-endpoint";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

impl Settings {
    /// The flag goes before the environment, and the variables of metrics before those of all signals. `env` gives variables;
    /// an empty one is as good as none.
    pub(super) fn choose(
        flag: Option<&str>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Choice, Problem> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let (url, asked_by) = match (flag, env(METRICS_ENDPOINT), env(ENDPOINT)) {
            (Some(url), _, _) => (with_path(url), FLAG),
            (None, _, _) if is_switched_off(&env) => return Ok(Choice::Off),
            (None, Some(url), _) => (url, METRICS_ENDPOINT),
            (None, None, Some(url)) => (with_path(&url), ENDPOINT),
            (None, None, None) => return Ok(Choice::Off),
        };
        let of_metrics = |name: &str| {
            let own = env(&format!("OTEL_EXPORTER_OTLP_METRICS_{name}"));
            own.or_else(|| env(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        if let Some(protocol) = of_metrics("PROTOCOL")
            && asked_by != FLAG
            && protocol != "http/json"
        {
            return Ok(Choice::Unspoken(format!(
                "no metrics are sent to {}: OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and crestline speaks http/json; --otlp-endpoint says where that is spoken",
                masked_url(&url)
            )));
        }
        let timeout = millis("OTEL_EXPORTER_OTLP_TIMEOUT", of_metrics("TIMEOUT"))?;
        let every = millis(
            "OTEL_METRIC_EXPORT_INTERVAL",
            env("OTEL_METRIC_EXPORT_INTERVAL"),
        )?;
        let headers = of_metrics("HEADERS").unwrap_or_default();
        let target = Target {
            headers: pairs("OTEL_EXPORTER_OTLP_HEADERS", &headers)?
                .into_iter()
                .map(|(name, value)| Header {
                    name,
                    value: Secret::new(value),
                })
                .collect(),
            api_key: None,
            connect_timeout: None,
            read_timeout: None,
            total_timeout: timeout.unwrap_or(TIMEOUT),
            certificates: Certificates::Checked,
            url,
        };
        Ok(Choice::On(Box::new(Self {
            path: path(&target.url),
            target,
            every: every.unwrap_or(EVERY),
            resource: resource(&env)?,
            asked_by,
        })))
    }

    /// Where metrics go and why, for readers.
    pub(super) fn shown(&self) -> String {
        let url = masked_url(&self.target.url);
        if self.asked_by == FLAG {
            url
        } else {
            format!("{url} ({})", self.asked_by)
        }
    }
}

fn is_switched_off(env: &impl Fn(&str) -> Option<String>) -> bool {
    let is = |name, value: &str| env(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
    is("OTEL_SDK_DISABLED", "true") || is("OTEL_METRICS_EXPORTER", "none")
}

/// The place of metrics behind the address that all signals share.
fn with_path(url: &str) -> String {
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, format!("?{query}")),
        None => (url, String::new()),
    };
    let base = base.trim_end_matches('/');
    if base.ends_with("/v1/metrics") {
        format!("{base}{query}")
    } else {
        format!("{base}/v1/metrics{query}")
    }
}

/// Everything behind scheme, host and port.
fn path(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/')
        .map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned())
}

fn millis(name: &str, value: Option<String>) -> Result<Option<Nanos>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let millis = value.trim().parse().ok().filter(|millis: &u64| *millis > 0);
    millis
        .map(|millis| Some(Nanos::from_millis(millis)))
        .ok_or_else(|| {
            Problem::usage(format!(
                "{name} must be a number of milliseconds from 1 on, not {value}"
            ))
        })
}

/// `name=value,name=value`, as OpenTelemetry writes lists; values may be percent-encoded.
fn pairs(variable: &str, text: &str) -> Result<Vec<(String, String)>, Problem> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    let pairs = parts.map(|part| {
        let pair = part.split_once('=').map(|(name, value)| {
            (
                decoded(name.trim()),
                decoded(value.trim().trim_matches('"')),
            )
        });
        let is_sendable = |(name, value): &(String, String)| {
            !name.is_empty() && !name.chars().chain(value.chars()).any(char::is_control)
        };
        pair.filter(is_sendable).ok_or_else(|| {
            Problem::usage(format!("{variable} is not a list of NAME=VALUE"))
                .hint("write it as NAME=VALUE,NAME=VALUE, with %2C for a comma inside a value")
        })
    });
    pairs.collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let digits = tail.get(..2).filter(|_| *byte == b'%');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Who sends: `OTEL_RESOURCE_ATTRIBUTES`, over which `OTEL_SERVICE_NAME` goes, and what is left is told of crestline.
fn resource(env: &impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, Problem> {
    let text = env("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut resource = pairs("OTEL_RESOURCE_ATTRIBUTES", &text)?;
    if let Some(name) = env("OTEL_SERVICE_NAME") {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".to_owned(), name));
    }
    let id = format!("{}-{}", clock::wall().0, std::process::id());
    for (key, value) in [
        ("service.name", "crestline"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &id),
    ] {
        if !resource.iter().any(|(known, _)| known == key) {
            resource.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(resource)
}

/// How sending went.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Sent {
    messages: u64,
    lost: u64,
    /// Why the last one that was lost was.
    why: Option<String>,
    /// The last one arrived.
    is_complete: bool,
}

/// Messages that go out until it is ended.
#[derive(Debug)]
pub(super) struct Pushing {
    stop: Sender<()>,
    ended: Receiver<Sent>,
    thread: JoinHandle<()>,
    shown: String,
    /// How long the last message is tried, once the command is done: as long as one may take.
    last: Nanos,
}

impl Pushing {
    /// Sends a first message, so that a collector that is not there is told before any load; then one after the other.
    pub(super) fn begin(settings: Settings, board: Board) -> Result<Self, Problem> {
        let shown = settings.shown();
        let asked_by = settings.asked_by;
        let refused = |error: &AsideError| {
            Problem::usage(format!("metrics cannot be sent to {shown}"))
                .because(error)
                .hint(format!(
                    "start a collector that takes OTLP over HTTP, such as one at http://127.0.0.1:4318, or leave out {asked_by}"
                ))
        };
        let timeout = settings.target.total_timeout;
        let aside = Aside::new(&settings.target, timeout, &[], |name| {
            std::env::var(name).ok()
        })
        .map_err(|error| refused(&error))?;
        let mut push = Push {
            settings,
            aside,
            board,
            since: clock::wall(),
            sent: Sent::default(),
        };
        push.send(|| true).map_err(|error| refused(&error))?;
        let (stop, stopped) = channel();
        let (end, ended) = channel();
        let thread = thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                step_back();
                push.go_on(&stopped);
                // Whoever waited for it may have gone.
                drop(end.send(push.sent));
            })
            .map_err(|error| Problem::failed("metrics cannot be sent").because(&error))?;
        Ok(Self {
            stop,
            ended,
            thread,
            shown,
            last: timeout,
        })
    }

    /// Sends the last message, and tells what was lost. Does not wait for ever for a collector that hangs.
    pub(super) fn end(self) -> Option<String> {
        drop(self.stop);
        let patience = (self.last + self.last / 2).to_duration();
        let Ok(sent) = self.ended.recv_timeout(patience) else {
            return Some(format!(
                "metrics for {}: the last message was not taken within {}",
                self.shown, self.last
            ));
        };
        drop(self.thread.join());
        let why = sent.why?;
        let last = if sent.is_complete {
            "the last one arrived, and has all counts"
        } else {
            "the last one among them, so that the collector has not all counts"
        };
        Some(format!(
            "metrics for {}: {} of {} messages were lost, {last}: {why}",
            self.shown, sent.lost, sent.messages
        ))
    }
}

/// What the thread does.
struct Push {
    settings: Settings,
    aside: Aside,
    board: Board,
    since: Nanos,
    sent: Sent,
}

impl Push {
    fn go_on(&mut self, stopped: &Receiver<()>) {
        let every = self.settings.every.to_duration();
        while matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout)) {
            let is_over = || {
                !matches!(
                    stopped.try_recv(),
                    Err(std::sync::mpsc::TryRecvError::Empty)
                )
            };
            drop(self.send(|| !is_over()));
        }
        let clock = Clock::start();
        let last = self.settings.target.total_timeout;
        while let Err(error) = self.send(|| clock.now() < last) {
            if clock.now() >= last || is_refusal(&error) {
                return;
            }
            clock::sleep(AGAIN);
        }
    }

    /// Sends how things stand. One that was not waited for, because another is due, is none.
    fn send(&mut self, goes_on: impl FnMut() -> bool) -> Result<(), AsideError> {
        let moment = Moment {
            since: self.since,
            now: clock::wall(),
        };
        let observed = self.board.look();
        let body = message(&observed, moment, &self.settings.resource).to_string();
        let ask = Ask {
            method: "POST",
            path: &self.settings.path,
            content_type: "application/json",
            body: body.as_bytes(),
        };
        let answer = self.aside.send(ask, goes_on);
        let sent = &mut self.sent;
        sent.messages += 1;
        sent.is_complete = true;
        match answer {
            Ok(_)
            | Err(AsideError::Status {
                status: 200..=299, ..
            }) => Ok(()),
            Err(error) => {
                sent.lost += 1;
                sent.is_complete = false;
                sent.why = Some(error.to_string());
                Err(error)
            }
        }
    }
}

/// The collector will say the same to the same message.
fn is_refusal(error: &AsideError) -> bool {
    matches!(
        error,
        AsideError::Status {
            status: 400..=407 | 410..=428,
            ..
        }
    )
}

#[cfg(test)]
mod tests;
