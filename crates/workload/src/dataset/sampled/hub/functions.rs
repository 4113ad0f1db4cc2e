//! Questions with functions that a model may call: the conversation, and the tools as the chat API has them.

use crestline_core::request::{Message, Prompt};
use serde_json::{Map, Value, json};

use super::rows::RowError;
use crate::dataset::DatasetError;
use crate::dataset::sampled::Sample;
use crate::dataset::sampled::listing::Listing;
use crate::dataset::sampled::table::Cell;
use crate::presentation::Content;

/// Categories that are taken where none are asked for.
const USUAL: [&str; 3] = ["simple", "live_simple", "multiple"];

/// The files of categories.
pub(super) fn files(categories: &[String]) -> Vec<String> {
    let file = |category: &str| format!("BFCL_v3_{category}.json");
    if categories.is_empty() {
        return USUAL.map(file).to_vec();
    }
    categories.iter().map(|category| file(category)).collect()
}

/// The first turn's messages, with the functions as tools of this request alone.
pub(super) fn take(listing: &mut Listing<'_>, row: &Cell, output: u32) -> Result<(), RowError> {
    if !listing.presentation().is_chat() {
        return Err(RowError::Other(
            DatasetError::Unusable {
                name: "gorilla-llm/Berkeley-Function-Calling-Leaderboard",
                reason: "calls of functions need a chat endpoint".to_owned(),
            }
            .into(),
        ));
    }
    let turn = row.field("question").and_then(|turns| turns.at(0));
    let messages: Vec<Message> = turn
        .and_then(|turn| serde_json::from_value(turn.to_json()).ok())
        .ok_or("has no `question` that begins with a list of messages")?;
    let functions = row.field("function").map(Cell::to_json);
    let Some(Value::Array(functions)) = functions else {
        return Err("has no list `function`".into());
    };
    let tools: Vec<Value> = functions
        .into_iter()
        .map(|function| json!({"type": "function", "function": in_json_schema(function)}))
        .collect();
    let tokens = listing
        .presentation()
        .count(&Content::Messages(messages.clone()));
    let mut sample = Sample::new(Prompt::Messages(messages), tokens, Some(output));
    sample.extra = Map::from_iter([
        ("tools".to_owned(), Value::Array(tools)),
        ("tool_choice".to_owned(), Value::from("auto")),
    ]);
    listing.take(sample);
    Ok(())
}

/// The same with the names of types that JSON Schema has.
fn in_json_schema(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(in_json_schema).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| match value {
                Value::String(kind) if name == "type" => (name, Value::from(type_name(&kind))),
                value => (name, in_json_schema(value)),
            });
            Value::Object(fields.collect())
        }
        value => value,
    }
}

fn type_name(kind: &str) -> &str {
    match kind {
        "dict" => "object",
        "float" => "number",
        "tuple" => "array",
        "any" => "string",
        known => known,
    }
}
