//! Searches in real time: the built binary searches the built binary's simulated engine, over sockets, and the answers are
//! put beside the truth in virtual time of the same engine, workload and limits.
//!
//! Knows three engines (`*.toml` beside this file), small enough for two processors. Takes what the processes say of
//! themselves, and does not repeat a run that was disturbed: it shows what disturbed it.

mod process;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use crestline_core::search::{Interval, Outcome, Variable};
use crestline_core::sla::{Criterion, Timed};
use crestline_sim::profile::Profile;
use tempfile::TempDir;

use crate::scenario::{Lengths, Scenario, Workload, p99};
use crate::score::holds;
use crate::table::Table;
use crate::threads;
use crate::truth::{Crossing, Solver, Truth};
use process::{Report, Service, search};

/// Requests of a long run for a truth.
const LONG: usize = 200_000;

/// Tokens of a prompt, template included: the least and the most, all equally likely.
const PROMPT: [u32; 2] = [64, 192];

/// Tokens of an answer, the same way.
const OUTPUT: [u32; 2] = [16, 48];

/// How far a best estimate may be from the truth.
const NEAR: f64 = 0.07;

/// What is searched, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Searches of each engine.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// Only engines whose names contain this.
    #[arg(long, default_value = "")]
    scenario: String,
    /// The binary; otherwise the one that `cargo build --release` makes.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Find the truths only.
    #[arg(long)]
    truths: bool,
}

/// An engine and what is asked of it.
struct Subject {
    name: &'static str,
    profile: &'static str,
    variable: Variable,
    limits: Vec<Criterion>,
    highest: f64,
}

/// A subject, and where its limits are reached in virtual time.
struct Known {
    subject: Subject,
    truth: Crossing,
}

/// One search.
struct Run<'a> {
    known: &'a Known,
    seed: u64,
}

/// How a search compares.
struct Compared {
    seed: u64,
    report: Report,
    near: bool,
    covers: bool,
    /// Of the estimate, relative to the truth.
    error: Option<f64>,
}

/// The three engines; the one whose searches take longest comes first.
fn subjects() -> [Subject; 3] {
    let users = |name, profile, limits| Subject {
        name,
        profile,
        variable: Variable::Users,
        limits,
        highest: 128.0,
    };
    [
        Subject {
            name: "live-open",
            profile: include_str!("open.toml"),
            variable: Variable::Rate,
            limits: vec![p99(Timed::Ttft, 0.05), p99(Timed::Tpot, 0.015)],
            highest: 200.0,
        },
        users(
            "live-memory",
            include_str!("memory.toml"),
            vec![p99(Timed::Ttft, 0.1)],
        ),
        users(
            "live-smooth",
            include_str!("smooth.toml"),
            vec![p99(Timed::Tpot, 0.01)],
        ),
    ]
}

impl Options {
    /// Finds the truths, searches, and prints a table.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let known = self.truths()?;
        if self.truths || self.seeds == 0 {
            return Ok(());
        }
        let binary = self.binary()?;
        let runs: Vec<Run<'_>> = known
            .iter()
            .flat_map(|known| (0..self.seeds).map(move |at| (known, self.first_seed + at)))
            .map(|(known, seed)| Run { known, seed })
            .collect();
        let outcomes = threads::each(&runs, |run| run.make(&binary));
        let compared: Vec<Compared> = outcomes.into_iter().collect::<Result<_, _>>()?;
        print(&runs, &compared);
        Ok(())
    }

    fn truths(&self) -> anyhow::Result<Vec<Known>> {
        let subjects: Vec<Subject> = subjects()
            .into_iter()
            .filter(|subject| subject.name.contains(&self.scenario))
            .collect();
        ensure!(
            !subjects.is_empty(),
            "no engine has `{}` in its name",
            self.scenario
        );
        let truths = threads::each(&subjects, Subject::truth);
        subjects
            .into_iter()
            .zip(truths)
            .map(|(subject, truth)| {
                let truth = truth?;
                announce(&format!(
                    "{}: {:.3} ± {:.2} %, beta {:.1}, {} binds",
                    subject.name,
                    truth.load,
                    100.0 * truth.error,
                    truth.beta,
                    truth.binding
                ));
                Ok(Known { subject, truth })
            })
            .collect()
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        let beside_bench = || {
            let bench = std::env::current_exe().ok()?;
            // target/release/deps/search-…
            Some(bench.parent()?.parent()?.join("crestline"))
        };
        let path = self.binary.clone().or_else(beside_bench);
        path.filter(|path| path.is_file())
            .context("no binary: `cargo build --release --package crestline` makes it")
    }
}

impl Subject {
    fn scenario(&self) -> anyhow::Result<Scenario> {
        let profile = Profile::from_toml(self.name, self.profile)?;
        let scenario = match self.variable {
            Variable::Users => Scenario::closed(self.name, profile, &self.limits),
            Variable::Rate => Scenario::open(self.name, profile, &self.limits),
        };
        let uniform = |[least, most]: [u32; 2]| Lengths::Uniform(least, most);
        Ok(scenario
            .sending(Workload::new(uniform(PROMPT), uniform(OUTPUT)))
            .up_to(self.highest))
    }

    fn truth(&self) -> anyhow::Result<Crossing> {
        let scenario = self.scenario()?;
        match Solver::new(&scenario, LONG, 16.0).solve(&scenario.groups[0]) {
            Truth::Crossing(crossing) => Ok(crossing),
            other => anyhow::bail!("{} has no crossing: {other:?}", self.name),
        }
    }

    /// The same workload and question in the words of the command line.
    fn flags(&self) -> Vec<String> {
        let [prompt, output] = [PROMPT, OUTPUT].map(|range| range.map(|tokens| tokens.to_string()));
        let criteria: serde_json::Map<String, serde_json::Value> =
            self.limits.iter().map(condition).collect();
        let variable = match self.variable {
            Variable::Users => "parallel",
            Variable::Rate => "rate",
        };
        let mut flags: Vec<String> = [
            "--dataset random --tokenizer-path builtin --no-test-connection --no-text",
            "--sla-auto-tune --sla-variable",
            variable,
        ]
        .iter()
        .flat_map(|words| words.split_whitespace())
        .map(str::to_owned)
        .collect();
        flags.extend(["--min-prompt-length".to_owned(), prompt[0].clone()]);
        flags.extend(["--max-prompt-length".to_owned(), prompt[1].clone()]);
        flags.push("--max-tokens".to_owned());
        flags.extend(output);
        flags.extend([
            "--extra-args".to_owned(),
            r#"{"ignore_eos":true}"#.to_owned(),
        ]);
        flags.extend(["--sla-upper-bound".to_owned(), self.highest.to_string()]);
        let criteria = serde_json::Value::Object(criteria).to_string();
        flags.extend(["--sla-params".to_owned(), criteria]);
        flags
    }
}

/// `"p99_ttft": "<= 0.05"`: a bare number is seconds.
fn condition(criterion: &Criterion) -> (String, serde_json::Value) {
    let text = criterion.to_string();
    let (name, condition) = text
        .split_once(' ')
        .expect("a criterion is a metric and a condition");
    (name.to_owned(), condition.into())
}

impl Run<'_> {
    fn make(&self, binary: &Path) -> anyhow::Result<Compared> {
        let Known { subject, truth } = self.known;
        let folder = TempDir::new()?;
        let profile = folder.path().join("profile.toml");
        std::fs::write(&profile, subject.profile)?;
        let service = Service::start(binary, &profile, self.seed)?;
        let mut report = search(binary, &service, self.seed, &subject.flags(), folder.path())
            .with_context(|| format!("{} with seed {}", subject.name, self.seed))?;
        report.late_s = service.late_s()?;
        let compared = Compared::of(self.seed, subject.variable, truth, report);
        announce(&compared.line(self.known));
        Ok(compared)
    }
}

impl Compared {
    fn of(seed: u64, variable: Variable, truth: &Crossing, report: Report) -> Self {
        let has_answer = matches!(report.outcome, Outcome::Value | Outcome::Inconclusive);
        let error = report
            .estimate
            .filter(|_| has_answer)
            .map(|estimate| estimate / truth.load - 1.0);
        let covers = |interval: Interval| holds(variable, interval, truth.load);
        Self {
            seed,
            near: error.is_some_and(|error| error.abs() <= NEAR),
            covers: report.interval.is_some_and(covers),
            error,
            report,
        }
    }

    /// As it goes: what a table will say of it.
    fn line(&self, known: &Known) -> String {
        self.cells(known).join("  ")
    }

    fn cells(&self, known: &Known) -> Vec<String> {
        let report = &self.report;
        let words = ["no", "yes"];
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let interval = report.interval.map_or("-".to_owned(), |interval| {
            format!("{:.2} to {:.2}", interval.low, interval.high)
        });
        let error = self
            .error
            .map_or("-".to_owned(), |error| format!("{:+.1}", 100.0 * error));
        vec![
            known.subject.name.to_owned(),
            self.seed.to_string(),
            format!("{:.2}", known.truth.load),
            number(report.estimate),
            error,
            interval,
            number(report.load),
            format!("{:?}", report.outcome).to_lowercase(),
            report.requests.to_string(),
            format!("{:.0}", report.seconds),
            format!("{:.1}, {:.0}", report.send_lag_ms[0], report.send_lag_ms[1]),
            format!("{:.2}", report.late_s),
            words[usize::from(self.near)].to_owned(),
            words[usize::from(self.covers)].to_owned(),
        ]
    }
}

fn print(runs: &[Run<'_>], compared: &[Compared]) {
    let mut table = Table::new(
        "Searches in real time",
        &[
            "engine",
            "seed",
            "truth",
            "estimate",
            "off by %",
            "interval",
            "reported",
            "status",
            "requests",
            "load s",
            "send lag p99, max ms",
            "engine late s",
            "near",
            "covers",
        ],
    );
    for (run, compared) in runs.iter().zip(compared) {
        table.row(compared.cells(run.known));
    }
    table.print();
    let count = |of: fn(&Compared) -> bool| compared.iter().filter(|run| of(run)).count();
    say(&format!(
        "\nwithin 7 %: {} of {}; truth in the interval: {} of {} (wanted: 12 of 15 each)",
        count(|run| run.near),
        compared.len(),
        count(|run| run.covers),
        compared.len()
    ));
}

#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "shows that a long command goes on")]
fn announce(line: &str) {
    eprintln!("{line}");
}
