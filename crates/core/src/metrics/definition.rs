//! The table of metrics: one row each, as data.

use super::Metric;

/// What is written down of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Which one.
    pub metric: Metric,
    /// Name in files and criteria.
    pub name: &'static str,
    /// Name for readers.
    pub title: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// What one value of it belongs to.
    pub over: Over,
    /// How it is computed from the facts of a record.
    pub formula: &'static str,
    /// From when time counts; for numbers that are no time, from which facts they come.
    pub start: &'static str,
}

/// What a metric is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Tokens.
    Tokens,
    /// Tokens a second.
    TokensPerSecond,
    /// Requests a second.
    RequestsPerSecond,
    /// A number of things.
    Count,
    /// How many times one number goes into another.
    Ratio,
    /// A share in 0..=1.
    Fraction,
}

impl Unit {
    /// Whole-number ticks of a [`crate::stats::Sample`] in one unit: nanoseconds for time, millionths for rates and
    /// ratios.
    pub fn ticks(self) -> f64 {
        match self {
            Self::Seconds => 1e9,
            Self::TokensPerSecond | Self::RequestsPerSecond | Self::Ratio | Self::Fraction => 1e6,
            Self::Tokens | Self::Count => 1.0,
        }
    }

    /// As written behind a number or in a column's head; empty for counts, ratios and shares.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Tokens => "tokens",
            Self::TokensPerSecond => "tok/s",
            Self::RequestsPerSecond => "req/s",
            Self::Count | Self::Ratio | Self::Fraction => "",
        }
    }
}

/// What one value of a metric belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// A successful request.
    Request,
    /// A gap between two events of a successful request.
    Gap,
    /// The whole run.
    Run,
}

impl Metric {
    /// Every metric, in the order of tables and documents.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.metric)
    }

    /// All that is written down of it.
    pub fn definition(self) -> &'static Definition {
        &TABLE[self as usize]
    }

    /// Name in files and criteria, such as `ttft`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Name for readers, such as `Time to first token`.
    pub fn title(self) -> &'static str {
        self.definition().title
    }

    /// What it is measured in.
    pub fn unit(self) -> Unit {
        self.definition().unit
    }

    /// What one value of it belongs to.
    pub fn over(self) -> Over {
        self.definition().over
    }

    /// How it is computed.
    pub fn formula(self) -> &'static str {
        self.definition().formula
    }

    /// From when it counts.
    pub fn start(self) -> &'static str {
        self.definition().start
    }

    /// The metric of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|metric| metric.name() == name)
    }
}

const SENT: &str = "first byte of the request written to the socket";
const DUE: &str = "the request was due: its arrival time, or in a closed loop its slot became free";
const FIRST_TOKEN: &str = "first event with content";
const RUN: &str = "first counted request written to the socket";
const TOKENS: &str = "the server's usage, else the client's tokenizer, else events with content";

const TABLE: [Definition; 22] = [
    Definition {
        metric: Metric::Ttft,
        name: "ttft",
        title: "Time to first token",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "first_token - sent",
        start: SENT,
    },
    Definition {
        metric: Metric::Itl,
        name: "itl",
        title: "Inter-token latency",
        unit: Unit::Seconds,
        over: Over::Gap,
        formula: "event[k] - event[k-1], over events with content",
        start: "the event before",
    },
    Definition {
        metric: Metric::Tpot,
        name: "tpot",
        title: "Time per output token",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "(last_token - first_token) / (output_tokens - 1)",
        start: FIRST_TOKEN,
    },
    Definition {
        metric: Metric::Latency,
        name: "latency",
        title: "Latency",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "end - sent",
        start: SENT,
    },
    Definition {
        metric: Metric::TtftFromDue,
        name: "ttft_from_due",
        title: "Time to first token from due",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "first_token - due",
        start: DUE,
    },
    Definition {
        metric: Metric::LatencyFromDue,
        name: "latency_from_due",
        title: "Latency from due",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "end - due",
        start: DUE,
    },
    Definition {
        metric: Metric::TimeToFirstByte,
        name: "time_to_first_byte",
        title: "Time to first byte",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "first_byte - sent",
        start: SENT,
    },
    Definition {
        metric: Metric::TimeToFirstReasoning,
        name: "time_to_first_reasoning",
        title: "Time to first reasoning token",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "first_reasoning - sent",
        start: SENT,
    },
    Definition {
        metric: Metric::TimeToFirstAnswer,
        name: "time_to_first_answer",
        title: "Time to first answer token",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "first_answer - sent",
        start: SENT,
    },
    Definition {
        metric: Metric::Connect,
        name: "connect",
        title: "Connection time",
        unit: Unit::Seconds,
        over: Over::Request,
        formula: "connect",
        start: "name look-up of a new connection begins",
    },
    Definition {
        metric: Metric::InputTokens,
        name: "input_tokens",
        title: "Input tokens",
        unit: Unit::Tokens,
        over: Over::Request,
        formula: "prompt_tokens",
        start: TOKENS,
    },
    Definition {
        metric: Metric::OutputTokens,
        name: "output_tokens",
        title: "Output tokens",
        unit: Unit::Tokens,
        over: Over::Request,
        formula: "output_tokens",
        start: TOKENS,
    },
    Definition {
        metric: Metric::OutputRate,
        name: "output_rate",
        title: "Output rate",
        unit: Unit::TokensPerSecond,
        over: Over::Request,
        formula: "output_tokens / latency",
        start: SENT,
    },
    Definition {
        metric: Metric::TotalRate,
        name: "total_rate",
        title: "Total rate",
        unit: Unit::TokensPerSecond,
        over: Over::Request,
        formula: "(prompt_tokens + output_tokens) / latency",
        start: SENT,
    },
    Definition {
        metric: Metric::DecodeRate,
        name: "decode_rate",
        title: "Decode rate",
        unit: Unit::TokensPerSecond,
        over: Over::Request,
        formula: "(output_tokens - 1) / (last_token - first_token)",
        start: FIRST_TOKEN,
    },
    Definition {
        metric: Metric::ChunksPerRequest,
        name: "chunks_per_request",
        title: "Chunks per request",
        unit: Unit::Count,
        over: Over::Request,
        formula: "chunks",
        start: "events with content",
    },
    Definition {
        metric: Metric::TokensPerGap,
        name: "tokens_per_gap",
        title: "Tokens per gap",
        unit: Unit::Ratio,
        over: Over::Request,
        formula: "(output_tokens - 1) / gaps",
        start: "events with content",
    },
    Definition {
        metric: Metric::Duration,
        name: "duration",
        title: "Duration",
        unit: Unit::Seconds,
        over: Over::Run,
        formula: "max(end) - min(sent), over all counted requests",
        start: RUN,
    },
    Definition {
        metric: Metric::RequestThroughput,
        name: "request_throughput",
        title: "Request throughput",
        unit: Unit::RequestsPerSecond,
        over: Over::Run,
        formula: "succeeded / duration",
        start: RUN,
    },
    Definition {
        metric: Metric::OutputThroughput,
        name: "output_throughput",
        title: "Output token throughput",
        unit: Unit::TokensPerSecond,
        over: Over::Run,
        formula: "sum(output_tokens) / duration",
        start: RUN,
    },
    Definition {
        metric: Metric::TotalThroughput,
        name: "total_throughput",
        title: "Total token throughput",
        unit: Unit::TokensPerSecond,
        over: Over::Run,
        formula: "(sum(prompt_tokens) + sum(output_tokens)) / duration",
        start: RUN,
    },
    Definition {
        metric: Metric::SuccessRate,
        name: "success_rate",
        title: "Success rate",
        unit: Unit::Fraction,
        over: Over::Run,
        formula: "succeeded / total",
        start: "all counted requests",
    },
];

#[cfg(test)]
mod tests {
    use super::{Metric, TABLE};

    #[test]
    fn each_row_of_the_table_stands_at_its_metric() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.metric as usize, place, "{}", row.name);
            assert_eq!(row.metric.definition(), row);
        }
    }

    #[test]
    fn a_metric_is_written_and_found_by_its_name() {
        for metric in Metric::all() {
            let written = serde_json::to_string(&metric).unwrap();
            assert_eq!(written, format!("\"{}\"", metric.name()));
            assert_eq!(Metric::named(metric.name()), Some(metric));
        }
        assert_eq!(Metric::named("p99_ttft"), None);
    }
}
