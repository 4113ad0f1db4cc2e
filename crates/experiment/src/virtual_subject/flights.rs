//! Requests in flight, and how the engine's events become the facts of a record.
//!
//! Does not know why a request was sent, or what is sent next.

use crestline_core::record::{
    Failure, FailureKind, InFlight, RequestRecord, TokenCount, TokenSource,
};
use crestline_core::units::Nanos;
use crestline_sim::virtual_time::Rejection;

/// Low bits of an engine id that hold the answer's number.
const CHOICE_BITS: u32 = 16;

/// Where a request is kept while it is in flight; free for others afterwards.
pub(super) type Seat = u32;

/// The id under which the engine knows one answer of a request.
pub(super) fn engine_id(seat: Seat, choice: usize) -> u64 {
    u64::from(seat) << CHOICE_BITS | choice as u64
}

fn seat_of(engine_id: u64) -> Seat {
    (engine_id >> CHOICE_BITS) as Seat
}

/// One request in flight.
#[derive(Debug)]
struct Flight {
    record: RequestRecord,
    choices: usize,
    open: usize,
    tokens: u32,
    cached: u32,
    /// Tokens in the end, where the client may know.
    expected: Option<u32>,
}

/// What every record of a session has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerForm {
    /// Answers come as events, each with new tokens.
    pub(super) streamed: bool,
    /// The service says how many prompt tokens it had cached.
    pub(super) tells_cached: bool,
}

/// All requests in flight.
#[derive(Debug)]
pub(super) struct Flights {
    form: AnswerForm,
    seats: Vec<Option<Flight>>,
    vacant: Vec<Seat>,
}

impl Flights {
    pub(super) fn new(form: AnswerForm) -> Self {
        Self {
            form,
            seats: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Number of requests in flight.
    pub(super) fn len(&self) -> usize {
        self.seats.len() - self.vacant.len()
    }

    /// Takes a request in that was just sent for `choices` answers, of `expected` tokens in all where that is known.
    pub(super) fn board(
        &mut self,
        record: RequestRecord,
        choices: usize,
        expected: Option<u32>,
    ) -> Seat {
        assert!(
            choices < 1 << CHOICE_BITS,
            "no service takes a request for {choices} answers"
        );
        let flight = Flight {
            record,
            choices,
            open: choices,
            tokens: 0,
            cached: 0,
            expected,
        };
        if let Some(seat) = self.vacant.pop() {
            self.seats[seat as usize] = Some(flight);
            return seat;
        }
        self.seats.push(Some(flight));
        (self.seats.len() - 1) as Seat
    }

    /// New tokens of one answer.
    pub(super) fn tokens(&mut self, id: u64, at: Nanos, tokens: u32) {
        let streamed = self.form.streamed;
        let flight = self.flight(seat_of(id));
        flight.tokens += tokens;
        if streamed {
            flight.see_event(at);
        }
    }

    /// One answer is complete. Gives the record when it was the last.
    pub(super) fn finished(&mut self, id: u64, at: Nanos, cached: u32) -> Option<RequestRecord> {
        let form = self.form;
        let flight = self.flight(seat_of(id));
        flight.cached = flight.cached.max(cached);
        flight.open -= 1;
        if flight.open > 0 {
            return None;
        }
        if !form.streamed {
            flight.see_event(at);
        }
        let mut flight = self.leave(seat_of(id));
        flight.record.output_tokens = Some(TokenCount {
            count: flight.tokens,
            source: TokenSource::Usage,
        });
        flight.record.cached_tokens = form.tells_cached.then_some(flight.cached);
        flight.record.status = Some(200);
        flight.record.streamed = form.streamed;
        flight.record.end = at;
        Some(flight.record)
    }

    /// The service has refused one answer, and with it the request. Gives the record and the ids of the other answers,
    /// which are to be aborted.
    pub(super) fn rejected(
        &mut self,
        id: u64,
        at: Nanos,
        why: Rejection,
    ) -> (RequestRecord, Vec<u64>) {
        let (status, kind, text) = match why {
            Rejection::QueueFull => (429, FailureKind::RateLimited, "HTTP 429: the queue is full"),
            Rejection::TooLong => (
                400,
                FailureKind::ClientError,
                "HTTP 400: prompt and answer are longer than the engine can hold",
            ),
        };
        let flight = self.leave(seat_of(id));
        let others = (0..flight.choices)
            .map(|choice| engine_id(seat_of(id), choice))
            .filter(|&other| other != id)
            .collect();
        let mut record = flight.failed(at, kind, text);
        record.status = Some(status);
        record.first_byte = Some(at);
        (record, others)
    }

    /// Gives up the request with this index. Gives its record and the ids of its answers; `None` where it is not in flight.
    pub(super) fn cancel(&mut self, index: u64, at: Nanos) -> Option<(RequestRecord, Vec<u64>)> {
        let position = self.seats.iter().position(|seat| {
            seat.as_ref()
                .is_some_and(|flight| flight.record.index == index)
        })?;
        let seat = position as Seat;
        let streamed = self.form.streamed;
        let flight = self.leave(seat);
        let ids = (0..flight.choices)
            .map(|choice| engine_id(seat, choice))
            .collect();
        let text = "stopped before its answer was complete";
        let mut record = flight.failed(at, FailureKind::Cancelled, text);
        record.status = record.first_byte.map(|_| 200);
        record.streamed = streamed && record.first_byte.is_some();
        Some((record, ids))
    }

    /// Writes the requests in flight, by index, over what the list held.
    pub(super) fn list(&self, list: &mut Vec<InFlight>) {
        list.clear();
        list.extend(self.seats.iter().flatten().map(Flight::view));
        list.sort_unstable_by_key(|flight| flight.index);
    }

    fn flight(&mut self, seat: Seat) -> &mut Flight {
        self.seats[seat as usize]
            .as_mut()
            .expect("the engine tells only of requests in flight")
    }

    fn leave(&mut self, seat: Seat) -> Flight {
        self.vacant.push(seat);
        self.seats[seat as usize]
            .take()
            .expect("the engine tells only of requests in flight")
    }
}

impl Flight {
    fn see_event(&mut self, at: Nanos) {
        let record = &mut self.record;
        if let Some(last) = record.last_token {
            record.gaps.push(at.saturating_sub(last));
        }
        record.first_byte.get_or_insert(at);
        record.first_token.get_or_insert(at);
        record.first_answer.get_or_insert(at);
        record.last_token = Some(at);
        record.chunks += 1;
    }

    /// A failed request has no `usage`: its token counts are not known.
    fn failed(mut self, at: Nanos, kind: FailureKind, text: &str) -> RequestRecord {
        self.record.prompt_tokens = None;
        self.record.end = at;
        self.record.failure = Some(Failure {
            kind,
            text: text.to_owned(),
        });
        self.record
    }

    fn view(&self) -> InFlight {
        InFlight {
            index: self.record.index,
            due: self.record.due,
            sent: self.record.sent,
            first_token: self.record.first_token,
            output_tokens: self.tokens,
            expected_tokens: self.expected,
        }
    }
}
