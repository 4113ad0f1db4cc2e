//! A search that is killed at any moment and goes on: its answer is that of a search which nobody disturbed.
//!
//! In virtual time, where a kill is played by cutting the files of a finished search to what was on disk by then. Real kills
//! are in `sla_live`.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Place, Ran};

/// A search whose limit on time per token binds at about 116 users, where a hundred run at a time.
const SEARCH: &str = r#"perf --model m --tokenizer-path builtin --url sim:gpu-small --dataset random
    --min-prompt-length 64 --max-prompt-length 64 --max-tokens 64 --no-timestamp --sla-auto-tune --parallel 1
    --sla-tolerance 0.1 --sla-params [{"p99_tpot":"<=16ms"}]"#;

const FOLDER: &str = "outputs/m";
const JOURNAL: &str = "outputs/m/sla_journal.jsonl";
const DATABASE: &str = "outputs/m/benchmark_data.db";
const SUMMARY: &str = "outputs/m/sla_summary.json";

/// Records that a command has not committed yet when it is killed, at most.
const UNCOMMITTED: u64 = 9;

/// Moments of kills.
const KILLS: u64 = 20;

/// Resumed searches whose estimate must lie in the uninterrupted one's 90 % interval.
///
/// Were two searches of the same service independent, the estimate of one would lie in the interval of the other with
/// P(|N(0, 2)| < 1.645) = 75 %, and in 18 of 20 cases hardly ever. A resumed one shares the evidence before the kill, on
/// average half of all: P(|N(0, 1)| < 1.645) = 90 %. The interval is stated wider than the scatter of estimates, so that in
/// 150 trials of this search with 15 seeds none lay outside.
const WITHIN: usize = 18;

/// Numbers that look random, the same in every run.
struct Moments(u64);

impl Moments {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0) * u128::from(end)) >> 64) as u64
    }
}

fn search(place: &Place, more: &str) -> Value {
    place.run(&format!("{SEARCH} {more}")).done();
    place.json(SUMMARY)
}

/// When a line of the journal was written, in nanoseconds.
fn written(line: &str) -> u64 {
    let entry: Value = serde_json::from_str(line).unwrap();
    let span = &entry["span"];
    [&entry["at"], &span["ended"], &span["applied"]]
        .into_iter()
        .find_map(Value::as_u64)
        .unwrap_or(0)
}

/// Puts into a new place what a kill at a moment leaves of a search: the journal up to then with half a line more, and the
/// requests that had ended, without the last ones of them.
fn killed(whole: &Place, at: u64, uncommitted: u64) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path(FOLDER)).unwrap();
    let journal = fs::read_to_string(whole.path(JOURNAL)).unwrap();
    let kept = journal.lines().take_while(|line| written(line) <= at);
    let kept: Vec<&str> = kept.chain([r#"{"entry":"dw"#]).collect();
    fs::write(place.path(JOURNAL), kept.join("\n")).unwrap();
    fs::copy(whole.path(DATABASE), place.path(DATABASE)).unwrap();
    let database = rusqlite::Connection::open(place.path(DATABASE)).unwrap();
    database
        .execute("DELETE FROM result WHERE end_ns > ?", [at.cast_signed()])
        .unwrap();
    database
        .execute(
            "DELETE FROM result WHERE rowid IN (SELECT rowid FROM result ORDER BY end_ns DESC LIMIT ?)",
            [uncommitted.cast_signed()],
        )
        .unwrap();
    place
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_search_that_was_killed_at_any_moment_answers_like_one_that_was_not() {
    let whole = Place::new();
    let uninterrupted = search(&whole, "");
    let answer = &uninterrupted["selections"][0];
    assert_eq!(answer["status"], "value", "{answer}");
    let interval = number(&answer["interval"]["low"])..=number(&answer["interval"]["high"]);
    let end = (number(&uninterrupted["totals"]["time_s"]) * 1e9) as u64;

    let mut moments = Moments(3);
    let mut outside = Vec::new();
    for _ in 0..KILLS {
        let (at, uncommitted) = (moments.below(end), moments.below(UNCOMMITTED + 1));
        let place = killed(&whole, at, uncommitted);
        let resumed = search(&place, &format!("--resume {FOLDER}"))["selections"][0].clone();
        assert_eq!(resumed["status"], "value", "cut at {at} ns: {resumed}");
        if !interval.contains(&number(&resumed["estimate"])) {
            outside.push(format!("cut at {at} ns: {resumed}"));
        }
    }
    assert!(
        KILLS as usize - outside.len() >= WITHIN,
        "not in {interval:?}: {outside:#?}"
    );
}

/// The same command in a shell in which no file may grow beyond so many blocks of 512 bytes.
fn run_with_small_files(place: &Place, more: &str, blocks: u32) -> Ran {
    let command = place.command(&format!("{SEARCH} {more}"));
    let mut limited = Command::new("sh");
    limited
        .args([
            "-c",
            r#"trap "" XFSZ; ulimit -f "$1"; shift; exec "$@""#,
            "sh",
        ])
        .arg(blocks.to_string())
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    limited.output().unwrap().into()
}

#[test]
fn a_search_whose_journal_cannot_be_written_any_more_ends_with_what_it_knows() {
    let place = Place::new();
    place.run(&format!("{SEARCH} --sla-budget 600req"));
    let journal = fs::read_to_string(place.path(JOURNAL)).unwrap();
    let dwell = journal
        .lines()
        .rfind(|line| line.contains(r#""entry":"dwell""#))
        .unwrap();
    // A line may be there again: it is that of the same dwell. The file is as long as it may become.
    let mut long = journal.clone();
    while long.len() < 64_000 {
        long.push_str(dwell);
        long.push('\n');
    }
    fs::write(place.path(JOURNAL), &long).unwrap();
    let more = format!("--resume {FOLDER} --sla-budget 9000req");
    let ran = run_with_small_files(&place, &more, (long.len() / 512 + 1).try_into().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    for text in ["SLA Auto-tune Summary:", "the journal cannot be written"] {
        assert!(ran.out.contains(text), "no `{text}` in {ran:#?}");
    }
}

#[test]
fn a_search_that_has_spent_its_budget_sends_nothing_more() {
    let place = Place::new();
    let budget = "--sla-budget 600req";
    place.run(&format!("{SEARCH} {budget}"));
    let before = place.json(SUMMARY);
    let ran = place.run(&format!("{SEARCH} {budget} --resume {FOLDER}"));
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let after = place.json(SUMMARY);
    assert_eq!(after["totals"]["requests"], before["totals"]["requests"]);
    assert_eq!(after["selections"][0]["status"], "inconclusive");
}
