//! Records come back to the last bit, and bytes that are no records are refused.

use proptest::prelude::*;

use super::*;

/// A record in which everything depends on `seed`: anything may be there or not, and no time keeps to an order.
fn record(seed: u64) -> RequestRecord {
    let mut state = seed | 1;
    let mut next = move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(11);
        (state >> (state >> 59)) ^ (state >> 31)
    };
    let mut record = RequestRecord::new(next(), Phase::Measured);
    if next() % 4 == 0 {
        record.phase = Phase::Warmup;
    }
    for at in [
        &mut record.due,
        &mut record.slot_wait,
        &mut record.sent,
        &mut record.end,
    ] {
        *at = Nanos(next());
    }
    for mark in [
        &mut record.connect,
        &mut record.first_byte,
        &mut record.first_token,
        &mut record.first_reasoning,
        &mut record.first_answer,
        &mut record.last_token,
    ] {
        *mark = (next() % 3 > 0).then(|| Nanos(next()));
    }
    record.gaps = (0..next() % 9).map(|_| Nanos(next())).collect();
    record.chunks = next() as u32;
    record.chunk_tokens = (0..next() % 5).map(|_| next() as u32).collect();
    record.bare_events = (0..next() % 3).map(|_| Nanos(next())).collect();
    record.streamed = next() % 2 == 0;
    let count = |value: u64| TokenCount {
        count: value as u32,
        source: SOURCES[(value % 3) as usize],
    };
    record.prompt_tokens = Some(next()).filter(|value| value % 2 == 0).map(count);
    record.output_tokens = Some(next()).filter(|value| value % 2 == 0).map(count);
    record.asked_output = Some(next() as u32).filter(|value| value % 2 == 0);
    record.cached_tokens = Some(next() as u32).filter(|value| value % 2 == 0);
    record.status = Some(next() as u16).filter(|value| value % 2 == 0);
    record.failure = (next() % 3 == 0).then(|| Failure {
        kind: FailureKind::CutMidStream,
        text: "the connection was cut — hier".to_owned(),
    });
    record.reconnects = next() as u32;
    record.request_id = format!("lauf-ü{}-{}", next() % 3, next());
    record.turn = (next() % 2 == 0).then(|| TurnPlace {
        conversation: next(),
        turn: next() as u32,
        turns: next() as u32,
    });
    record.exchange = (next() % 2 == 0).then(|| {
        Box::new(Exchange {
            request: "{\"model\": \"m\"}".to_owned(),
            answer: "naïve 答え".to_owned(),
            ..Exchange::default()
        })
    });
    record
}

fn frame(records: &[RequestRecord]) -> Vec<u8> {
    let mut writer = RecordWriter::default();
    for record in records {
        writer.add(record);
    }
    let (frame, count) = writer.take();
    assert_eq!(count, records.len() as u64);
    assert!(writer.is_empty());
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_records_come_back_to_the_last_bit(seeds in proptest::collection::vec(any::<u64>(), 0..20)) {
        let records: Vec<_> = seeds.into_iter().map(record).collect();
        prop_assert_eq!(read_records(&frame(&records)).unwrap(), records);
    }

    #[test]
    fn a_frame_that_is_cut_or_has_more_is_refused(seed: u64, at: prop::sample::Index) {
        let whole = frame(&[record(seed), record(!seed)]);
        prop_assert!(read_records(&whole[..at.index(whole.len())]).is_err());
        let more = [whole, vec![0]].concat();
        prop_assert!(read_records(&more).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        drop(read_records(&bytes));
    }

    #[test]
    fn a_frame_with_one_wrong_byte_is_read_or_refused(seed: u64, at: prop::sample::Index, byte: u8) {
        let mut whole = frame(&[record(seed), record(!seed)]);
        let at = at.index(whole.len());
        whole[at] = byte;
        drop(read_records(&whole));
    }
}

#[test]
fn a_count_that_lies_makes_no_room_for_itself() {
    let mut lie = Writer::default();
    lie.number(u64::MAX);
    lie.0.extend([0; 40]);
    assert!(read_records(&lie.0).is_err());
}

#[test]
fn an_ordinary_stream_takes_three_or_four_bytes_a_token() {
    let records: Vec<_> = (0..50_u64)
        .map(|index| {
            let mut record = RequestRecord::new(index, Phase::Measured);
            record.due = Nanos(10_000_000_000 + index * 7_654_321);
            record.sent = record.due + Nanos(41_000);
            record.first_byte = Some(record.sent + Nanos(152_345_678));
            record.first_token = record.first_byte;
            record.first_answer = record.first_token;
            record.gaps = (0..127)
                .map(|k| Nanos(20_000_000 + (k * 7919 * (index + 3)) % 200_000))
                .collect();
            record.chunks = 128;
            record.last_token = Some(Nanos(guessed_last(record.first_token, &record.gaps)));
            record.end = record.last_token.unwrap() + Nanos(90_000);
            record.streamed = true;
            record.status = Some(200);
            record.request_id = format!("crestline-0123abcd-{index}");
            record
        })
        .collect();
    let bytes = frame(&records).len() as f64 / (50.0 * 128.0);
    assert!(bytes < 4.0, "{bytes} bytes a token");
}
