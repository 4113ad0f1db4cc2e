//! Several runs of one command: what differs from run to run, and how much their figures do.
//!
//! Runs nothing: [`super::serve`] does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crestline_core::serving::{Across, Figure, Figures, Quantity, across_runs};
use serde_json::{Map, Value, json};

use super::args::{Compat, ServeArgs};
use super::closing::{self, Closed};
use super::plan::{Metric, ReportPlan, Saving, Surroundings};
use super::result_json;
use crate::problem::Problem;
use crate::{console, moment};

/// One of the runs of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// From 1.
    pub(super) number: u32,
    /// Runs in all.
    pub(super) of: u32,
}

impl Turn {
    /// All runs of a command. A wrong number of them is one run here: it is refused where the flags are read.
    pub(super) fn all(args: &ServeArgs) -> impl Iterator<Item = Self> + use<> {
        let of = u32::try_from(args.load.num_runs).unwrap_or(1).max(1);
        (1..=of).map(move |number| Self { number, of })
    }

    /// A line before the run.
    pub(super) fn title(self) -> String {
        format!("Run {} of {}", self.number, self.of)
    }

    /// The flags of the run. A prompt that was sent before may be answered from the service's prefix cache, so that each run has
    /// a seed of its own; vLLM sends the same again.
    pub(super) fn args(self, args: &ServeArgs) -> ServeArgs {
        let mut args = args.clone();
        if args.results.compat == Compat::None {
            args.load.seed = args.load.seed.wrapping_add(u64::from(self.number - 1));
        }
        args
    }

    /// Where the run's database goes.
    pub(super) fn surroundings(self, around: &Surroundings) -> Surroundings {
        let mut around = around.clone();
        if self.of > 1 {
            around.folder.push(format!("run{}", self.number));
        }
        around
    }

    /// The file of the run where all runs together would have `file`.
    pub(super) fn file(self, file: PathBuf, saving: &Saving) -> PathBuf {
        if self.of == 1 || saving.append {
            return file;
        }
        with_suffix(&file, &format!("-run{}", self.number))
    }

    /// Fields of its document that a single run does not have.
    pub(super) fn fields(self, seed: u64) -> Vec<(String, Value)> {
        if self.of == 1 {
            return Vec::new();
        }
        vec![
            ("crestline_run".to_owned(), self.number.into()),
            ("crestline_seed".to_owned(), seed.into()),
        ]
    }
}

/// `x.json` with a suffix is `x-suffix.json`; any other name has it at its end.
fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = match name.strip_suffix(".json") {
        Some(stem) => format!("{stem}{suffix}.json"),
        None => format!("{name}{suffix}"),
    };
    file.with_file_name(name)
}

/// The files that a command would write, in words.
pub(super) fn files(report: &ReportPlan, stamp: &str) -> String {
    let Some(file) = report.file(stamp) else {
        return "none".to_owned();
    };
    let of = report.turns;
    if of == 1 {
        return file.display().to_string();
    }
    let spread = with_suffix(&file, "-runs");
    let run = |number| Turn { number, of }.file(file.clone(), &report.saving);
    let (first, last) = (run(1), run(of));
    let last = if report.saving.append {
        String::new()
    } else {
        format!(" to {}", last.display())
    };
    format!("{}{last}, {}", first.display(), spread.display())
}

/// Prints and writes how the figures differ from run to run. A run that was stopped, or in which nothing was answered, is not
/// among them.
pub(super) fn conclude(runs: &[Closed], report: &ReportPlan, stamp: &str) -> Result<(), Problem> {
    let whole: Vec<&Closed> = runs
        .iter()
        .filter(|run| run.is_complete && !run.has_failed())
        .collect();
    if whole.is_empty() {
        console::tell("note: no run was complete, so that there is no spread over runs");
        return Ok(());
    }
    let figures: Vec<Figures> = whole.iter().map(|run| run.figures.clone()).collect();
    let across = across_runs(&figures);
    let names = Names {
        report,
        has_tokens: whole.iter().any(|run| run.has_tokens),
    };
    console::say(&table(&across, &names));
    let Some(file) = report.file(stamp) else {
        return Ok(());
    };
    let file = with_suffix(&file, "-runs");
    let document = document(&whole, &across, &names);
    closing::write(&file, &document, report).map_err(|error| {
        Problem::failed("the spread over runs cannot be written")
            .cause(format!("{}: {error}", file.display()))
            .hint("what each run came to is written")
    })
}

/// What was asked for, the runs, and under `figures` each figure's spread by the key that it has in the document of a run.
fn document(runs: &[&Closed], across: &[(Figure, Across)], names: &Names<'_>) -> Value {
    let report = names.report;
    let mut out = result_json::header(report, &moment::result_stamp());
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    let each = |key: &str| -> Value { runs.iter().map(|run| run.document[key].clone()).collect() };
    put("num_runs", report.turns.into());
    put("complete_runs", each("crestline_run"));
    put("seeds", each("crestline_seed"));
    let files = runs.iter().map(|run| json!(run.file));
    put("files", files.collect());
    let mut figures = Map::new();
    for (figure, across) in across {
        if let Some(key) = names.key(*figure) {
            let values = each(&key);
            figures.insert(key, spread(across, &values));
        }
    }
    let known = |key: &str| out.contains_key(key) || figures.contains_key(key);
    let further = further(runs, known);
    figures.extend(further);
    out.insert("figures".to_owned(), figures.into());
    out.insert(
        "crestline_version".to_owned(),
        env!("CARGO_PKG_VERSION").into(),
    );
    out.into()
}

fn spread(across: &Across, values: &Value) -> Value {
    json!({
        "mean": across.mean,
        "std": across.deviation,
        "min": across.min,
        "max": across.max,
        "cv": across.cv,
        "values": values,
    })
}

/// The other numbers in the documents of the runs, such as those of small requests, of drafts and of the steady part.
fn further(runs: &[&Closed], known: impl Fn(&str) -> bool) -> Vec<(String, Value)> {
    let names = runs.first().and_then(|run| run.document.as_object());
    let names = names.into_iter().flat_map(Map::keys);
    let is_figure = |key: &&String| !known(key) && !IDENTITY.contains(&key.as_str());
    names
        .filter(is_figure)
        .filter_map(|key| {
            let values = runs.iter().map(|run| run.document[key].as_f64());
            let known: Vec<f64> = values.flatten().collect();
            let all = runs.iter().map(|run| run.document[key].clone());
            Some((key.clone(), spread(&Across::of(&known)?, &all.collect())))
        })
        .collect()
}

/// Numbers that say which run it was.
const IDENTITY: [&str; 2] = ["crestline_run", "crestline_seed"];

/// Width of a label, and of each number behind it.
const LABEL: usize = 40;
const NUMBER: usize = 13;

/// A line for each figure that the table of a run has.
fn table(across: &[(Figure, Across)], names: &Names<'_>) -> String {
    let runs = across.first().map_or(0, |(_, across)| across.runs);
    let width = LABEL + 5 * NUMBER;
    let title = match runs {
        1 => " Spread over 1 Run ".to_owned(),
        runs => format!(" Spread over {runs} Runs "),
    };
    let mut out = format!("{title:=^width$}\n{:LABEL$}", "");
    for name in ["Mean", "Std", "Min", "Max", "CV (%)"] {
        let _ = write!(out, "{name:>NUMBER$}");
    }
    for (figure, across) in across {
        let Some(label) = names.label(*figure) else {
            continue;
        };
        let number = |value: Option<f64>| {
            let text = value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            format!("{text:>NUMBER$}")
        };
        let _ = write!(
            out,
            "\n{label:LABEL$}{}{}{}{}{}",
            number(Some(across.mean)),
            number(across.deviation),
            number(Some(across.min)),
            number(Some(across.max)),
            number(across.cv.map(|cv| 100.0 * cv)),
        );
    }
    let _ = write!(out, "\n{}", "=".repeat(width));
    out
}

/// What figures are called.
struct Names<'a> {
    report: &'a ReportPlan,
    /// Output tokens are known.
    has_tokens: bool,
}

impl Names<'_> {
    fn metric(&self, quantity: Quantity) -> Option<&Metric> {
        let mut metrics = self.report.metrics.iter();
        metrics.find(|metric| metric.quantity() == quantity)
    }

    /// The key of a figure in the document of a run; `None` where that has no such key.
    fn key(&self, figure: Figure) -> Option<String> {
        let report = self.report;
        let metric = |quantity| self.metric(quantity);
        let name = match figure {
            Figure::Completed => "completed",
            Figure::Failed => "failed",
            Figure::Duration => "duration",
            Figure::InputTokens => "total_input_tokens",
            Figure::OutputTokens => "total_output_tokens",
            Figure::InputSequences => "total_input_sequences",
            Figure::RequestThroughput => "request_throughput",
            Figure::Goodput => "request_goodput",
            Figure::SequenceThroughput => "input_sequence_throughput",
            Figure::OutputThroughput => "output_throughput",
            Figure::TokenThroughput => "total_token_throughput",
            Figure::PeakOutput => "max_output_tokens_per_s",
            Figure::PeakConcurrency => "max_concurrent_requests",
            Figure::SpeechRate => "rtfx",
            Figure::Mean(quantity) => return Some(format!("mean_{}_ms", metric(quantity)?.key())),
            Figure::Median(quantity) => {
                return Some(format!("median_{}_ms", metric(quantity)?.key()));
            }
            Figure::Deviation(quantity) => {
                return Some(format!("std_{}_ms", metric(quantity)?.key()));
            }
            Figure::Percentile(quantity, percent) => {
                let metric = metric(quantity)?;
                let mut percentiles = report.percentiles.iter();
                let found = percentiles.find(|asked| asked.value.total_cmp(&percent).is_eq())?;
                return Some(format!("p{}_{}_ms", found.text, metric.key()));
            }
        };
        result_json::belongs(name, report).then(|| name.to_owned())
    }

    /// What the table calls a figure; `None` where it is not shown.
    fn label(&self, figure: Figure) -> Option<String> {
        let has_tokens = self.has_tokens;
        let key = self.key(figure)?;
        let shown = |quantity| {
            let metric = self.metric(quantity)?;
            (has_tokens || !metric.needs_tokens()).then(|| metric.name())
        };
        let of_tokens = |label: &'static str| has_tokens.then_some(label);
        let label = match figure {
            Figure::Completed => "Successful requests",
            Figure::Failed => "Failed requests",
            Figure::Duration => "Benchmark duration (s)",
            Figure::InputTokens => "Total input tokens",
            Figure::OutputTokens => of_tokens("Total generated tokens")?,
            Figure::RequestThroughput => "Request throughput (req/s)",
            Figure::Goodput => "Request goodput (req/s)",
            Figure::SequenceThroughput => "Input throughput (inputs/s)",
            Figure::OutputThroughput => of_tokens("Output token throughput (tok/s)")?,
            Figure::PeakOutput => of_tokens("Peak output token throughput (tok/s)")?,
            Figure::PeakConcurrency => "Peak concurrent requests",
            Figure::TokenThroughput if has_tokens || self.report.is_pooled => {
                "Total token throughput (tok/s)"
            }
            Figure::Mean(quantity) => return Some(format!("Mean {} (ms):", shown(quantity)?)),
            Figure::Median(quantity) => return Some(format!("Median {} (ms):", shown(quantity)?)),
            Figure::Percentile(quantity, _) => {
                let percent = key.strip_prefix('p')?.split('_').next()?;
                return Some(format!("P{percent} {} (ms):", shown(quantity)?));
            }
            _ => return None,
        };
        Some(format!("{label}:"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_goes_before_the_ending() {
        let check = |file: &str, expected: &str| {
            assert_eq!(with_suffix(Path::new(file), "-runs"), Path::new(expected));
        };
        check("out/x.json", "out/x-runs.json");
        check("a-5.0qps-m.json", "a-5.0qps-m-runs.json");
        check("x", "x-runs");
        check("x.jsonl", "x.jsonl-runs");
    }

    #[test]
    fn a_single_run_has_the_file_and_the_fields_that_it_always_had() {
        let saving = Saving::default();
        let file = |number, of, append| {
            let saving = Saving {
                append,
                ..saving.clone()
            };
            Turn { number, of }.file(PathBuf::from("x.json"), &saving)
        };
        assert_eq!(file(1, 1, false), Path::new("x.json"));
        assert_eq!(file(2, 3, false), Path::new("x-run2.json"));
        assert_eq!(file(2, 3, true), Path::new("x.json"));
        assert!(Turn { number: 1, of: 1 }.fields(7).is_empty());
        let fields = Turn { number: 2, of: 3 }.fields(8);
        assert_eq!(fields[1], ("crestline_seed".to_owned(), 8.into()));
    }
}
