//! Samples of traces: lengths, due times and shared blocks.

use super::*;
use crate::plan::{BurstSamples, TraceFields, TraceSamples, TraceTimes};

fn burst(times: TraceTimes) -> SampleSource {
    SampleSource::Burst(BurstSamples {
        path: fixture("burst.csv"),
        times,
    })
}

fn trace(path: PathBuf) -> TraceSamples {
    TraceSamples {
        path,
        block_length: 16,
        seconds: 0.001,
        fields: TraceFields {
            time: "timestamp".to_owned(),
            input: "input_length".to_owned(),
            output: "output_length".to_owned(),
            hashes: "hash_ids".to_owned(),
        },
    }
}

fn open_trace(requests: u64) -> Workload {
    open(&text_plan(
        SampleSource::Trace(trace(fixture("timed_trace.jsonl"))),
        requests,
    ))
}

fn lengths(workload: &Workload) -> Vec<(u32, u32)> {
    (0..workload.len().unwrap())
        .map(|index| {
            let item = workload.item(index);
            assert_eq!(
                ids(workload, &item).len() as u32,
                item.prompt_tokens.unwrap()
            );
            (item.prompt_tokens.unwrap(), item.max_tokens.unwrap())
        })
        .collect()
}

fn millis(workload: &Workload) -> Vec<u64> {
    let due = workload.due_times().unwrap();
    due.iter().map(|due| due.0 / 1_000_000).collect()
}

#[test]
fn a_burst_gives_the_lengths_of_answered_requests_to_one_model() {
    let workload = open(&text_plan(burst(TraceTimes::Ignored), 10));
    let mut found = lengths(&workload);
    found.sort_unstable();
    assert_eq!(found, [(31, 17), (108, 23), (240, 60)]);
    assert_eq!(workload.due_times(), None);
    let later: Vec<u32> = (3..60)
        .filter_map(|index| workload.item(index).max_tokens)
        .collect();
    assert!([17, 23, 60].iter().all(|output| later.contains(output)));
    assert_ne!(workload.item(3).prompt, workload.item(4).prompt);
}

#[test]
fn a_burst_keeps_its_times_when_asked() {
    let workload = open(&text_plan(burst(TraceTimes::Kept), 2));
    assert_eq!(lengths(&workload), [(108, 23), (31, 17)]);
    assert_eq!(millis(&workload), [0, 5250]);
    let later = open(&WorkloadPlan {
        offset: 1,
        ..text_plan(burst(TraceTimes::Kept), 2)
    });
    assert_eq!(millis(&later), [5250]);
    assert_eq!(later.item(0).prompt_tokens, Some(31));
}

#[test]
fn requests_of_traces_above_the_limit_are_left_out_and_told() {
    let limited = |source, longest| {
        let sampling = Sampling {
            longest: Some(longest),
            ..sampling(source, 10)
        };
        plan(sampling, PromptForm::Text)
    };
    let source = || SampleSource::Trace(trace(fixture("timed_trace.jsonl")));
    let workload = open(&limited(source(), 45));
    assert_eq!(lengths(&workload), [(37, 5), (16, 3)]);
    assert_eq!(millis(&workload), [0, 4000]);
    let told = |workload: &Workload, begin: &str| {
        workload.notes().iter().any(|note| note.starts_with(begin))
    };
    assert!(
        told(&workload, "2 of 4 requests of "),
        "{:?}",
        workload.notes()
    );
    let message = refused(&limited(source(), 10));
    assert!(
        message.ends_with("4 have input and output together above 10 tokens"),
        "{message}"
    );

    let workload = open(&limited(burst(TraceTimes::Kept), 200));
    assert_eq!(lengths(&workload), [(108, 23), (31, 17)]);
    assert!(
        told(&workload, "1 of 3 requests of "),
        "{:?}",
        workload.notes()
    );
    let message = refused(&limited(burst(TraceTimes::Kept), 10));
    assert!(
        message.ends_with("3 have input and output together above 10 tokens"),
        "{message}"
    );
}

#[test]
fn wrong_bursts_are_named() {
    let check = |text: &str, expected: &str| {
        let (folder, path) = file("a.csv", text);
        let source = SampleSource::Burst(BurstSamples {
            path,
            times: TraceTimes::Ignored,
        });
        let message = refused(&text_plan(source, 5));
        assert_eq!(without(&message, folder.path()), expected);
    };
    let header = "Timestamp,Model,Request tokens,Response tokens\n";
    check("a,b\n", "a.csv, line 1: there is no column `Timestamp`");
    check(
        &format!("{header}1,GPT-4,2,3\n2,GPT-4,x,3\n"),
        "a.csv, line 3: `x` is not a number of at least 0",
    );
    check(
        &format!("{header}1,GPT-4,2,0\n2,other,3,3\n"),
        "data set `burstgpt`: a.csv has no answered request to GPT-4",
    );
}

#[test]
fn a_trace_is_sent_in_the_order_of_its_times_from_the_first_on() {
    let workload = open_trace(10);
    assert_eq!(lengths(&workload), [(37, 5), (40, 9), (50, 7), (16, 3)]);
    assert_eq!(millis(&workload), [0, 2500, 4000, 4000]);
    assert!(
        workload.notes()[0].ends_with("are not in the order of their times: they are sorted"),
        "{:?}",
        workload.notes()
    );
    let first = open_trace(2);
    assert_eq!(first.len(), Some(2));
    assert!(
        first
            .notes()
            .iter()
            .any(|note| note.starts_with("only the first 2 of 4 requests")),
        "{:?}",
        first.notes()
    );
}

#[test]
fn equal_hashes_are_equal_tokens_in_every_run() {
    let workload = open_trace(10);
    let all: Vec<Vec<u32>> = (0..4)
        .map(|index| ids(&workload, &workload.item(index)))
        .collect();
    assert_eq!(all[0][..32], all[1][..32]);
    assert_ne!(all[0][32..37], all[1][32..37]);
    assert_eq!(all[2][..16], all[3][..]);
    assert_ne!(all[2][..16], all[0][..16]);
    assert_eq!(ids(&open_trace(10), &open_trace(10).item(2)), all[2]);
    let special = workload.tokenizer().unwrap().special_ids();
    assert!(all.iter().flatten().all(|id| !special.contains(id)));
    let other = open(&WorkloadPlan {
        seed: 4,
        ..text_plan(SampleSource::Trace(trace(fixture("timed_trace.jsonl"))), 10)
    });
    assert_ne!(ids(&other, &other.item(0)), all[0]);
}

#[test]
fn what_has_no_hash_is_new_and_told() {
    let workload = open_trace(10);
    // The third request has two hashes for four blocks.
    let (one, other) = (workload.item(2), workload.item(2));
    assert_eq!(one, other);
    assert!(
        workload
            .notes()
            .iter()
            .any(|note| note.starts_with("1 requests of ")),
        "{:?}",
        workload.notes()
    );
    let repeated = (4..200).map(|index| ids(&workload, &workload.item(index)));
    let first = ids(&workload, &one);
    let again: Vec<Vec<u32>> = repeated.filter(|ids| ids.len() == 50).collect();
    assert!(!again.is_empty());
    assert!(
        again
            .iter()
            .all(|ids| ids[..32] == first[..32] && ids[32..] != first[32..])
    );
}

#[test]
fn wrong_traces_are_named() {
    let check = |text: &str, expected: &str| {
        let (folder, path) = file("a.jsonl", text);
        let message = refused(&text_plan(SampleSource::Trace(trace(path)), 5));
        assert_eq!(without(&message, folder.path()), expected);
    };
    check(
        "{\"timestamp\": 1, \"input_length\": 0, \"output_length\": 1, \"hash_ids\": []}",
        "a.jsonl, line 1: `input_length` must be a number of tokens above 0, not 0",
    );
    check(
        "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1}",
        "a.jsonl, line 1: it has no field `hash_ids`",
    );
    check(
        "{\"timestamp\": 1, \"input_length\": 5, \"output_length\": 1, \"hash_ids\": [[]]}",
        "a.jsonl, line 1: `hash_ids` must be a list of hashes, not [[]]",
    );
    check("", "dataset is empty: a.jsonl holds no prompt");
    let source = SampleSource::Trace(trace(fixture("timed_trace.jsonl")));
    assert_eq!(
        refused(&plan(sampling(source, 5), PromptForm::Chat)),
        "data set `timed_trace` is for completion endpoints, which take text"
    );
    let factor = TraceSamples {
        seconds: 0.0,
        ..trace(fixture("timed_trace.jsonl"))
    };
    assert_eq!(
        refused(&text_plan(SampleSource::Trace(factor), 5)),
        "data set `timed_trace`: the factor from the trace's time to seconds must be above 0, not 0"
    );
}
