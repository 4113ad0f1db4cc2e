//! The course of a search: warm-up, then each group's seeker in turn, all on the same evidence, within the budget.

mod groups;

use super::answer::{Answer, Outcome, Status};
use super::closed::Closed;
use super::evidence::{Dwell, Evidence, Span};
use super::floor::Floor;
use super::frame::{Frame, throughput};
use super::gauge::Gauge;
use super::open::Open;
use super::peak::Peak;
use super::question::{Question, Variable};
use super::seeker::{Next, Plan, Seeker, Stage};
use super::{Abort, Change, Step};
use crate::record::{InFlight, RequestRecord};
use crate::sla::{Criterion, Group, Measure, Relation};
use crate::units::Nanos;

/// Requests at the beginning that show how fast an idle service is; the first ones of it do not count.
const WARM_UP_REQUESTS: u64 = 3;
/// Requests that must fail before anything succeeded for the service to be given up.
const HOPELESS_FAILURES: u64 = 5;
/// What a search may spend for each group where no budget is set: requests, and latencies.
const DEFAULT_BUDGET: [(u64, f64); 2] = [(12_000, 450.0), (25_000, 1250.0)];
/// Loads whose logs differ by less are the same where the client was the bottleneck.
const SAME_LOAD: f64 = 0.1;
/// Latencies until an idle service is as busy as a load makes it.
const IDLE: f64 = 2.6;
/// Looks at a dwell in a latency, and the shortest time between two.
const LOOKS: f64 = 16.0;
const LOOK: Nanos = Nanos::from_millis(20);

/// A search in progress.
#[derive(Debug)]
pub struct Search {
    question: Question,
    evidence: Evidence,
    asks: Vec<Ask>,
    /// The dwell that is running.
    plan: Option<Plan>,
    warm: bool,
    /// Loads at which the client was the bottleneck.
    voided: Vec<f64>,
    /// A load of this session is applied, not only restored.
    applied: bool,
    /// The group that is worked on, while it is open; else the first that is open.
    focus: Option<usize>,
    /// Up to when, and to which number of requests, it is known what went into each group.
    accounted: Option<(Nanos, u64)>,
    /// The service has nothing to do, whatever earlier sessions applied.
    is_idle: bool,
}

/// One group and its answer.
#[derive(Debug)]
struct Ask {
    group: Group,
    seeker: Box<dyn Seeker>,
    /// The limits of the group are known; its aim is sought below them.
    limited: Option<Answer>,
    answer: Option<Answer>,
    /// The answer is what could be said when it was given up.
    is_given_up: bool,
    /// What went into it: time, and requests sent.
    spent: (Nanos, u64),
    /// Its turn has come.
    is_begun: bool,
}

impl Search {
    /// A search that has seen nothing.
    pub fn new(question: Question) -> Self {
        let evidence = Evidence::new(gauges(&question), question.slo.clone());
        let asks = question
            .groups
            .iter()
            .map(|group| Ask {
                group: group.clone(),
                seeker: seeker(&question, group, &evidence),
                limited: None,
                answer: None,
                is_given_up: false,
                spent: (Nanos::ZERO, 0),
                is_begun: false,
            })
            .collect();
        Self {
            question,
            evidence,
            asks,
            plan: None,
            warm: false,
            voided: Vec::new(),
            applied: false,
            focus: None,
            accounted: None,
            is_idle: false,
        }
    }

    /// Takes a dwell of an earlier session with the same service, the earliest first, before anything else. Its requests
    /// follow by [`Search::ended`]. The times of the new session must be later.
    pub fn restore(&mut self, span: Span) {
        self.warm = true;
        self.evidence.restore(span);
    }

    /// A request has ended. The order among requests makes no difference.
    pub fn ended(&mut self, record: &RequestRecord) {
        self.evidence.take(record);
    }

    /// The client was the bottleneck at the present load: what was seen there says nothing of the service. The first time
    /// the load is tried again, for the machine may have had a bad moment; the second time it and all above are given up.
    pub fn void(&mut self, reason: &str) {
        let Some(dwell) = self.evidence.dwells.last_mut() else {
            return;
        };
        dwell.void = true;
        let load = dwell.load();
        self.plan = None;
        let again = |before: &f64| (before / load).ln().abs() < SAME_LOAD;
        let is_first = !self.voided.iter().any(again);
        self.voided.push(load);
        if is_first {
            return;
        }
        let nothing_left = load <= self.question.bounds.lowest * 1.000_1;
        for ask in self.asks.iter_mut().filter(|ask| ask.answer.is_none()) {
            ask.seeker.forbid(load);
            if nothing_left {
                ask.answer = Some(Answer::bare(Outcome::Void, reason.to_owned()));
            }
        }
    }

    /// What to do at `now`, with these requests in flight.
    pub fn step(&mut self, now: Nanos, in_flight: &[InFlight]) -> Step {
        self.evidence.look(now, in_flight);
        self.account();
        if let Some(why) = self.spent() {
            if self.question.budget == super::Budget::default() {
                // The default is for each group: the next one has its own.
                self.give_up_next(why);
            } else {
                self.give_up(why);
            }
        }
        if let Some(plan) = self.plan {
            if let Some(until) = self.runs_until(&plan) {
                return if self.open().is_some() {
                    Step::Wait(until)
                } else {
                    Step::Done
                };
            }
            if plan.stage == Stage::WarmUp {
                self.warm = true;
                self.plan = None;
            }
        }
        self.advance()
    }

    /// What is asked.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// How far the search is.
    pub fn status(&self) -> Status {
        let done = self.asks.iter().filter(|ask| ask.answer.is_some()).count() as f64;
        let (interval, part) = self
            .open()
            .map_or((None, 0.0), |open| self.asks[open].seeker.progress());
        Status {
            stage: self.plan.map_or("", |plan| plan.stage.name()),
            load: self.evidence.dwells.last().map_or(0.0, Dwell::load),
            interval,
            progress: ((done + part) / self.asks.len().max(1) as f64).min(1.0),
        }
    }

    /// The answers, in the order of the groups; `None` for a group that is still open.
    pub fn answers(&self) -> Vec<Option<&Answer>> {
        self.asks.iter().map(|ask| ask.answer.as_ref()).collect()
    }

    /// The dwells so far, the last one perhaps running.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        self.evidence.dwells.iter().map(|dwell| dwell.span)
    }

    /// Of each dwell, the seconds that were measured and the tokens that arrived in them; `None` where none were.
    pub fn arrived(&self) -> impl Iterator<Item = Option<(f64, f64)>> {
        let work = |dwell: &Dwell| {
            dwell
                .work()
                .map(|work| (work.seconds, work.seconds * work.tokens))
        };
        self.evidence.dwells.iter().map(work)
    }

    /// Follows the seekers until a dwell is wanted that has not been made yet.
    fn advance(&mut self) -> Step {
        let mut last = self
            .plan
            .take()
            .and(self.evidence.dwells.len().checked_sub(1));
        let began = self.evidence.dwells.len();
        // Each turn uses an earlier dwell, settles a group or ends: the bound only guards against a seeker's mistake.
        for _ in 0..began + 8 * self.asks.len() + 64 {
            let Some(open) = self.open() else {
                return self.finish();
            };
            if !self.warm {
                return self.warm_up();
            }
            self.asks[open].is_begun = true;
            let seeker = &mut self.asks[open].seeker;
            let next = match last.take() {
                Some(dwell) => seeker.after(&self.evidence, dwell),
                None => seeker.begin(&self.evidence),
            };
            match next {
                Next::Settled(answer) => self.settle(open, *answer),
                Next::Dwell(plan) => match self.shared(&plan, open) {
                    Some(dwell) => last = Some(dwell),
                    None => return self.apply(plan),
                },
            }
        }
        self.give_up("the search went in circles");
        self.finish()
    }

    /// No load follows: what is in flight will be faster than it would have been.
    fn finish(&mut self) -> Step {
        self.evidence.close();
        Step::Done
    }
}

impl Search {
    /// A group is settled; where it has an aim or floors besides its limits, these come next.
    fn settle(&mut self, open: usize, answer: Answer) {
        let group = self.asks[open].group.clone();
        let frame = Frame::new(&self.question, &group, &self.evidence);
        let has_limits = !frame.gauges.is_empty();
        let is_limit = self.asks[open].limited.is_none() && has_limits;
        let found = matches!(answer.outcome, Outcome::Value | Outcome::NotReached);
        if let (true, true, Some(highest), Some(aim)) = (is_limit, found, answer.load, group.aim) {
            let mut frame = frame;
            frame.bounds.highest = highest;
            frame.first = frame.first.min(highest);
            let gauge = gauge_of(&self.evidence, aim.measure);
            let ask = &mut self.asks[open];
            ask.seeker = Box::new(Peak::new(frame, aim, gauge));
            ask.limited = Some(answer);
            return;
        }
        let answer = if is_limit && found {
            self.held_to_floors(&frame, answer)
        } else {
            answer
        };
        self.asks[open].answer = Some(answer);
    }

    /// The highest load within the limits must reach the asked throughputs too.
    fn held_to_floors(&self, frame: &Frame, answer: Answer) -> Answer {
        let Some(load) = answer.load else {
            return answer;
        };
        for floor in &frame.floors {
            let Measure::Throughput(of) = floor.measure else {
                continue;
            };
            let reached = (0..self.evidence.dwells.len())
                .filter(|&dwell| (self.evidence.dwells[dwell].load() / load).ln().abs() < 0.1)
                .filter_map(|dwell| throughput(&self.evidence, dwell, of));
            let (sum, n) = reached.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
            let mean = sum / f64::from(n.max(1));
            if mean < floor.threshold {
                let reason = format!(
                    "{floor} is not reached: it is {mean:.1} at {load}, the highest load within the other criteria"
                );
                return Answer {
                    outcome: Outcome::Infeasible,
                    load: None,
                    estimate: None,
                    binding: Some(*floor),
                    reason,
                    ..answer
                };
            }
        }
        answer
    }

    fn warm_up(&mut self) -> Step {
        let bounds = self.question.bounds;
        let load = match self.question.variable {
            Variable::Users => bounds.lowest,
            Variable::Rate => bounds.lowest.max(self.question.first.min(1.0)),
        };
        self.apply(Plan {
            stage: Stage::WarmUp,
            load,
            requests: 0,
            least: 0.0,
            most: f64::INFINITY,
            join: 0.0,
            settle: f64::INFINITY,
            abort: Abort::Nothing,
        })
    }

    /// An earlier dwell that serves as well as the planned one.
    fn shared(&self, plan: &Plan, open: usize) -> Option<usize> {
        if !plan.stage.may_be_shared() {
            return None;
        }
        let gauges = self.asks[open].seeker.gauges();
        (0..self.evidence.dwells.len()).rev().find(|&place| {
            let dwell = &self.evidence.dwells[place];
            let lasted = dwell.work().map_or(0.0, |work| work.seconds);
            let same = (dwell.load() / plan.load - 1.0).abs() < 0.001 && !dwell.void;
            // Requests of a dwell that was left early may have shown nothing of what this group asks.
            let judged = |gauge: &usize| self.evidence.values(dwell, *gauge).len();
            let is_judged = gauges.iter().all(|gauge| judged(gauge) >= plan.requests);
            let enough = is_judged && self.evidence.decided(dwell, gauges) >= plan.requests
                || self.asks[open]
                    .seeker
                    .has_seen_enough(&self.evidence, dwell);
            same && enough && lasted >= 0.9 * plan.least
        })
    }

    /// Begins a dwell.
    fn apply(&mut self, mut plan: Plan) -> Step {
        if let (true, Some(pace)) = (std::mem::take(&mut self.is_idle), self.evidence.pace()) {
            plan.join = plan.join.max(pace.latency);
            plan.settle = plan.settle.max(IDLE * pace.latency);
            plan.abort = Abort::Nothing;
        }
        let evidence = &mut self.evidence;
        let present = evidence.dwells.last().map(Dwell::load);
        let stays = self.applied && present == Some(plan.load) && plan.abort == Abort::Nothing;
        self.applied = true;
        let is_cut = self.question.variable == Variable::Users || plan.abort == Abort::Queue;
        if is_cut && !stays {
            evidence.cut();
        } else {
            evidence.end();
        }
        let settle = if stays { 0.0 } else { plan.settle };
        let counts_from = evidence.now.saturating_add(Nanos::from_secs_f64(settle));
        evidence.begin(plan.load, counts_from);
        self.plan = Some(plan);
        if stays {
            return Step::Wait(self.next_look());
        }
        Step::Change(Change {
            load: plan.load,
            join_over: Nanos::from_secs_f64(plan.join),
            abort: plan.abort,
        })
    }

    /// When to look again; `None` where the dwell is over.
    fn runs_until(&mut self, plan: &Plan) -> Option<Nanos> {
        let evidence = &self.evidence;
        if plan.stage == Stage::WarmUp {
            let done = evidence.successes() >= WARM_UP_REQUESTS
                || (evidence.successes() == 0 && evidence.ended >= HOPELESS_FAILURES);
            if done {
                self.evidence.forget_slow_start();
                return None;
            }
            return Some(self.next_look());
        }
        let dwell = evidence.dwells.last()?;
        let hurry = dwell.failures() > 0;
        if evidence.now < dwell.span.counts_from && !hurry {
            return Some(self.next_look().min(dwell.span.counts_from));
        }
        let lasted = evidence
            .now
            .saturating_sub(dwell.span.counts_from)
            .as_secs_f64();
        let seeker = &self.asks[self.open()?].seeker;
        let count = match plan.stage {
            Stage::Refine => dwell.requests.len(),
            _ => evidence.decided(dwell, seeker.gauges()),
        };
        let complete = count >= plan.requests && lasted >= plan.least;
        let over = complete || lasted >= plan.most || seeker.has_seen_enough(evidence, dwell);
        (!over).then(|| self.next_look())
    }

    fn next_look(&self) -> Nanos {
        let latency = self.evidence.pace().map_or(1.0, |pace| pace.latency);
        let span = Nanos::from_secs_f64(latency / LOOKS).max(LOOK);
        self.evidence.now.saturating_add(span)
    }

    /// Why nothing more may be spent.
    fn spent(&self) -> Option<&'static str> {
        let budget = self.question.budget;
        let evidence = &self.evidence;
        let began = evidence.started?;
        let time = evidence.now.saturating_sub(began);
        if budget == super::Budget::default() {
            let (requests, latencies) = match self.question.variable {
                Variable::Users => DEFAULT_BUDGET[0],
                Variable::Rate => DEFAULT_BUDGET[1],
            };
            let (time, sent) = self.asks[self.open()?].spent;
            let latency = evidence.pace()?.latency;
            let is_used = sent >= requests || time.as_secs_f64() >= latencies * latency;
            return is_used.then_some("the default budget is used up");
        }
        let is = |used: bool, why| used.then_some(why);
        is(
            budget.time.is_some_and(|most| time >= most),
            "the time is used up",
        )
        .or(is(
            budget.requests.is_some_and(|most| evidence.sent >= most),
            "the requests are used up",
        ))
        .or(is(
            budget.tokens.is_some_and(|most| evidence.tokens >= most),
            "the tokens are used up",
        ))
    }
}

/// One for each criterion of any group, and for each time that is an aim.
fn gauges(question: &Question) -> Vec<Gauge> {
    let mut gauges: Vec<Gauge> = Vec::new();
    for group in &question.groups {
        let aim = group.aim.map(|aim| sought(aim.measure));
        for criterion in group.criteria.iter().copied().chain(aim) {
            let known = gauges.iter().any(|gauge| gauge.criterion == criterion);
            if let Some(gauge) = Gauge::new(criterion, &question.slo).filter(|_| !known) {
                gauges.push(gauge);
            }
        }
    }
    gauges
}

/// A criterion that stands for a measure that is sought.
fn sought(measure: Measure) -> Criterion {
    Criterion {
        measure,
        relation: Relation::AtMost,
        threshold: 1.0,
    }
}

fn gauge_of(evidence: &Evidence, measure: Measure) -> Option<usize> {
    let criterion = sought(measure);
    evidence
        .gauges
        .iter()
        .position(|gauge| gauge.criterion == criterion)
}

fn seeker(question: &Question, group: &Group, evidence: &Evidence) -> Box<dyn Seeker> {
    let frame = Frame::new(question, group, evidence);
    match (group.aim, frame.gauges.is_empty()) {
        (Some(aim), true) => {
            let gauge = gauge_of(evidence, aim.measure);
            Box::new(Peak::new(frame, aim, gauge))
        }
        (None, true) => Box::new(Floor::new(frame)),
        _ if question.variable == Variable::Users => Box::new(Closed::new(frame)),
        _ => Box::new(Open::new(frame)),
    }
}
