//! One command from its first line to its last: shows events as they come and writes a load's files when it ends.

mod search;
mod tracked;

use std::fs;
use std::path::Path;

use crestline_core::health::HealthVerdict;
use crestline_core::record::RequestRecord;
use crestline_core::request::LoadPoint;
use crestline_core::summary::RunSummary;
use crestline_core::units::Nanos;
use crestline_experiment::error::RunError;
use crestline_experiment::event::{Event, PointResult, Progress, SearchProgress};
use crestline_experiment::run::{DATABASE, Outcome, point_folders};
use crestline_load::engine::Stop;
use crestline_report::load_tables as tables;
use crestline_store::runs::RunReader;

use super::args::PerfArgs;
use super::files::{self, Throughput, Timeline, WriteError};
use super::plan::{Place, Translation};
use crate::exit::Exit;
use crate::front_end::Seen;
use crate::perf::FLAGS;
use crate::problem::Problem;
use crate::problems::{self, Stage};
use crate::progress::{Answers, Screen, Watch};
use crate::report::{self, Page};
use crate::track::told::ArtifactKind;
use crate::{console, moment};
use tracked::Tracked;

/// Failures whose text is shown of a load, without `--debug`.
const FAILURES_SHOWN: usize = 3;

/// Letters of such a text at most; the database has it whole.
const FAILURE_LETTERS: usize = 300;

/// The page of the results.
const PAGE: &str = "perf_report.html";

/// Between two writes of `progress.json` inside a load.
const TRACK_EVERY: Nanos = Nanos::from_secs(1);

/// What is known so far.
pub(super) struct Session<'a> {
    args: &'a PerfArgs,
    translation: &'a Translation,
    stop: &'a Stop,
    /// It has been told that the command is ending early.
    told_of_stop: bool,
    watch: Watch,
    /// Decides which lines of progress are logged.
    log_watch: Watch,
    log: files::Log,
    tracker: Option<files::Progress>,
    tracked: Tracked,
    /// Counted and warm-up requests of the loads before this one.
    requests_before: u64,
    begun: bool,
    /// When in this load `progress.json` was last written.
    put_down: Nanos,
    results: Vec<PointResult>,
    report: String,
    unwritten: Option<WriteError>,
    /// The page of the results could not be written, which was told.
    is_without_page: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(args: &'a PerfArgs, translation: &'a Translation, stop: &'a Stop) -> Self {
        let screen = if console::is_watched() {
            Screen::Terminal
        } else {
            Screen::Log
        };
        let answers = Answers::of(&translation.plan.generation);
        Self {
            args,
            translation,
            stop,
            told_of_stop: false,
            watch: Watch::new(screen, answers),
            log_watch: Watch::new(Screen::Log, answers),
            log: files::Log::default(),
            tracker: None,
            tracked: Tracked::default(),
            requests_before: 0,
            begun: false,
            put_down: Nanos::ZERO,
            results: Vec::new(),
            report: String::new(),
            unwritten: None,
            is_without_page: false,
        }
    }

    /// Says how the flags were read, and what is going to happen.
    pub(super) fn announce(&mut self) {
        for note in &self.translation.notes {
            self.tell(&format!("note: {note}"));
        }
        let plan = &self.translation.plan;
        let loads = match (&plan.search, plan.points.len()) {
            (Some(_), _) => "SLA search",
            (None, 1) => "1 load",
            (None, count) => &format!("{count} loads"),
        };
        let title = self.args.output.alias.as_ref().unwrap_or(&plan.name);
        let virtual_time = match self.translation.address.place {
            Place::Live(_) => "",
            Place::Virtual(_) => " in virtual time",
        };
        self.tell(&format!(
            "{title}: {loads} on {}{virtual_time}",
            self.translation.address.shown()
        ));
        if let Some(search) = &plan.search {
            self.announce_search(search);
        }
        if plan.test_connection && matches!(self.translation.address.place, Place::Live(_)) {
            self.tell("waiting for the answer to one test request");
        }
    }

    /// Shows an event, and writes what it completes.
    pub(super) fn see(&mut self, event: Event) {
        match event {
            Event::Note(note) => self.tell(&format!("note: {note}")),
            Event::Ready => self.begin_tracking(),
            Event::PointStarted {
                number, of, point, ..
            } => self.start(number, of, &point),
            Event::Progress(progress) => self.progress(&progress),
            Event::Pulse(progress) => self.tracked.pulse(&progress),
            Event::SearchPulse(progress) => self.tracked.search_pulse(&progress),
            Event::PointDone(result) => self.finish(*result),
            Event::SearchStarted(folder) => self.begin_search(&folder),
            Event::Search(progress) => self.search_progress(&progress),
            Event::Counting | Event::Tally(_) => {}
            Event::Pause(span) => {
                if matches!(self.translation.address.place, Place::Live(_)) && span > Nanos::ZERO {
                    self.tell(&format!("pause of {span} before the next load"));
                }
            }
        }
    }

    fn progress(&mut self, progress: &Progress) {
        console::show(|| Seen::Progress(*progress));
        self.tell_of_stop(progress.in_flight());
        if progress.elapsed.saturating_sub(self.put_down) >= TRACK_EVERY {
            self.put_down = progress.elapsed;
            self.track("running", progress.ended);
        }
        self.tell_of_trackers();
        if let Some(line) = self.log_watch.line(progress) {
            self.log.add(&moment::log_stamp(), &line);
        }
        if let Some(line) = self.watch.line(progress) {
            self.show_progress(&line);
        }
    }

    /// The folder of a search is there.
    fn begin_search(&mut self, folder: &Path) {
        self.begun = true;
        self.tracked.start("search".to_owned());
        self.log.open(folder);
        self.tell_folder(folder);
    }

    fn tell_folder(&mut self, folder: &Path) {
        console::show(|| Seen::Folder(folder.to_owned()));
        self.tell(&format!("results go to {}", folder.display()));
    }

    fn search_progress(&mut self, progress: &SearchProgress) {
        console::show(|| Seen::Search(Box::new(progress.clone())));
        self.tell_of_stop(progress.in_flight);
        self.tell_of_trackers();
        if let Some(line) = self.log_watch.search_line(progress) {
            self.log.add(&moment::log_stamp(), &line);
        }
        if let Some(line) = self.watch.search_line(progress) {
            self.show_progress(&line);
        }
    }

    fn tell_of_stop(&mut self, in_flight: u64) {
        if self.stop.is_asked() && !self.told_of_stop {
            self.told_of_stop = true;
            self.tell(&format!(
                "interrupted: nothing more is sent; {in_flight} requests in flight have {} s to end, a second Ctrl-C gives them up",
                self.args.load.grace
            ));
        }
    }

    fn show_progress(&self, line: &str) {
        match self.watch.screen() {
            Screen::Terminal => console::redraw(line),
            Screen::Log => console::pass(line),
        }
    }

    fn start(&mut self, number: usize, of: Option<usize>, point: &LoadPoint) {
        if !self.begun {
            let folder = &self.translation.plan.output.folder;
            self.log.open(folder);
            self.tell_folder(folder);
        }
        if !self.begun && self.args.output.enable_progress_tracker {
            let total = self.translation.plan.points.iter().map(all_requests).sum();
            self.tracker = Some(files::Progress::new(
                &self.translation.plan.output.folder,
                total,
            ));
        }
        self.begun = true;
        self.put_down = Nanos::ZERO;
        let name = tables::load_name(&point.load);
        self.tracked.start(name.clone());
        let label = match of {
            Some(of) => format!("[{}/{of}] {name}", number + 1),
            None => format!("[{}] {name}", number + 1),
        };
        self.log_watch.start(label.clone(), point.duration);
        self.watch.start(label, point.duration);
        self.track("running", 0);
    }

    /// Shows and writes what came of a load.
    fn finish(&mut self, result: PointResult) {
        if self.watch.screen() == Screen::Terminal {
            console::redraw("");
        }
        let (timeline, failures) = self.read_back(&result);
        self.show_load(&result, &failures);
        let throughput = timeline.throughput(result.summary.duration());
        if let Err(error) = self.write_load(&result, &timeline, &throughput) {
            self.unwritten.get_or_insert(error);
        }
        self.track_load(&result);
        self.requests_before += all_requests(result.summary.point());
        self.track("running", 0);
        console::show(|| Seen::Load(result.folder.clone()));
        self.results.push(result);
    }

    /// One pass over the records on disk: the timeline, and the texts of failures.
    fn read_back(&mut self, result: &PointResult) -> (Timeline, Vec<String>) {
        let all = self.args.output.debug;
        let mut failures = Vec::new();
        let reader = match RunReader::open(&result.folder.join(DATABASE)) {
            Ok(reader) => reader,
            Err(error) => {
                self.tell(
                    &Problem::failed("the database cannot be read back")
                        .because(&error)
                        .to_string(),
                );
                return (Timeline::of([]), Vec::new());
            }
        };
        let records = reader.records().map_while(Result::ok).inspect(|record| {
            if all || failures.len() < FAILURES_SHOWN {
                failures.extend(failure_line(record).map(|line| (record.index, line)));
            }
        });
        let timeline = Timeline::of(records);
        failures.sort();
        let lines = failures.into_iter().map(|(_, line)| line).collect();
        (timeline, lines)
    }

    fn show_load(&mut self, result: &PointResult, failures: &[String]) {
        let run = &result.summary;
        let verdict = result.health.verdict(run);
        let name = tables::load_name(&run.point().load);
        if run.total() == 0 {
            self.say(&format!("\n{name}\nNo counted request was sent"));
            return;
        }
        let mut text = format!(
            "\n{name}\n{}\n{}",
            tables::benchmarking_summary(run),
            tables::percentile_results(run)
        );
        let lines = tables::run_lines(run);
        let of_failures = lines.len().min(usize::from(run.failed() > 0));
        let (first, rest) = lines.split_at(of_failures);
        for line in first.iter().chain(failures).chain(rest) {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&match self.translation.address.place {
            Place::Live(_) => tables::health_line(run, &result.health, &verdict),
            Place::Virtual(_) => {
                "Client: none, the service was simulated in virtual time".to_owned()
            }
        });
        if result.interrupted {
            text.push_str("\nInterrupted: these are the figures of what had ended by then");
        }
        self.say(&text);
        if let Some(loss) = &result.loss {
            self.tell(&format!(
                "warning: {} is not whole: {loss}",
                result.folder.join(DATABASE).display()
            ));
        }
    }

    fn write_load(
        &self,
        result: &PointResult,
        timeline: &Timeline,
        throughput: &Throughput,
    ) -> Result<(), WriteError> {
        let folder = &result.folder;
        let run = files::Run {
            folder,
            offset: self.translation.plan.workload.offset + self.requests_before,
        };
        let point = result.summary.point();
        files::write_json(
            &folder.join("benchmark_args.json"),
            &files::arguments(self.args, self.translation, point, &run),
        )?;
        files::write_json(
            &folder.join("benchmark_summary.json"),
            &files::summary(&result.summary, &result.health),
        )?;
        files::write_json(
            &folder.join("benchmark_percentile.json"),
            &files::percentiles(&result.summary),
        )?;
        files::write_json(&folder.join("workload_timeline.json"), timeline)?;
        files::write_json(&folder.join("workload_throughput.json"), throughput)
    }

    /// Shows the tables over all loads, and gives the exit code.
    pub(super) fn close(mut self, outcome: Result<Outcome, RunError>) -> Result<Exit, Problem> {
        let ended = self.end(outcome);
        self.close_trackers(&ended);
        self.log_problem(&ended);
        ended
    }

    fn log_problem(&mut self, ended: &Result<Exit, Problem>) {
        if let Err(problem) = ended {
            self.log
                .add(&moment::log_stamp(), &console::plain(&problem.to_string()));
        }
    }

    fn end(&mut self, outcome: Result<Outcome, RunError>) -> Result<Exit, Problem> {
        if let Some(problem) = self.tracked.refused.take() {
            self.clear_away();
            return Err(problem);
        }
        if self.results.iter().any(|result| result.summary.total() > 0) {
            self.show_all();
        }
        let status = if outcome.is_ok() {
            "completed"
        } else {
            "error"
        };
        self.track(status, 0);
        let lost = self.results.iter().any(|result| result.loss.is_some());
        if let Some(error) = self.unwritten.take().or_else(|| self.log.take_failure()) {
            return Err(Problem::failed("the results are not all written").because(&error));
        }
        let outcome = outcome.map_err(|error| {
            if self.begun {
                return problems::problem(&error, Stage::Load, &FLAGS);
            }
            self.clear_away();
            problems::problem(&error, Stage::SetUp, &FLAGS)
        })?;
        let nothing = self
            .results
            .iter()
            .all(|result| result.summary.total() == 0);
        if outcome.interrupted {
            self.clear_away();
            self.tell(if nothing {
                "interrupted: nothing was measured"
            } else {
                "interrupted: what was measured until then is above and on disk"
            });
            return Ok(Exit::Interrupted);
        }
        if self
            .results
            .iter()
            .all(|result| result.summary.total() == 0)
        {
            return Err(Problem::failed("no request was sent")
                .hint("--duration ended before the first request was due: raise it, or --rate"));
        }
        if self
            .results
            .iter()
            .all(|result| result.summary.succeeded() == 0)
        {
            return Err(Problem::failed("no request succeeded")
                .cause("the kinds of failure and the first of their texts are above")
                .hint("benchmark_data.db has the text of each of them (`failure_text`)"));
        }
        Ok(if lost || self.is_without_page {
            Exit::Failed
        } else {
            Exit::Done
        })
    }

    /// Removes the folders of loads that never began; one that holds something stays.
    fn clear_away(&self) {
        let plan = &self.translation.plan;
        let folder = &plan.output.folder;
        let loads = point_folders(&plan.points)
            .into_iter()
            .map(|name| folder.join(name));
        for folder in loads.chain(folder.ancestors().take(2).map(Path::to_owned)) {
            // What is not empty, not there or not ours to remove is left as it is.
            drop(fs::remove_dir(folder));
        }
    }

    fn show_all(&mut self) {
        let text = format!("\n{}", conclusion(&self.results));
        self.say(&text);
        let folder = self.translation.plan.output.folder.clone();
        let path = folder.join("performance_summary.txt");
        if let Err(error) = files::write_text(&path, self.report.trim_start().as_bytes()) {
            self.unwritten.get_or_insert(error);
        }
        self.tracked.artifact(&path, ArtifactKind::Text);
        self.write_page(&folder);
        self.say(&format!("\nResults are in {}", folder.display()));
    }

    /// Makes a page of all that is in the folder, unless that is not wanted.
    fn write_page(&mut self, folder: &Path) {
        if self.args.output.page.page() == Page::LeftOut {
            return;
        }
        let page = folder.join(PAGE);
        match report::of_folder(folder, &page) {
            Ok(_) => {
                self.say(&format!("\nA page with figures is {}", page.display()));
                self.tracked.artifact(&page, ArtifactKind::Page);
            }
            Err(problem) => {
                self.tell(&problem.to_string());
                self.is_without_page = true;
            }
        }
    }

    /// Shows a result, and keeps it for `performance_summary.txt`.
    fn say(&mut self, text: &str) {
        let text = &console::plain(text);
        console::say(text);
        self.log.add(&moment::log_stamp(), text);
        self.report.push_str(text);
        self.report.push('\n');
    }

    /// Shows something that is no result.
    fn tell(&mut self, text: &str) {
        if self.watch.screen() == Screen::Terminal {
            console::redraw("");
        }
        let text = &console::plain(text);
        console::tell(text);
        self.log.add(&moment::log_stamp(), text);
    }

    /// Puts down how far the command is, where that is asked for.
    fn track(&mut self, status: &str, ended: u64) {
        let Some(tracker) = &self.tracker else { return };
        if let Err(error) =
            tracker.write(status, self.requests_before + ended, &moment::file_stamp())
        {
            self.unwritten.get_or_insert(error);
        }
    }
}

/// The tables over all loads of which something was measured. Void ones are in the table, named as such, and in no
/// judgement.
fn conclusion(results: &[PointResult]) -> String {
    let is_sound =
        |result: &&PointResult| result.health.verdict(&result.summary) == HealthVerdict::Sound;
    let measured = || results.iter().filter(|result| result.summary.total() > 0);
    let (sound, void): (Vec<_>, Vec<_>) = measured().partition(is_sound);
    let summaries = |results: Vec<&PointResult>| -> Vec<RunSummary> {
        results
            .into_iter()
            .map(|result| result.summary.clone())
            .collect()
    };
    let mut text = tables::detailed_performance(&summaries(measured().collect()));
    if let Some(line) = tables::void_line(&summaries(void)) {
        text.push_str(&line);
        text.push('\n');
    }
    let sound = summaries(sound);
    if sound.is_empty() {
        text.push_str("\nNo load is judged: in each of them the client was the bottleneck");
    } else {
        text.push('\n');
        text.push_str(&tables::best_configuration(&sound));
        text.push('\n');
        text.push_str(tables::recommendations(&sound).trim_end());
    }
    text
}

/// Why a request failed, as it is shown.
fn failure_line(record: &RequestRecord) -> Option<String> {
    let failure = record.failure.as_ref()?;
    let (name, text) = (
        failure.kind.name(),
        console::brief(&failure.text, FAILURE_LETTERS),
    );
    Some(format!("  request {}: {name}: {text}", record.index))
}

/// Requests of a load, warm-up included.
fn all_requests(point: &LoadPoint) -> u64 {
    point.warmup + point.requests
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::PathBuf;

    use crestline_core::health::ClientHealth;
    use crestline_core::record::Phase;
    use crestline_core::request::Load;

    use super::*;

    /// A load of 20 requests of half a second each, sent so late.
    fn result(slots: u32, lag: Nanos) -> PointResult {
        let load = Load::closed(NonZeroU32::new(slots).unwrap());
        let mut summary = RunSummary::new(LoadPoint {
            load,
            requests: 20,
            warmup: 0,
            duration: None,
        });
        let mut health = ClientHealth::default();
        for index in 0..20 {
            let due = Nanos::from_millis(500 * index / u64::from(slots));
            let record = RequestRecord {
                due,
                sent: due + lag,
                end: due + lag + Nanos::from_millis(500),
                ..RequestRecord::new(index, Phase::Measured)
            };
            summary.add(&record);
            health.add(&record);
        }
        PointResult {
            summary,
            health,
            folder: PathBuf::new(),
            interrupted: false,
            probes: Vec::new(),
            loss: None,
        }
    }

    #[test]
    fn a_void_load_is_named_under_the_table_and_is_never_the_best() {
        let (sound, void) = (result(2, Nanos::ZERO), result(8, Nanos::from_secs(1)));
        let text = conclusion(&[sound.clone(), void.clone()]);
        let (table, rest) = text.split_once("VOID: Concurrency 8:").unwrap();
        assert!(table.contains("Detailed Performance Metrics"), "{text}");
        let (_, judged) = rest.split_once("Best Performance Configuration").unwrap();
        assert!(judged.contains("Concurrency 2"), "{text}");
        assert!(!judged.contains("Concurrency 8"), "{text}");
        assert!(!conclusion(&[sound]).contains("VOID"));
        assert!(conclusion(&[void]).contains("No load is judged"));
    }
}
