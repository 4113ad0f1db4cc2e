//! The end of a search: its tables, its files and its exit code.

use std::collections::BTreeMap;

use crestline_core::health::HealthVerdict;
use crestline_core::record::FailureKind;
use crestline_core::search::{Outcome, Question, Variable};
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;
use crestline_experiment::error::RunError;
use crestline_experiment::plan::SearchPlan;
use crestline_experiment::run::DATABASE;
use crestline_experiment::search::outcome::{SearchOutcome, Tried};
use crestline_experiment::search::summary_json::{SUMMARY, document};
use crestline_report::figures::{SearchCourse, Stretch, search_course};
use crestline_report::load_tables as tables;
use crestline_report::number::{counted, grouped, significant};
use crestline_report::search_tables::{self, TriedRow};
use crestline_store::runs::RunReader;

use super::{FAILURES_SHOWN, Place, Session, Stage, failure_line, problems};
use crate::console;
use crate::exit::Exit;
use crate::perf::FLAGS;
use crate::perf::files;
use crate::problem::Problem;
use crate::progress::Screen;
use crestline_experiment::client_health;

/// The name of the figure in a search's folder.
pub(super) const FIGURE: &str = "sla_search.svg";

impl Session<'_> {
    /// Says what is sought.
    pub(super) fn announce_search(&mut self, search: &SearchPlan) {
        let question = &search.question;
        let load = |load| search_tables::load_text(question.variable, load);
        let unit = match question.variable {
            Variable::Users => "users in flight",
            Variable::Rate => "requests a second",
        };
        self.tell(&format!(
            "search over {unit} from {} to {}, beginning at {}",
            load(question.bounds.lowest),
            load(question.bounds.highest),
            load(question.first)
        ));
    }

    /// Shows what was found, writes it down, and gives the exit code.
    pub(in crate::perf) fn close_search(
        mut self,
        search: &SearchPlan,
        outcome: Result<SearchOutcome, RunError>,
    ) -> Result<Exit, Problem> {
        let ended = self.end_search(search, outcome);
        self.close_trackers(&ended);
        self.log_problem(&ended);
        ended
    }

    fn end_search(
        &mut self,
        search: &SearchPlan,
        outcome: Result<SearchOutcome, RunError>,
    ) -> Result<Exit, Problem> {
        let outcome = outcome.map_err(|error| {
            if self.begun {
                return problems::problem(&error, Stage::Load, &FLAGS);
            }
            self.clear_away();
            problems::problem(&error, Stage::SetUp, &FLAGS)
        })?;
        if outcome.spent.requests > 0 {
            self.show_search(search, &outcome);
        }
        if let Some(error) = self.unwritten.take().or_else(|| self.log.take_failure()) {
            return Err(Problem::failed("the results are not all written").because(&error));
        }
        if outcome.interrupted {
            self.tell(&format!(
                "interrupted: to go on, repeat the command with --resume {}",
                self.translation.plan.output.folder.display()
            ));
            return Ok(Exit::Interrupted);
        }
        if outcome.spent.failed == outcome.spent.requests {
            return Err(Problem::failed("no request succeeded")
                .cause("the kinds of failure are above")
                .hint("benchmark_data.db has the text of each of them (`failure_text`)"));
        }
        Ok(match exit(&outcome) {
            Exit::Done if self.is_without_page => Exit::Failed,
            exit => exit,
        })
    }

    /// Failures of a session by kind, and the first of their texts; of separate runs they were shown run by run.
    fn failures(&self, outcome: &SearchOutcome) -> Vec<String> {
        let database = self.translation.plan.output.folder.join(DATABASE);
        if outcome.spent.failed == 0 || !database.exists() {
            return Vec::new();
        }
        let Ok(reader) = RunReader::open(&database) else {
            return Vec::new();
        };
        let failed = reader.records().map_while(Result::ok).filter(|record| {
            let kind = record.failure.as_ref().map(|failure| failure.kind);
            kind.is_some_and(|kind| kind != FailureKind::Cancelled)
        });
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        let mut texts = Vec::new();
        for record in failed {
            if let Some(failure) = &record.failure {
                *kinds.entry(failure.kind.name()).or_default() += 1;
            }
            if self.args.output.debug || texts.len() < FAILURES_SHOWN {
                texts.extend(failure_line(&record));
            }
        }
        let kinds: Vec<String> = kinds
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let head = format!("Failed requests: {}", kinds.join(", "));
        std::iter::once(head).chain(texts).collect()
    }

    /// The course of the search as a picture.
    fn figure(&self, question: &Question, outcome: &SearchOutcome) -> String {
        let plan = &self.translation.plan;
        let stretches = outcome.dwells.iter().map(|dwell| Stretch {
            start: dwell.start,
            counted_from: dwell.counted_from,
            end: dwell.end,
            load: dwell.load,
            stage: &dwell.stage,
            probe: &dwell.probe,
        });
        search_course(&SearchCourse {
            subject: &format!("{} on {}", plan.model, plan.shown_url()),
            question,
            answers: &outcome.answers,
            stretches: stretches.collect(),
        })
        .svg()
    }

    fn show_search(&mut self, search: &SearchPlan, outcome: &SearchOutcome) {
        if self.watch.screen() == Screen::Terminal {
            console::redraw("");
        }
        let all = all_requests(&outcome.tried);
        let mut text = format!("\n{}", conclusion(&search.question, outcome));
        for line in self
            .failures(outcome)
            .into_iter()
            .chain(all.iter().flat_map(remarks))
        {
            text.push_str(&line);
            text.push('\n');
        }
        text.push_str(&match (&self.translation.address.place, &all) {
            (Place::Live(_), Some(all)) => client_line(all, outcome),
            (Place::Live(_), None) => String::new(),
            (Place::Virtual(_), _) => {
                "Client: none, the service was simulated in virtual time".to_owned()
            }
        });
        self.say(text.trim_end_matches('\n'));
        if let Some(loss) = &outcome.loss {
            self.tell(&format!("warning: not everything is on file: {loss}"));
        }
        let folder = self.translation.plan.output.folder.clone();
        let client = all.map_or(serde_json::Value::Null, |all| {
            client_health::health(&outcome.health, &all)
        });
        let summary = document(&self.translation.plan, search, outcome, &client);
        let written = files::write_json(&folder.join(SUMMARY), &summary).and_then(|()| {
            files::write_text(
                &folder.join("performance_summary.txt"),
                self.report.trim_start().as_bytes(),
            )
        });
        let written = written.and_then(|()| {
            let figure = self.figure(&search.question, outcome);
            files::write_text(&folder.join(FIGURE), figure.as_bytes())
        });
        if let Err(error) = written {
            self.unwritten.get_or_insert(error);
        }
        self.track_answer(search, outcome);
        self.write_page(&folder);
        self.say(&format!("\nResults are in {}", folder.display()));
    }
}

/// All tables and lines.
fn conclusion(question: &Question, outcome: &SearchOutcome) -> String {
    let rows: Vec<TriedRow> = outcome.tried.iter().filter_map(row).collect();
    let mut text = search_tables::detailed_performance(&rows);
    if question.variable == Variable::Rate && !text.is_empty() {
        text.push_str("Latency and TTFT count from when requests were due\n");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&search_tables::best_configuration(&rows));
    text.push('\n');
    text.push_str(&search_tables::recommendations(
        question,
        &outcome.answers,
        &rows,
    ));
    text.push('\n');
    text.push_str(&search_tables::summary_table(question, &outcome.answers));
    text.push_str(&search_tables::evidence(question, &outcome.answers));
    text.push_str(&totals(outcome));
    text
}

/// What a reader of the figures must know of all requests.
fn remarks(all: &RunSummary) -> Vec<String> {
    tables::reconnects_line(all)
        .into_iter()
        .chain(tables::token_lines(all))
        .collect()
}

/// How well the client kept up. Loads at which it was the bottleneck for long do not count, so that the answers stand
/// although it fell behind at times.
fn client_line(all: &RunSummary, outcome: &SearchOutcome) -> String {
    let verdict = outcome.health.verdict(all);
    let mut answers = outcome.answers.iter();
    let stands = answers.all(|answer| answer.outcome != Outcome::Void);
    match &verdict {
        HealthVerdict::Void(reasons) if stands => {
            let sound = tables::health_line(all, &outcome.health, &HealthVerdict::Sound);
            reasons.iter().fold(sound, |text, reason| {
                format!("{text}\n  at times {reason}; loads at which that lasted do not count")
            })
        }
        _ => tables::health_line(all, &outcome.health, &verdict),
    }
}

fn totals(outcome: &SearchOutcome) -> String {
    let spent = &outcome.spent;
    let given_up = match spent.given_up {
        0 => String::new(),
        1 => "; 1 more was given up when the load changed".to_owned(),
        count => format!(
            "; {} more were given up when the load changed",
            grouped(count)
        ),
    };
    format!(
        "In all: {} and {} of answers in {} s of load{given_up}; {}\n",
        counted(spent.requests, "request"),
        counted(spent.output_tokens, "token"),
        seconds(spent.time),
        search_tables::failures_line(spent.failed, spent.requests).unwrap_or_default()
    )
}

/// Four digits, and from a thousand on whole seconds in groups.
fn seconds(time: Nanos) -> String {
    match time.as_secs_f64() {
        short if short < 1000.0 => significant(short, 4),
        long => grouped(long.round() as u64),
    }
}

fn row(tried: &Tried) -> Option<TriedRow> {
    let row = TriedRow::average(&tried.runs)?;
    Some(match tried.pace {
        Some(pace) => row.at_pace(pace.requests_per_s, pace.output_tokens_per_s),
        None => row,
    })
}

/// Every request of the search, as one run.
fn all_requests(tried: &[Tried]) -> Option<RunSummary> {
    let mut runs = tried.iter().flat_map(|tried| &tried.runs).cloned();
    let first = runs.next()?;
    Some(runs.fold(first, |mut all, run| {
        all.merge(run);
        all
    }))
}

/// 0 where each group has an answer; else 1 where the client was the bottleneck, 3 where the SLA is not met or not decided.
fn exit(outcome: &SearchOutcome) -> Exit {
    let outcomes = || outcome.answers.iter().map(|answer| answer.outcome);
    if outcome.loss.is_some() || outcomes().any(|outcome| outcome == Outcome::Void) {
        Exit::Failed
    } else if outcomes().all(search_tables::is_answered) {
        Exit::Done
    } else {
        Exit::SlaNotMet
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use crestline_core::health::ClientHealth;
    use crestline_core::record::{Phase, RequestRecord};
    use crestline_core::request::{Load, LoadPoint};
    use crestline_core::search::Answer;
    use crestline_experiment::search::outcome::Spent;

    use super::*;

    /// Requests of 100 ms, each sent 50 ms late.
    fn late() -> (RunSummary, ClientHealth) {
        let mut run = RunSummary::new(LoadPoint {
            load: Load::closed(NonZeroU32::MIN),
            requests: 0,
            warmup: 0,
            duration: None,
        });
        let mut health = ClientHealth::default();
        for index in 0..100 {
            run.add(&RequestRecord {
                end: Nanos::from_millis(100),
                ..RequestRecord::new(index, Phase::Measured)
            });
            health.send_lag.add(50_000_000);
        }
        (run, health)
    }

    fn found(outcome: Outcome) -> SearchOutcome {
        SearchOutcome {
            answers: vec![Answer::bare(outcome, "")],
            tried: Vec::new(),
            dwells: Vec::new(),
            began: Nanos::ZERO,
            spent: Spent::default(),
            health: late().1,
            interrupted: false,
            loss: None,
        }
    }

    #[test]
    fn answers_that_stand_are_not_beside_a_void_client() {
        let (run, _) = late();
        let stands = client_line(&run, &found(Outcome::Value));
        assert!(stands.starts_with("Client: sound ("), "{stands}");
        assert!(stands.contains("\n  at times "), "{stands}");
        let void = client_line(&run, &found(Outcome::Void));
        assert!(void.starts_with("Client: VOID"), "{void}");
    }

    #[test]
    fn a_long_time_is_told_in_whole_seconds() {
        let texts = [4422, 134_460, 38_605_200].map(|millis| seconds(Nanos::from_millis(millis)));
        assert_eq!(texts, ["4.422", "134.5", "38,605"]);
    }
}
