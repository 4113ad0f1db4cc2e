//! Benchmarks of questions by category: the first turn of each.

use serde_json::Value;

use super::Sample;
use super::listing::Listing;
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::{existing, for_each_numbered};
use crate::plan::{QuestionSamples, QuestionShape};

impl QuestionShape {
    fn name(self) -> &'static str {
        match self {
            Self::Turns => "spec_bench",
            Self::Messages => "speed_bench",
        }
    }

    fn question(self, record: &Value) -> Result<&str, &'static str> {
        match self {
            Self::Turns => record
                .pointer("/turns/0")
                .and_then(Value::as_str)
                .ok_or("it has no `turns` that begin with a text"),
            Self::Messages => record
                .pointer("/messages/0/content")
                .and_then(Value::as_str)
                .ok_or("it has no `messages` whose first has a text as its `content`"),
        }
    }
}

/// Reads lines until there are enough samples.
pub(super) fn list(
    listing: &mut Listing<'_>,
    samples: &QuestionSamples,
) -> Result<(), WorkloadError> {
    let path = existing(samples.shape.name(), &samples.path)?;
    listing.read_from(&path);
    let mut questions: Vec<String> = Vec::new();
    let mut categories: Vec<String> = Vec::new();
    for_each_numbered(&path, |line, record: Value| {
        let malformed = |reason: &str| DatasetError::Malformed {
            path: path.clone(),
            line: Some(line),
            reason: reason.to_owned(),
        };
        let question = samples.shape.question(&record).map_err(malformed)?;
        let category = record.get("category").and_then(Value::as_str);
        if samples.category.is_none() || samples.category.as_deref() == category {
            questions.push(question.to_owned());
        } else if let Some(category) =
            category.filter(|name| !categories.iter().any(|known| known == name))
        {
            categories.push(category.to_owned());
        }
        Ok(())
    })?;
    if let (Some(asked), true) = (&samples.category, questions.is_empty()) {
        return Err(DatasetError::Unusable {
            name: samples.shape.name(),
            reason: format!(
                "{} has no category `{asked}`, but {}",
                path.display(),
                categories.join(", ")
            ),
        }
        .into());
    }
    for question in listing.ordered(questions) {
        if listing.is_full() {
            break;
        }
        let (prompt, tokens) = listing.question(&question)?;
        listing.take(Sample::new(prompt, tokens, Some(samples.output_length)));
    }
    Ok(())
}
