//! Requests of a whole run, from the result that a program wrote in detail: `start_times`, `ttfts`, `itls`, `output_lens`,
//! `input_lens` and `errors`, one entry a request.
//!
//! Such a result does not say when a request was due, so that it counts from when it was sent.

use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;
use serde_json::Value;

use crate::problem::Problem;

/// The requests of a result, in the order of its entries.
pub(crate) fn records(result: &Value) -> Result<Vec<RequestRecord>, Problem> {
    let list = |key: &str| {
        let list = result[key].as_array();
        list.ok_or_else(|| lacks(&format!("no list {key}")))
    };
    let (starts, ttfts) = (list("start_times")?, list("ttfts")?);
    let (gaps, outputs) = (list("itls")?, list("output_lens")?);
    let all = [starts.len(), ttfts.len(), gaps.len(), outputs.len()];
    if all.iter().any(|len| *len != starts.len()) {
        return Err(lacks("lists of different lengths"));
    }
    let first = starts.iter().filter_map(Value::as_f64);
    let first = first.fold(f64::INFINITY, f64::min);
    let mut records = Vec::new();
    for (place, start) in starts.iter().enumerate() {
        let start = start
            .as_f64()
            .ok_or_else(|| lacks("a start time that is no number"))?;
        let request = Request {
            sent: nanos(start - first),
            ttft: ttfts[place].as_f64().unwrap_or(0.0),
            gaps: numbers(&gaps[place]),
            output: outputs[place].as_u64().unwrap_or(0),
            input: result["input_lens"][place].as_u64(),
            error: result["errors"][place].as_str().unwrap_or_default(),
        };
        records.push(request.record(place as u64));
    }
    Ok(records)
}

fn lacks(what: &str) -> Problem {
    Problem::failed(format!("the benchmark's result has {what}"))
        .cause("--sla-search crest judges single requests, which --save-detailed puts there")
        .hint("add --sla-search pchip to judge whole runs")
}

/// One entry of the lists, times in seconds.
struct Request<'a> {
    sent: Nanos,
    ttft: f64,
    gaps: Vec<f64>,
    output: u64,
    input: Option<u64>,
    error: &'a str,
}

impl Request<'_> {
    fn record(&self, index: u64) -> RequestRecord {
        let count = |count: u64| TokenCount {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            source: TokenSource::Usage,
        };
        let is_answered = self.error.is_empty() && (self.ttft > 0.0 || self.output > 0);
        let first = self.sent + nanos(self.ttft);
        let last = first + nanos(self.gaps.iter().sum());
        let mut record = RequestRecord::new(index, Phase::Measured);
        (record.due, record.sent, record.end) = (self.sent, self.sent, last);
        record.streamed = true;
        record.prompt_tokens = self.input.map(count);
        if is_answered {
            (record.first_token, record.last_token) = (Some(first), Some(last));
            record.gaps = self.gaps.iter().copied().map(nanos).collect();
            record.chunks = self.gaps.len() as u32 + 1;
            record.output_tokens = Some(count(self.output));
        } else {
            let kind = if self.error.is_empty() {
                FailureKind::EmptyAnswer
            } else {
                kind(self.error)
            };
            record.failure = Some(Failure {
                kind,
                text: self.error.to_owned(),
            });
        }
        record
    }
}

/// Crestline begins an error with its kind; of another program's, only that program knows it.
fn kind(error: &str) -> FailureKind {
    let name = error.split(':').next().unwrap_or_default();
    serde_json::from_value(name.into()).unwrap_or(FailureKind::Unknown)
}

fn numbers(list: &Value) -> Vec<f64> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_f64).collect()
}

fn nanos(seconds: f64) -> Nanos {
    Nanos::from_secs_f64(seconds.max(0.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_entry_is_a_request_from_when_it_was_sent() {
        let result = json!({
            "start_times": [1000.5, 1000.0, 1000.0],
            "ttfts": [0.25, 0.0, 0.0],
            "itls": [[0.5, 0.25], [], []],
            "output_lens": [3, 0, 0],
            "input_lens": [7, 7, 7],
            "errors": ["", "refused", "rate_limited: slow down"],
        });
        let records = records(&result).unwrap();
        let answered = &records[0];
        assert_eq!(answered.sent, Nanos::from_millis(500));
        assert_eq!(answered.ttft(), Some(Nanos::from_millis(250)));
        assert_eq!(answered.latency(), Nanos::from_secs(1));
        assert_eq!(answered.tpot(), Some(Nanos::from_millis(375)));
        assert!(answered.succeeded());
        let failed = &records[1];
        assert_eq!(failed.sent, Nanos::ZERO);
        assert_eq!(failed.failure.as_ref().unwrap().text, "refused");
        let kinds = [1, 2].map(|place: usize| records[place].failure.as_ref().unwrap().kind);
        assert_eq!(kinds, [FailureKind::Unknown, FailureKind::RateLimited]);
    }

    #[test]
    fn a_result_without_requests_says_what_to_do() {
        let refused = records(&json!({"completed": 5})).unwrap_err().to_string();
        assert!(refused.contains("no list start_times"), "{refused}");
        assert!(refused.contains("--sla-search pchip"), "{refused}");
        let lists = json!({"start_times": [1.0], "ttfts": [], "itls": [], "output_lens": []});
        let refused = records(&lists).unwrap_err().to_string();
        assert!(refused.contains("different lengths"), "{refused}");
    }
}
