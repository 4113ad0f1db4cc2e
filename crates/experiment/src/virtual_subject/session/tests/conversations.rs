//! Conversations: each is one long request of the load, whose turns follow on each other.

use std::collections::BTreeMap;

use super::super::super::VirtualTurn;
use super::*;

const THINK: Nanos = Nanos::from_millis(40);

/// Conversations of one to four turns, in turn; turn `t` of each has `100 * t` prompt tokens.
fn talking(profile_name: &str) -> VirtualSession {
    let conversations = VirtualConversations {
        most_turns: 4,
        turn: Box::new(|conversation, number| VirtualTurn {
            request: VirtualRequest {
                prompt_tokens: 100 * number,
                answers: vec![10],
                ..VirtualRequest::default()
            },
            turns: 1 + (conversation % 4) as u32,
            pause: THINK,
        }),
    };
    session(profile_name).with_conversations(conversations)
}

fn by_conversation(records: &[RequestRecord]) -> BTreeMap<u64, Vec<&RequestRecord>> {
    let mut all: BTreeMap<u64, Vec<&RequestRecord>> = BTreeMap::new();
    for record in records {
        let place = record.turn.unwrap();
        all.entry(place.conversation).or_default().push(record);
    }
    all
}

#[test]
fn turns_follow_on_each_other_after_a_think_time_and_keep_the_slot() {
    let records = talking("constant-10ms").measure(&point(users(3), 20));
    let all = by_conversation(&records);
    assert_eq!(all.len(), 20);
    let mut slots = Vec::new();
    for (conversation, turns) in &all {
        assert_eq!(turns.len() as u64, 1 + conversation % 4);
        for (number, record) in turns.iter().enumerate() {
            assert!(record.succeeded());
            assert_eq!(record.index, conversation * 4 + number as u64);
            assert_eq!(
                record.prompt_tokens.unwrap().count,
                100 * (number as u32 + 1)
            );
        }
        for pair in turns.windows(2) {
            assert_eq!(pair[1].due, pair[0].end + THINK);
            assert_eq!(
                (pair[1].sent, pair[1].slot_wait),
                (pair[1].due, Nanos::ZERO)
            );
        }
        slots.push((turns[0].sent, turns[turns.len() - 1].end));
    }
    for (begin, _) in &slots {
        let open = slots
            .iter()
            .filter(|(from, to)| from <= begin && begin < to);
        assert!(open.count() <= 3);
    }
}

#[test]
fn a_turn_that_is_refused_ends_its_conversation() {
    // The third turn and the fourth are longer than the engine can hold.
    let mut small = profile("constant-10ms");
    small.max_model_len = 250;
    let mut session = talking("constant-10ms");
    session.service = VirtualService::new(&small, 1);
    let records = session.measure(&point(users(2), 8));
    for (conversation, turns) in by_conversation(&records) {
        let planned = 1 + conversation % 4;
        assert_eq!(turns.len() as u64, planned.min(3));
        let failed = turns.iter().filter(|record| !record.succeeded()).count();
        assert_eq!(failed, usize::from(planned > 2));
    }
}

#[test]
fn nothing_follows_after_the_duration_or_a_break() {
    let end = Nanos::from_millis(500);
    let load = LoadPoint {
        duration: Some(end),
        ..point(users(2), 1000)
    };
    let records = talking("constant-10ms").measure(&load);
    assert!(!records.is_empty() && records.iter().all(|record| record.due < end));
    let mut seen = 0;
    let measured = talking("constant-10ms").measure_each(&point(users(1), 1000), |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert!(measured.interrupted && seen < 1000);
}
