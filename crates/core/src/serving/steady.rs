//! The part of a run in which its load was fully applied, and the figures of that part.
//!
//! Judges by what was sent alone: whether the service itself had settled is another question, which this does not ask.

use super::{Basis, Counting, Quantity, Row, Spread, peak};

/// How a load is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// So many requests in flight, whenever the service answers.
    Closed {
        /// Requests in flight.
        limit: u64,
    },
    /// At one rate, whatever the service does.
    Open,
    /// At a rate that changes until the last request.
    Ramp,
}

/// A part of a run, on the clock of its rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// The load is fully applied from here on.
    pub from_s: f64,
    /// And up to here.
    pub to_s: f64,
}

impl Window {
    /// The part in which the load was fully applied.
    ///
    /// - **Closed loop**: from when as many requests as the limit first had their slots, until that was last so. A
    ///   request has its slot from [`Row::admitted_s`] to [`Row::end_s`], so the client's own time between two requests
    ///   of a slot does not end it.
    /// - **Open loop**: from the end of the response to the request that started first, when the service is no longer
    ///   empty, until the last request starts.
    /// - **Ramp**: none; the rate is reached with the last request only.
    ///
    /// `None` as well where a closed loop never reaches its limit, or all of an open loop was sent before the first
    /// response ended.
    pub fn of(rows: &[Row], applied: Applied) -> Option<Self> {
        let window = match applied {
            Applied::Closed { limit } => at_limit(rows, limit)?,
            Applied::Open => after_first_answer(rows)?,
            Applied::Ramp => return None,
        };
        (window.from_s < window.to_s).then_some(window)
    }

    /// How long it is.
    pub fn length_s(&self) -> f64 {
        self.to_s - self.from_s
    }

    /// Starts belong to the window that begins with them.
    fn has_start(&self, at_s: f64) -> bool {
        self.from_s <= at_s && at_s < self.to_s
    }

    /// Tokens and ends belong to the window that ends with them.
    fn has_end(&self, at_s: f64) -> bool {
        self.from_s < at_s && at_s <= self.to_s
    }

    /// How long of it lies between two moments.
    fn overlap_s(&self, from_s: f64, to_s: f64) -> f64 {
        (to_s.min(self.to_s) - from_s.max(self.from_s)).max(0.0)
    }
}

fn at_limit(rows: &[Row], limit: u64) -> Option<Window> {
    let steps = peak::in_flight(rows.iter().map(|row| (row.admitted_s(), row.end_s)));
    let is_full = |(_, number): &(f64, u64)| *number >= limit.max(1);
    let first = steps.iter().position(is_full)?;
    let last = steps.iter().rposition(is_full)?;
    Some(Window {
        from_s: steps[first].0,
        to_s: steps.get(last + 1)?.0,
    })
}

fn after_first_answer(rows: &[Row]) -> Option<Window> {
    let successes = rows.iter().filter(|row| row.succeeded);
    let first = successes.min_by(|a, b| a.start_s.total_cmp(&b.start_s))?;
    let last_start = rows.iter().map(|row| row.start_s).max_by(f64::total_cmp)?;
    Some(Window {
        from_s: first.end_s,
        to_s: last_start,
    })
}

/// The figures of the part of a run in which its load was fully applied.
#[derive(Debug, Clone, PartialEq)]
pub struct SteadyState {
    /// That part.
    pub window: Window,
    /// Requests that started inside, from its beginning up to but not including its end.
    pub started: u64,
    /// Successes that ended inside, after its beginning up to and including its end.
    pub completed: u64,
    /// Output tokens of successes that came inside (events, counted by events).
    pub output_tokens: u64,
    /// Prompt tokens of successes whose first token came inside.
    pub input_tokens: u64,
    /// `completed` a second of the window.
    pub request_throughput: f64,
    /// `output_tokens` a second of the window.
    pub output_throughput: f64,
    /// `input_tokens + output_tokens` a second of the window.
    pub token_throughput: f64,
    /// Mean number of requests in flight, failed ones too: the time that they were in flight inside, divided by the
    /// length of the window.
    pub concurrency: f64,
    /// Of the successes that started inside; in the order of [`Quantity::ALL`].
    spreads: Vec<Spread>,
}

impl SteadyState {
    /// `None` where there is no such part: see [`Window::of`]. Of the basis, duration and limits have no effect.
    pub fn of(rows: &[Row], applied: Applied, basis: &Basis) -> Option<Self> {
        Some(Self::inside(Window::of(rows, applied)?, rows, basis))
    }

    /// Of a part that is known. Of the basis, duration and limits have no effect.
    pub fn inside(window: Window, rows: &[Row], basis: &Basis) -> Self {
        let length_s = window.length_s();
        let started: Vec<&Row> = rows
            .iter()
            .filter(|row| window.has_start(row.start_s))
            .collect();
        let successes = || rows.iter().filter(|row| row.succeeded);
        let completed = successes().filter(|row| window.has_end(row.end_s)).count() as u64;
        let output_tokens = successes()
            .map(|row| tokens_inside(row, window, basis.counting))
            .sum();
        let input_tokens = successes()
            .filter(|row| window.has_end(row.start_s + row.ttft_s))
            .map(|row| row.prompt_tokens)
            .sum();
        let busy_s: f64 = rows
            .iter()
            .map(|row| window.overlap_s(row.start_s, row.end_s))
            .sum();
        let spread = |quantity: Quantity| {
            let started = started.iter().copied();
            quantity.spread(started, basis.counting, &basis.percentiles)
        };
        Self {
            window,
            started: started.len() as u64,
            completed,
            output_tokens,
            input_tokens,
            request_throughput: completed as f64 / length_s,
            output_throughput: output_tokens as f64 / length_s,
            token_throughput: (input_tokens + output_tokens) as f64 / length_s,
            concurrency: busy_s / length_s,
            spreads: Quantity::ALL.map(spread).into(),
        }
    }

    /// How the times of a quantity are spread.
    pub fn spread(&self, quantity: Quantity) -> &Spread {
        &self.spreads[quantity as usize]
    }
}

fn tokens_inside(row: &Row, window: Window, counting: Counting) -> u64 {
    row.arrived(counting)
        .filter(|arrived| window.has_end(arrived.at_s))
        .map(|arrived| arrived.tokens)
        .sum()
}

#[cfg(test)]
mod tests;
