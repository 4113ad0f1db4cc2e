//! What the figures of a serving run need of one request.
//!
//! A row has no formulas but those that turn the facts of a record into it.

use crate::record::{RequestRecord, TokenSource};
use crate::units::Nanos;

/// One request, all times in seconds. Moments count from any epoch that all rows of a run share.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When it should have been sent.
    pub due_s: f64,
    /// When its own clock starts: what comes before is waiting, what comes after is service.
    pub start_s: f64,
    /// How long it waited for the limit on requests in flight.
    pub queue_s: f64,
    /// From its start to its first event with tokens; to the end of an answer that came whole; 0 where a failed request
    /// has had none.
    pub ttft_s: f64,
    /// Spans between its events, one less than events.
    pub itls_s: Vec<f64>,
    /// How many tokens the events brought.
    pub event_tokens: EventTokens,
    /// From its start to its last event with tokens; to the end of an answer that came whole, and of a failed request.
    /// Tools that write 0 for a failed request do so in their files only: it is in flight until then.
    pub latency_s: f64,
    /// When the response ended or the request failed: it is in flight until then. The server may still have sent a
    /// count of tokens after the last of them.
    pub end_s: f64,
    /// Input length.
    pub prompt_tokens: u64,
    /// Output length; 0 of a failed request.
    pub output_tokens: u64,
    /// Length of the speech that was sent.
    pub audio_s: f64,
    /// Texts or documents that were sent to be embedded, pooled or ranked; 1 for a single one.
    pub input_sequences: u64,
    /// Ended well. Others count as failed, and in the number of requests in flight.
    pub succeeded: bool,
}

/// How many tokens each event of an answer brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTokens {
    /// One each, where the length of the answer is not known better.
    One,
    /// Not known: the first event brought one token, the others in equal parts the rest of the output tokens, as far as
    /// whole tokens can be equal.
    Even,
    /// As the server said, of the first event too. An event beyond the end of the list brought one.
    Known(Vec<u32>),
}

/// When the clock of a request starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestClock {
    /// When the request's first byte is handed to the socket. Name look-up, connection and TLS are no service.
    Sent,
    /// When the request leaves the queue for the limit on requests in flight: a new connection is part of it. The
    /// client's own delay before that is part of the queue.
    Dispatched,
}

impl RequestClock {
    /// When the clock of a request starts, and how long the request waited before.
    fn start_and_queue(self, record: &RequestRecord) -> (Nanos, Nanos) {
        match self {
            Self::Sent => (record.sent, record.slot_wait),
            Self::Dispatched => {
                let connect = record.connect.unwrap_or_default();
                let start = record.sent.saturating_sub(connect).max(record.due);
                (start, start.saturating_sub(record.due))
            }
        }
    }
}

impl Default for Row {
    /// A failed request of which nothing is known.
    fn default() -> Self {
        Self {
            due_s: 0.0,
            start_s: 0.0,
            queue_s: 0.0,
            ttft_s: 0.0,
            itls_s: Vec::new(),
            event_tokens: EventTokens::One,
            latency_s: 0.0,
            end_s: 0.0,
            prompt_tokens: 0,
            output_tokens: 0,
            audio_s: 0.0,
            input_sequences: 1,
            succeeded: false,
        }
    }
}

impl Row {
    /// The row of a record; moments count from the record's epoch.
    ///
    /// | of the row | of the record, `Sent` | of the record, `Dispatched` |
    /// | --- | --- | --- |
    /// | `due_s` | `due` | `due` |
    /// | `start_s` | `sent` | `sent - connect`, `due` at the earliest |
    /// | `queue_s` | `slot_wait` | start `- due` |
    /// | `ttft_s` | `first_token -` start | the same |
    /// | `latency_s` | `last_token -` start of a streamed success, else `end -` start | the same |
    /// | `end_s` | `end` | the same |
    ///
    /// In a closed loop `due` is when the slot became free, so there is no queue; a load of all requests
    /// [at once](crate::request::Arrivals::AtOnce) has the wait for a slot in it. Speech and input sequences are not in
    /// a record: they are the item's.
    pub fn of_record(record: &RequestRecord, clock: RequestClock) -> Self {
        let (start, queue) = clock.start_and_queue(record);
        let since_start = |at: Nanos| at.saturating_sub(start).as_secs_f64();
        let succeeded = record.succeeded();
        let last_token = record.last_token.filter(|_| record.streamed && succeeded);
        let latency_s = since_start(last_token.unwrap_or(record.end));
        let without_token_s = if succeeded { latency_s } else { 0.0 };
        Self {
            due_s: record.due.as_secs_f64(),
            start_s: start.as_secs_f64(),
            queue_s: queue.as_secs_f64(),
            ttft_s: record.first_token.map_or(without_token_s, since_start),
            itls_s: record.gaps.iter().map(Nanos::as_secs_f64).collect(),
            event_tokens: event_tokens(record),
            latency_s,
            end_s: record.end.as_secs_f64(),
            prompt_tokens: record.prompt_tokens.map_or(0, |tokens| tokens.count.into()),
            output_tokens: if succeeded { output_tokens(record) } else { 0 },
            audio_s: 0.0,
            input_sequences: 1,
            succeeded,
        }
    }

    /// The same, where every event with a choice is taken for a token, also one without content, such as the first with the
    /// role alone or the last with the reason of the end: for comparing with figures of tools that know no better.
    ///
    /// The first, the last and the spans between are those of all such events; how many tokens an event brought is not known.
    pub fn of_choices(record: &RequestRecord, clock: RequestClock) -> Self {
        let row = Self::of_record(record, clock);
        let times = choices(record);
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return row;
        };
        let (start, _) = clock.start_and_queue(record);
        let since_start = |at: &Nanos| at.saturating_sub(start).as_secs_f64();
        let spans = times.windows(2);
        Self {
            ttft_s: since_start(first),
            itls_s: spans
                .map(|pair| pair[1].saturating_sub(pair[0]).as_secs_f64())
                .collect(),
            event_tokens: EventTokens::One,
            latency_s: if record.succeeded() {
                since_start(last)
            } else {
                row.latency_s
            },
            ..row
        }
    }

    /// When the last token came or the request failed.
    pub fn served_s(&self) -> f64 {
        self.start_s + self.latency_s
    }

    /// When it got its slot among the requests in flight.
    pub fn admitted_s(&self) -> f64 {
        self.due_s + self.queue_s
    }

    /// Time per output token after the first: `(latency - ttft) / (output_tokens - 1)`; `None` with fewer than two.
    pub fn tpot_s(&self) -> Option<f64> {
        (self.output_tokens > 1)
            .then(|| (self.latency_s - self.ttft_s) / (self.output_tokens - 1) as f64)
    }
}

/// When the events with a choice came, in order; none of an answer that came whole.
fn choices(record: &RequestRecord) -> Vec<Nanos> {
    if !record.streamed {
        return Vec::new();
    }
    let with_content = record.first_token.map(|first| {
        let next = |at: &mut Nanos, gap: Nanos| {
            *at = at.saturating_add(gap);
            Some(*at)
        };
        std::iter::once(first).chain(record.gaps.iter().scan(first, next))
    });
    let mut times: Vec<Nanos> = with_content.into_iter().flatten().collect();
    times.extend(&record.bare_events);
    times.sort_unstable();
    times
}

/// Length of the answer. One of unknown length has the one token that it has at least; one without content, such as an
/// embedding, has none.
fn output_tokens(record: &RequestRecord) -> u64 {
    match record.output_tokens {
        Some(tokens) => tokens.count.into(),
        None => record.chunks.min(1).into(),
    }
}

/// How the answer is spread over events.
fn event_tokens(record: &RequestRecord) -> EventTokens {
    if !record.chunk_tokens.is_empty() {
        return EventTokens::Known(record.chunk_tokens.clone());
    }
    match record.output_tokens {
        Some(tokens) if tokens.source != TokenSource::Chunks => EventTokens::Even,
        _ => EventTokens::One,
    }
}

#[cfg(test)]
mod tests;
