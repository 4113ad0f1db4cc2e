//! EvalScope's search: doubling or halving from a first load, then bisection to a single unit of load.
//!
//! Kept for whoever must compare with older numbers. Every probe is a run of its own with a fixed number of requests,
//! each comparison is final, and no answer says how sure it is. Runs nothing: [`Bisect::ask`] says which load to probe,
//! [`Bisect::tell`] takes what it came to. The same probes give the same answers in any order of telling.

use std::collections::BTreeMap;

use crate::sla::{Aim, Goal, Group, Probe};

/// Requests of one run at a load: `max(1, round(multiplier * value))`, halves to the even number.
pub fn requests_of(value: u64, multiplier: f64) -> u64 {
    let requests = (multiplier * value as f64).round_ties_even();
    (requests as u64).max(1)
}

/// What is sought, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct BisectQuestion {
    /// Searched one after another; all share the probes.
    pub groups: Vec<Group>,
    /// Probed first; taken into the bounds where it lies outside.
    pub start: u64,
    /// The lowest load that may be probed; at least 1.
    pub lower: u64,
    /// The highest load that may be probed; no lower than `lower`.
    pub upper: u64,
}

/// The row of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The group's place, from 0.
    pub group: usize,
    /// The load found.
    pub selected: Option<u64>,
    /// Of an aim: the value of its measure at that load.
    pub best: Option<f64>,
    /// `Satisfied`, `Failed at lower bound (10)`, or `Best tps: 8057.1438`.
    pub note: String,
}

/// The search, with all that was probed.
#[derive(Debug, Clone, PartialEq)]
pub struct Bisect {
    question: BisectQuestion,
    probes: BTreeMap<u64, Probe>,
}

impl Bisect {
    /// Nothing is probed yet.
    pub fn new(question: BisectQuestion) -> Self {
        let lower = question.lower.max(1);
        let upper = question.upper.max(lower);
        let start = question.start.clamp(lower, upper);
        Self {
            question: BisectQuestion {
                groups: question.groups,
                start,
                lower,
                upper,
            },
            probes: BTreeMap::new(),
        }
    }

    /// The load to probe next, never one that was told; `None` when every group has its row.
    pub fn ask(&self) -> Option<u64> {
        self.walks()
            .find_map(Result::err)
            .map(|Untold(value)| value)
    }

    /// Takes what a load came to. A load that was not asked for is kept too: a search goes on from earlier probes.
    pub fn tell(&mut self, value: u64, probe: Probe) {
        self.probes.insert(value, probe);
    }

    /// The rows of the groups whose search has ended, in order.
    pub fn selections(&self) -> Vec<Selection> {
        self.walks().map_while(Result::ok).collect()
    }

    /// Everything that was told, by load.
    pub fn probes(&self) -> &BTreeMap<u64, Probe> {
        &self.probes
    }

    /// Each search from its beginning, as far as the probes lead: a search is a function of what was probed.
    fn walks(&self) -> impl Iterator<Item = Result<Selection, Untold>> + '_ {
        let groups = self.question.groups.iter().enumerate();
        groups.map(|(place, group)| {
            let walk = Walk {
                group,
                search: self,
            };
            let found = match group.aim {
                Some(aim) => walk.best(aim)?,
                None => walk.highest()?,
            };
            Ok(found.row(place, self.question.lower))
        })
    }
}

/// A load that the search needs and nobody has probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Untold(u64);

/// How the search of one group ended.
enum Found {
    Nothing,
    Highest(u64),
    Best(Aim, Peak),
}

/// A load and the value of the aim's measure there.
#[derive(Clone, Copy)]
struct Peak {
    load: u64,
    value: f64,
}

impl Found {
    fn row(self, group: usize, lower: u64) -> Selection {
        let (selected, best, note) = match self {
            Self::Nothing => (None, None, format!("Failed at lower bound ({lower})")),
            Self::Highest(load) => (Some(load), None, "Satisfied".to_owned()),
            Self::Best(aim, Peak { load, value }) => {
                let note = format!("Best {}: {value:.4}", aim.measure);
                (Some(load), Some(value), note)
            }
        };
        Selection {
            group,
            selected,
            best,
            note,
        }
    }
}

/// The search of one group through the probes.
struct Walk<'a> {
    group: &'a Group,
    search: &'a Bisect,
}

impl Walk<'_> {
    fn probe(&self, load: u64) -> Result<&Probe, Untold> {
        self.search.probes.get(&load).ok_or(Untold(load))
    }

    fn passes(&self, load: u64) -> Result<bool, Untold> {
        Ok(self.group.judge(self.probe(load)?).met())
    }

    /// The aim's measure at a load; `None` where the probe failed or broke a limit of the group.
    fn peak(&self, load: u64) -> Result<Option<Peak>, Untold> {
        let verdict = self.group.judge(self.probe(load)?);
        let value = verdict.aim.filter(|_| verdict.met());
        Ok(value.map(|value| Peak { load, value }))
    }

    fn highest(&self) -> Result<Found, Untold> {
        let start = self.search.question.start;
        let (mut good, mut bad) = if self.passes(start)? {
            match self.first_failing(start)? {
                (good, Some(bad)) => (good, bad),
                (good, None) => return Ok(Found::Highest(good)),
            }
        } else {
            let passing = |load| Ok(self.passes(load)?.then_some(load));
            match self.first_below(start, passing)? {
                Some(edge) => edge,
                None => return Ok(Found::Nothing),
            }
        };
        while bad - good > 1 {
            let middle = good.midpoint(bad);
            if self.passes(middle)? {
                good = middle;
            } else {
                bad = middle;
            }
        }
        Ok(Found::Highest(good))
    }

    /// Doubles from a load that passes: the last that passes, and the first that fails, where there is one.
    fn first_failing(&self, start: u64) -> Result<(u64, Option<u64>), Untold> {
        let mut good = start;
        while let Some(next) = self.doubled(good) {
            if !self.passes(next)? {
                return Ok((good, Some(next)));
            }
            good = next;
        }
        Ok((good, None))
    }

    /// Halves from a load that does not do, down to the first that does: what was found there, and the last load that
    /// did not do.
    fn first_below<T>(
        &self,
        start: u64,
        does: impl Fn(u64) -> Result<Option<T>, Untold>,
    ) -> Result<Option<(T, u64)>, Untold> {
        let lower = self.search.question.lower;
        let mut bad = start;
        while bad > lower {
            let next = (bad / 2).max(lower);
            if let Some(found) = does(next)? {
                return Ok(Some((found, bad)));
            }
            bad = next;
        }
        Ok(None)
    }

    /// Twice the load, or the upper bound; `None` at the bound.
    fn doubled(&self, load: u64) -> Option<u64> {
        let upper = self.search.question.upper;
        (load < upper).then(|| load.saturating_mul(2).min(upper))
    }

    fn best(&self, aim: Aim) -> Result<Found, Untold> {
        let start = self.search.question.start;
        let found = match self.peak(start)? {
            Some(peak) => Some(self.climb(aim, peak)?),
            None => self.first_below(start, |load| self.peak(load))?,
        };
        let Some((mut peak, mut right)) = found else {
            return Ok(Found::Nothing);
        };
        let mut left = peak.load;
        while right - left > 1 {
            let middle = left.midpoint(right);
            match self.better(aim, peak, middle)? {
                Some(better) => {
                    peak = better;
                    left = middle;
                }
                None => right = middle,
            }
        }
        Ok(Found::Best(aim, peak))
    }

    /// Doubles while the measure gets better at all: the last load that did, and the first that did not (the same
    /// where the bound came first).
    fn climb(&self, aim: Aim, start: Peak) -> Result<(Peak, u64), Untold> {
        let mut peak = start;
        while let Some(next) = self.doubled(peak.load) {
            match self.better(aim, peak, next)? {
                Some(better) => peak = better,
                None => return Ok((peak, next)),
            }
        }
        Ok((peak, peak.load))
    }

    fn better(&self, aim: Aim, best: Peak, load: u64) -> Result<Option<Peak>, Untold> {
        Ok(self.peak(load)?.filter(|peak| match aim.goal {
            Goal::Max => peak.value > best.value,
            Goal::Min => peak.value < best.value,
        }))
    }
}

#[cfg(test)]
mod tests;
