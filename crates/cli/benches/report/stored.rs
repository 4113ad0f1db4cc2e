//! Runs for the bench: seeded records, written as a load writes them.

use std::num::NonZeroUsize;
use std::path::Path;

use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;
use crestline_store::runs::{RunHeader, RunWriter, WriteOptions};

/// A run of this bench.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) requests: u64,
    /// Fewest and most tokens of an answer.
    pub(crate) tokens: [u64; 2],
    /// Requests that are sent a second.
    pub(crate) rate: u64,
}

impl Run {
    /// Writes it, and gives the size of the file in bytes.
    pub(crate) fn write(self, path: &Path) -> anyhow::Result<u64> {
        let options = WriteOptions {
            commit_rows: NonZeroUsize::new(10_000).expect("is not 0"),
            keep_text: false,
        };
        let header = RunHeader {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            start: Nanos::from_secs(1_700_000_000),
            plan: serde_json::json!({ "name": "bench", "points": [] }),
        };
        let writer = RunWriter::create(path, options, &header)?;
        for index in 0..self.requests {
            writer.write(self.record(index));
        }
        writer.finish()?;
        Ok(std::fs::metadata(path)?.len())
    }

    fn record(self, index: u64) -> RequestRecord {
        let mut draws = Draws(index);
        let sent = Nanos(index * 1_000_000_000 / self.rate);
        let first = sent + Nanos(40_000_000 + draws.below(90_000_000) * (1 + index / 1000 % 3));
        let [fewest, most] = self.tokens;
        let tokens = fewest + draws.below(most - fewest + 1);
        let gaps = (1..tokens).map(|_| Nanos(8_000_000 + draws.below(9_000_000)));
        let gaps: Vec<Nanos> = gaps.collect();
        let last = first + gaps.iter().copied().sum();
        let count = |count: u64| {
            Some(TokenCount {
                count: count as u32,
                source: TokenSource::Usage,
            })
        };
        let failure = draws.below(500) == 0;
        RequestRecord {
            due: sent,
            sent,
            first_byte: Some(first),
            first_token: Some(first),
            first_answer: Some(first),
            last_token: Some(last),
            end: last + Nanos(draws.below(300_000)),
            gaps: gaps.into(),
            chunks: tokens as u32,
            streamed: true,
            prompt_tokens: count(200 + draws.below(600)),
            asked_output: Some(most as u32),
            output_tokens: count(tokens),
            status: Some(200),
            failure: failure.then(|| Failure {
                kind: FailureKind::CutMidStream,
                text: "connection reset by peer".to_owned(),
            }),
            request_id: format!("bench-{index}"),
            ..RequestRecord::new(index, Phase::Measured)
        }
    }
}

/// Draws of one request (splitmix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
