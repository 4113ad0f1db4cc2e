//! Bodies that a Python callable builds, and answers that another reads.

use crestline_core::request::{Item, Prompt};
use crestline_load::own::{Api, Asked, Reading};
use pyo3::prelude::*;
use serde_json::{Map, Value, json};

use super::told;

/// Calls `build(index, max_tokens, prompt, model, settings)`, which gives JSON, and `parse(pieces, request)`, which gives tokens
/// and a text.
#[derive(Debug)]
pub(super) struct PythonApi {
    build: Option<Py<PyAny>>,
    parse: Option<Py<PyAny>>,
}

impl PythonApi {
    pub(super) fn new(build: Option<Py<PyAny>>, parse: Option<Py<PyAny>>) -> Self {
        Self { build, parse }
    }
}

impl Api for PythonApi {
    fn builds(&self) -> bool {
        self.build.is_some()
    }

    fn reads(&self) -> bool {
        self.parse.is_some()
    }

    fn body(&self, item: &Item, asked: &Asked<'_>) -> Result<Map<String, Value>, String> {
        let Some(build) = &self.build else {
            return Err("there is no request builder".to_owned());
        };
        let settings =
            serde_json::to_string(asked.generation).map_err(|error| error.to_string())?;
        let prompt = prompt_of(item)?.to_string();
        let text: String = Python::attach(|python| {
            let given = (item.index, item.max_tokens, prompt, asked.model, settings);
            let body = build.call1(python, given);
            body.and_then(|body| body.extract(python))
                .map_err(|error| told(python, &error))
        })?;
        let mut body: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        body.extend(item.extra.clone());
        Ok(body)
    }

    fn read(&self, pieces: &[String], request: &str) -> Result<Reading, String> {
        let Some(parse) = &self.parse else {
            return Err("there is no response parser".to_owned());
        };
        let (input_tokens, output_tokens, text) = Python::attach(|python| {
            let parsed = parse.call1(python, (pieces, request));
            parsed
                .and_then(|parsed| parsed.extract(python))
                .map_err(|error| told(python, &error))
        })?;
        Ok(Reading {
            input_tokens,
            output_tokens,
            text,
        })
    }
}

/// What is asked, as JSON.
fn prompt_of(item: &Item) -> Result<Value, String> {
    Ok(match &item.prompt {
        Prompt::Text(text) => json!(text),
        Prompt::Messages(messages) => json!(messages),
        Prompt::TokenIds(ids) => json!(ids),
        Prompt::Body(body) => json!(body),
        Prompt::Texts(texts) => json!(texts),
        Prompt::Media { text, parts } => json!({"text": text, "parts": parts}),
        Prompt::Audio(_) => {
            return Err("a recording cannot be given to a request builder".to_owned());
        }
    })
}
