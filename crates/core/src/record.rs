//! What happened to one request: the facts that every metric, table, file and figure is computed from.
//!
//! Times are offsets from the run's epoch. Nothing here is averaged or rounded.

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

/// Everything that is known of one request when it has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Position in the workload, from 0; warm-up requests come first. Turn `t` of conversation `c` has `c * most + t - 1`,
    /// where `most` is the number of turns of the longest conversation: no two requests have the same.
    pub index: u64,
    /// Whether it counts.
    pub phase: Phase,
    /// When it should have been sent: the scheduled arrival, or in a closed loop the moment its slot became free.
    pub due: Nanos,
    /// How long it then waited for the concurrency limit; zero where there is none.
    pub slot_wait: Nanos,
    /// When its first byte was handed to the socket. For a request that never got so far, when that failed.
    pub sent: Nanos,
    /// Time for name look-up, TCP and TLS, where a new connection was made for it; lies between `due` and `sent`.
    pub connect: Option<Nanos>,
    /// First byte of the response.
    pub first_byte: Option<Nanos>,
    /// First event with content, text, reasoning or a tool call.
    pub first_token: Option<Nanos>,
    /// First event with reasoning text.
    pub first_reasoning: Option<Nanos>,
    /// First event with answer text.
    pub first_answer: Option<Nanos>,
    /// Last event with content of any kind.
    pub last_token: Option<Nanos>,
    /// Whole response received, or the moment it failed.
    pub end: Nanos,
    /// Spans between consecutive events with content.
    pub gaps: Gaps,
    /// Events with content; `gaps` has one less.
    pub chunks: u32,
    /// Tokens that each event with content brought, where the server keeps count in every event: `chunks` numbers.
    /// Empty where it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunk_tokens: Vec<u32>,
    /// Events that had a choice without content, such as the first with the role alone or the last with the reason of
    /// the end. Other tools take them for tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bare_events: Vec<Nanos>,
    /// The response came as server-sent events.
    pub streamed: bool,
    /// Input length.
    pub prompt_tokens: Option<TokenCount>,
    /// Longest answer that was asked for, of each choice, in tokens; `None` where the request left it to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_output: Option<u32>,
    /// Output length, all choices together.
    pub output_tokens: Option<TokenCount>,
    /// Prompt tokens that the server took from its prefix cache, where it says so.
    pub cached_tokens: Option<u32>,
    /// HTTP status, where a response head was received.
    pub status: Option<u16>,
    /// Why it failed; `None` is success.
    pub failure: Option<Failure>,
    /// Times it was sent again because a kept-alive connection turned out to be closed before it was read.
    pub reconnects: u32,
    /// The id sent as `x-request-id`.
    pub request_id: String,
    /// Which turn of which conversation it is; `None` for a request that stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnPlace>,
    /// What was sent and received; left out where texts are not kept.
    pub exchange: Option<Box<Exchange>>,
}

impl RequestRecord {
    /// A request of which nothing is known yet.
    pub fn new(index: u64, phase: Phase) -> Self {
        Self {
            index,
            phase,
            due: Nanos::ZERO,
            slot_wait: Nanos::ZERO,
            sent: Nanos::ZERO,
            connect: None,
            first_byte: None,
            first_token: None,
            first_reasoning: None,
            first_answer: None,
            last_token: None,
            end: Nanos::ZERO,
            gaps: Gaps::default(),
            chunks: 0,
            chunk_tokens: Vec::new(),
            bare_events: Vec::new(),
            streamed: false,
            prompt_tokens: None,
            asked_output: None,
            output_tokens: None,
            cached_tokens: None,
            status: None,
            failure: None,
            reconnects: 0,
            request_id: String::new(),
            turn: None,
            exchange: None,
        }
    }

    /// Ended well.
    pub fn succeeded(&self) -> bool {
        self.failure.is_none()
    }

    /// Service time: sent to the whole answer received.
    pub fn latency(&self) -> Nanos {
        self.end.saturating_sub(self.sent)
    }

    /// What a user waits: from when the request was due to the whole answer received.
    pub fn latency_from_due(&self) -> Nanos {
        self.end.saturating_sub(self.due)
    }

    /// Time to first token from the write of the request. An answer that was not streamed has all its tokens at its end.
    pub fn ttft(&self) -> Option<Nanos> {
        self.first_token
            .map(|first| first.saturating_sub(self.sent))
    }

    /// Time to first token from when the request was due.
    pub fn ttft_from_due(&self) -> Option<Nanos> {
        self.first_token.map(|first| first.saturating_sub(self.due))
    }

    /// Time per output token after the first: `(last_token - first_token) / (tokens - 1)`.
    ///
    /// `None` with fewer than two tokens (one token has no interval, and zero would flatter the mean),
    /// and for an answer that was not streamed.
    pub fn tpot(&self) -> Option<Nanos> {
        let tokens = self.output_tokens?.count;
        if !self.streamed || tokens < 2 {
            return None;
        }
        Some(self.last_token?.saturating_sub(self.first_token?) / u64::from(tokens - 1))
    }

    /// How late the client itself was: `sent - due`, less the wait for the concurrency limit and for the connection.
    pub fn send_lag(&self) -> Nanos {
        self.sent
            .saturating_sub(self.due)
            .saturating_sub(self.slot_wait)
            .saturating_sub(self.connect.unwrap_or_default())
    }
}

impl RequestRecord {
    /// The same on a clock that shows `by_ns` nanoseconds more. No time becomes earlier than zero.
    pub fn moved(mut self, by_ns: i64) -> Self {
        let own = [&mut self.due, &mut self.sent, &mut self.end];
        let perhaps = [
            &mut self.first_byte,
            &mut self.first_token,
            &mut self.first_reasoning,
            &mut self.first_answer,
            &mut self.last_token,
        ];
        own.into_iter()
            .chain(perhaps.into_iter().flatten())
            .chain(&mut self.bare_events)
            .for_each(|at| *at = at.moved(by_ns));
        self
    }
}

/// A turn's place in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnPlace {
    /// Position of the conversation in the workload, from 0.
    pub conversation: u64,
    /// Number of the turn, from 1.
    pub turn: u32,
    /// Turns that the conversation has where none fails.
    pub turns: u32,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// As in its record.
    pub index: u64,
    /// When it was due.
    pub due: Nanos,
    /// When it was sent.
    pub sent: Nanos,
    /// When its first token came.
    pub first_token: Option<Nanos>,
    /// Tokens so far, all answers together; events, where a service does not say.
    pub output_tokens: u32,
    /// Tokens that it will have in the end, where they are known before.
    pub expected_tokens: Option<u32>,
}

impl InFlight {
    /// The same on a clock that shows `by_ns` nanoseconds more.
    pub fn moved(self, by_ns: i64) -> Self {
        Self {
            due: self.due.moved(by_ns),
            sent: self.sent.moved(by_ns),
            first_token: self.first_token.map(|at| at.moved(by_ns)),
            ..self
        }
    }
}

/// Whether a request counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Sent first, in no metric and no database.
    Warmup,
    /// Counted.
    Measured,
}

/// A number of tokens and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCount {
    /// Tokens.
    pub count: u32,
    /// How they were counted.
    pub source: TokenSource,
}

/// How tokens were counted, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// The server's `usage`.
    Usage,
    /// The client's tokenizer.
    Tokenizer,
    /// Events with content: too low where one event holds several tokens.
    Chunks,
}

/// What was sent and what came back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// Request body.
    pub request: String,
    /// Answer text, all choices in order.
    pub answer: String,
    /// Reasoning text.
    pub reasoning: String,
    /// Tool calls as JSON text, deltas joined.
    pub tool_calls: String,
    /// The data of each event, or the body, as it came: only until someone has read them.
    #[serde(skip)]
    pub pieces: Vec<String>,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind, for counting.
    pub kind: FailureKind,
    /// What was seen: an error of the system, the body of an error response.
    pub text: String,
}

/// Kinds of failure that a caller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The host name has no address.
    Dns,
    /// Nobody listens at the address.
    ConnectRefused,
    /// No connection within the connect time-out.
    ConnectTimeout,
    /// Another failure before the connection stood.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection was closed or reset after sending, before any byte of the response.
    ConnectionClosed,
    /// The connection was closed or reset inside the response.
    CutMidStream,
    /// No byte arrived for the read time-out.
    ReadTimeout,
    /// The whole request took longer than the total time-out.
    TotalTimeout,
    /// HTTP 429.
    RateLimited,
    /// HTTP 401 or 403.
    Unauthorized,
    /// Another HTTP 4xx.
    ClientError,
    /// HTTP 5xx.
    ServerError,
    /// Another status that is not 200.
    UnexpectedStatus,
    /// The response is not HTTP.
    MalformedHttp,
    /// A body or an event that should be JSON is not.
    MalformedJson,
    /// An `error` object inside a response with status 200.
    ErrorInBody,
    /// A well-formed answer without any content.
    EmptyAnswer,
    /// Stopped by the user, or still in flight when the grace time ended.
    Cancelled,
    /// The user's own data set or request builder could not make the request; it was never sent.
    NotMade,
    /// The user's own parser could not read the answer.
    NotRead,
    /// Another program measured it, and does not say why.
    Unknown,
}

impl FailureKind {
    /// Every kind, in the order of the enum: `ALL[kind as usize] == kind`.
    pub const ALL: [Self; 22] = [
        Self::Dns,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Connect,
        Self::Tls,
        Self::ConnectionClosed,
        Self::CutMidStream,
        Self::ReadTimeout,
        Self::TotalTimeout,
        Self::RateLimited,
        Self::Unauthorized,
        Self::ClientError,
        Self::ServerError,
        Self::UnexpectedStatus,
        Self::MalformedHttp,
        Self::MalformedJson,
        Self::ErrorInBody,
        Self::EmptyAnswer,
        Self::Cancelled,
        Self::NotMade,
        Self::NotRead,
        Self::Unknown,
    ];

    /// The name used in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::ConnectionClosed => "connection_closed",
            Self::CutMidStream => "cut_mid_stream",
            Self::ReadTimeout => "read_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::UnexpectedStatus => "unexpected_status",
            Self::MalformedHttp => "malformed_http",
            Self::MalformedJson => "malformed_json",
            Self::ErrorInBody => "error_in_body",
            Self::EmptyAnswer => "empty_answer",
            Self::Cancelled => "cancelled",
            Self::NotMade => "not_made",
            Self::NotRead => "not_read",
            Self::Unknown => "unknown",
        }
    }
}

/// Spans between events, exact to the nanosecond, four bytes each while they stay under 4.29 s.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Nanos>", into = "Vec<Nanos>")]
pub struct Gaps {
    /// A span below `u32::MAX` ns as itself; a longer one as `u32::MAX`, high half, low half.
    words: Vec<u32>,
    len: usize,
}

impl Gaps {
    /// None yet, with room for so many that are shorter than 4.29 s.
    pub fn with_capacity(spans: usize) -> Self {
        Self {
            words: Vec::with_capacity(spans),
            len: 0,
        }
    }

    /// Adds a span at the end.
    pub fn push(&mut self, gap: Nanos) {
        match u32::try_from(gap.0) {
            Ok(word) if word != u32::MAX => self.words.push(word),
            _ => self
                .words
                .extend([u32::MAX, (gap.0 >> 32) as u32, gap.0 as u32]),
        }
        self.len += 1;
    }

    /// Number of spans.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The spans in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Nanos> + '_ {
        let mut words = self.words.iter().copied();
        std::iter::from_fn(move || match words.next()? {
            u32::MAX => {
                let high = u64::from(words.next()?);
                Some(Nanos(high << 32 | u64::from(words.next()?)))
            }
            word => Some(Nanos(u64::from(word))),
        })
    }
}

impl FromIterator<Nanos> for Gaps {
    fn from_iter<I: IntoIterator<Item = Nanos>>(spans: I) -> Self {
        let mut gaps = Self::default();
        spans.into_iter().for_each(|gap| gaps.push(gap));
        gaps
    }
}

impl From<Vec<Nanos>> for Gaps {
    fn from(spans: Vec<Nanos>) -> Self {
        spans.into_iter().collect()
    }
}

impl From<Gaps> for Vec<Nanos> {
    fn from(gaps: Gaps) -> Self {
        gaps.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_stands_at_its_place_and_is_written_by_its_name() {
        for (place, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
            let written = serde_json::to_value(kind).unwrap();
            assert_eq!(written, kind.name());
        }
    }

    #[test]
    fn a_record_on_another_clock_keeps_all_its_spans() {
        let mut record = RequestRecord::new(3, Phase::Measured);
        (record.due, record.sent, record.end) = (Nanos(10), Nanos(12), Nanos(90));
        record.slot_wait = Nanos(1);
        record.first_token = Some(Nanos(40));
        record.bare_events = vec![Nanos(30)];
        let moved = record.clone().moved(1000);
        assert_eq!(
            (moved.due, moved.sent, moved.end),
            (Nanos(1010), Nanos(1012), Nanos(1090))
        );
        assert_eq!(moved.bare_events, [Nanos(1030)]);
        assert_eq!(
            (moved.slot_wait, moved.ttft()),
            (record.slot_wait, record.ttft())
        );
        assert_eq!(moved.moved(-1000), record);
        assert_eq!(record.moved(-11).due, Nanos::ZERO);
    }

    #[test]
    fn gaps_of_any_length_come_back_exactly() {
        let spans = [
            0,
            1,
            20_000_000,
            u64::from(u32::MAX) - 1,
            u64::from(u32::MAX),
            5_000_000_000,
            u64::MAX,
        ]
        .map(Nanos);
        let gaps: Gaps = spans.into_iter().collect();
        assert_eq!(gaps.len(), spans.len());
        assert_eq!(gaps.iter().collect::<Vec<_>>(), spans);
    }
}
