//! The tab of single runs: for each its figures, percentiles, course over time, requests, failures and client.

use crestline_core::metrics::{Metric, Unit};

use super::against_load::spread;
use super::words::{digits, run, shown_in};
use super::{load_figures, requests, summary};
use crate::facts::{Client, Detail, Facts, LoadFacts};
use crate::html::document::{
    Block, Callout, Cell, Choice, ChoicePage, Column, Property, Table, Text, Tone,
};
use crate::number::{counted, trimmed};

/// Runs that have a page of their own at most.
pub(super) const MOST_PAGES: usize = 100;

/// Percentiles of the table.
const PERCENTILES: [f64; 9] = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.999];

/// Metrics of the table, where they are known.
const METRICS: [Metric; 15] = [
    Metric::Ttft,
    Metric::Tpot,
    Metric::Itl,
    Metric::Latency,
    Metric::TtftFromDue,
    Metric::LatencyFromDue,
    Metric::TimeToFirstByte,
    Metric::TimeToFirstReasoning,
    Metric::TimeToFirstAnswer,
    Metric::Connect,
    Metric::InputTokens,
    Metric::OutputTokens,
    Metric::OutputRate,
    Metric::TokensPerGap,
    Metric::ChunksPerRequest,
];

/// What links to a run say.
pub(super) fn id(place: usize) -> String {
    format!("run-{}", place + 1)
}

/// The blocks of the tab; none where nothing but totals is known.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    let sessions = facts
        .searches
        .iter()
        .filter_map(|search| search.session.as_deref());
    let detailed = facts.loads.iter().filter(|load| load.detail.is_some());
    let share = detailed.count() + sessions.clone().count();
    let pages: Vec<ChoicePage> = facts
        .loads
        .iter()
        .enumerate()
        .map(|(place, load)| ChoicePage {
            id: id(place),
            title: run(load, &facts.parameters),
            blocks: page(load, share),
        })
        .chain(sessions.enumerate().map(|(place, load)| ChoicePage {
            id: format!("session-{}", place + 1),
            title: match super::words::parameters(&load.parameters, &facts.parameters) {
                name if name.is_empty() => "Whole search".to_owned(),
                name => format!("Whole search of {name}"),
            },
            blocks: page(load, share),
        }))
        .collect();
    shown(pages)
}

fn shown(mut pages: Vec<ChoicePage>) -> Vec<Block> {
    let left_out = pages.len().saturating_sub(MOST_PAGES);
    pages.truncate(MOST_PAGES);
    let mut blocks = Vec::new();
    match pages.len() {
        0 => return blocks,
        1 => {
            let only = pages.remove(0);
            blocks.push(Block::Heading(only.title));
            blocks.extend(only.blocks);
        }
        _ => blocks.push(Block::Choice(Choice {
            label: "Run".to_owned(),
            pages,
        })),
    }
    if left_out > 0 {
        blocks.push(Block::Paragraph(
            format!(
                "{} more have no page of their own; the table of the summary has all.",
                counted(left_out as u64, "run")
            )
            .into(),
        ));
    }
    blocks
}

fn page(load: &LoadFacts, share: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !load.origin.is_complete {
        blocks.push(Block::Callout(Callout {
            tone: Tone::Warning,
            title:
                "This run did not end in good order: these are the requests that had ended by then."
                    .into(),
            lines: Vec::new(),
        }));
    }
    blocks.push(Block::Tiles(summary::tiles(load)));
    blocks.push(Block::Table(percentiles(load)));
    if let Some(detail) = load.detail.as_deref() {
        blocks.extend(load_figures::blocks(load, detail));
        blocks.extend(requests::blocks(load, detail, share));
        blocks.extend(failures(detail));
    } else {
        blocks.extend(load_figures::of_figures(load));
        blocks.extend(failure_counts(load));
    }
    blocks.extend(client(&load.client));
    blocks
}

/// All metrics with their spreads, a line each.
fn percentiles(load: &LoadFacts) -> Table {
    let known: Vec<_> = METRICS
        .iter()
        .filter_map(|metric| {
            let spread = spread(load, *metric)?;
            let is_own = load.figures.spreads.contains_key(metric);
            is_own.then_some((*metric, spread))
        })
        .collect();
    let of = |q: f64| known.iter().any(|(_, spread)| spread.at(q).is_some());
    let quantiles: Vec<f64> = PERCENTILES.into_iter().filter(|q| of(*q)).collect();
    let values = known.iter().filter_map(|(metric, spread)| {
        let (scale, _) = shown_in(*metric);
        spread.mean.map(|mean| mean * scale)
    });
    let digits = digits(values);
    let number = |key: &str, title: &str| Column::number(key, title, digits);
    let mut columns = vec![
        Column::text("metric", "Metric"),
        Column::text("unit", "Unit"),
        number("mean", "Mean"),
        number("sd", "SD"),
        number("min", "Min"),
    ];
    columns.extend(quantiles.iter().map(|q| {
        let name = format!("p{}", trimmed(Some(q * 100.0), 2));
        number(&name, &name)
    }));
    columns.push(number("max", "Max"));
    let rows = known.iter().map(|(metric, spread)| {
        let (scale, unit) = shown_in(*metric);
        let cell = |value: Option<f64>| Cell::from(value.map(|value| value * scale));
        let mut row = vec![
            metric.definition().title.into(),
            match metric.unit() {
                Unit::Tokens => "tokens".into(),
                _ => unit.into(),
            },
            cell(spread.mean),
            cell(spread.deviation),
            cell(spread.ends.map(|ends| ends[0])),
        ];
        row.extend(quantiles.iter().map(|q| cell(spread.at(*q))));
        row.push(cell(spread.ends.map(|ends| ends[1])));
        row
    });
    Table {
        name: "percentiles".to_owned(),
        caption: "Spreads over successes".into(),
        rows: rows.collect(),
        columns,
    }
}

fn failures(detail: &Detail) -> Vec<Block> {
    let rows: Vec<Vec<Cell>> = detail
        .digest
        .failures
        .kinds()
        .map(|(kind, facts)| {
            vec![
                kind.name().into(),
                facts.count.into(),
                facts.first.as_secs_f64().into(),
                facts.last.as_secs_f64().into(),
                facts.texts().join(" | ").into(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let columns = vec![
        Column::text("kind", "Kind"),
        Column::number("count", "Requests", 0),
        Column::number("first_s", "First", 2).unit("s"),
        Column::number("last_s", "Last", 2).unit("s"),
        Column::text("texts", "What was seen"),
    ];
    failure_table(columns, rows)
}

/// Where no more than counts are known.
fn failure_counts(load: &LoadFacts) -> Vec<Block> {
    let failures = &load.figures.failures;
    if failures.is_empty() {
        return Vec::new();
    }
    let rows = failures
        .iter()
        .map(|(kind, count)| vec![kind.as_str().into(), (*count).into()]);
    let columns = vec![
        Column::text("kind", "Kind"),
        Column::number("count", "Requests", 0),
    ];
    failure_table(columns, rows.collect())
}

fn failure_table(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Vec<Block> {
    let table = Table {
        name: "failures".to_owned(),
        caption: Text::default(),
        columns,
        rows,
    };
    vec![
        Block::Subheading("Failures".to_owned()),
        Block::Table(table),
    ]
}

/// What the client observed of itself.
fn client(client: &Client) -> Vec<Block> {
    let (tone, title, lines, observed) = match client {
        Client::Unknown => return Vec::new(),
        Client::Virtual => {
            let said = "There was no client: the service was simulated in virtual time.";
            return vec![
                Block::Subheading("Client".to_owned()),
                Block::Paragraph(said.into()),
            ];
        }
        Client::Sound(observed) => (
            Tone::Good,
            "The client kept up: it was not the bottleneck.",
            Vec::new(),
            observed,
        ),
        Client::Void(reasons, observed) => (
            Tone::Bad,
            "Void: the client was the bottleneck.",
            reasons
                .iter()
                .map(|reason| reason.as_str().into())
                .collect(),
            observed,
        ),
    };
    let observed = observed.iter().map(|(name, value)| Property {
        name: name.clone(),
        value: value.as_str().into(),
    });
    vec![
        Block::Subheading("Client".to_owned()),
        Block::Callout(Callout {
            tone,
            title: title.into(),
            lines,
        }),
        Block::Properties(observed.collect()),
    ]
}
