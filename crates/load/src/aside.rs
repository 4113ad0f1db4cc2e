//! Requests beside a load: a page of metrics, a list of models, a token count, a profiler that is switched on; and what is
//! told to whoever keeps results.
//!
//! One at a time, each waited for, over a connection of their own: nothing of them is in any measurement. Speaks HTTP/1.1
//! only, also where the load goes over HTTP/2.

use std::io;
use std::time::Duration;

use crestline_core::record::Failure;
use crestline_core::units::Nanos;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use crate::client::address::Address;
use crate::client::connect::{Route, RouteError};
use crate::client::h1::{ResponseDecoder, ResponseError};
use crate::client::trust::{ExtraRoots, Trust};
use crate::client::wire::Wire;
use crate::engine::headers;
use crate::target::Target;

/// Between two looks at whether an answer is still wanted.
const LOOK: Duration = Duration::from_millis(20);
/// Longest answer, in bytes.
const BODY_LIMIT: usize = 256 * 1024 * 1024;
/// What most bodies are.
const JSON: &str = "application/json";
/// Most of an answer's text that an error repeats, in characters.
const TOLD: usize = 500;

/// A service beside its load. Blocks the calling thread, which must not be one of an asynchronous runtime.
#[derive(Debug)]
pub struct Aside {
    runtime: Runtime,
    target: Target,
    /// Scheme, host and port.
    base: String,
    route: Route,
    timeout: Nanos,
    /// Longest answer, in bytes.
    most: usize,
    /// Kept open after the last answer.
    idle: Option<Wire>,
}

/// An answer with status 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// As text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request as a whole: [`Aside::send`].
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `GET`, `POST`, `PUT`, ….
    pub method: &'a str,
    /// Path, with its query; begins with a slash.
    pub path: &'a str,
    /// What the body is, as in `Content-Type`.
    pub content_type: &'a str,
    /// The body; may be empty.
    pub body: &'a [u8],
}

impl<'a> Ask<'a> {
    /// With a body of JSON, or none.
    fn json(method: &'a str, path: &'a str, body: &'a [u8]) -> Self {
        Self {
            method,
            path,
            content_type: JSON,
            body,
        }
    }
}

/// A request beside the load that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// The way to the service.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The system gives no runtime.
    #[error("requests beside the load cannot be sent")]
    Runtime(#[source] io::Error),
    /// No connection.
    #[error("{path}: {}", .failure.text)]
    Connect {
        /// What was asked for.
        path: String,
        /// Why.
        failure: Failure,
    },
    /// The connection ended before the answer did.
    #[error("{path}: the connection was closed before the answer was whole")]
    Closed {
        /// What was asked for.
        path: String,
        /// The system's error, where there is one.
        source: Option<io::Error>,
    },
    /// The answer is not HTTP.
    #[error("{path}: {source}")]
    Malformed {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        source: ResponseError,
    },
    /// Too long without a whole answer.
    #[error("{path}: no whole answer within {limit}")]
    Timeout {
        /// What was asked for.
        path: String,
        /// The limit.
        limit: Nanos,
    },
    /// A longer answer than is taken.
    #[error("{path}: the answer is longer than {most} bytes")]
    TooLong {
        /// What was asked for.
        path: String,
        /// The limit.
        most: usize,
    },
    /// Whoever asked does not want it any more.
    #[error("{path}: not waited for")]
    GivenUp {
        /// What was asked for.
        path: String,
    },
    /// Another status than 200.
    #[error("{path}: HTTP {status}{}", after_colon(.text))]
    Status {
        /// What was asked for.
        path: String,
        /// The status; 404 where the service has no such page.
        status: u16,
        /// The beginning of the answer, without the secrets that were sent.
        text: String,
    },
    /// The answer is not the JSON that it should be.
    #[error("{path}: the answer is not what was asked for: {source}")]
    Json {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

fn after_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

impl AsideError {
    /// The service is there and has no such page.
    pub fn is_unknown_path(&self) -> bool {
        matches!(
            self,
            Self::Status {
                status: 404 | 405,
                ..
            }
        )
    }
}

impl Aside {
    /// Finds the way to the target's host; its path is not looked at. Each request may take as long as `timeout`, its
    /// connection included. `env` gives the proxy variables.
    pub fn new(
        target: &Target,
        timeout: Nanos,
        roots: &ExtraRoots,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AsideError> {
        let runtime = runtime()?;
        let address = Address::of_service(&target.url).map_err(RouteError::from)?;
        let scheme = if address.tls { "https" } else { "http" };
        let base = format!("{scheme}://{}", address.authority());
        let trust = Trust::of(target, roots);
        let mut route = runtime.block_on(Route::find(&base, timeout, trust, env))?;
        route.keep_to_http1();
        Ok(Self {
            runtime,
            target: target.clone(),
            base,
            route,
            timeout,
            most: BODY_LIMIT,
            idle: None,
        })
    }

    /// Takes no answer that is longer than so many bytes.
    #[must_use]
    pub fn with_most(self, bytes: usize) -> Self {
        Self {
            most: bytes,
            ..self
        }
    }

    /// The same with a connection of its own, for another thread.
    pub fn another(&self) -> Result<Self, AsideError> {
        Ok(Self {
            runtime: runtime()?,
            target: self.target.clone(),
            base: self.base.clone(),
            route: self.route.clone(),
            timeout: self.timeout,
            most: self.most,
            idle: None,
        })
    }

    /// Scheme, host and port of the service.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Gets a page, such as `/metrics`.
    pub fn get(&mut self, path: &str) -> Result<Reply, AsideError> {
        self.send(Ask::json("GET", path, &[]), || true)
    }

    /// The same as long as `goes_on` says so, which is asked each 20 ms.
    pub fn get_while(
        &mut self,
        path: &str,
        goes_on: impl FnMut() -> bool,
    ) -> Result<Reply, AsideError> {
        self.send(Ask::json("GET", path, &[]), goes_on)
    }

    /// Gets JSON, such as that of `/v1/models`.
    pub fn get_json<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, AsideError> {
        read_json(path, &self.get(path)?)
    }

    /// Posts nothing, such as to `/start_profile`.
    pub fn post(&mut self, path: &str) -> Result<Reply, AsideError> {
        self.send(Ask::json("POST", path, &[]), || true)
    }

    /// Posts JSON and gets JSON, such as with `/tokenize`.
    pub fn post_json<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, AsideError> {
        self.post_json_while(path, body, || true)
    }

    /// The same as long as `goes_on` says so, which is asked each 20 ms.
    pub fn post_json_while<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
        goes_on: impl FnMut() -> bool,
    ) -> Result<T, AsideError> {
        let body = serde_json::to_vec(body).map_err(|source| AsideError::Json {
            path: path.to_owned(),
            source,
        })?;
        let reply = self.send(Ask::json("POST", path, &body), goes_on)?;
        read_json(path, &reply)
    }

    /// Any request, as long as `goes_on` says so, which is asked each 20 ms.
    pub fn send(
        &mut self,
        ask: Ask<'_>,
        goes_on: impl FnMut() -> bool,
    ) -> Result<Reply, AsideError> {
        let path = ask.path;
        let request = self.request(ask);
        let idle = self.idle.take().filter(Wire::is_idle_and_open);
        let question = Question {
            path,
            request: &request,
            most: self.most,
        };
        let exchange = exchange(&self.route, idle, question);
        let limit = self.timeout;
        let answered = self.runtime.block_on(async {
            let path = path.to_owned();
            tokio::select! {
                answered = exchange => answered,
                () = tokio::time::sleep(limit.to_duration()) => Err(AsideError::Timeout { path, limit }),
                () = given_up(goes_on) => Err(AsideError::GivenUp { path }),
            }
        })?;
        self.idle = answered.wire;
        if answered.status == 200 {
            return Ok(Reply {
                body: answered.body,
            });
        }
        let text = String::from_utf8_lossy(&answered.body);
        let text = self.target.redacted(text.trim());
        Err(AsideError::Status {
            path: path.to_owned(),
            status: answered.status,
            text: text.chars().take(TOLD).collect(),
        })
    }

    fn request(&self, ask: Ask<'_>) -> Vec<u8> {
        let Ask {
            method, path, body, ..
        } = ask;
        let forwarded = self.route.request_target();
        let prefix = forwarded.strip_suffix('/').unwrap_or(&forwarded);
        let mut head = format!("{method} {prefix}{path} HTTP/1.1\r\n");
        for (name, value) in headers(&self.target, &self.route, ask.content_type) {
            head.extend([&name, ": ", &value, "\r\n"]);
        }
        let length = body.len().to_string();
        head.extend(["Content-Length: ", &length, "\r\n\r\n"]);
        [head.as_bytes(), body].concat()
    }
}

async fn given_up(mut goes_on: impl FnMut() -> bool) {
    while goes_on() {
        tokio::time::sleep(LOOK).await;
    }
}

fn runtime() -> Result<Runtime, AsideError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AsideError::Runtime)
}

fn read_json<T: DeserializeOwned>(path: &str, reply: &Reply) -> Result<T, AsideError> {
    serde_json::from_slice(&reply.body).map_err(|source| AsideError::Json {
        path: path.to_owned(),
        source,
    })
}

/// A request that is ready to be sent.
#[derive(Clone, Copy)]
struct Question<'a> {
    path: &'a str,
    request: &'a [u8],
    /// Longest answer, in bytes.
    most: usize,
}

/// A whole response.
struct Answered {
    status: u16,
    body: Vec<u8>,
    /// The connection, where it may be used again.
    wire: Option<Wire>,
}

/// Sends a request over the connection that is there. Where that was closed before any byte of an answer, the server may
/// not have read the request: it is sent again over a new one.
async fn exchange(
    route: &Route,
    idle: Option<Wire>,
    question: Question<'_>,
) -> Result<Answered, AsideError> {
    let path = question.path;
    if let Some(wire) = idle {
        match over(wire, question).await {
            Err(Interrupted::Unanswered(_)) => {}
            Err(Interrupted::Failed(error)) => return Err(error),
            Ok(answered) => return Ok(answered),
        }
    }
    let wire = route
        .connect()
        .await
        .map_err(|failure| AsideError::Connect {
            path: path.to_owned(),
            failure,
        })?;
    over(wire, question)
        .await
        .map_err(|interrupted| match interrupted {
            Interrupted::Failed(error) => error,
            Interrupted::Unanswered(source) => AsideError::Closed {
                path: path.to_owned(),
                source,
            },
        })
}

/// An exchange that did not come to its end.
enum Interrupted {
    /// Closed before any byte of an answer.
    Unanswered(Option<io::Error>),
    Failed(AsideError),
}

async fn over(mut wire: Wire, question: Question<'_>) -> Result<Answered, Interrupted> {
    let Question {
        path,
        request,
        most,
    } = question;
    let unanswered = |error| Interrupted::Unanswered(Some(error));
    wire.write_all(request).await.map_err(unanswered)?;
    wire.flush().await.map_err(unanswered)?;
    let mut decoder = ResponseDecoder::default();
    let mut body = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut begun = false;
    while !decoder.is_done() {
        let (read, source) = match wire.read(&mut buffer).await {
            Ok(read) => (read, None),
            Err(error) => (0, Some(error)),
        };
        if read == 0 {
            if decoder.finish() {
                break;
            }
            return Err(if begun {
                let path = path.to_owned();
                Interrupted::Failed(AsideError::Closed { path, source })
            } else {
                Interrupted::Unanswered(source)
            });
        }
        begun = true;
        let fed = decoder.feed(&buffer[..read], |_, part| {
            let room = (most + 1).saturating_sub(body.len());
            body.extend_from_slice(&part[..part.len().min(room)]);
        });
        fed.map_err(|source| {
            let path = path.to_owned();
            Interrupted::Failed(AsideError::Malformed { path, source })
        })?;
        if body.len() > most {
            let path = path.to_owned();
            return Err(Interrupted::Failed(AsideError::TooLong { path, most }));
        }
    }
    Ok(Answered {
        status: decoder.head().map_or(0, |head| head.status),
        body,
        wire: decoder.is_reusable().then_some(wire),
    })
}
