//! One run of the client against a faulty engine: the client's database and summary joined with the engine's truth file.
//!
//! Holds what is true whatever the fault: no request is lost or doubled, each has the fate that the truth gives it, and
//! all files agree. What is to become of which fault, the tests say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crestline_sim::fault::FaultKind;
use serde_json::{Value, json};

use super::{Fate, fate};
use crate::harness::{Place, Ran, Sim};

/// Tokens of each answer.
pub(super) const TOKENS: i64 = 12;
const LOAD: &str = "--model m --dataset random --tokenizer-path builtin --min-prompt-length 48 --max-prompt-length 48 \
    --max-tokens 12 --no-timestamp --sleep-interval 0";
/// Draws no fault for the first request, which is the test request.
const SEED: u64 = 11;

/// Ends of a request that met a port at which nobody listened: refused, or reset in the moment in which that began.
const UNHEARD: [&str; 3] = ["connect_refused", "connect", "connection_closed"];

/// A run to be made.
pub(super) struct Load {
    pub(super) faults: String,
    pub(super) number: usize,
    /// How requests follow each other.
    pub(super) pace: &'static str,
    pub(super) flags: &'static str,
    /// Below the base URL.
    pub(super) path: &'static str,
    pub(super) seed: u64,
    /// What is to become of a request with this fault.
    pub(super) fate: fn(Option<FaultKind>) -> Fate,
}

/// A row of the database.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) index: i64,
    pub(super) success: bool,
    pub(super) failure: Option<String>,
    pub(super) text: Option<String>,
    pub(super) status: Option<i64>,
    pub(super) reconnects: u32,
    pub(super) streamed: bool,
    pub(super) chunks: i64,
    pub(super) tokens: Option<i64>,
    pub(super) source: Option<String>,
    pub(super) connect: Option<i64>,
    pub(super) sent: i64,
    pub(super) first_byte: Option<i64>,
    pub(super) first_token: Option<i64>,
    pub(super) end: i64,
    pub(super) answer: Option<String>,
}

/// What the engine says of one attempt of a request.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) fault: Option<FaultKind>,
    pub(super) outcome: String,
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    /// By request id, in the order of arrival; without the test request.
    pub(super) truth: BTreeMap<String, Vec<Told>>,
    pub(super) summary: Value,
    pub(super) ran: Ran,
}

impl Load {
    /// 500 streamed requests, 16 at a time.
    pub(super) fn closed(faults: &str) -> Self {
        Self {
            faults: faults.to_owned(),
            number: 500,
            pace: "--parallel 16",
            flags: "",
            path: "/chat/completions",
            seed: SEED,
            fate,
        }
    }

    /// Runs to the end, and checks all that is true whatever the fault.
    pub(super) fn run(&self) -> Outcome {
        let place = Place::new();
        let faults = if self.faults.is_empty() {
            String::new()
        } else {
            format!("--fault {}", self.faults)
        };
        let line = format!(
            "--profile full-speed --seed {} --truth truth.csv {faults}",
            self.seed
        );
        let sim = Sim::start(&place, &line);
        let ran = place.run(&format!(
            "perf --url {}{} {LOAD} --number {} {} {}",
            sim.base(),
            self.path,
            self.number,
            self.pace,
            self.flags
        ));
        let ran = ran.done();
        let server = sim.end();
        assert_eq!((server.code, server.err.as_str()), (Some(0), ""));
        assert!(!ran.err.contains("panic"), "{}", ran.err);
        let mut folders = place.list("outputs/m").into_iter();
        let folder = folders.find(|name| name.contains("_number_")).unwrap();
        let folder = format!("outputs/m/{folder}");
        let outcome = Outcome {
            rows: rows(&place, &folder),
            truth: truth(&place),
            summary: place.json(&format!("{folder}/benchmark_summary.json")),
            ran,
        };
        outcome.check(self);
        outcome
    }
}

fn rows(place: &Place, folder: &str) -> Vec<Row> {
    let path = place.path(&format!("{folder}/benchmark_data.db"));
    let database = rusqlite::Connection::open(path).unwrap();
    let mut query = database
        .prepare("SELECT * FROM result ORDER BY request_index")
        .unwrap();
    let rows = query.query_map([], |row| {
        Ok(Row {
            id: row.get("request_id")?,
            index: row.get("request_index")?,
            success: row.get("success")?,
            failure: row.get("failure_kind")?,
            text: row.get("failure_text")?,
            status: row.get("status")?,
            reconnects: row.get("reconnects")?,
            streamed: row.get("is_stream")?,
            chunks: row.get("chunks")?,
            tokens: row.get("output_tokens")?,
            source: row.get("output_tokens_source")?,
            connect: row.get("connect_ns")?,
            sent: row.get("sent_ns")?,
            first_byte: row.get("first_byte_ns")?,
            first_token: row.get("first_token_ns")?,
            end: row.get("end_ns")?,
            answer: row.get("response_messages")?,
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn truth(place: &Place) -> BTreeMap<String, Vec<Told>> {
    let text = fs::read_to_string(place.path("truth.csv")).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let place_of = |name: &str| header.iter().position(|field| *field == name).unwrap();
    let (id, fault, outcome) = (
        place_of("request_id"),
        place_of("fault"),
        place_of("outcome"),
    );
    let mut truth: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for line in lines {
        let kind = |name: &str| FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
        let told = Told {
            fault: (!line[fault].is_empty()).then(|| kind(line[fault]).unwrap()),
            outcome: line[outcome].to_owned(),
        };
        truth.entry(line[id].to_owned()).or_default().push(told);
    }
    let tests: Vec<String> = truth
        .keys()
        .filter(|id| id.ends_with("-check"))
        .cloned()
        .collect();
    assert_eq!(tests.len(), 1, "one test request");
    assert_eq!(truth.remove(&tests[0]).unwrap().len(), 1);
    truth
}

impl Outcome {
    /// Attempts that the truth knows of a request; none where it met nobody.
    pub(super) fn attempts(&self, row: &Row) -> &[Told] {
        self.truth.get(&row.id).map_or(&[], Vec::as_slice)
    }

    /// Rows whose last attempt had this fault.
    pub(super) fn struck(&self, fault: FaultKind) -> Vec<&Row> {
        let last = |row: &&Row| self.attempts(row).last().and_then(|told| told.fault);
        self.rows
            .iter()
            .filter(|row| last(row) == Some(fault))
            .collect()
    }

    /// How often the truth names a fault.
    pub(super) fn times(&self, fault: FaultKind) -> usize {
        let told = self.truth.values().flatten();
        told.filter(|told| told.fault == Some(fault)).count()
    }

    pub(super) fn unheard(&self) -> usize {
        let unheard = |row: &&Row| self.attempts(row).is_empty();
        self.rows.iter().filter(unheard).count()
    }

    pub(super) fn reconnects(&self) -> usize {
        self.rows.iter().map(|row| row.reconnects as usize).sum()
    }

    /// Requests that were reset and then may have met a port at which nobody listened.
    fn sent_again_to_nobody(&self) -> usize {
        if self.times(FaultKind::Refuse) == 0 {
            return 0;
        }
        let reset = self.struck(FaultKind::Reset).into_iter();
        reset
            .filter(|row| row.reconnects == 1 && self.attempts(row).len() == 1)
            .count()
    }

    fn check(&self, load: &Load) {
        self.check_nothing_is_lost_or_doubled(load.number);
        for row in &self.rows {
            self.check_row(row, load.fate);
        }
        self.check_summary(load.number);
    }

    fn check_nothing_is_lost_or_doubled(&self, number: usize) {
        assert_eq!(self.rows.len(), number);
        let indices = self.rows.iter().map(|row| row.index);
        assert!(indices.eq(0..i64::try_from(number).unwrap()));
        let ids: BTreeSet<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids.len(), number);
        for id in self.truth.keys() {
            assert!(ids.contains(id.as_str()), "{id} has no row");
        }
        let again: usize = self.truth.values().map(|attempts| attempts.len() - 1).sum();
        let heard: usize = self.truth.values().map(Vec::len).sum();
        assert_eq!(heard + self.unheard(), number + again);
        let unseen = self.times(FaultKind::SilentClose) + self.sent_again_to_nobody();
        assert!(
            (again..=again + unseen).contains(&self.reconnects()),
            "{} reconnects, {again} sent again, {unseen} perhaps",
            self.reconnects()
        );
    }

    fn check_row(&self, row: &Row, fate: fn(Option<FaultKind>) -> Fate) {
        let attempts = self.attempts(row);
        assert_eq!(row.success, row.failure.is_none(), "{row:?}");
        assert_eq!(row.success, row.text.is_none(), "{row:?}");
        let Some((last, earlier)) = attempts.split_last() else {
            return self.check_unheard(row);
        };
        // Only what was reset before any byte of the response is sent again, and only once.
        assert!(
            earlier.len() <= row.reconnects.min(1) as usize,
            "{row:?} {attempts:?}"
        );
        for told in earlier {
            assert_eq!(told.fault, Some(FaultKind::Reset), "{row:?} {attempts:?}");
        }
        let found = (row.failure.as_deref(), row.status);
        let refused_again = last.fault == Some(FaultKind::Reset)
            && row.reconnects == 1
            && found.0 != Some("connection_closed");
        if refused_again {
            return self.check_unheard(row);
        }
        assert_eq!(found, fate(last.fault), "{row:?} {attempts:?}");
        if found.0 == Some("connection_closed") {
            assert!(row.connect.is_some(), "on a connection of its own: {row:?}");
        }
        if row.success {
            check_answer(row, last.fault);
        }
        let cut_short = matches!(last.outcome.as_str(), "refused" | "cut");
        assert!(!(row.success && cut_short), "{row:?} {attempts:?}");
    }

    fn check_unheard(&self, row: &Row) {
        let kind = row.failure.as_deref().unwrap_or("success");
        assert!(UNHEARD.contains(&kind), "{row:?}");
        assert!(self.times(FaultKind::Refuse) > 0, "{row:?}");
        assert_eq!(row.status, None);
    }

    fn check_summary(&self, number: usize) {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in self.rows.iter().filter_map(|row| row.failure.as_deref()) {
            *kinds.entry(kind).or_default() += 1;
        }
        let failed: usize = kinds.values().sum();
        assert_eq!(self.summary["Total Requests"], number);
        assert_eq!(self.summary["Failed Requests"], failed);
        assert_eq!(self.summary["Success Requests"], number - failed);
        assert_eq!(self.summary["crestline_failures"], json!(kinds));
        assert_eq!(self.summary["crestline_reconnects"], self.reconnects());
        let told = format!("Reconnects: {} (", self.reconnects());
        assert_eq!(
            self.ran.out.contains(&told),
            self.reconnects() > 0,
            "{}",
            self.ran.out
        );
    }
}

/// A success has all its tokens, counted in the best way there is.
fn check_answer(row: &Row, fault: Option<FaultKind>) {
    let source = match fault {
        Some(FaultKind::MissingUsage) => "tokenizer",
        _ => "usage",
    };
    let found = (row.tokens, row.source.as_deref());
    assert_eq!(found, (Some(TOKENS), Some(source)), "{row:?}");
    let chunks = match fault {
        _ if !row.streamed => 1,
        Some(FaultKind::MergedChunks) => TOKENS / 4,
        _ => TOKENS,
    };
    assert_eq!(row.chunks, chunks, "{row:?}");
}
