//! Which path does what.
//!
//! Generation has a file of its own; the short answers are here.

use std::io;

use crestline_core::request::Message;
use serde::Deserialize;
use serde_json::json;

use super::ask::{Kind, native_kind};
use super::generate::generate;
use super::http::{Connection, Persistence, Request, Response};
use super::refusal::Refusal;
use super::service::Service;

/// Serves one connection until it closes.
pub(super) async fn serve_connection(service: &Service, mut connection: Connection) {
    // Without it a chunk may wait for the acknowledgement of the one before.
    let _ = connection.socket.set_nodelay(true);
    loop {
        let request = match connection.next_request().await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                if let Some(status) = error.status() {
                    let response = Response {
                        status,
                        ..Refusal::BadRequest(error.to_string()).response()
                    };
                    // The client may have gone: there is nobody else to tell.
                    let _ = connection.send(&response.bytes(Persistence::Close)).await;
                }
                return;
            }
        };
        match serve(service, &mut connection, &request).await {
            Ok(Persistence::KeepAlive) => {}
            Ok(Persistence::Close) | Err(_) => return,
        }
    }
}

async fn serve(
    service: &Service,
    connection: &mut Connection,
    request: &Request,
) -> io::Result<Persistence> {
    if service.loads() {
        return reply(connection, request, &Refusal::Loading.response()).await;
    }
    if let Err(refusal) = authorize(service, request) {
        return reply(connection, request, &refusal.response()).await;
    }
    match kind(request).filter(|_| request.method == "POST") {
        Some(kind) => generate(service, connection, request, kind).await,
        None => reply(connection, request, &short_answer(service, request)).await,
    }
}

/// What the engine is asked for at a path.
fn kind(request: &Request) -> Option<Kind> {
    Some(match request.path.as_str() {
        "/v1/chat/completions" => Kind::Chat,
        "/v1/completions" => Kind::Completion,
        "/v1/responses" => Kind::Response,
        "/v1/audio/transcriptions" | "/v1/audio/translations" => Kind::Transcription,
        "/v1/embeddings" | "/embeddings" => Kind::Embedding,
        "/pooling" => Kind::Pooling,
        "/rerank" | "/v1/rerank" | "/v2/rerank" => Kind::Ranking,
        path if path.ends_with("/generate_stream") => native_kind(&request.body),
        _ => return None,
    })
}

async fn reply(
    connection: &Connection,
    request: &Request,
    response: &Response,
) -> io::Result<Persistence> {
    connection.send(&response.bytes(request.connection)).await?;
    Ok(request.connection)
}

/// As with vLLM only the paths under `/v1` ask for the key.
fn authorize(service: &Service, request: &Request) -> Result<(), Refusal> {
    let Some(key) = &service.api_key else {
        return Ok(());
    };
    let given = request.authorization.as_deref();
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    if !request.path.starts_with("/v1") || given == Some(key) {
        Ok(())
    } else {
        Err(Refusal::Unauthorized)
    }
}

/// Makes a response of a request's body.
type ShortAnswer = fn(&Service, &[u8]) -> Result<Response, Refusal>;

fn short_answer(service: &Service, request: &Request) -> Response {
    let (expected, response): (&str, ShortAnswer) = match request.path.as_str() {
        "/health" | "/ping" => ("GET", |service, _| {
            if service.is_healthy() {
                Ok(Response::empty(200))
            } else {
                Err(Refusal::Unhealthy)
            }
        }),
        "/metrics" => ("GET", |service, _| {
            Ok(Response::text(service.metrics_page()))
        }),
        "/version" => ("GET", |_, _| {
            Ok(Response::json(
                200,
                &json!({"version": env!("CARGO_PKG_VERSION")}),
            ))
        }),
        "/v1/models" => ("GET", |service, _| Ok(models(service))),
        "/tokenize" => ("POST", tokenize),
        "/detokenize" => ("POST", detokenize),
        "/reset_prefix_cache" => ("POST", |service, _| {
            service.state.borrow_mut().engine.reset_prefix_cache();
            Ok(Response::empty(200))
        }),
        // There is no multi-modal cache, so it is always empty.
        "/reset_mm_cache" | "/reset_encoder_cache" => ("POST", |_, _| Ok(Response::empty(200))),
        "/start_profile" => ("POST", |service, _| Ok(switch_profiler(service, 0))),
        "/stop_profile" => ("POST", |service, _| Ok(switch_profiler(service, 1))),
        _ if kind(request).is_some() => ("POST", |_, _| Err(Refusal::WrongMethod)),
        _ => return Refusal::UnknownPath.response(),
    };
    if request.method != expected {
        return Refusal::WrongMethod.response();
    }
    response(service, &request.body).unwrap_or_else(|refusal| refusal.response())
}

/// There is nothing to profile: it is counted, so that a client's calls can be seen.
fn switch_profiler(service: &Service, to: usize) -> Response {
    service.state.borrow_mut().metrics.profiler[to] += 1;
    Response::empty(200)
}

/// The model, then its adapters.
fn models(service: &Service) -> Response {
    let model = |name: &str, parent: Option<&str>| {
        json!({
            "id": name,
            "object": "model",
            "created": super::clock::unix_seconds(),
            "owned_by": "crestline",
            "root": name,
            "parent": parent,
            "max_model_len": parent.is_none().then_some(service.profile.max_model_len),
        })
    };
    let adapters = service.adapters.iter();
    let data: Vec<_> = std::iter::once(model(&service.model, None))
        .chain(adapters.map(|name| model(name, Some(&service.model))))
        .collect();
    Response::json(200, &json!({"object": "list", "data": data}))
}

#[derive(Deserialize)]
struct TokenizeBody {
    model: Option<String>,
    prompt: Option<String>,
    messages: Option<Vec<Message>>,
    /// Those that begin or end every prompt are counted too.
    #[serde(default = "always")]
    add_special_tokens: bool,
}

fn always() -> bool {
    true
}

#[derive(Deserialize)]
struct DetokenizeBody {
    model: Option<String>,
    tokens: Vec<u32>,
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::BadRequest(format!("the body is not valid: {error}")))
}

fn check_model(service: &Service, model: Option<String>) -> Result<(), Refusal> {
    match model {
        Some(model) if !service.serves(&model) => Err(Refusal::UnknownModel(model)),
        _ => Ok(()),
    }
}

fn tokenize(service: &Service, body: &[u8]) -> Result<Response, Refusal> {
    let body: TokenizeBody = read(body)?;
    check_model(service, body.model)?;
    let ids = match (&body.prompt, &body.messages) {
        (Some(prompt), _) if body.add_special_tokens => service.tokens.encode_text(prompt),
        (Some(prompt), _) => service.tokens.encode_alone(prompt),
        (None, Some(messages)) => service
            .tokens
            .encode_chat(messages)
            .map_err(|error| Refusal::BadRequest(error.to_string()))?,
        (None, None) => {
            let message = "prompt or messages is missing";
            return Err(Refusal::BadRequest(message.to_owned()));
        }
    };
    let answer = json!({
        "count": ids.len(),
        "max_model_len": service.profile.max_model_len,
        "tokens": ids,
        "token_strs": null,
    });
    Ok(Response::json(200, &answer))
}

fn detokenize(service: &Service, body: &[u8]) -> Result<Response, Refusal> {
    let body: DetokenizeBody = read(body)?;
    check_model(service, body.model)?;
    let text = service.tokens.decode(&body.tokens);
    Ok(Response::json(200, &json!({"prompt": text})))
}
