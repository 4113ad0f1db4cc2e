//! The tab of SLA searches: the answers, how they came about, and what was tried.
//!
//! Decides nothing: what is met and how sure an answer is comes with the facts.

use crestline_core::metrics::Unit;
use crestline_core::search::Knee;
use crestline_core::sla::Measure;
use serde_json::{Value, json};

use super::answer::{sentence, tone};
use super::search_figures;
use super::words::{MS, capital, digits, parameters};
use crate::facts::{AnswerFacts, Facts, SearchFacts};
use crate::html::document::{
    Block, Callout, Cell, Choice, ChoicePage, Column, Details, Property, Table, Text, Tile, Tone,
};
use crate::number::trimmed;
use crate::search_tables::knee;

/// The long name of a unit that tiles have a short one for.
const RATE: &str = "requests a second";

/// The blocks of the tab.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    if let [only] = &facts.searches[..] {
        return page(only);
    }
    let pages = facts.searches.iter().enumerate().map(|(place, search)| {
        let name = parameters(&search.parameters, &facts.parameters);
        ChoicePage {
            id: id(place),
            title: if name.is_empty() {
                format!("Search {}", place + 1)
            } else {
                name
            },
            blocks: page(search),
        }
    });
    vec![Block::Choice(Choice {
        label: "Configuration".to_owned(),
        pages: pages.collect(),
    })]
}

fn id(place: usize) -> String {
    format!("search-{}", place + 1)
}

/// What the summary says of the only search.
pub(super) fn overview(search: &SearchFacts) -> Vec<Block> {
    let tiles = search.answers.iter().map(|answer| tile(search, answer));
    let mut blocks = vec![Block::Tiles(tiles.collect())];
    blocks.push(Block::Figures(search_figures::all(search)));
    blocks.push(Block::Table(tried(search)));
    blocks
}

fn tile(search: &SearchFacts, answer: &AnswerFacts) -> Tile {
    let range = answer
        .interval
        .map(|([low, high], _)| format!("limit between {} and {}", shown(low), shown(high)));
    Tile {
        label: answer.criteria.clone(),
        value: answer.load.map_or_else(|| "–".to_owned(), shown),
        unit: if search.unit == RATE {
            "req/s".to_owned()
        } else {
            search.unit.clone()
        },
        note: range.unwrap_or_else(|| answer.reason.clone()),
        tone: tone(answer),
    }
}

fn shown(load: f64) -> String {
    trimmed(Some(load), if load < 10.0 { 3 } else { 1 })
}

fn page(search: &SearchFacts) -> Vec<Block> {
    let mut blocks: Vec<Block> = search
        .answers
        .iter()
        .map(|answer| {
            Block::Callout(Callout {
                tone: tone(answer),
                title: sentence(search, answer).into(),
                lines: more(answer).into_iter().map(Text::from).collect(),
            })
        })
        .collect();
    if search.is_interrupted {
        blocks.push(Block::Callout(Callout {
            tone: Tone::Warning,
            title: "The search was interrupted, or is still going on.".into(),
            lines: Vec::new(),
        }));
    }
    let figures = search_figures::all(search);
    if !figures.is_empty() {
        blocks.push(Block::Figures(figures));
    }
    if !search.tried.is_empty() {
        blocks.push(Block::Table(tried(search)));
    }
    if !search.dwells.is_empty() {
        blocks.push(Block::Details(Details {
            summary: "Every stretch of the search".into(),
            blocks: vec![Block::Table(dwells(search))],
        }));
    }
    if !search.cost.is_empty() {
        let cost = search.cost.iter().map(|(name, value)| Property {
            name: name.clone(),
            value: value.as_str().into(),
        });
        blocks.push(Block::Subheading("What it cost".to_owned()));
        blocks.push(Block::Properties(cost.collect()));
    }
    blocks
}

/// What an answer rests on.
fn more(answer: &AnswerFacts) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(estimate) = answer.estimate {
        lines.push(format!("The most likely limit is {}.", shown(estimate)));
    }
    if let Some(requests) = answer.requests.filter(|requests| *requests > 0) {
        lines.push(format!(
            "{} near it.",
            crate::number::counted(requests, "request")
        ));
    }
    if let Some(beta) = answer.knee {
        lines.push(format!("{}.", capital(&knee(Knee { beta }))));
    }
    if !answer.reason.is_empty() {
        lines.push(format!("It ended because {}.", answer.reason));
    }
    lines
}

/// How many of what is shown are in one base unit of a measure, and what that is called: times are told in milliseconds.
fn shown_in(measure: &str) -> (f64, &'static str) {
    match Measure::named(measure).map(Measure::unit) {
        Some(Unit::Seconds) => (MS, "ms"),
        Some(unit) => (1.0, unit.symbol()),
        None => (1.0, ""),
    }
}

/// Loads that were tried, a line each.
fn tried(search: &SearchFacts) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in search.tried.iter().flat_map(|load| &load.figures) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut criteria: Vec<&str> = Vec::new();
    for it in search.tried.iter().flat_map(|load| &load.violations) {
        if !criteria.contains(&it.criterion.as_str()) {
            criteria.push(&it.criterion);
        }
    }
    let value = |load: &crate::facts::TriedFacts, name: &str| {
        let mut figures = load.figures.iter();
        figures
            .find(|(known, _)| known == name)
            .and_then(|(_, value)| *value)
    };
    let loads = search.tried.iter().map(|load| load.load);
    let whole = loads.clone().all(|load| load.fract() == 0.0);
    let mut columns = vec![
        Column::number("load", "Load", if whole { 0 } else { 3 }).unit(&search.unit),
        Column::number("requests", "Requests", 0),
        Column::number("failed", "Failed", 0),
    ];
    columns.extend(names.iter().map(|name| {
        let (scale, unit) = shown_in(name);
        let values = search.tried.iter().filter_map(|load| value(load, name));
        let digits = digits(values.map(|value| value * scale));
        Column::number(*name, *name, digits).unit(unit)
    }));
    columns.extend(criteria.iter().map(|it| {
        Column::share(*it, format!("violate {it}"), 2).note("Share of the requests that count")
    }));
    let rows = search.tried.iter().map(|load| {
        let mut row: Vec<Cell> = vec![
            load.load.into(),
            load.requests[0].into(),
            load.requests[1].into(),
        ];
        row.extend(names.iter().map(|name| {
            let (scale, _) = shown_in(name);
            Cell::from(value(load, name).map(|value| value * scale))
        }));
        row.extend(criteria.iter().map(|criterion| {
            let mut all = load.violations.iter();
            let found = all.find(|it| it.criterion == *criterion && it.counted > 0);
            found
                .map(|it| it.violating as f64 / it.counted as f64)
                .into()
        }));
        row
    });
    Table {
        name: "loads".to_owned(),
        caption: "Loads that were tried".into(),
        rows: rows.collect(),
        columns,
    }
}

/// Every stretch at one load.
fn dwells(search: &SearchFacts) -> Table {
    let names: Vec<&str> = search.dwells.first().map_or_else(Vec::new, |dwell| {
        dwell
            .measured
            .iter()
            .map(|(name, _)| name.as_str())
            .collect()
    });
    let mut columns = vec![
        Column::number("start_s", "From", 2).unit("s"),
        Column::number("end_s", "To", 2).unit("s"),
        Column::number("load", "Load", 2).unit(&search.unit),
        Column::text("stage", "Stage"),
        Column::number("requests", "Counted", 0),
        Column::number("failed", "Failed", 0),
    ];
    columns.extend(names.iter().map(|name| {
        let (_, unit) = shown_in(name);
        Column::number(*name, *name, 2).unit(unit)
    }));
    columns.extend(search.answers.iter().map(|answer| {
        Column::text(format!("met {}", answer.criteria), answer.criteria.as_str())
            .note("What the requests of this stretch alone say")
    }));
    let rows = search.dwells.iter().map(|dwell| {
        let mut row: Vec<Cell> = vec![
            dwell.span_s[0].into(),
            dwell.span_s[1].into(),
            dwell.load.into(),
            dwell.stage.as_str().into(),
            dwell.requests[0].into(),
            dwell.requests[1].into(),
        ];
        row.extend(names.iter().map(|name| {
            let mut all = dwell.measured.iter();
            let found = all.find(|(known, _)| known == name);
            let (scale, _) = shown_in(name);
            Cell::from(
                found
                    .and_then(|(_, value)| *value)
                    .map(|value| value * scale),
            )
        }));
        row.extend(dwell.groups.iter().map(|(met, missed)| {
            if dwell.requests[0] == 0 {
                Cell::None
            } else if *met {
                Cell::Verdict(Tone::Good, "met".to_owned())
            } else {
                Cell::Verdict(Tone::Bad, missed.join("; "))
            }
        }));
        row
    });
    Table {
        name: "stretches".to_owned(),
        caption: Text::default(),
        rows: rows.collect(),
        columns,
    }
}

/// The answers of all configurations, a line each.
pub(super) fn table_of_all(facts: &Facts) -> Table {
    let mut columns: Vec<Column> = facts
        .parameters
        .iter()
        .map(|name| Column::text(name, name))
        .collect();
    columns.extend([
        Column::text("criteria", "SLA"),
        Column::text("verdict", "Verdict"),
        Column::number("load", "Load", 2),
        Column::number("low", "From", 2).note("Lower end of the interval"),
        Column::number("high", "To", 2).note("Upper end of the interval"),
        Column::number("output_throughput", "Output", 1).unit("tok/s"),
        Column::text("binding", "Binds"),
        Column::text("reason", "Reason"),
    ]);
    let rows = facts
        .searches
        .iter()
        .enumerate()
        .flat_map(|(place, search)| {
            search.answers.iter().map(move |answer| {
                let mut row: Vec<Cell> = facts
                    .parameters
                    .iter()
                    .map(|name| {
                        let value = search.parameters.get(name);
                        value.map_or(Cell::None, |value| value.as_str().into())
                    })
                    .collect();
                let criteria = Text::default().link(answer.criteria.clone(), id(place));
                row.extend([
                    criteria.into(),
                    Cell::Verdict(tone(answer), verdict(answer).to_owned()),
                    answer.load.into(),
                    answer.interval.map(|(ends, _)| ends[0]).into(),
                    answer.interval.map(|(ends, _)| ends[1]).into(),
                    answer.output_tps.into(),
                    answer.binding.clone().map_or(Cell::None, Into::into),
                    answer.reason.as_str().into(),
                ]);
                row
            })
        });
    Table {
        name: "answers".to_owned(),
        caption: Text::default(),
        rows: rows.collect(),
        columns,
    }
}

fn verdict(answer: &AnswerFacts) -> &'static str {
    use crestline_core::search::Outcome;
    match answer.outcome {
        Some(Outcome::Value) => "found",
        Some(Outcome::Infeasible) => "infeasible",
        Some(Outcome::NotReached) => "not reached",
        Some(Outcome::Inconclusive) => "inconclusive",
        Some(Outcome::Void) => "void",
        Some(Outcome::Outpaced) => "stopped",
        None if answer.load.is_some() => "found",
        None => "none",
    }
}

/// A search as other programs read it.
pub(super) fn value(search: &SearchFacts) -> Value {
    json!({
        "parameters": search.parameters,
        "unit": search.unit,
        "answers": search.answers.iter().map(|answer| json!({
            "criteria": answer.criteria,
            "verdict": verdict(answer),
            "load": answer.load,
            "estimate": answer.estimate,
            "interval": answer.interval.map(|(ends, _)| ends),
            "probability": answer.interval.and_then(|(_, probability)| probability),
            "confidence": answer.confidence,
            "binding": answer.binding,
            "output_throughput": answer.output_tps,
            "reason": answer.reason,
        })).collect::<Vec<_>>(),
        "loads": search.tried.iter().map(|load| json!({
            "load": load.load,
            "requests": load.requests[0],
            "failed": load.requests[1],
            "figures": load.figures.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })).collect::<Vec<_>>(),
    })
}
