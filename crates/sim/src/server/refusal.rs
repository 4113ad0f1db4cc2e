//! What the server answers when it will not do what it was asked: JSON as vLLM has it.
//!
//! Injected faults use the same shapes, so that a client cannot tell them from real ones.

use serde_json::json;

use super::http::Response;

/// A request that is not served.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// The body or a field of it makes no sense.
    BadRequest(String),
    /// No such model.
    UnknownModel(String),
    /// No or a wrong key.
    Unauthorized,
    /// No such path.
    UnknownPath,
    /// The path has another method.
    WrongMethod,
    /// Too many wait, or a fault says so. Seconds after which to try again.
    TooMany(f64),
    /// The model is being loaded.
    Loading,
    /// It is not healthy, and never will be.
    Unhealthy,
    /// A fault says so.
    Broken,
}

/// The object under `error` in answers and in event streams.
pub(super) fn error_object(
    status: u16,
    kind: &str,
    message: &str,
    param: Option<&str>,
) -> serde_json::Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": status}})
}

impl Refusal {
    pub(super) fn response(&self) -> Response {
        let error = |status, kind, message: &str, param| {
            Response::json(status, &error_object(status, kind, message, param))
        };
        match self {
            Self::BadRequest(message) => error(400, "BadRequestError", message, None),
            Self::UnknownModel(name) => {
                let message =
                    format!("model `{name}` is not served here; GET /v1/models lists what is");
                error(404, "NotFoundError", &message, Some("model"))
            }
            Self::Unauthorized => Response::json(401, &json!({"error": "Unauthorized"})),
            Self::UnknownPath => Response::json(404, &json!({"detail": "Not Found"})),
            Self::WrongMethod => Response::json(405, &json!({"detail": "Method Not Allowed"})),
            Self::TooMany(seconds) => {
                let message = "too many requests are waiting";
                let mut response = error(429, "RateLimitError", message, None);
                response.headers = format!("retry-after: {}\r\n", seconds.ceil());
                response
            }
            Self::Loading => error(503, "unavailable_error", "the model is loading", None),
            Self::Unhealthy => error(503, "unavailable_error", "the engine is not healthy", None),
            Self::Broken => error(
                500,
                "InternalServerError",
                "the engine failed on this request",
                None,
            ),
        }
    }
}
