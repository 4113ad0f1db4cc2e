//! Journals that are cut, damaged, of another search, or in use.

use crestline_core::search::{Bounds, Budget, Question, Variable};
use crestline_core::sla::{Slo, parse_groups};
use serde_json::json;

use super::*;

fn fingerprint() -> Fingerprint {
    Fingerprint {
        model: "m".to_owned(),
        url: "http://h/v1/chat/completions".to_owned(),
        endpoint: json!("open_ai_chat"),
        workload: json!({ "seed": 0 }),
        generation: json!({}),
        search: json!({ "method": "crest" }),
    }
}

fn dwell(number: u32) -> Entry {
    Entry::Dwell(Dwelt {
        number,
        stage: "ramp".to_owned(),
        span: Span {
            load: 8.0,
            applied: Nanos::from_secs(1),
            counts_from: Nanos::from_secs(2),
            ended: Some(Nanos::from_secs(9)),
            cut: false,
        },
        void: None,
    })
}

fn change(load: f64) -> Entry {
    Entry::Change(Applied {
        at: Nanos::from_secs(1),
        load,
        stage: "ramp".to_owned(),
    })
}

fn end() -> Entry {
    Entry::End {
        at: Nanos(7),
        drained: true,
    }
}

#[test]
fn a_line_of_the_first_version_is_read() {
    let line = r#"{"entry":"end","at":7}"#;
    let expected = Entry::End {
        at: Nanos(7),
        drained: false,
    };
    assert_eq!(serde_json::from_str::<Entry>(line).unwrap(), expected);
}

#[test]
fn entries_come_back_in_order_and_more_can_be_added() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(place.path(), fingerprint()).unwrap();
    journal.add(&change(8.0)).unwrap();
    drop(journal);
    let (mut journal, entries) = Journal::resume(place.path(), &fingerprint()).unwrap();
    assert_eq!(entries, [change(8.0)]);
    journal.add(&dwell(1)).unwrap();
    drop(journal);
    let (_, entries) = Journal::resume(place.path(), &fingerprint()).unwrap();
    assert_eq!(entries, [change(8.0), dwell(1)]);
}

#[test]
fn a_kill_at_any_byte_loses_at_most_the_line_it_cuts() {
    let place = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(place.path(), fingerprint()).unwrap();
    let first = std::fs::metadata(place.path().join(JOURNAL)).unwrap().len() as usize;
    for entry in [change(2.5), dwell(1), end()] {
        journal.add(&entry).unwrap();
    }
    let whole = std::fs::read(place.path().join(JOURNAL)).unwrap();
    for cut in first..whole.len() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join(JOURNAL), &whole[..cut]).unwrap();
        let (mut journal, entries) = Journal::resume(place.path(), &fingerprint()).unwrap();
        let lines = whole[first..cut].split(|byte| *byte == b'\n').count() - 1;
        assert_eq!(entries.len(), lines, "cut at {cut}");
        journal.add(&change(64.0)).unwrap();
        drop(journal);
        let (_, entries) = Journal::resume(place.path(), &fingerprint()).unwrap();
        assert_eq!(entries.last(), Some(&change(64.0)), "cut at {cut}");
    }
}

#[test]
fn a_search_of_something_else_is_refused_with_what_differs() {
    let place = tempfile::tempdir().unwrap();
    drop(Journal::create(place.path(), fingerprint()).unwrap());
    let check = |other: Fingerprint, named: &[&str]| {
        let error = Journal::resume(place.path(), &other).unwrap_err();
        let JournalError::Differs { differing, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(differing, named);
    };
    let same = fingerprint;
    check(
        Fingerprint {
            model: "n".to_owned(),
            ..same()
        },
        &["the model"],
    );
    check(
        Fingerprint {
            url: "sim:x".to_owned(),
            ..same()
        },
        &["the URL"],
    );
    check(
        Fingerprint {
            workload: json!(1),
            ..same()
        },
        &["the workload"],
    );
    check(
        Fingerprint {
            generation: json!(1),
            search: json!(1),
            ..same()
        },
        &["the generation's settings", "the SLA or the bounds"],
    );
}

#[test]
fn what_may_be_spent_can_be_raised_and_nothing_else_of_the_question() {
    let question = Question {
        variable: Variable::Users,
        bounds: Bounds {
            lowest: 1.0,
            highest: 64.0,
        },
        first: 2.0,
        groups: parse_groups("{\"p99_ttft\": \"<=1s\"}", None).unwrap(),
        slo: Slo::default(),
        confidence: 0.9,
        tolerance: 0.05,
        budget: Budget::default(),
    };
    let richer = Question {
        budget: Budget {
            requests: Some(9),
            ..Budget::default()
        },
        ..question.clone()
    };
    let wider = Question {
        tolerance: 0.1,
        ..question.clone()
    };
    assert_eq!(asked(&question), asked(&richer));
    assert_ne!(asked(&question), asked(&wider));
}

#[test]
fn a_search_that_goes_on_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let journal = Journal::create(place.path(), fingerprint()).unwrap();
    let other = Journal::resume(place.path(), &fingerprint());
    assert!(matches!(other, Err(JournalError::Busy { .. })));
    drop(journal);
    assert!(Journal::resume(place.path(), &fingerprint()).is_ok());
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join(JOURNAL);
    let resumed = || Journal::resume(place.path(), &fingerprint()).map(|(_, entries)| entries);
    assert!(matches!(resumed(), Err(JournalError::Missing { .. })));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(
        resumed(),
        Err(JournalError::Damaged { line: 1, .. })
    ));
    std::fs::write(&path, "{\"entry\":\"begin\",\"version\":99}\n").unwrap();
    assert!(matches!(
        resumed(),
        Err(JournalError::Newer { version: 99, .. })
    ));
    std::fs::remove_file(&path).unwrap();
    drop(Journal::create(place.path(), fingerprint()).unwrap());
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{}\n{\"entry\":\"end\",\"at\":1}\n");
    std::fs::write(&path, text).unwrap();
    assert!(matches!(
        resumed(),
        Err(JournalError::Damaged { line: 2, .. })
    ));
    let again = Journal::create(place.path(), fingerprint());
    assert!(matches!(again, Err(JournalError::Exists { .. })));
}
