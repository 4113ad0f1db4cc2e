//! The first tab: the answer, the figures that say most, all runs in a table, and how they depend on the load.

use crestline_core::metrics::Metric;
use crestline_core::segments::Statistic;

use super::against_load::{self, LEVEL, total, value};
use super::words::{digits, rounded, run, short, shown_in};
use super::{answer, search};
use crate::facts::{Client, Facts, LoadFacts, PlainTable};
use crate::html::document::{Block, Cell, Column, Table, Text, Tile, Tone};
use crate::number::{grouped, percent};

/// The blocks of the tab.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    let mut blocks = answer::blocks(facts);
    if let ([only], true) = (&facts.loads[..], facts.searches.is_empty()) {
        blocks.push(Block::Tiles(tiles(only)));
    }
    let has_answers = facts
        .searches
        .iter()
        .any(|search| !search.answers.is_empty());
    if facts.searches.len() > 1 && has_answers {
        blocks.push(Block::Heading(
            "Highest load of each configuration".to_owned(),
        ));
        blocks.push(Block::Table(search::table_of_all(facts)));
    } else if let [search] = &facts.searches[..] {
        blocks.extend(search::overview(search));
    }
    if facts.loads.len() > 1 {
        blocks.push(Block::Heading("All runs".to_owned()));
        blocks.push(Block::Table(table(facts)));
    }
    let figures = against_load::figures(facts);
    if !figures.is_empty() {
        blocks.push(Block::Heading("Against load".to_owned()));
        blocks.push(Block::Figures(figures));
        blocks.push(Block::Paragraph(Text::default().quiet(format!(
            "Bands hold the mean over such runs with {} %: of several runs at one load by Student's t, of a single one by \
             bootstrap over segments of it. Crosses are void runs.",
            LEVEL * 100.0
        ))));
    }
    for table in &facts.tables {
        blocks.push(Block::Heading(table.title.clone()));
        blocks.push(Block::Table(plain(table)));
    }
    blocks
}

/// The figures that say most of one run.
pub(super) fn tiles(load: &LoadFacts) -> Vec<Tile> {
    let figures = &load.figures;
    let mut tiles = Vec::new();
    for metric in [
        Metric::RequestThroughput,
        Metric::OutputThroughput,
        Metric::TotalThroughput,
    ] {
        if let Some(it) = total(load, metric) {
            tiles.push(tile(load, Statistic::Mean(metric), capital(metric), it));
        }
    }
    for metric in [Metric::Ttft, Metric::Tpot, Metric::Itl, Metric::Latency] {
        let statistic = Statistic::Mean(metric);
        if let Some(mean) = value(load, statistic) {
            let mut tile = tile(load, statistic, short(metric).to_owned(), mean);
            if let Some(tail) = value(load, Statistic::Quantile(metric, 0.99)) {
                let (scale, unit) = shown_in(metric);
                tile.note = format!("p99 {} {unit}", rounded(tail * scale));
            }
            tiles.push(tile);
        }
    }
    let rate = if figures.requests == 0 {
        0.0
    } else {
        (figures.requests - figures.failed) as f64 / figures.requests as f64
    };
    tiles.push(Tile {
        label: "Success".to_owned(),
        value: percent(rate).trim_end_matches('%').to_owned(),
        unit: "%".to_owned(),
        note: format!(
            "{} of {}",
            grouped(figures.requests - figures.failed),
            grouped(figures.requests)
        ),
        tone: if figures.failed == 0 {
            Tone::Good
        } else {
            Tone::Warning
        },
    });
    tiles
}

fn capital(metric: Metric) -> String {
    match metric {
        Metric::RequestThroughput => "Requests",
        Metric::OutputThroughput => "Output tokens",
        _ => "All tokens",
    }
    .to_owned()
}

fn tile(load: &LoadFacts, statistic: Statistic, label: String, value: f64) -> Tile {
    let (scale, unit) = shown_in(statistic.metric());
    let note = against_load::interval(&[load], &[value], statistic)
        .map(|[low, high]| format!("{} to {}", rounded(low * scale), rounded(high * scale)));
    Tile {
        label,
        value: rounded(value * scale),
        unit: unit.to_owned(),
        note: note.unwrap_or_default(),
        tone: Tone::Note,
    }
}

/// A figure of a run as a column.
struct Measure {
    key: &'static str,
    title: &'static str,
    statistic: Statistic,
}

const fn measure(key: &'static str, title: &'static str, statistic: Statistic) -> Measure {
    Measure {
        key,
        title,
        statistic,
    }
}

const MEASURES: [Measure; 14] = [
    measure(
        "request_throughput",
        "Requests",
        Statistic::Mean(Metric::RequestThroughput),
    ),
    measure(
        "output_throughput",
        "Output",
        Statistic::Mean(Metric::OutputThroughput),
    ),
    measure(
        "total_throughput",
        "All tokens",
        Statistic::Mean(Metric::TotalThroughput),
    ),
    measure("ttft_mean_ms", "TTFT mean", Statistic::Mean(Metric::Ttft)),
    measure(
        "ttft_p50_ms",
        "TTFT p50",
        Statistic::Quantile(Metric::Ttft, 0.5),
    ),
    measure(
        "ttft_p99_ms",
        "TTFT p99",
        Statistic::Quantile(Metric::Ttft, 0.99),
    ),
    measure("tpot_mean_ms", "TPOT mean", Statistic::Mean(Metric::Tpot)),
    measure(
        "tpot_p99_ms",
        "TPOT p99",
        Statistic::Quantile(Metric::Tpot, 0.99),
    ),
    measure("itl_mean_ms", "ITL mean", Statistic::Mean(Metric::Itl)),
    measure(
        "itl_p99_ms",
        "ITL p99",
        Statistic::Quantile(Metric::Itl, 0.99),
    ),
    measure(
        "e2el_mean_ms",
        "E2EL mean",
        Statistic::Mean(Metric::Latency),
    ),
    measure(
        "e2el_p50_ms",
        "E2EL p50",
        Statistic::Quantile(Metric::Latency, 0.5),
    ),
    measure(
        "e2el_p99_ms",
        "E2EL p99",
        Statistic::Quantile(Metric::Latency, 0.99),
    ),
    measure(
        "input_tokens_mean",
        "Input",
        Statistic::Mean(Metric::InputTokens),
    ),
];

/// All runs, a line each.
fn table(facts: &Facts) -> Table {
    let loads = &facts.loads;
    let measures: Vec<&Measure> = MEASURES
        .iter()
        .filter(|it| loads.iter().any(|load| value(load, it.statistic).is_some()))
        .collect();
    let mut columns = vec![Column::text("run", "Run")];
    columns.extend(facts.parameters.iter().map(|name| Column::text(name, name)));
    columns.push(Column::number("concurrency", "Users", 0));
    columns.push(Column::number("request_rate", "Rate", 2).unit("req/s"));
    columns.push(Column::number("requests", "Counted", 0));
    columns.push(Column::number("failed", "Failed", 0));
    for it in &measures {
        let (scale, unit) = shown_in(it.statistic.metric());
        let values = loads.iter().filter_map(|load| value(load, it.statistic));
        let digits = digits(values.map(|value| value * scale));
        columns.push(Column::number(it.key, it.title, digits).unit(unit));
    }
    columns.push(Column::text("client", "Client"));
    let rows = loads.iter().enumerate().map(|(place, load)| {
        // The parameters have columns of their own.
        let name = run(load, &[]);
        let mut row: Vec<Cell> = vec![if place < super::load::MOST_PAGES {
            Text::default().link(name, super::load::id(place)).into()
        } else {
            name.into()
        }];
        row.extend(facts.parameters.iter().map(|name| {
            let value = load.parameters.get(name);
            value.map_or(Cell::None, |value| number_or_words(value))
        }));
        row.push(load.applied.concurrency.into());
        row.push(load.applied.rate.into());
        row.push(load.figures.requests.into());
        row.push(match load.figures.failed {
            0 => 0_u64.into(),
            failed => Cell::Judged(Tone::Warning, failed as f64),
        });
        row.extend(measures.iter().map(|it| {
            let (scale, _) = shown_in(it.statistic.metric());
            value(load, it.statistic).map(|value| value * scale).into()
        }));
        row.push(client(&load.client));
        row
    });
    Table {
        name: "runs".to_owned(),
        caption: Text::default(),
        rows: rows.collect(),
        columns,
    }
}

fn number_or_words(text: &str) -> Cell {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Cell::Number(number),
        _ => text.into(),
    }
}

fn client(client: &Client) -> Cell {
    match client {
        Client::Unknown => Cell::None,
        Client::Virtual => "virtual time".into(),
        Client::Sound(_) => Cell::Verdict(Tone::Good, "sound".to_owned()),
        Client::Void(..) => Cell::Verdict(Tone::Bad, "void".to_owned()),
    }
}

fn plain(table: &PlainTable) -> Table {
    let columns = table.columns.iter().enumerate().map(|(place, name)| {
        let values = table.rows.iter().filter_map(|row| row.get(place)?.as_f64());
        let numbers: Vec<f64> = values.collect();
        if numbers.is_empty() {
            Column::text(name, name)
        } else if numbers.iter().all(|value| value.fract() == 0.0) {
            Column::number(name, name, 0)
        } else {
            Column::number(name, name, digits(numbers.into_iter()))
        }
    });
    let cell = |value: &serde_json::Value| match value {
        serde_json::Value::Null => Cell::None,
        serde_json::Value::String(text) => text.as_str().into(),
        other => other
            .as_f64()
            .map_or_else(|| other.to_string().into(), Cell::Number),
    };
    Table {
        name: table.title.clone(),
        caption: Text::default(),
        columns: columns.collect(),
        rows: table
            .rows
            .iter()
            .map(|row| row.iter().map(cell).collect())
            .collect(),
    }
}
