//! A race of configurations: each is searched for the highest load within the same criteria, and those that certainly serve
//! less than another one are stopped early.
//!
//! Plain bookkeeping: which configuration has the next turn and for how long, who is out, and why. Starts nothing and
//! measures nothing; whoever runs a search calls [`Race::look`] while it runs.
//!
//! # Who is out
//!
//! Each pair of a benchmark and an SLA is a *contest*; only those who search the same compare. Of each contestant the search
//! has a belief on its highest load. A contestant whose upper bound is below the lower bound of another one is out of that
//! contest, and goes on in the others. With `n` contestants each bound is one that the truth lies beyond with a probability
//! of `(1 - confidence) / n`: the best one is out only if its own upper bound is wrong, or the lower bound of one of the
//! `n - 1` others is, so that this has a probability of at most `1 - confidence` (Bonferroni), as far as the beliefs are
//! true. Looking often makes that no worse: a belief is a probability given all that was seen, whenever it is asked.
//! Whoever has the highest upper bound is never out, and neither is any of several that are equal.
//!
//! # Who has the next turn
//!
//! In its first turn a configuration is searched until there is an upper bound for each of its contests. From then on load
//! goes to whoever *leads* a contest: whose upper bound is the highest of those that are still searched. Either it turns out
//! to be the best, and its lower bound puts others out, or its upper bound falls, and another one leads. Who never leads
//! needs no more load. A turn ends when no contest is led any more. It costs the start of a server, so that it lasts at least
//! `STARTS` times what a start takes, and at least `GROWTH` times as long as the least of the turn before: two that are
//! equal do not take turns for ever.

mod reach;
mod turn;

use serde::{Deserialize, Serialize};

pub use reach::Reach;
pub use turn::{Seat, Slice};

use super::answer::{Answer, Outcome};
use crate::units::Nanos;

/// The least length of a turn grows by this, from half of the first turn on.
const GROWTH: f64 = 2.0;
const FIRST: f64 = 0.5;
/// A turn is at least so many times as long as the start of a server, so that starts are at most a fifth of the time.
const STARTS: f64 = 4.0;

/// A race in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// Probability that a bound is wrong.
    tail: f64,
    lanes: Vec<Lane>,
    /// Starts so far, and the time that they took together.
    starts: u32,
    starting: Nanos,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// One for each contest.
    pub places: Vec<Place>,
    /// Turns that are over.
    pub turns: u32,
    /// Time of load of the first of them, for one search.
    first: Nanos,
}

/// A configuration in a contest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What is known of its highest load.
    pub reach: Reach,
    /// How it stands.
    pub state: State,
    /// Time of load that went into it.
    pub spent: Nanos,
}

/// How a configuration stands in a contest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It takes no part in it, or its server has failed.
    Absent,
    /// Its search goes on.
    Open,
    /// Its search has ended.
    Done(Outcome),
    /// It was stopped early.
    Out(Lost),
}

/// Why a configuration is out of a contest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    /// The configuration that is better.
    pub to: usize,
    /// What was known of itself.
    pub own: Reach,
    /// What was known of the better one.
    pub best: Reach,
    /// Time of load that its search had when this was seen.
    pub after: Nanos,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The configuration.
    pub lane: usize,
    /// How long each of its searches goes on.
    pub slice: Slice,
}

impl Race {
    /// `present` says for each configuration in which contests it takes part; `confidence` how sure the race must be not to
    /// lose the best one of a contest.
    pub fn new(present: &[Vec<bool>], confidence: f64) -> Self {
        let place = |present: &bool| Place {
            reach: Reach::UNKNOWN,
            state: if *present { State::Open } else { State::Absent },
            spent: Nanos::ZERO,
        };
        let lane = |present: &Vec<bool>| Lane {
            places: present.iter().map(place).collect(),
            turns: 0,
            first: Nanos::ZERO,
        };
        let contests = present.iter().map(Vec::len).max().unwrap_or_default();
        let size = |contest: usize| present.iter().filter(|lane| lane[contest]).count();
        let most = (0..contests).map(size).max().unwrap_or_default();
        Self {
            tail: (1.0 - confidence) / most.max(2) as f64,
            lanes: present.iter().map(lane).collect(),
            starts: 0,
            starting: Nanos::ZERO,
        }
    }

    /// Probability with which the truth lies beyond a bound.
    pub fn tail(&self) -> f64 {
        self.tail
    }

    /// The configurations, in their order.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// A server was started, which took so long.
    pub fn started(&mut self, took: Nanos) {
        self.starts += 1;
        self.starting += took;
    }

    /// A search that had ended before the race began.
    pub fn found(&mut self, lane: usize, contest: usize, answer: &Answer) {
        let place = &mut self.lanes[lane].places[contest];
        place.reach = Reach::of(answer, self.tail);
        place.state = State::Done(answer.outcome);
    }

    /// Who comes next; `None` when every search has ended or is out.
    pub fn next(&self) -> Option<Turn> {
        let open = (0..self.lanes.len()).filter(|&lane| self.is_open(lane));
        let lane = open.min_by_key(|&lane| {
            let turns = self.lanes[lane].turns;
            let contests = 0..self.lanes[lane].places.len();
            let led = contests.filter(|&contest| self.leads(lane, contest));
            (turns > 0, std::cmp::Reverse(led.count()), turns, lane)
        })?;
        Some(Turn {
            lane,
            slice: self.slice(lane),
        })
    }

    /// A turn is over; its searches have been under load for so long, on average.
    pub fn turn_over(&mut self, lane: usize, took: Nanos) {
        let lane = &mut self.lanes[lane];
        if lane.turns == 0 {
            lane.first = took;
        }
        lane.turns += 1;
        self.compare();
    }

    /// A configuration can no longer be searched, since its server fails. Who was out because of it is in again.
    pub fn withdraw(&mut self, failed: usize) {
        for place in &mut self.lanes[failed].places {
            if place.state == State::Open {
                place.state = State::Absent;
                place.reach = Reach::UNKNOWN;
            }
        }
        let absent: Vec<bool> = self.lanes[failed]
            .places
            .iter()
            .map(|place| place.state == State::Absent)
            .collect();
        for lane in &mut self.lanes {
            for (place, is_absent) in lane.places.iter_mut().zip(&absent) {
                if *is_absent && matches!(place.state, State::Out(lost) if lost.to == failed) {
                    place.state = State::Open;
                }
            }
        }
        self.compare();
    }

    /// What a configuration would have taken to the end of a contest, by the mean of those whose search ended there; `None`
    /// where none did.
    pub fn time_to_the_end(&self, contest: usize) -> Option<Nanos> {
        let done = self.lanes.iter().map(|lane| &lane.places[contest]);
        let done =
            done.filter(|place| matches!(place.state, State::Done(outcome) if is_answer(outcome)));
        let times: Vec<f64> = done.map(|place| place.spent.as_secs_f64()).collect();
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        (!times.is_empty()).then(|| Nanos::from_secs_f64(mean))
    }

    /// Time of load that was not needed, as an estimate: a search that was stopped would have taken as long as those that
    /// ended in the same contest took on average.
    pub fn saved(&self) -> Nanos {
        let contests = self.lanes.first().map_or(0, |lane| lane.places.len());
        let of = |contest: usize| {
            let whole = self.time_to_the_end(contest).unwrap_or_default();
            let places = self.lanes.iter().map(move |lane| &lane.places[contest]);
            let out = places.filter(|place| matches!(place.state, State::Out(_)));
            out.map(move |place| whole.saturating_sub(place.spent))
        };
        (0..contests)
            .flat_map(of)
            .fold(Nanos::ZERO, |sum, saved| sum + saved)
    }

    /// Answers of a configuration as the race leaves them: one whose turn was over before another one was seen to be better
    /// is out all the same.
    pub fn amend(
        &self,
        lane: usize,
        contests: std::ops::Range<usize>,
        answers: &mut [Answer],
        why: &dyn Fn(&Lost) -> String,
    ) {
        let places = &self.lanes[lane].places[contests];
        for (place, answer) in places.iter().zip(answers) {
            if let (State::Out(lost), true) = (&place.state, answer.outcome != Outcome::Outpaced) {
                *answer = answer.clone().outpaced(&why(lost));
            }
        }
    }

    /// Puts those out of their contests that another one is certainly better than.
    fn compare(&mut self) {
        for lane in 0..self.lanes.len() {
            for contest in 0..self.lanes[lane].places.len() {
                let own = self.lanes[lane].places[contest].reach;
                if self.lanes[lane].places[contest].state == State::Open {
                    self.hold_against_the_best(lane, contest, own);
                }
            }
        }
    }

    /// Takes note of what is known of a configuration whose search goes on, and puts it out where another one is better.
    fn hold_against_the_best(&mut self, lane: usize, contest: usize, own: Reach) -> Option<Lost> {
        let best = self.best_rival(lane, contest);
        let place = &mut self.lanes[lane].places[contest];
        // A search that goes on in a new session has no belief before its first dwell: what was known holds until then.
        let own = if own == Reach::UNKNOWN {
            place.reach
        } else {
            own
        };
        place.reach = own;
        let (to, best) = best?;
        let lost = own.is_below(&best).then_some(Lost {
            to,
            own,
            best,
            after: place.spent,
        })?;
        place.state = State::Out(lost);
        Some(lost)
    }

    /// The one of the others with the highest lower bound; the first of equals.
    fn best_rival(&self, lane: usize, contest: usize) -> Option<(usize, Reach)> {
        let others = self.lanes.iter().enumerate();
        others
            .filter(|(other, _)| *other != lane)
            .map(|(other, rival)| (other, &rival.places[contest]))
            .filter(|(_, place)| matches!(place.state, State::Open | State::Done(_)))
            .map(|(other, place)| (other, place.reach))
            .reduce(|best, next| if next.1.low > best.1.low { next } else { best })
    }

    fn is_open(&self, lane: usize) -> bool {
        let mut places = self.lanes[lane].places.iter();
        places.any(|place| place.state == State::Open)
    }

    /// Its search goes on, and its upper bound is the highest of those whose searches go on.
    fn leads(&self, lane: usize, contest: usize) -> bool {
        let own = &self.lanes[lane].places[contest];
        let open = self.lanes.iter().map(|lane| &lane.places[contest]);
        let mut open = open.filter(|other| other.state == State::Open);
        own.state == State::Open && !open.any(|other| other.reach.promises_more_than(&own.reach))
    }

    fn slice(&self, lane: usize) -> Slice {
        let start = self.starting.as_secs_f64() / f64::from(self.starts.max(1));
        let least = STARTS * start;
        let lane = &self.lanes[lane];
        if lane.turns == 0 {
            return Slice::Scout(Nanos::from_secs_f64(least));
        }
        let turns = i32::try_from(lane.turns - 1).unwrap_or(i32::MAX);
        let grown = FIRST * lane.first.as_secs_f64() * GROWTH.powi(turns);
        Slice::Lead(Nanos::from_secs_f64(grown.max(least)))
    }
}

/// It took a search to its end, and not only to its budget's.
fn is_answer(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Value | Outcome::NotReached)
}

#[cfg(test)]
mod tests;
