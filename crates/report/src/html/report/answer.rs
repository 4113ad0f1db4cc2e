//! The answer in one sentence, and what must be known beside it.
//!
//! Says no more than the facts carry: what is void, interrupted or not decided is told as such.

use crestline_core::metrics::Metric;
use crestline_core::search::Outcome;
use crestline_core::segments::Statistic;

use super::advice;
use super::against_load::{total, value};
use super::words::{applied, capital, parameters, rounded, run, with_unit};
use crate::facts::{AnswerFacts, Client, Facts, LoadFacts, SearchFacts};
use crate::html::document::{Block, Callout, Text, Tone};
use crate::number::{counted, grouped, significant, trimmed};

/// Void runs and left-out files that are told one by one.
const TOLD: usize = 12;

/// What stands at the top of a report.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    let mut blocks = vec![Block::Callout(answer(facts))];
    blocks.extend(voids(facts));
    blocks.extend(left_out(facts));
    blocks
}

fn answer(facts: &Facts) -> Callout {
    let title = match (&facts.searches[..], &facts.loads[..]) {
        ([], []) => "Nothing was measured.".to_owned(),
        ([search], _) => return of_search(search),
        ([_, _, ..], _) => return of_searches(facts),
        ([], [only]) => of_run(only),
        ([], loads) => of_runs(facts, loads),
    };
    Callout {
        tone: match usable(facts).next() {
            Some(_) => Tone::Answer,
            None => Tone::Bad,
        },
        title: title.into(),
        lines: advice::on_loads(usable(facts))
            .map(Text::from)
            .into_iter()
            .collect(),
    }
}

/// Runs that say something of the service.
fn usable(facts: &Facts) -> impl Iterator<Item = &LoadFacts> {
    facts.loads.iter().filter(|load| says_something(load))
}

fn says_something(load: &LoadFacts) -> bool {
    !matches!(load.client, Client::Void(..)) && load.figures.requests > load.figures.failed
}

/// `8 users: 35.5 requests and 2,275 output tokens a second; TTFT 33 ms, p99 34 ms; …`.
fn of_run(load: &LoadFacts) -> String {
    let name = applied(load.applied);
    if let Client::Void(..) = load.client {
        return format!("The run with {name} is void: the client was the bottleneck.");
    }
    let figures = &load.figures;
    if figures.requests == figures.failed {
        return format!("All {} failed.", counted(figures.requests, "request"));
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(throughput(load));
    for metric in [Metric::Ttft, Metric::Tpot, Metric::Latency] {
        parts.extend(latency(load, metric));
    }
    parts.push(failures(load));
    format!("{}: {}.", capital(&name), parts.join("; "))
}

fn throughput(load: &LoadFacts) -> Option<String> {
    let requests = total(load, Metric::RequestThroughput)?;
    Some(match total(load, Metric::OutputThroughput) {
        Some(tokens) if tokens > 0.0 => format!(
            "{} requests and {} output tokens a second",
            rounded(requests),
            rounded(tokens)
        ),
        _ => format!("{} requests a second", rounded(requests)),
    })
}

fn latency(load: &LoadFacts, metric: Metric) -> Option<String> {
    let name = super::words::short(metric);
    let mean = value(load, Statistic::Mean(metric));
    let tail = value(load, Statistic::Quantile(metric, 0.99));
    match (mean, tail) {
        (Some(mean), Some(tail)) => Some(format!(
            "{name} {} on average, {} at p99",
            with_unit(metric, mean),
            with_unit(metric, tail)
        )),
        (Some(mean), None) => Some(format!("{name} {} on average", with_unit(metric, mean))),
        _ => None,
    }
}

fn failures(load: &LoadFacts) -> String {
    let figures = &load.figures;
    match figures.failed {
        0 => format!("all {} succeeded", counted(figures.requests, "request")),
        failed => format!(
            "{} of {} failed",
            grouped(failed),
            counted(figures.requests, "request")
        ),
    }
}

/// The best of several runs.
fn of_runs(facts: &Facts, loads: &[LoadFacts]) -> String {
    let by_tokens =
        |load: &&LoadFacts| total(load, Metric::OutputThroughput).filter(|it| *it > 0.0);
    let by_requests = |load: &&LoadFacts| total(load, Metric::RequestThroughput);
    let best = |by: &dyn Fn(&&LoadFacts) -> Option<f64>| {
        let ranked = usable(facts).filter_map(|load| Some((load, by(&load)?)));
        ranked.max_by(|one, other| one.1.total_cmp(&other.1))
    };
    let (best, what) = match best(&by_tokens) {
        Some((load, tokens)) => (load, format!("{} output tokens a second", rounded(tokens))),
        None => match best(&by_requests) {
            Some((load, requests)) => (load, format!("{} requests a second", rounded(requests))),
            None => {
                return format!(
                    "None of {} says anything of the service.",
                    counted(loads.len() as u64, "run")
                );
            }
        },
    };
    let mut parts = vec![format!(
        "Most throughput of {}: {what} with {}",
        counted(loads.len() as u64, "run"),
        run(best, &facts.parameters)
    )];
    parts.extend(latency(best, Metric::Ttft));
    parts.extend(latency(best, Metric::Tpot));
    let failed: u64 = loads.iter().map(|load| load.figures.failed).sum();
    let requests: u64 = loads.iter().map(|load| load.figures.requests).sum();
    parts.push(match failed {
        0 => format!("no failure in {}", counted(requests, "request")),
        failed => format!("{} failed in all", counted(failed, "request")),
    });
    format!("{}.", parts.join("; "))
}

fn of_search(search: &SearchFacts) -> Callout {
    let sentences: Vec<String> = search
        .answers
        .iter()
        .map(|answer| sentence(search, answer))
        .collect();
    let (first, rest) = match sentences.split_first() {
        Some((first, rest)) => (first.clone(), rest),
        None => (
            unanswered(std::slice::from_ref(search)).to_owned(),
            &[] as &[String],
        ),
    };
    let tones = search.answers.iter().map(tone);
    Callout {
        tone: tones.max_by_key(|tone| weight(*tone)).unwrap_or(Tone::Bad),
        title: first.into(),
        lines: rest.iter().map(|line| line.as_str().into()).collect(),
    }
}

/// Why there is no answer.
fn unanswered(searches: &[SearchFacts]) -> &'static str {
    if searches.iter().any(|search| search.is_interrupted) {
        "The search ended before it had an answer."
    } else {
        "What the search answered is not in its files; the loads that it tried are."
    }
}

/// Answers of several configurations: the best for each group of criteria.
fn of_searches(facts: &Facts) -> Callout {
    let mut criteria: Vec<&str> = Vec::new();
    for answer in facts.searches.iter().flat_map(|search| &search.answers) {
        if !criteria.contains(&answer.criteria.as_str()) {
            criteria.push(&answer.criteria);
        }
    }
    let lines: Vec<(Tone, String)> = criteria
        .into_iter()
        .map(|criteria| best_of(facts, criteria))
        .collect();
    let is_answered = lines.iter().any(|(tone, _)| *tone == Tone::Answer);
    let mut lines = lines.into_iter().map(|(_, line)| Text::from(line));
    Callout {
        tone: if is_answered {
            Tone::Answer
        } else {
            Tone::Warning
        },
        title: lines
            .next()
            .unwrap_or_else(|| unanswered(&facts.searches).into()),
        lines: lines.collect(),
    }
}

fn best_of(facts: &Facts, criteria: &str) -> (Tone, String) {
    let all = facts.searches.iter().flat_map(|search| {
        let of = search.answers.iter();
        of.filter(|answer| answer.criteria == criteria)
            .map(move |answer| (search, answer))
    });
    let known = all.clone().filter_map(|(search, answer)| {
        let load = answer.load.filter(|_| tone(answer) == Tone::Answer)?;
        Some((search, answer, load))
    });
    let count = all.count();
    let Some((search, answer, _)) = known.max_by(|one, other| one.2.total_cmp(&other.2)) else {
        return (
            Tone::Warning,
            format!("None of {count} configurations has an answer to {criteria}."),
        );
    };
    let configuration = parameters(&search.parameters, &facts.parameters);
    let named = if configuration.is_empty() {
        String::new()
    } else {
        format!("{configuration} serves most of {count}: ")
    };
    (Tone::Answer, format!("{named}{}", sentence(search, answer)))
}

/// How an answer is to be taken.
pub(super) fn tone(answer: &AnswerFacts) -> Tone {
    match answer.outcome {
        Some(Outcome::Value | Outcome::NotReached) => Tone::Answer,
        None if answer.load.is_some() => Tone::Answer,
        Some(Outcome::Infeasible | Outcome::Void) => Tone::Bad,
        Some(Outcome::Inconclusive | Outcome::Outpaced) | None => Tone::Warning,
    }
}

fn weight(tone: Tone) -> u8 {
    match tone {
        Tone::Good | Tone::Note => 0,
        Tone::Answer => 1,
        Tone::Warning => 2,
        Tone::Bad => 3,
    }
}

/// The answer to one group of criteria.
pub(super) fn sentence(search: &SearchFacts, answer: &AnswerFacts) -> String {
    let unit = &search.unit;
    let criteria = &answer.criteria;
    let binding = |words: &str| answer.binding.as_ref().map(|it| format!("{it} {words}"));
    let reason = (!answer.reason.is_empty()).then(|| answer.reason.clone());
    match (answer.outcome, answer.load) {
        (Some(Outcome::Value) | None, Some(load)) => with(
            &format!("{} {unit} keep {criteria}", load_text(load)),
            [sure(answer), range(answer), binding("binds")],
        ),
        (Some(Outcome::NotReached), _) => with(
            &format!("{criteria} is met up to the upper bound"),
            [None, None, None],
        ),
        (Some(Outcome::Infeasible), _) => with(
            &format!("{criteria} is not even met at the lower bound"),
            [binding("is missed"), None, None],
        ),
        (Some(Outcome::Void), _) => {
            format!("The search for {criteria} is void: the client was the bottleneck.")
        }
        (Some(Outcome::Outpaced), _) => with(
            &format!(
                "The search for {criteria} was stopped early: another configuration serves more"
            ),
            [range(answer), None, None],
        ),
        (Some(Outcome::Inconclusive), load) => {
            let at_least = load.map(|load| format!("at least {} {unit}", load_text(load)));
            with(
                &format!("{criteria} is not decided"),
                [at_least, range(answer), reason],
            )
        }
        (Some(Outcome::Value) | None, None) => with(
            &format!("No load was found that keeps {criteria}"),
            [reason, None, None],
        ),
    }
}

/// A sentence with facts in brackets.
fn with(text: &str, facts: [Option<String>; 3]) -> String {
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if facts.is_empty() {
        format!("{text}.")
    } else {
        format!("{text} ({}).", facts.join("; "))
    }
}

fn load_text(load: f64) -> String {
    if load.fract() == 0.0 {
        trimmed(Some(load), 0)
    } else {
        significant(load, 4)
    }
}

fn sure(answer: &AnswerFacts) -> Option<String> {
    let sure = answer.confidence?;
    Some(format!("{} % sure", trimmed(Some(sure * 100.0), 1)))
}

fn range(answer: &AnswerFacts) -> Option<String> {
    let ([low, high], sure) = answer.interval?;
    let how = sure.map_or_else(String::new, |sure| {
        format!(" with {} %", trimmed(Some(sure * 100.0), 1))
    });
    let [low, high] = [low, high].map(load_text);
    Some(format!("the limit lies between {low} and {high}{how}"))
}

fn voids(facts: &Facts) -> Option<Block> {
    let void: Vec<Text> = facts
        .loads
        .iter()
        .filter_map(|load| match &load.client {
            Client::Void(reasons, _) => {
                Some(format!("{}: {}", run(load, &facts.parameters), reasons.join("; ")).into())
            }
            _ => None,
        })
        .collect();
    listed(
        Tone::Bad,
        void,
        "Void: the client was the bottleneck. These runs neither pass nor fail anything.",
    )
}

fn left_out(facts: &Facts) -> Option<Block> {
    let lines = facts.left_out.iter().map(|line| line.as_str().into());
    listed(
        Tone::Warning,
        lines.collect(),
        "Not everything could be read.",
    )
}

fn listed(tone: Tone, mut lines: Vec<Text>, title: &str) -> Option<Block> {
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(TOLD);
    lines.truncate(TOLD);
    if more > 0 {
        lines.push(format!("and {more} more").into());
    }
    Some(Block::Callout(Callout {
        tone,
        title: title.into(),
        lines,
    }))
}
