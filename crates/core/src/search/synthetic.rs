//! Services with known truths, and sessions of load on them: what the tests of searches are run against.
//!
//! A request takes what was drawn for it when it began, and nothing slows it down later: the truth at each load can be
//! written as a formula. How engines batch is the simulator's part.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::evidence::Evidence;
use super::gauge::Gauge;
use super::{Abort, Answer, Bounds, Budget, Change, Question, Search, Step, Variable};
use crate::record::{
    Failure, FailureKind, InFlight, Phase, RequestRecord, TokenCount, TokenSource,
};
use crate::sla::{Slo, parse_groups};
use crate::units::Nanos;

/// Looks at a service after which a search is endless.
const MOST_LOOKS: u32 = 1_000_000;

/// Numbers drawn at random, the same for the same seed.
#[derive(Debug)]
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// In (0, 1].
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Of a standard normal distribution (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.uniform().ln()
    }
}

/// What a request takes once the service has begun with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// Seconds to the first token, and between two.
    pub(super) first: f64,
    pub(super) gap: f64,
    pub(super) tokens: u32,
    pub(super) fails: bool,
}

/// What a request takes that begins at a load.
type Serve = Box<dyn Fn(f64, &mut Draws) -> Fate>;

/// A service: requests that it works on at a time, and what each takes at a load.
pub(super) struct Service {
    pub(super) slots: usize,
    pub(super) serve: Serve,
}

impl Service {
    /// All requests at once, and none fails.
    pub(super) fn of_gaps(tokens: u32, gap: impl Fn(f64, &mut Draws) -> f64 + 'static) -> Self {
        Self {
            slots: usize::MAX,
            serve: Box::new(move |load, draws| {
                let gap = gap(load, draws);
                Fate {
                    first: gap,
                    gap,
                    tokens,
                    fails: false,
                }
            }),
        }
    }

    /// TPOT is log-normal: `median (load / at)^elasticity`, with a standard deviation of its log of `sd`.
    pub(super) fn log_normal(median: f64, at: f64, elasticity: f64, sd: f64) -> Self {
        Self::of_gaps(20, move |load, draws| {
            median * (load / at).powf(elasticity) * (sd * draws.normal()).exp()
        })
    }

    /// The same, and every request sent above a load fails.
    pub(super) fn failing_above(mut self, cliff: f64) -> Self {
        let serve = self.serve;
        self.serve = Box::new(move |load, draws| Fate {
            fails: load > cliff,
            ..serve(load, draws)
        });
        self
    }
}

/// A question with bounds 1..=512 that begins at 2, without a budget.
pub(super) fn question(variable: Variable, groups: &str) -> Question {
    Question {
        variable,
        bounds: Bounds {
            lowest: 1.0,
            highest: 512.0,
        },
        first: 2.0,
        groups: parse_groups(groups, None).unwrap(),
        slo: Slo::default(),
        confidence: 0.75,
        tolerance: 0.05,
        budget: Budget::default(),
    }
}

/// What came of a search.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) answers: Vec<Answer>,
    pub(super) changes: Vec<Change>,
    pub(super) records: Vec<RequestRecord>,
    /// The lowest load at which a request was reported to have failed; infinite where none was.
    pub(super) lowest_failure: f64,
    pub(super) time: Nanos,
}

/// Runs a search on a service until it ends.
pub(super) fn course(question: &Question, service: &Service, seed: u64) -> Course {
    watched(Search::new(question.clone()), service, seed, &mut |_, _| {
        ControlFlow::Continue(())
    })
}

/// The same with someone who looks on, and may stop groups of it or all.
pub(super) fn watched(
    mut search: Search,
    service: &Service,
    seed: u64,
    watch: &mut dyn FnMut(&mut Search, Nanos) -> ControlFlow<String>,
) -> Course {
    let question = search.question().clone();
    let mut session = Session::new(question.variable, service, seed);
    let mut changes = Vec::new();
    let mut is_broken_off = false;
    for _ in 0..MOST_LOOKS {
        let ended = session.ended.len();
        match search.step(Nanos::from_secs_f64(session.now), &session.in_flight()) {
            Step::Wait(until) => session.advance(until.as_secs_f64()),
            Step::Change(change) => {
                changes.push(change);
                session.change(change);
            }
            Step::Done => {
                if !is_broken_off {
                    drop(watch(&mut search, Nanos::from_secs_f64(session.now)));
                }
                return Course {
                    answers: search.answers().into_iter().flatten().cloned().collect(),
                    changes,
                    records: session.ended,
                    lowest_failure: session.lowest_failure,
                    time: Nanos::from_secs_f64(session.now),
                };
            }
        }
        session.ended[ended..]
            .iter()
            .for_each(|record| search.ended(record));
        if let ControlFlow::Break(why) = watch(&mut search, Nanos::from_secs_f64(session.now)) {
            is_broken_off = true;
            search.give_up(&why);
        }
    }
    panic!("the search never ends");
}

/// A request that the service works on.
struct Live {
    index: u64,
    due: f64,
    began: f64,
    load: f64,
    fate: Fate,
}

impl Live {
    fn first_token(&self) -> f64 {
        self.began + self.fate.first
    }

    fn end(&self) -> f64 {
        self.first_token() + self.fate.gap * f64::from(self.fate.tokens - 1)
    }

    fn tokens(&self, now: f64) -> u32 {
        if now < self.first_token() {
            return 0;
        }
        let later = ((now - self.first_token()) / self.fate.gap) as u32;
        (1 + later).min(self.fate.tokens)
    }
}

/// Load on a service.
struct Session<'a> {
    variable: Variable,
    service: &'a Service,
    draws: Draws,
    now: f64,
    load: f64,
    /// Users that have yet to join, the latest first.
    joins: Vec<f64>,
    next_arrival: f64,
    next_index: u64,
    queue: VecDeque<(u64, f64)>,
    live: Vec<Live>,
    ended: Vec<RequestRecord>,
    lowest_failure: f64,
}

impl<'a> Session<'a> {
    fn new(variable: Variable, service: &'a Service, seed: u64) -> Self {
        Self {
            variable,
            service,
            draws: Draws::new(seed),
            now: 0.0,
            load: 0.0,
            joins: Vec::new(),
            next_arrival: f64::INFINITY,
            next_index: 0,
            queue: VecDeque::new(),
            live: Vec::new(),
            ended: Vec::new(),
            lowest_failure: f64::INFINITY,
        }
    }

    fn in_flight(&self) -> Vec<InFlight> {
        let waits = self
            .queue
            .iter()
            .map(|&(index, due)| self.snapshot(index, due, None));
        let works = self
            .live
            .iter()
            .map(|live| self.snapshot(live.index, live.due, Some(live)));
        waits.chain(works).collect()
    }

    fn snapshot(&self, index: u64, due: f64, live: Option<&Live>) -> InFlight {
        let first = live.map(Live::first_token).filter(|&at| at <= self.now);
        InFlight {
            index,
            due: Nanos::from_secs_f64(due),
            sent: Nanos::from_secs_f64(due),
            first_token: first.map(Nanos::from_secs_f64),
            output_tokens: live.map_or(0, |live| live.tokens(self.now)),
            expected_tokens: None,
        }
    }

    fn change(&mut self, change: Change) {
        let mut users = self.queue.len() + self.live.len();
        self.load = change.load;
        match change.abort {
            Abort::Nothing => {}
            Abort::All => {
                self.load = 0.0;
                self.abort_surplus(users);
                (self.load, users) = (change.load, 0);
            }
            Abort::Queue => self.abort_queue(),
            Abort::Surplus => self.abort_surplus(users),
        }
        match self.variable {
            Variable::Rate => {
                self.next_arrival = self.now + self.draws.exponential(1.0 / self.load);
            }
            Variable::Users => {
                let more = (self.load as usize).saturating_sub(users);
                let span = change.join_over.as_secs_f64();
                self.joins = (0..more)
                    .rev()
                    .map(|i| self.now + span * i as f64 / more as f64)
                    .collect();
            }
        }
    }

    fn abort_queue(&mut self) {
        for (index, due) in std::mem::take(&mut self.queue) {
            self.abort(index, due, None);
        }
        let now = self.now;
        let (waiting, kept): (Vec<Live>, Vec<Live>) = std::mem::take(&mut self.live)
            .into_iter()
            .partition(|live| live.first_token() > now);
        self.live = kept;
        for live in waiting {
            self.abort(live.index, live.due, None);
        }
    }

    fn abort_surplus(&mut self, users: usize) {
        let surplus = users.saturating_sub(self.load as usize);
        for i in (0..surplus).rev() {
            // Those in service are the older ones.
            let place = i * users / surplus;
            let waiting = place.checked_sub(self.live.len());
            if let Some((index, due)) = waiting.and_then(|place| self.queue.remove(place)) {
                self.abort(index, due, None);
            } else {
                let live = self.live.remove(place);
                let first = Some(live.first_token()).filter(|&at| at <= self.now);
                self.abort(live.index, live.due, first);
            }
        }
        self.begin();
    }

    fn abort(&mut self, index: u64, due: f64, first: Option<f64>) {
        let mut record = record(index, due, first, self.now);
        record.failure = Some(Failure {
            kind: FailureKind::Cancelled,
            text: String::new(),
        });
        self.ended.push(record);
    }

    fn send(&mut self) {
        self.queue.push_back((self.next_index, self.now));
        self.next_index += 1;
        self.begin();
    }

    fn begin(&mut self) {
        while self.live.len() < self.service.slots {
            let Some((index, due)) = self.queue.pop_front() else {
                return;
            };
            self.live.push(Live {
                index,
                due,
                began: self.now,
                load: self.load,
                fate: (self.service.serve)(self.load, &mut self.draws),
            });
        }
    }

    /// Lets time pass up to a moment.
    fn advance(&mut self, until: f64) {
        loop {
            let ends = self.live.iter().enumerate();
            let next = ends
                .map(|(place, live)| (live.end(), place))
                .min_by(|a, b| a.0.total_cmp(&b.0));
            let end = next.map_or(f64::INFINITY, |next| next.0);
            let joins = self.joins.last().copied().unwrap_or(f64::INFINITY);
            let first = end.min(joins).min(self.next_arrival);
            if first > until {
                self.now = self.now.max(until);
                return;
            }
            self.now = first;
            if let Some((_, place)) = next.filter(|_| end <= first) {
                self.end(place);
            } else if joins <= first {
                self.joins.pop();
                self.send();
            } else {
                self.next_arrival += self.draws.exponential(1.0 / self.load);
                self.send();
            }
        }
    }

    fn end(&mut self, place: usize) {
        let live = self.live.swap_remove(place);
        let mut record = record(live.index, live.due, Some(live.first_token()), self.now);
        record.output_tokens = Some(TokenCount {
            count: live.fate.tokens,
            source: TokenSource::Usage,
        });
        if live.fate.fails {
            self.lowest_failure = self.lowest_failure.min(live.load);
        }
        record.failure = live.fate.fails.then(|| Failure {
            kind: FailureKind::ServerError,
            text: "503".to_owned(),
        });
        self.ended.push(record);
        self.begin();
        let users = self.queue.len() + self.live.len() + self.joins.len();
        if self.variable == Variable::Users && users < self.load as usize {
            self.send();
        }
    }
}

/// A streamed answer whose last token came at its end.
pub(super) fn record(index: u64, due: f64, first: Option<f64>, end: f64) -> RequestRecord {
    let due = Nanos::from_secs_f64(due);
    let end = Nanos::from_secs_f64(end);
    RequestRecord {
        due,
        sent: due,
        first_token: first.map(Nanos::from_secs_f64),
        last_token: first.map(|_| end),
        end,
        streamed: true,
        ..RequestRecord::new(index, Phase::Measured)
    }
}

/// What was seen of dwells at these loads, whose requests had these TTFTs in seconds and then took a second each.
pub(super) fn dwells_of(criterion: &str, dwells: &[(f64, Vec<f64>)]) -> Evidence {
    let groups = parse_groups(&format!("[{{{criterion}}}]"), None).unwrap();
    let gauge = Gauge::new(groups[0].criteria[0], &Slo::default()).unwrap();
    let mut evidence = Evidence::new(vec![gauge], Slo::default());
    let (mut now, mut index) = (0.0, 0);
    for (load, values) in dwells {
        evidence.begin(*load, Nanos::from_secs_f64(now));
        for value in values {
            let mut record = record(index, now, Some(now + value), now + value + 1.0);
            if value.is_infinite() {
                record = record_of_failure(index, now);
            }
            evidence.take(&record);
            index += 1;
            now += 1.0 / load;
        }
        evidence.look(Nanos::from_secs_f64(now), &[]);
        evidence.end();
        now += 1.0;
    }
    // Long after the last request: all can be judged.
    evidence.look(Nanos::from_secs_f64(now + 1e6), &[]);
    evidence
}

/// A request that fails at once.
fn record_of_failure(index: u64, due: f64) -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind: FailureKind::ServerError,
            text: "503".to_owned(),
        }),
        ..record(index, due, None, due)
    }
}

/// So many TTFTs at a load: log-normal, `median (load / at)^elasticity` with a standard deviation of the log of `sd`.
pub(super) fn log_normal(
    draws: &mut Draws,
    load: f64,
    n: usize,
    (median, at, elasticity, sd): (f64, f64, f64, f64),
) -> (f64, Vec<f64>) {
    let middle = median * (load / at).powf(elasticity);
    let values = (0..n).map(|_| middle * (sd * draws.normal()).exp());
    (load, values.collect())
}
