//! What is asked of an MLflow server: the few calls of its REST API, version 2.0, that a run needs.
//!
//! One request at a time, each given up after its time or when the tracker is. Once the run has begun, what may pass is tried
//! again, until the server seems to be down: then each request is tried once, until one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError, Ask};
use crestline_load::clock;
use crestline_load::engine::Stop;
use serde_json::{Value, json};

use super::settings::Settings;

/// Most metrics of one message.
pub(super) const METRICS: usize = 1000;
/// Most parameters of one message.
const PARAMS: usize = 100;
/// How often a request is tried.
const TRIES: u32 = 3;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// Longest value of a parameter that older servers take, in letters.
const OLD_PARAM: usize = 500;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// The request failed.
    #[error(transparent)]
    Aside(#[from] AsideError),
    /// An answer without what it must have.
    #[error("the answer to {what} has no {field}")]
    Incomplete {
        what: &'static str,
        field: &'static str,
    },
    /// The experiment is in the trash.
    #[error("the experiment `{name}` was deleted")]
    Deleted { name: String },
}

/// The server may well do it if it is asked again.
fn may_pass(error: &AsideError) -> bool {
    match error {
        AsideError::Status { status, .. } => *status >= 500 || *status == 429,
        AsideError::Connect { .. } | AsideError::Closed { .. } | AsideError::Timeout { .. } => true,
        _ => false,
    }
}

/// A run on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) experiment: String,
    /// Where its files go.
    pub(super) artifact_uri: String,
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub(super) key: String,
    pub(super) value: f64,
    /// In Unix time.
    pub(super) at: Nanos,
    pub(super) step: u64,
}

/// Names and values.
pub(super) type Pairs = [(String, String)];

/// How a run ended, in MLflow's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunStatus {
    Finished,
    Failed,
    Killed,
}

/// A server.
pub(super) struct Server {
    aside: Aside,
    /// Path of its page.
    path: String,
    /// Nobody waits any more.
    is_left: Arc<AtomicBool>,
    /// Who may ask to stop while it is being opened.
    stop: Option<Stop>,
    /// Nothing has been answered since a request was tried in vain.
    is_down: bool,
}

impl Server {
    pub(super) fn connect(
        settings: &Settings,
        is_left: Arc<AtomicBool>,
    ) -> Result<Self, ServerError> {
        let target = &settings.target;
        let aside = Aside::new(target, target.total_timeout, &[], |name| {
            std::env::var(name).ok()
        })?;
        Ok(Self {
            aside,
            path: settings.path.clone(),
            is_left,
            stop: None,
            is_down: false,
        })
    }

    /// From now on, who asks to stop is not kept waiting.
    pub(super) fn heed(&mut self, stop: &Stop) {
        self.stop = Some(stop.clone());
    }

    pub(super) fn heed_no_more(&mut self) {
        self.stop = None;
    }

    /// The run's page for a browser.
    pub(super) fn page(&self, run: &Run) -> String {
        format!(
            "{}{}/#/experiments/{}/runs/{}",
            self.aside.base(),
            self.path,
            run.experiment,
            run.id
        )
    }

    /// The experiment of that name, which is made where there is none.
    pub(super) fn experiment(&mut self, name: &str) -> Result<String, ServerError> {
        let query = format!("experiments/get-by-name?experiment_name={}", escaped(name));
        match self.call("GET", &query, None) {
            Ok(found) => id_of(&found["experiment"], name),
            Err(ServerError::Aside(AsideError::Status {
                status: 404, text, ..
            })) if text.contains("RESOURCE_DOES_NOT_EXIST") => {
                let made = self.post("experiments/create", &json!({"name": name}))?;
                text_of(
                    &made["experiment_id"],
                    "experiments/create",
                    "experiment_id",
                )
            }
            Err(error) => Err(error),
        }
    }

    /// The experiment of that number.
    pub(super) fn experiment_of_id(&mut self, id: &str) -> Result<String, ServerError> {
        let query = format!("experiments/get?experiment_id={}", escaped(id));
        let found = self.call("GET", &query, None)?;
        id_of(&found["experiment"], id)
    }

    pub(super) fn begin(
        &mut self,
        experiment: &str,
        name: &str,
        tags: &Pairs,
        at: Nanos,
    ) -> Result<Run, ServerError> {
        let body = json!({
            "experiment_id": experiment,
            "run_name": name,
            "start_time": millis(at),
            "tags": pairs(tags),
        });
        let made = self.post("runs/create", &body)?;
        let info = &made["run"]["info"];
        Ok(Run {
            id: text_of(&info["run_id"], "runs/create", "run_id")?,
            experiment: experiment.to_owned(),
            artifact_uri: text_of(&info["artifact_uri"], "runs/create", "artifact_uri")?,
        })
    }

    /// Notes settings. A server of before MLflow 2.8 takes only short values: it gets their beginnings.
    pub(super) fn params(&mut self, run: &Run, params: &Pairs) -> Result<(), ServerError> {
        for part in params.chunks(PARAMS) {
            let body = |part: &Pairs| json!({"run_id": run.id, "params": pairs(part)});
            match self.post("runs/log-batch", &body(part)) {
                Err(ServerError::Aside(AsideError::Status { status: 400, .. })) => {
                    let short = |(name, value): &(String, String)| {
                        (name.clone(), value.chars().take(OLD_PARAM).collect())
                    };
                    let short: Vec<(String, String)> = part.iter().map(short).collect();
                    self.post("runs/log-batch", &body(&short))?;
                }
                outcome => drop(outcome?),
            }
        }
        Ok(())
    }

    /// Notes values; no more than [`METRICS`] at once.
    pub(super) fn metrics(&mut self, run: &Run, points: &[Point]) -> Result<(), ServerError> {
        let metric = |point: &Point| {
            json!({
                "key": point.key,
                "value": point.value,
                "timestamp": millis(point.at),
                "step": point.step,
            })
        };
        let metrics: Vec<Value> = points.iter().map(metric).collect();
        let body = json!({"run_id": run.id, "metrics": metrics});
        self.post("runs/log-batch", &body).map(drop)
    }

    pub(super) fn tags(&mut self, run: &Run, tags: &Pairs) -> Result<(), ServerError> {
        for part in tags.chunks(PARAMS) {
            let body = json!({"run_id": run.id, "tags": pairs(part)});
            self.post("runs/log-batch", &body)?;
        }
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        run: &Run,
        status: RunStatus,
        at: Nanos,
    ) -> Result<(), ServerError> {
        let status = match status {
            RunStatus::Finished => "FINISHED",
            RunStatus::Failed => "FAILED",
            RunStatus::Killed => "KILLED",
        };
        let body = json!({"run_id": run.id, "status": status, "end_time": millis(at)});
        self.post("runs/update", &body).map(drop)
    }

    /// Where the server takes files of a run: a path. `None` where clients have to write them elsewhere themselves.
    pub(super) fn artifacts(&self, run: &Run) -> Option<String> {
        let rest = run.artifact_uri.strip_prefix("mlflow-artifacts:")?;
        let path = match rest.strip_prefix("//") {
            // With a host: this one is the server that the run was made on.
            Some(with_host) => with_host.split_once('/')?.1,
            None => rest.trim_start_matches('/'),
        };
        Some(format!(
            "{}/api/2.0/mlflow-artifacts/artifacts/{}",
            self.path,
            escaped_path(path)
        ))
    }

    /// Sends a file; nothing where [`Self::artifacts`] is `None`.
    pub(super) fn put(&mut self, run: &Run, name: &str, content: &[u8]) -> Result<(), ServerError> {
        let Some(place) = self.artifacts(run) else {
            return Ok(());
        };
        let path = format!("{place}/{}", escaped_path(name));
        let ask = Ask {
            method: "PUT",
            path: &path,
            content_type: content_type(name),
            body: content,
        };
        self.send(ask)?;
        Ok(())
    }

    fn post(&mut self, call: &str, body: &Value) -> Result<Value, ServerError> {
        self.call("POST", call, Some(body))
    }

    fn call(
        &mut self,
        method: &str,
        call: &str,
        body: Option<&Value>,
    ) -> Result<Value, ServerError> {
        let path = format!("{}/api/2.0/mlflow/{call}", self.path);
        let body = body.map(Value::to_string).unwrap_or_default();
        let ask = Ask {
            method,
            path: &path,
            content_type: "application/json",
            body: body.as_bytes(),
        };
        let reply = self.send(ask)?;
        let answer = serde_json::from_slice(&reply);
        Ok(answer.map_err(|source| AsideError::Json { path, source })?)
    }

    fn send(&mut self, ask: Ask<'_>) -> Result<Vec<u8>, AsideError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.send_once(ask);
            let is_in_vain = answer.as_ref().is_err_and(may_pass);
            if !is_in_vain || self.is_down || self.stop.is_some() || tries >= TRIES {
                self.is_down = is_in_vain;
                return answer;
            }
            clock::sleep(AGAIN);
        }
    }

    fn send_once(&mut self, ask: Ask<'_>) -> Result<Vec<u8>, AsideError> {
        let stop = &self.stop;
        let goes_on = || {
            let is_stopped = stop.as_ref().is_some_and(Stop::is_asked);
            !is_stopped && !self.is_left.load(Ordering::Relaxed)
        };
        self.aside.send(ask, goes_on).map(|reply| reply.body)
    }
}

fn id_of(experiment: &Value, name: &str) -> Result<String, ServerError> {
    if experiment["lifecycle_stage"] == "deleted" {
        let name = name.to_owned();
        return Err(ServerError::Deleted { name });
    }
    text_of(
        &experiment["experiment_id"],
        "experiments/get",
        "experiment_id",
    )
}

fn text_of(value: &Value, what: &'static str, field: &'static str) -> Result<String, ServerError> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or(ServerError::Incomplete { what, field })
}

fn pairs(pairs: &Pairs) -> Vec<Value> {
    let pair = |(key, value): &(String, String)| json!({"key": key, "value": value});
    pairs.iter().map(pair).collect()
}

fn millis(at: Nanos) -> u64 {
    at.0 / 1_000_000
}

/// A text as a part of a URL.
fn escaped(text: &str) -> String {
    let part = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(part).collect()
}

fn escaped_path(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(escaped).collect();
    parts.join("/")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("txt") => "text/plain",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_urls_want_it() {
        assert_eq!(escaped("a b/ä&c"), "a%20b%2F%C3%A4%26c");
        assert_eq!(escaped_path("runs/a b/x.json"), "runs/a%20b/x.json");
    }

    #[test]
    fn a_refusal_is_final_and_a_busy_server_is_not() {
        let status = |status| AsideError::Status {
            path: String::new(),
            status,
            text: String::new(),
        };
        let passing = [429, 500, 503].map(|code| may_pass(&status(code)));
        assert_eq!(passing, [true; 3]);
        assert!(!may_pass(&status(400)) && !may_pass(&status(404)));
    }
}
