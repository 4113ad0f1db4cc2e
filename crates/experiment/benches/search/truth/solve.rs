//! The true answer of a scenario, by brute force.
//!
//! First the crossing is bracketed with short runs and halved down to a few percent; then a straight line is laid through
//! the distances of long runs around it.

use crestline_core::search::Variable;
use crestline_core::sla::{Criterion, Group};
use crestline_core::units::Nanos;
use crestline_sim::profile::Profile;

use super::steady::{Distance, Length, Steady};
use crate::scenario::Scenario;

/// Requests of a run that only brackets.
const QUICK: usize = 4_000;

/// Requests of a run that halves.
const MIDDLE: usize = 30_000;

/// What a search should find.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Truth {
    /// The limits are first reached here.
    Crossing(Crossing),
    /// The limits are not met at the lowest load.
    Infeasible,
    /// The limits are met at the highest load.
    NotReached,
    /// The most tokens a second.
    Best(Best),
}

/// Where the limits are first reached.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Crossing {
    /// Users or requests a second; of users the fraction says where between two whole numbers.
    pub(crate) load: f64,
    /// Standard error of the load, relative.
    pub(crate) error: f64,
    /// Slope of the distance over the logarithm of the load.
    pub(crate) beta: f64,
    /// The limit that is reached.
    pub(crate) binding: Criterion,
}

/// Where throughput is best.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Best {
    /// Smallest load with 98 % of the best.
    pub(crate) load: f64,
    /// Tokens of answers a second.
    pub(crate) tokens_per_s: f64,
}

/// Finds truths of one scenario.
pub(crate) struct Solver<'a> {
    scenario: &'a Scenario,
    profile: Profile,
    /// Requests of a long run.
    long: usize,
    /// A load at which to begin.
    start: f64,
    /// Latency at the load of the last run: users join over so much.
    latency: Nanos,
    seed: u64,
}

/// A load and how far each limit is there.
type Point = (f64, Vec<Distance>);

impl<'a> Solver<'a> {
    /// Long runs have `long` requests; the crossing is sought from `start` on.
    pub(crate) fn new(scenario: &'a Scenario, long: usize, start: f64) -> Self {
        Self {
            profile: scenario.settled_profile(),
            scenario,
            long,
            start: start.clamp(scenario.bounds.lowest, scenario.bounds.highest),
            latency: Nanos::from_secs(1),
            // Far from the seeds of the searches.
            seed: 1_000_000,
        }
    }

    /// The truth of one group.
    pub(crate) fn solve(&mut self, group: &Group) -> Truth {
        if group.aim.is_some() {
            return Truth::Best(self.best(group));
        }
        match self.bracket(&group.criteria) {
            Bracket::Infeasible => Truth::Infeasible,
            Bracket::NotReached => Truth::NotReached,
            Bracket::Between(low, high) => {
                let centre = self.halve(&group.criteria, low, high);
                Truth::Crossing(self.crossing(&group.criteria, centre))
            }
        }
    }

    /// One run, with a seed of its own.
    pub(crate) fn run(&mut self, load: f64, requests: usize) -> Steady {
        self.seed += 1;
        let length = Length {
            requests,
            join_over: self.latency,
            seed: self.seed,
        };
        let run = Steady::run(self.scenario, &self.profile, load, length);
        self.latency = run.mean_latency;
        run
    }

    fn distances(&mut self, criteria: &[Criterion], load: f64, requests: usize) -> Vec<Distance> {
        let run = self.run(load, requests);
        criteria
            .iter()
            .map(|criterion| run.distance(criterion, &self.scenario.slo))
            .collect()
    }

    /// Of the limit that is nearest or most exceeded.
    fn worst(&mut self, criteria: &[Criterion], load: f64, requests: usize) -> f64 {
        let distances = self.distances(criteria, load, requests);
        let values = distances.iter().map(|distance| distance.value);
        values.fold(f64::NEG_INFINITY, f64::max)
    }

    fn bracket(&mut self, criteria: &[Criterion]) -> Bracket {
        let bounds = self.scenario.bounds;
        let (mut low, mut high) = (None, None);
        let mut load = self.round(self.start);
        loop {
            let edge = load <= bounds.lowest || load >= bounds.highest;
            let requests = if edge { MIDDLE } else { QUICK };
            if self.worst(criteria, load, requests) > 0.0 {
                high = Some(load);
            } else {
                low = Some(load);
            }
            load = match (low, high) {
                (Some(low), Some(high)) => return Bracket::Between(low, high),
                (None, Some(high)) if high <= bounds.lowest => return Bracket::Infeasible,
                (Some(low), None) if low >= bounds.highest => return Bracket::NotReached,
                (None, _) => self.round(load / 2.0).max(bounds.lowest),
                (_, None) => self.round(load * 2.0).min(bounds.highest),
            };
        }
    }

    /// Down to 4 %, or neighbouring numbers of users.
    fn halve(&mut self, criteria: &[Criterion], mut low: f64, mut high: f64) -> f64 {
        while high / low > 1.04 {
            let middle = self.round((low * high).sqrt());
            if middle <= low || middle >= high {
                break;
            }
            if self.worst(criteria, middle, MIDDLE) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        (low * high).sqrt()
    }

    /// Long runs around `centre`, moved once or twice where the crossing is not among them.
    fn crossing(&mut self, criteria: &[Criterion], mut centre: f64) -> Crossing {
        let mut points: Vec<Point> = Vec::new();
        for _ in 0..4 {
            for load in self.around(centre) {
                if !points
                    .iter()
                    .any(|(known, _)| (known / load - 1.0).abs() < 1e-3)
                {
                    let distances = self.distances(criteria, load, self.long);
                    points.push((load, distances));
                }
            }
            points.sort_by(|left, right| left.0.total_cmp(&right.0));
            let found = first_reached(criteria, &points, self.scenario.variable);
            let (first, last) = (points[0].0, points[points.len() - 1].0);
            match found {
                Some(found) if (first..=last).contains(&found.load) => return found,
                Some(found) => centre = found.load.clamp(centre * 0.93, centre * 1.07),
                None => centre *= 1.04,
            }
        }
        first_reached(criteria, &points, self.scenario.variable)
            .expect("a bracketed crossing lies among the long runs")
    }

    /// Six loads within 3 %, or the six numbers of users next to it.
    fn around(&self, centre: f64) -> Vec<f64> {
        let lowest = self.scenario.bounds.lowest;
        match self.scenario.variable {
            Variable::Users => {
                let step = (centre * 0.012).round().max(1.0);
                (-2..=3)
                    .map(|steps| centre.floor() + f64::from(steps) * step)
                    .filter(|&load| load >= lowest)
                    .collect()
            }
            Variable::Rate => [-0.03, -0.018, -0.006, 0.006, 0.018, 0.03]
                .map(|off| centre * (1.0 + off))
                .into(),
        }
    }

    fn round(&self, load: f64) -> f64 {
        match self.scenario.variable {
            Variable::Users => load.round().max(1.0),
            Variable::Rate => load,
        }
    }

    /// The most tokens a second within the limits, and the smallest load with 98 % of it.
    fn best(&mut self, group: &Group) -> Best {
        let highest = self.highest_allowed(&group.criteria);
        let mut curve: Vec<(f64, f64)> = Vec::new();
        let mut load = 1.0;
        while load < highest {
            curve.push((load, self.run(load, MIDDLE).tokens_per_s));
            load = self.round((load * 1.2).max(load + 1.0));
        }
        curve.push((highest, self.run(highest, self.long).tokens_per_s));
        let most = curve.iter().map(|point| point.1).fold(0.0, f64::max);
        let near: Vec<f64> = curve
            .iter()
            .filter(|point| point.1 > 0.93 * most)
            .map(|point| point.0)
            .collect();
        let mut load = near[0] / 1.1;
        let last = near[near.len() - 1];
        while load < last {
            let rounded = self.round(load);
            curve.retain(|point| (point.0 - rounded).abs() > 0.5);
            curve.push((rounded, self.run(rounded, self.long).tokens_per_s));
            load *= 1.03;
        }
        curve.sort_by(|left, right| left.0.total_cmp(&right.0));
        let tokens_per_s = curve.iter().map(|point| point.1).fold(0.0, f64::max);
        Best {
            load: reaches(&curve, 0.98 * tokens_per_s),
            tokens_per_s,
        }
    }

    /// The highest number of users that meets the limits.
    fn highest_allowed(&mut self, criteria: &[Criterion]) -> f64 {
        let highest = self.scenario.bounds.highest;
        if criteria.is_empty() {
            return highest;
        }
        match self.bracket(criteria) {
            Bracket::Infeasible | Bracket::NotReached => highest,
            Bracket::Between(low, high) => {
                let centre = self.halve(criteria, low, high);
                self.crossing(criteria, centre).load.floor()
            }
        }
    }
}

enum Bracket {
    Infeasible,
    NotReached,
    /// Met at the first, not at the second.
    Between(f64, f64),
}

/// Where a rising curve first reaches a level, on straight lines between its points.
fn reaches(curve: &[(f64, f64)], level: f64) -> f64 {
    let above = curve.iter().position(|point| point.1 >= level);
    match above {
        Some(at) if at > 0 => {
            let ((x0, y0), (x1, y1)) = (curve[at - 1], curve[at]);
            x0 + (x1 - x0) * (level - y0) / (y1 - y0)
        }
        _ => curve[0].0,
    }
}

/// The smallest load at which one of the limits is reached.
fn first_reached(criteria: &[Criterion], points: &[Point], variable: Variable) -> Option<Crossing> {
    criteria
        .iter()
        .enumerate()
        .filter_map(|(at, criterion)| {
            let line: Vec<(f64, Distance)> = points
                .iter()
                .map(|(load, distances)| (*load, distances[at]))
                .collect();
            let root = if variable == Variable::Users && points[0].0 < 25.0 {
                neighbours(&line)?
            } else {
                fitted(&line)?
            };
            Some(Crossing {
                load: root.load,
                error: root.error,
                beta: root.slope,
                binding: *criterion,
            })
        })
        .min_by(|left, right| left.load.total_cmp(&right.load))
}

/// Where a line crosses zero.
struct Root {
    load: f64,
    error: f64,
    slope: f64,
}

/// Between the two points on either side: few users lie too far apart for one line through all.
fn neighbours(line: &[(f64, Distance)]) -> Option<Root> {
    let at = line.iter().position(|(_, distance)| distance.value > 0.0)?;
    let ((x0, d0), (x1, d1)) = (*line.get(at.checked_sub(1)?)?, line[at]);
    let slope = (d1.value - d0.value) / (x1 / x0).ln();
    Some(Root {
        load: x0 * (-d0.value / slope).exp(),
        error: d0.error.min(d1.error) / slope,
        slope,
    })
}

/// By weighted least squares over the points near zero.
fn fitted(line: &[(f64, Distance)]) -> Option<Root> {
    let crosses = line.iter().any(|point| point.1.value > 0.0)
        && line.iter().any(|point| point.1.value <= 0.0);
    let near: Vec<&(f64, Distance)> = line
        .iter()
        .filter(|point| point.1.value.abs() < 1.5 && point.1.error < 2.0)
        .collect();
    if near.len() < 3 {
        return if crosses { neighbours(line) } else { None };
    }
    let centre = near.iter().map(|point| point.0.ln()).sum::<f64>() / near.len() as f64;
    let mut sums = [0.0; 5];
    for (load, distance) in near {
        // The scatter between parts of a run knows its own error to some 10 % only.
        let weight = 1.0 / distance.error.max(1e-4).powi(2);
        let off = load.ln() - centre;
        for (sum, term) in
            sums.iter_mut()
                .zip([1.0, off, off * off, distance.value, off * distance.value])
        {
            *sum += weight * term;
        }
    }
    let [w, x, xx, y, xy] = sums;
    let determinant = w * xx - x * x;
    let slope = (w * xy - x * y) / determinant;
    let level = (xx * y - x * xy) / determinant;
    if slope <= 0.05 {
        return None;
    }
    let off = -level / slope;
    let variance = (xx - 2.0 * off * x + off * off * w) / determinant;
    Some(Root {
        load: (centre + off).exp(),
        error: variance.max(0.0).sqrt() / slope,
        slope,
    })
}
