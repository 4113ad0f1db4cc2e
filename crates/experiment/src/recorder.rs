//! Where the records of one load go: tokens are counted where the server did not, then the summary, then the store.
//!
//! Runs on the thread that collects, never on one that measures.

use std::sync::Arc;

use crestline_core::health::{OwnPace, OwnPart};
use crestline_core::record::{RequestRecord, TokenCount, TokenSource};
use crestline_core::request::LoadPoint;
use crestline_core::stats::Histogram;
use crestline_core::summary::RunSummary;
use crestline_core::tally::Tally;
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::Live;
use crestline_load::own::{Api, read_answer};
use crestline_store::runs::{PageWriter, RunWriter};
use crestline_workload::Workload;
use crestline_workload::tokenizer::Tokenizer;

use crate::client_health;
use crate::event::{Event, Progress};
use crate::plan::Tallies;
use crate::run::{CLIENT, INTERRUPTED, POINT};
use crate::subject::Applied;

/// Shortest time between two reports of progress.
const REPORT_EVERY: Nanos = Nanos::from_millis(250);
/// The same between two points of a load's course.
pub(crate) const PULSE_EVERY: Nanos = Nanos::from_secs(1);

/// Takes the records of one load.
pub(crate) struct Recorder<'a> {
    summary: RunSummary,
    writer: RunWriter,
    workload: Arc<Workload>,
    ttft: Histogram,
    /// Kept where it is asked for.
    tally: Option<Tally>,
    total: u64,
    /// Told to whoever watches.
    shown: Reports,
    /// Told to whoever records the course.
    pulse: Reports,
    loss_told: bool,
    /// Reads answers, where it is the user's own; how many it has read, and how long that took.
    reader: Option<Arc<dyn Api>>,
    reading: (u64, Nanos),
    clock: Clock,
    each: &'a mut dyn FnMut(Event),
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(
        point: LoadPoint,
        first_item: u64,
        writer: RunWriter,
        workload: &Arc<Workload>,
        each: &'a mut dyn FnMut(Event),
    ) -> Self {
        let last_item = first_item.saturating_add(point.warmup + point.requests);
        let shown = serde_json::to_value(point).expect("a load has a JSON form");
        writer.note(POINT, &shown);
        Self {
            summary: RunSummary::new(point),
            writer,
            workload: Arc::clone(workload),
            ttft: Histogram::default(),
            tally: None,
            total: workload.requests_of(first_item..last_item),
            shown: Reports::default(),
            pulse: Reports::default(),
            loss_told: false,
            reader: None,
            reading: (0, Nanos::ZERO),
            clock: Clock::start(),
            each,
        }
    }

    /// Tells counts with each report of progress, where that is asked for.
    pub(crate) fn with_tallies(self, tallies: Tallies) -> Self {
        let tally = (tallies == Tallies::Told).then(Tally::default);
        Self { tally, ..self }
    }

    /// A request has ended.
    pub(crate) fn record(&mut self, mut record: RequestRecord) {
        if let Some(api) = &self.reader {
            self.reading.0 += 1;
            let from = self.clock.now();
            read_answer(api.as_ref(), &mut record);
            self.reading.1 += self.clock.now().saturating_sub(from);
        }
        count_missing(&mut record, self.workload.tokenizer().map(Arc::as_ref));
        count_prompt(&mut record, &self.workload);
        if let Some(ttft) = record.ttft().filter(|_| record.succeeded()) {
            self.ttft.add(ttft.0);
        }
        self.summary.add(&record);
        if let Some(tally) = &mut self.tally {
            tally.add(&record);
        }
        self.writer.write(record);
    }

    fn tell_tally(&mut self) {
        if let Some(tally) = &self.tally {
            (self.each)(Event::Tally(Box::new(tally.clone())));
        }
    }

    /// Answers are read by the user's own parser.
    pub(crate) fn read_by(self, reader: Option<Arc<dyn Api>>) -> Self {
        Self { reader, ..self }
    }

    /// How fast the user's own parser was, which has that name.
    pub(crate) fn reading(&self, name: &str) -> Option<OwnPace> {
        let (calls, busy) = self.reading;
        (calls > 0).then(|| OwnPace {
            part: OwnPart::Answers,
            name: name.to_owned(),
            calls,
            busy,
            threads: 1,
        })
    }

    pub(crate) fn workload(&self) -> &Arc<Workload> {
        &self.workload
    }

    /// For whoever reads the service's metrics meanwhile.
    pub(crate) fn pages(&self) -> PageWriter {
        self.writer.pages()
    }

    /// Something the user should know.
    pub(crate) fn note(&mut self, text: String) {
        (self.each)(Event::Note(text));
    }

    /// The warm-up is over.
    pub(crate) fn begin_counting(&mut self) {
        (self.each)(Event::Counting);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Nanos, live: Live) {
        self.show(now, live);
        self.pulse(now, live);
    }

    /// Time has passed for whoever watches, on the machine's clock.
    pub(crate) fn show(&mut self, now: Nanos, live: Live) {
        if let Some(progress) = self.shown.next(REPORT_EVERY, now, live) {
            self.tell_loss();
            self.tell_tally();
            let progress = self.with_figures(progress);
            (self.each)(Event::Progress(progress));
        }
    }

    /// Time has passed on the load's own clock.
    pub(crate) fn pulse(&mut self, now: Nanos, live: Live) {
        if let Some(progress) = self.pulse.next(PULSE_EVERY, now, live) {
            let progress = self.with_figures(progress);
            (self.each)(Event::Pulse(progress));
        }
    }

    fn with_figures(&self, progress: Progress) -> Progress {
        let ttft = |q| self.ttft.quantile(q).map(|ttft| Nanos(ttft as u64));
        Progress {
            total: self.total,
            ttft_p50: ttft(0.5),
            ttft_p99: ttft(0.99),
            ..progress
        }
    }

    /// Tells once that the database cannot be written, as soon as that is known: the user may want to make room.
    fn tell_loss(&mut self) {
        if self.loss_told {
            return;
        }
        if let Some(error) = self.writer.status().error {
            self.loss_told = true;
            (self.each)(Event::Note(format!(
                "the database cannot be written ({error}): the measurement goes on, requests are missing from the database"
            )));
        }
    }

    /// Closes the store. Tells in words what it could not write.
    pub(crate) fn finish(mut self, applied: &Applied) -> (RunSummary, Option<String>) {
        self.tell_tally();
        let mut summary = self.summary;
        summary.sort();
        let client = client_health::health(&applied.health, &summary);
        self.writer.note(CLIENT, &client);
        self.writer.note(INTERRUPTED, &applied.interrupted.into());
        (
            summary,
            self.writer.finish().err().map(|error| error.to_string()),
        )
    }
}

/// When reports of progress are due, and what happened between them.
#[derive(Debug, Default)]
struct Reports {
    began: Option<Nanos>,
    last: (Nanos, Live),
}

impl Reports {
    /// The next one, where the last is so long ago.
    fn next(&mut self, every: Nanos, now: Nanos, live: Live) -> Option<Progress> {
        let began = *self.began.get_or_insert_with(|| {
            self.last.0 = now;
            now
        });
        let since = now.saturating_sub(self.last.0);
        if since < every {
            return None;
        }
        let (_, before) = std::mem::replace(&mut self.last, (now, live));
        let per_s = |now: u64, before: u64| now.saturating_sub(before) as f64 / since.as_secs_f64();
        Some(Progress {
            elapsed: now.saturating_sub(began),
            sent: live.sent,
            ended: live.ended,
            failed: live.failed,
            requests_per_s: per_s(live.ended, before.ended),
            chunks_per_s: per_s(live.chunks, before.chunks),
            ..Progress::default()
        })
    }
}

/// Fills in the input length of a later turn whose server told none: only its body says all that was said before.
pub(crate) fn count_prompt(record: &mut RequestRecord, workload: &Workload) {
    if record.prompt_tokens.is_some() || record.turn.is_none() {
        return;
    }
    let body = record.exchange.as_deref().map(|texts| &*texts.request);
    let counted = body.and_then(|body| workload.tokens_of_body(body));
    record.prompt_tokens = counted.map(|count| TokenCount {
        count,
        source: TokenSource::Tokenizer,
    });
}

/// Fills in the output length of an answer whose server told none: by the tokenizer, else by its chunks.
pub(crate) fn count_missing(record: &mut RequestRecord, tokenizer: Option<&Tokenizer>) {
    if record.output_tokens.is_some() || !record.succeeded() {
        return;
    }
    let texts = record.exchange.as_deref();
    let counted = tokenizer.zip(texts).map(|(tokenizer, texts)| {
        let texts = [&texts.answer, &texts.reasoning, &texts.tool_calls];
        let count: usize = texts.iter().map(|text| tokenizer.count(text)).sum();
        TokenCount {
            count: count as u32,
            source: TokenSource::Tokenizer,
        }
    });
    let by_chunks = TokenCount {
        count: record.chunks,
        source: TokenSource::Chunks,
    };
    record.output_tokens = Some(counted.unwrap_or(by_chunks));
}
