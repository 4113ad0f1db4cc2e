//! Loads of A and B that belong together, compared, and what a reader has to know beside.
//!
//! Reads and prints nothing.

use crestline_core::compare::{self, Difference, Standard, Verdict};
use crestline_core::segments::{Draws, Statistic};
use crestline_report::number::trimmed;

use super::sides::{Load, Side};
use super::unlike;
use crate::problem::Problem;

/// Times that runs are put together anew: the furthest deviations of many figures are to be seen.
const DRAWS: usize = 2000;

/// What is asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) statistics: Vec<Statistic>,
    pub(super) confidence: f64,
    /// A share.
    pub(super) threshold: f64,
    pub(super) seed: u64,
}

/// What is found.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) loads: Vec<Compared>,
    /// In sentences.
    pub(super) warnings: Vec<String>,
}

/// One load.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) title: String,
    /// Of A and B, in words.
    pub(super) sizes: [String; 2],
    pub(super) requests: [u64; 2],
    pub(super) failed: [u64; 2],
    pub(super) differences: Vec<Difference>,
    /// Why there is no verdict.
    pub(super) void: Option<String>,
}

impl Compared {
    /// Figures in which B is worse beyond the threshold.
    pub(super) fn regressions(&self) -> impl Iterator<Item = &Difference> {
        let counts = self.void.is_none();
        self.differences
            .iter()
            .filter(move |difference| counts && difference.regressed)
    }
}

impl Comparison {
    /// Compares all loads that both sides have.
    pub(super) fn new(a: &Side, b: &Side, question: &Question) -> Result<Self, Problem> {
        let pairs: Vec<(&Load, &Load)> = a
            .loads
            .iter()
            .filter_map(|load| Some((load, b.load(&load.key)?)))
            .collect();
        if pairs.is_empty() {
            return Err(nothing_in_common(a, b));
        }
        let standard = Standard {
            confidence: question.confidence,
            loads: pairs.len(),
            threshold: question.threshold,
        };
        let mut warnings: Vec<String> = [a, b].iter().flat_map(|it| it.warnings.clone()).collect();
        warnings.extend(without_partner(a, b));
        warnings.extend(without_partner(b, a));
        for (load, other) in &pairs {
            warnings.extend(unlike::unlike(load, other));
        }
        warnings.extend(of_single_runs(&pairs));
        let loads = (0..)
            .zip(&pairs)
            .map(|(place, (a, b))| compared(a, b, question, standard, place))
            .collect();
        let mut told = Vec::new();
        warnings.retain(|line| {
            !told.contains(line) && {
                told.push(line.clone());
                true
            }
        });
        Ok(Self { loads, warnings })
    }

    /// B is worse somewhere, beyond the threshold.
    pub(super) fn has_regressed(&self) -> bool {
        self.loads
            .iter()
            .any(|load| load.regressions().next().is_some())
    }

    /// Nothing could be said of any load, since the client was the bottleneck.
    pub(super) fn is_void(&self) -> bool {
        self.loads.iter().all(|load| load.void.is_some())
    }

    /// The answer in a sentence.
    pub(super) fn sentence(&self, threshold: f64) -> String {
        let percent = trimmed(Some(threshold * 100.0), 2);
        if self.is_void() {
            return "no verdict: the client was the bottleneck".to_owned();
        }
        let regressed: Vec<String> = self
            .loads
            .iter()
            .filter(|load| load.regressions().next().is_some())
            .map(|load| {
                let names = load
                    .regressions()
                    .map(|one| super::figures::name(one.statistic));
                format!("{} ({})", load.title, names.collect::<Vec<_>>().join(", "))
            })
            .collect();
        if !regressed.is_empty() {
            return format!(
                "B is worse by more than {percent} %: {}",
                regressed.join("; ")
            );
        }
        let count = |is: fn(&Verdict) -> bool| {
            let loads = self.loads.iter().filter(|load| load.void.is_none());
            let all = loads.flat_map(|load| &load.differences);
            all.filter(|one| is(&one.verdict)).count()
        };
        let better = count(|verdict| matches!(verdict, Verdict::Better));
        let worse = count(|verdict| matches!(verdict, Verdict::Worse));
        let open = count(|verdict| matches!(verdict, Verdict::Undecided(_)));
        format!(
            "no regression beyond {percent} % is certain: B is better in {better} figures and worse in {worse}; {open} are undecided"
        )
    }
}

fn compared(a: &Load, b: &Load, question: &Question, standard: Standard, place: u64) -> Compared {
    let draws = |side: u64| Draws {
        count: DRAWS,
        seed: question
            .seed
            .wrapping_mul(1 << 20)
            .wrapping_add(place * 2 + side),
    };
    let spreads = [
        a.spreads(&question.statistics, draws(0)),
        b.spreads(&question.statistics, draws(1)),
    ];
    let requests = [a.requests(), b.requests()];
    let side = |which: usize| compare::Side {
        spreads: &spreads[which],
        requests: requests[which],
    };
    let void = [("A", a), ("B", b)].into_iter().find_map(|(name, load)| {
        Some(format!(
            "the client was the bottleneck in {name}: {}",
            load.void()?
        ))
    });
    Compared {
        title: a.key.title(),
        sizes: [a.size(), b.size()],
        requests,
        failed: [a.failed(), b.failed()],
        differences: compare::differences(&question.statistics, side(0), side(1), standard),
        void,
    }
}

fn nothing_in_common(a: &Side, b: &Side) -> Problem {
    let loads = |side: &Side| {
        let titles: Vec<_> = side.loads.iter().map(|load| load.key.title()).collect();
        format!("{} has {}", side.name, titles.join("; "))
    };
    Problem::usage("A and B have no load in common")
        .cause(format!("{}\n{}", loads(a), loads(b)))
        .hint("measure both with the same numbers in flight or the same request rates")
}

fn without_partner<'a>(side: &'a Side, other: &'a Side) -> impl Iterator<Item = String> + 'a {
    let alone = side
        .loads
        .iter()
        .filter(|load| other.load(&load.key).is_none());
    alone.map(|load| {
        format!(
            "only {} has {}: it is not compared",
            side.name,
            load.key.title()
        )
    })
}

/// What a single run cannot tell.
fn of_single_runs(pairs: &[(&Load, &Load)]) -> Option<String> {
    let is_single = pairs
        .iter()
        .any(|(a, b)| a.sound().len() == 1 || b.sound().len() == 1);
    is_single.then(|| {
        "one run a side: what changes from one start of a server to the next is in no interval; give repeats with --a and --b"
            .to_owned()
    })
}
