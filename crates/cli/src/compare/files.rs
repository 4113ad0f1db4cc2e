//! A comparison for programs: JUnit XML and JSON.
//!
//! Writes no file.

use std::fmt::Write as _;

use crestline_core::compare::{Difference, Need, Verdict};
use serde_json::{Value, json};

use super::comparison::{Compared, Comparison, Question};
use super::{figures, words};

/// Version of the JSON; a new field is no new version.
const FORMAT: u32 = 1;

/// JUnit XML as CI systems read it: a suite for each load, a case for each figure, a failure where B regressed. What has no
/// verdict is skipped.
pub(super) fn junit(comparison: &Comparison, question: &Question) -> String {
    let mut suites = String::new();
    let mut all = [0; 3];
    for load in &comparison.loads {
        let counts = counts(load);
        for (sum, count) in all.iter_mut().zip(counts) {
            *sum += count;
        }
        let [tests, failures, skipped] = counts;
        let _ = writeln!(
            suites,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\">",
            escaped(&load.title)
        );
        for difference in &load.differences {
            case(&mut suites, load, difference, question);
        }
        suites.push_str("  </testsuite>\n");
    }
    let [tests, failures, skipped] = all;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"crestline compare\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\">\n{suites}</testsuites>\n"
    )
}

/// Cases of a load, failures and skipped ones among them.
fn counts(load: &Compared) -> [usize; 3] {
    let skipped = |one: &&Difference| why_skipped(load, one).is_some();
    [
        load.differences.len(),
        load.regressions().count(),
        load.differences.iter().filter(skipped).count(),
    ]
}

fn why_skipped(load: &Compared, difference: &Difference) -> Option<String> {
    let is_open = matches!(difference.verdict, Verdict::Undecided(_));
    match &load.void {
        Some(why) => Some(why.clone()),
        None => is_open.then(|| words::verdict(load, difference)),
    }
}

fn case(out: &mut String, load: &Compared, difference: &Difference, question: &Question) {
    let name = figures::name(difference.statistic);
    let _ = write!(
        out,
        "    <testcase name=\"{}\" classname=\"crestline.compare.{}\" time=\"0\"",
        escaped(&name),
        escaped(&load.title.replace('.', "_"))
    );
    let value = |value| figures::value(difference.statistic, value);
    let unit = figures::change_unit(difference.statistic);
    let line = format!(
        "{}: A {}, B {}: {} {unit} ({} {unit})",
        figures::title(difference.statistic),
        value(difference.a),
        value(difference.b),
        words::change(difference),
        words::interval(difference),
    );
    if difference.regressed && load.void.is_none() {
        let percent = crestline_report::number::trimmed(Some(question.threshold * 100.0), 3);
        let message = format!("B is worse by more than {percent} {unit}");
        let _ = writeln!(
            out,
            ">\n      <failure message=\"{}\" type=\"regression\">{}</failure>\n    </testcase>",
            escaped(&message),
            escaped(&line)
        );
    } else if let Some(why) = why_skipped(load, difference) {
        let _ = writeln!(
            out,
            ">\n      <skipped message=\"{}\"/>\n    </testcase>",
            escaped(&why)
        );
    } else {
        let _ = writeln!(
            out,
            ">\n      <system-out>{}</system-out>\n    </testcase>",
            escaped(&line)
        );
    }
}

/// As XML has it; what XML cannot have at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            letter if letter.is_control() => out.push('?'),
            letter => out.push(letter),
        }
    }
    out
}

/// Everything, in base units and shares.
pub(super) fn json(comparison: &Comparison, question: &Question) -> Value {
    let loads: Vec<Value> = comparison.loads.iter().map(load).collect();
    json!({
        "crestline_format": FORMAT,
        "confidence": question.confidence,
        "threshold": question.threshold,
        "regressed": comparison.has_regressed(),
        "loads": loads,
        "warnings": comparison.warnings,
    })
}

fn load(load: &Compared) -> Value {
    let figures: Vec<Value> = load
        .differences
        .iter()
        .map(|one| figure(load, one))
        .collect();
    let side = |which: usize| json!({"requests": load.requests[which], "failed": load.failed[which], "size": load.sizes[which]});
    json!({
        "load": load.title,
        "a": side(0),
        "b": side(1),
        "void": load.void,
        "figures": figures,
    })
}

fn figure(load: &Compared, difference: &Difference) -> Value {
    let more = match difference.verdict {
        Verdict::Undecided(Need::Requests(more)) => Some(more),
        _ => None,
    };
    json!({
        "name": figures::name(difference.statistic),
        "a": difference.a,
        "b": difference.b,
        "change": difference.change,
        "low": difference.interval.map(|ends| ends.0),
        "high": difference.interval.map(|ends| ends.1),
        "verdict": words::verdict_name(load, difference),
        "regressed": difference.regressed && load.void.is_none(),
        "requests_more": more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_services_stay_texts_in_xml() {
        assert_eq!(escaped("a<b>&\"\u{1}\nc"), "a&lt;b&gt;&amp;&quot;? c");
    }
}
