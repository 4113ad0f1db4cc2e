//! What monitoring systems are shown of a command: counts of each load, and how things stand at this moment.
//!
//! Plain data, brought up to date by the events of a run. Knows no format.

use std::num::NonZeroU32;

use crestline_core::health::HealthVerdict;
use crestline_core::request::LoadPoint;
use crestline_core::search::Variable;
use crestline_core::tally::Tally;
use crestline_core::units::Rate;
use crestline_experiment::event::{Event, PointResult, Progress, SearchProgress};
use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_load::client::address::Address;
use crestline_load::client::endpoint::Endpoint;

/// What does not change while the command goes on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct About {
    /// Name of the run.
    pub(super) name: String,
    /// Name sent as `model`.
    pub(super) model: String,
    /// Where requests go, without secrets.
    pub(super) url: String,
    /// What is asked for, in the words of OpenTelemetry's conventions: `chat`, `text_completion`, ….
    pub(super) operation: &'static str,
    /// Whose API it is, in the same words, where it has a name there.
    pub(super) provider: Option<&'static str>,
    /// Host and port of the service; none in virtual time.
    pub(super) server: Option<(String, u16)>,
}

impl About {
    pub(super) fn of(plan: &Plan) -> Self {
        let server = match &plan.subject {
            SubjectPlan::Live(target) => Address::parse(&target.url)
                .ok()
                .map(|address| (address.host, address.port)),
            SubjectPlan::Virtual(_) => None,
        };
        Self {
            name: plan.name.clone(),
            model: plan.model.clone(),
            url: plan.shown_url(),
            operation: operation(plan.endpoint),
            provider: is_openai(plan.endpoint).then_some("openai"),
            server,
        }
    }
}

fn is_openai(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::OpenAiChat
            | Endpoint::OpenAiCompletions
            | Endpoint::OpenAiResponses
            | Endpoint::OpenAiTranscription
            | Endpoint::OpenAiEmbeddings
    )
}

fn operation(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::OpenAiChat | Endpoint::OpenAiResponses => "chat",
        Endpoint::OpenAiCompletions
        | Endpoint::TgiGenerate
        | Endpoint::TensorRtGenerate
        | Endpoint::DeepSpeedMii => "text_completion",
        Endpoint::OpenAiTranscription => "transcription",
        Endpoint::OpenAiEmbeddings
        | Endpoint::ChatEmbeddings
        | Endpoint::ClipEmbeddings
        | Endpoint::Vlm2VecEmbeddings
        | Endpoint::InfinityEmbeddings
        | Endpoint::InfinityClipEmbeddings => "embeddings",
        Endpoint::Pooling => "pooling",
        Endpoint::Rerank => "rerank",
    }
}

/// Which load a series of counts is of. A search that changes its load in place has one series, without either.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Labels {
    /// Most requests in flight.
    pub(super) parallel: Option<NonZeroU32>,
    /// Requests a second.
    pub(super) rate_per_s: Option<f64>,
}

impl Labels {
    fn of(point: &LoadPoint) -> Self {
        Self {
            parallel: point.load.concurrency,
            rate_per_s: point.load.rate().map(Rate::value),
        }
    }

    /// Names and values, for those that there are.
    pub(super) fn pairs(self) -> Vec<(&'static str, String)> {
        let parallel = self.parallel.map(|limit| ("parallel", limit.to_string()));
        let rate = self.rate_per_s.map(|rate| ("rate", rate.to_string()));
        parallel.into_iter().chain(rate).collect()
    }
}

/// Requests of one or several loads.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    /// Requests sent, those of the warm-up included.
    pub(super) sent: u64,
    /// Those that have ended.
    pub(super) tally: Tally,
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.tally.merge(&other.tally);
    }
}

/// All loads of the same labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// Loads that have ended.
    done: Counts,
    /// The load that goes on.
    now: Counts,
    /// Whether the client kept up in the last load that ended; not known in virtual time, which has none.
    pub(super) is_sound: Option<bool>,
}

impl Series {
    fn new(labels: Labels) -> Self {
        Self {
            labels,
            done: Counts::default(),
            now: Counts::default(),
            is_sound: None,
        }
    }

    /// Everything since the command began.
    pub(super) fn total(&self) -> Counts {
        let mut total = self.done.clone();
        total.merge(&self.now);
        total
    }
}

/// How things stand at this moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Present {
    /// The load, from 1.
    pub(super) number: u64,
    /// Loads in the plan, where that is known.
    pub(super) of: Option<u64>,
    pub(super) labels: Labels,
    pub(super) in_flight: u64,
    /// Requests ended a second, since the report before.
    pub(super) completed_per_s: f64,
    /// Chunks received a second, since the report before.
    pub(super) chunks_per_s: f64,
}

/// Where a search is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Searching {
    /// What the load is counted in.
    pub(super) variable: Variable,
    /// The load that is applied.
    pub(super) load: f64,
    /// Where the answer lies, as far as that is known.
    pub(super) interval: Option<(f64, f64)>,
    /// Share of the work that is done, as far as that can be told.
    pub(super) progress: f64,
}

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observed {
    pub(super) about: About,
    pub(super) series: Vec<Series>,
    pub(super) present: Present,
    pub(super) search: Option<Searching>,
    has_client: bool,
}

impl Observed {
    /// Of a command that has not sent anything.
    pub(super) fn new(about: About) -> Self {
        Self {
            has_client: about.server.is_some(),
            about,
            series: Vec::new(),
            present: Present::default(),
            search: None,
        }
    }

    /// Takes over what an event says. Notes and pauses say nothing.
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::PointStarted {
                number, of, point, ..
            } => {
                self.present = Present {
                    number: *number as u64 + 1,
                    of: of.map(|of| of as u64),
                    labels: Labels::of(point),
                    ..Present::default()
                };
            }
            Event::SearchStarted(_) => self.present = Present::default(),
            Event::Tally(tally) => self.series().now.tally = (**tally).clone(),
            Event::Progress(progress) => self.progress(progress),
            Event::Search(progress) => self.search_progress(progress),
            Event::PointDone(result) => self.end(result),
            Event::Note(_)
            | Event::Ready
            | Event::Counting
            | Event::Pause(_)
            | Event::Pulse(_)
            | Event::SearchPulse(_) => {}
        }
    }

    fn progress(&mut self, progress: &Progress) {
        self.series().now.sent = progress.sent;
        self.present.in_flight = progress.in_flight();
        self.present.completed_per_s = progress.requests_per_s;
        self.present.chunks_per_s = progress.chunks_per_s;
    }

    fn search_progress(&mut self, progress: &SearchProgress) {
        self.series().now.sent = progress.ended + progress.in_flight;
        self.present.in_flight = progress.in_flight;
        self.search = Some(Searching {
            variable: progress.variable,
            load: progress.status.load,
            interval: progress
                .status
                .interval
                .map(|interval| (interval.low, interval.high)),
            progress: progress.status.progress,
        });
    }

    fn end(&mut self, result: &PointResult) {
        let has_client = self.has_client;
        let verdict = result.health.verdict(&result.summary);
        let series = self.series();
        let mut ended = std::mem::take(&mut series.now);
        ended.sent = ended.sent.max(ended.tally.warmup + result.summary.total());
        series.done.merge(&ended);
        series.is_sound = has_client.then_some(verdict == HealthVerdict::Sound);
        self.quiet();
    }

    /// Nothing is in flight any more.
    pub(super) fn quiet(&mut self) {
        self.present.in_flight = 0;
        self.present.completed_per_s = 0.0;
        self.present.chunks_per_s = 0.0;
    }

    /// The counts of the present load.
    fn series(&mut self) -> &mut Series {
        let labels = self.present.labels;
        let known = self
            .series
            .iter()
            .position(|series| series.labels == labels);
        let index = known.unwrap_or_else(|| {
            self.series.push(Series::new(labels));
            self.series.len() - 1
        });
        &mut self.series[index]
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use crestline_core::health::ClientHealth;
    use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord};
    use crestline_core::request::Load;
    use crestline_core::summary::RunSummary;
    use crestline_core::units::Nanos;

    use super::*;

    pub(crate) fn about() -> About {
        About {
            name: "nightly".to_owned(),
            model: "org/\"m\"".to_owned(),
            url: "http://127.0.0.1:8000/v1/chat/completions".to_owned(),
            operation: "chat",
            provider: Some("openai"),
            server: Some(("127.0.0.1".to_owned(), 8000)),
        }
    }

    pub(crate) fn point(parallel: u32, requests: u64) -> LoadPoint {
        LoadPoint {
            load: Load::closed(NonZeroU32::new(parallel).unwrap()),
            requests,
            warmup: 0,
            duration: None,
        }
    }

    /// Requests of 100 ms, of which every tenth fails.
    pub(crate) fn records(count: u64) -> Vec<RequestRecord> {
        let record = |index| RequestRecord {
            first_byte: Some(Nanos::from_millis(40)),
            first_token: Some(Nanos::from_millis(40)),
            last_token: Some(Nanos::from_millis(100)),
            end: Nanos::from_millis(100),
            gaps: [20, 40].map(Nanos::from_millis).into_iter().collect(),
            chunks: 3,
            streamed: true,
            failure: (index % 10 == 9).then(|| Failure {
                kind: FailureKind::RateLimited,
                text: String::new(),
            }),
            ..RequestRecord::new(index, Phase::Measured)
        };
        (0..count).map(record).collect()
    }

    /// A load from its beginning to its end, as a run tells it.
    pub(crate) fn events(number: usize, point: LoadPoint) -> Vec<Event> {
        let mut tally = Tally::default();
        let mut summary = RunSummary::new(point);
        let mut health = ClientHealth::default();
        for record in records(point.requests) {
            tally.add(&record);
            summary.add(&record);
            health.add(&record);
        }
        let progress = Progress {
            sent: point.requests,
            ended: point.requests - 1,
            requests_per_s: 4.0,
            chunks_per_s: 8.5,
            ..Progress::default()
        };
        vec![
            Event::PointStarted {
                number,
                of: Some(2),
                point,
                folder: PathBuf::new(),
            },
            Event::Progress(progress),
            Event::Tally(Box::new(tally)),
            Event::PointDone(Box::new(PointResult {
                summary,
                health,
                folder: PathBuf::new(),
                interrupted: false,
                probes: Vec::new(),
                loss: None,
            })),
        ]
    }

    /// A first load that has ended, and a second that goes on.
    pub(crate) fn observed() -> Observed {
        let mut observed = Observed::new(about());
        let first = events(0, point(1, 10));
        let second = events(1, point(8, 20));
        for event in first.iter().chain(&second[..3]) {
            observed.see(event);
        }
        observed
    }

    #[test]
    fn a_load_that_goes_on_is_counted_beside_those_that_ended() {
        let observed = observed();
        let totals: Vec<_> = observed.series.iter().map(Series::total).collect();
        let counts = totals.iter().map(|counts| {
            let tally = &counts.tally;
            (counts.sent, tally.succeeded, tally.failed())
        });
        assert_eq!(counts.collect::<Vec<_>>(), [(10, 9, 1), (20, 18, 2)]);
        let verdicts = observed.series.iter().map(|series| series.is_sound);
        assert_eq!(verdicts.collect::<Vec<_>>(), [Some(true), None]);
        assert_eq!(
            (observed.present.number, observed.present.in_flight),
            (2, 1)
        );
    }

    #[test]
    fn counts_of_loads_that_are_alike_only_ever_grow() {
        let mut observed = Observed::new(about());
        let mut before = 0;
        for number in 0..3 {
            for event in events(number, point(4, 10)) {
                observed.see(&event);
                let sent = observed
                    .series
                    .first()
                    .map_or(0, |series| series.total().sent);
                assert!(sent >= before, "{sent} after {before}");
                before = sent;
            }
        }
        assert_eq!(observed.series.len(), 1);
        assert_eq!(
            (before, observed.series[0].total().tally.succeeded),
            (30, 27)
        );
        assert_eq!(observed.present.in_flight, 0);
    }

    #[test]
    fn virtual_time_has_no_client_to_judge() {
        let mut observed = Observed::new(About {
            server: None,
            ..about()
        });
        for event in events(0, point(1, 10)) {
            observed.see(&event);
        }
        assert_eq!(observed.series[0].is_sound, None);
    }
}
