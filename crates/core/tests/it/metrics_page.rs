//! `docs/metrics.md` is the law: it names every metric and failure kind, and says of each what the code says.

use std::collections::BTreeSet;

use crestline_core::health;
use crestline_core::metrics::{Metric, Unit};
use crestline_core::record::{FailureKind, TokenSource};
use crestline_core::stats::RELATIVE_ERROR;
use crestline_core::summary::{EXACT_GAPS, EXACT_REQUESTS};
use serde::de::DeserializeOwned;

const PAGE: &str = include_str!("../../../../docs/metrics.md");

/// Titles and texts of the sections with that many `#`.
fn sections(level: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mark = format!("\n{level} ");
    PAGE.split(&mark)
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .collect::<Vec<_>>()
        .into_iter()
}

/// The first cells of the rows of the tables in a section, where they are code.
fn first_cells(title: &str) -> BTreeSet<String> {
    let (_, text) = sections("##")
        .find(|(found, _)| *found == title)
        .expect("the page has that section");
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect()
}

/// All names of an enum, from what serde says of a name that it does not know.
fn names_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>("\"?\"")
        .err()
        .expect("no variant has that name")
        .to_string();
    let names: BTreeSet<_> = error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 2, "{error}");
    names
}

fn check_says(text: &str) {
    assert!(PAGE.contains(text), "docs/metrics.md does not say `{text}`");
}

#[test]
fn every_metric_has_a_section_and_every_section_a_metric() {
    let written: BTreeSet<_> = sections("###").map(|(title, _)| title.to_owned()).collect();
    let defined: BTreeSet<_> = Metric::all()
        .map(|metric| format!("`{}`: {}", metric.name(), metric.title()))
        .collect();
    assert_eq!(written, defined);
    assert_eq!(
        names_of::<Metric>(),
        Metric::all()
            .map(|metric| metric.name().to_owned())
            .collect()
    );
}

#[test]
fn each_section_gives_formula_unit_and_start_of_its_metric() {
    for (title, text) in sections("###") {
        let name = title.split('`').nth(1).unwrap();
        let metric = Metric::named(name).unwrap();
        let unit = match metric.unit() {
            Unit::Count => "a number",
            Unit::Ratio => "a ratio",
            Unit::Fraction => "a share",
            unit => unit.symbol(),
        };
        let expected = format!(
            "\n- Formula: `{}`\n- Unit: {unit}\n- Starts: {}\n",
            metric.formula(),
            metric.start()
        );
        assert!(text.starts_with(&expected), "{name}: expected{expected}");
    }
}

#[test]
fn every_failure_kind_is_explained_and_no_other() {
    assert_eq!(first_cells("Failures"), names_of::<FailureKind>());
}

#[test]
fn every_token_source_is_explained_and_no_other() {
    assert_eq!(first_cells("Token counts"), names_of::<TokenSource>());
}

#[test]
fn failure_kinds_are_written_by_their_names() {
    for name in names_of::<FailureKind>() {
        let kind: FailureKind = serde_json::from_str(&format!("\"{name}\"")).unwrap();
        assert_eq!(kind.name(), name);
    }
}

#[test]
fn the_limits_on_the_page_are_those_of_the_code() {
    check_says(&format!(
        "up to {} 000 requests and {} 000 000 gaps",
        EXACT_REQUESTS / 1000,
        EXACT_GAPS / 1_000_000
    ));
    check_says(&format!(
        "within {:.3} % of the exact",
        RELATIVE_ERROR * 100.0
    ));
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let millis = |span: crestline_core::units::Nanos| format!("{} ms", span.as_millis_f64());
    check_says(&format!(
        "p99 > {} and > {} of the median TTFT",
        millis(health::SEND_LAG_FLOOR),
        percent(health::SEND_LAG_SHARE)
    ));
    check_says(&format!(
        "handling, of each eighth read | p99 > {} and > {} of the median latency",
        millis(health::READ_LAG_FLOOR),
        percent(health::READ_LAG_SHARE)
    ));
    check_says(&format!(
        "fires each 10 ms | p99 > {} and > {} of the median latency",
        millis(health::LOOP_LAG_FLOOR),
        percent(health::LOOP_LAG_SHARE)
    ));
    check_says(&format!(
        "< {}, from {} sends on",
        percent(health::PACE_SHARE),
        health::PACE_SENDS
    ));
    check_says(&format!(
        "> {}, in runs of more than {}",
        percent(health::BUSY_SHARE),
        "1 s"
    ));
    assert_eq!(health::BUSY_WALL.as_secs_f64().to_bits(), 1.0_f64.to_bits());
    check_says(&format!(
        "> {} of the sends, waiting more than {} on average",
        percent(health::STARVED_SHARE),
        millis(health::STARVED_WAIT)
    ));
}
