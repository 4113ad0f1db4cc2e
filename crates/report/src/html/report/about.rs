//! The last tab: how it was measured, so that it can be done again, and the report's values as a file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::words::run;
use crate::facts::{Facts, LoadFacts, Origin};
use crate::html::document::{Block, Code, Details, Download, Property, Text};
use crate::number::counted;

/// The blocks of the tab.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    let mut blocks = Vec::new();
    let origins = origins(facts);
    for (place, (origin, runs)) in origins.iter().enumerate() {
        let told = told(origin, runs.len());
        if place == 0 {
            blocks.extend(told);
        } else {
            blocks.push(Block::Details(Details {
                summary: Text::from(runs.join("; ")),
                blocks: told,
            }));
        }
    }
    blocks.push(Block::Subheading("This report".to_owned()));
    blocks.push(Block::Paragraph(
        format!(
            "Written by crestline {}. It loads nothing: all that it shows is in this file.",
            env!("CARGO_PKG_VERSION")
        )
        .into(),
    ));
    blocks.push(Block::Downloads(vec![Download {
        label: "All figures as JSON".to_owned(),
        file: "report.json".to_owned(),
        media_type: "application/json".to_owned(),
        text: document(facts).to_string(),
    }]));
    blocks
}

/// One way to runs.
fn told(origin: &Origin, runs: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(command) = &origin.command {
        blocks.push(Block::Code(Code {
            title: "Command".to_owned(),
            text: command.clone(),
        }));
    }
    blocks.push(Block::Properties(properties(origin, runs)));
    if let Some(settings) = &origin.settings {
        blocks.push(Block::Details(Details {
            summary: "All settings".into(),
            blocks: vec![Block::Code(Code {
                title: "Plan".to_owned(),
                text: serde_json::to_string_pretty(settings).unwrap_or_default(),
            })],
        }));
    }
    blocks
}

/// Where runs come from: each way once, with the runs that came so.
fn origins(facts: &Facts) -> Vec<(&Origin, Vec<String>)> {
    let sessions = facts
        .searches
        .iter()
        .filter_map(|search| search.session.as_deref());
    let mut all: Vec<(&Origin, Vec<String>)> = Vec::new();
    for load in facts.loads.iter().chain(sessions) {
        let same = |known: &Origin| {
            let key = |origin: &Origin| {
                (
                    origin.tool.clone(),
                    origin.command.clone(),
                    origin.settings.clone(),
                    origin.model.clone(),
                    origin.url.clone(),
                )
            };
            key(known) == key(&load.origin)
        };
        let name = run(load, &facts.parameters);
        match all.iter_mut().find(|(known, _)| same(known)) {
            Some((_, runs)) => runs.push(name),
            None => all.push((&load.origin, vec![name])),
        }
    }
    all
}

fn properties(origin: &Origin, runs: usize) -> Vec<Property> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: Option<Text>| {
        all.extend(value.map(|value| Property {
            name: name.to_owned(),
            value,
        }));
    };
    let words = |text: &Option<String>| text.as_deref().map(Text::from);
    add(
        "Measured by",
        (!origin.tool.is_empty()).then(|| origin.tool.as_str().into()),
    );
    add(
        "Runs",
        (runs > 1).then(|| counted(runs as u64, "run").into()),
    );
    add("Model", words(&origin.model));
    add("Service", words(&origin.url));
    add(
        "Begun",
        origin
            .began_s
            .filter(|began| *began > 0.0)
            .and_then(moment)
            .map(Text::from),
    );
    add("Seed", origin.seed.map(|seed| seed.to_string().into()));
    let files = origin.files.join(", ");
    add(
        "Read from",
        (!files.is_empty()).then(|| Text::default().code(files)),
    );
    all
}

/// `2026-11-22 10:15:00 UTC`, of seconds since 1970.
pub(super) fn moment(seconds: f64) -> Option<String> {
    let moment = jiff::Timestamp::from_second(seconds as i64).ok()?;
    Some(moment.strftime("%F %T UTC").to_string())
}

/// The values of a report, in base units: seconds, a second, shares.
fn document(facts: &Facts) -> Value {
    json!({
        "format": "crestline_report",
        "version": 1,
        "title": facts.title,
        "subject": facts.subject,
        "runs": facts.loads.iter().map(|load| load_value(load, facts)).collect::<Vec<_>>(),
        "searches": facts.searches.iter().map(super::search::value).collect::<Vec<_>>(),
        "left_out": facts.left_out,
    })
}

/// Nine digits: more say nothing of what was measured.
fn short(value: f64) -> f64 {
    format!("{value:.8e}").parse().unwrap_or(value)
}

fn load_value(load: &LoadFacts, facts: &Facts) -> Value {
    let figures = &load.figures;
    let totals: Map<String, Value> = figures
        .totals
        .iter()
        .map(|(metric, value)| (metric.definition().name.to_owned(), json!(short(*value))))
        .collect();
    let spreads: Map<String, Value> = figures
        .spreads
        .iter()
        .map(|(metric, spread)| {
            let quantiles: BTreeMap<String, f64> = super::load_figures::STANDARD
                .iter()
                .filter_map(|q| {
                    let name = format!("p{}", crate::number::trimmed(Some(q * 100.0), 2));
                    Some((name, short(spread.at(*q)?)))
                })
                .collect();
            let value = json!({
                "mean": spread.mean.map(short),
                "sd": spread.deviation.map(short),
                "min": spread.ends.map(|ends| short(ends[0])),
                "max": spread.ends.map(|ends| short(ends[1])),
                "quantiles": quantiles,
            });
            (metric.definition().name.to_owned(), value)
        })
        .collect();
    json!({
        "name": run(load, &facts.parameters),
        "parameters": load.parameters,
        "concurrency": load.applied.concurrency,
        "request_rate": load.applied.rate,
        "repeat": load.repeat,
        "duration_s": figures.duration_s,
        "requests": figures.requests,
        "failed": figures.failed,
        "failures": figures.failures,
        "totals": totals,
        "spreads": spreads,
        "is_void": matches!(load.client, crate::facts::Client::Void(..)),
        "command": load.origin.command,
        "files": load.origin.files,
    })
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_told_in_universal_time() {
        assert_eq!(moment(1_795_342_500.5).unwrap(), "2026-11-22 10:15:00 UTC");
    }
}
