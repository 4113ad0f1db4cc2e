//! Frames of a load from several machines: whatever bytes are read as, they are read again as the same after they were written.

#![no_main]

use crestline_experiment::distributed::wire::{Frame, Heard, RecordWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Whatever it is taken for, it is taken so without a panic.
    let _ = Frame::read_order(input);
    match Frame::read(input) {
        Ok(Heard::Records(records)) => {
            let mut writer = RecordWriter::default();
            for record in &records {
                writer.add(record);
            }
            let again = Frame::of_records(&writer.take().0);
            let Ok(Heard::Records(read)) = Frame::read(&again) else {
                panic!("records that were written cannot be read");
            };
            assert_eq!(read, records);
        }
        Ok(Heard::Sight { turn, in_flight }) => {
            let again = Frame::of_sight(turn, &in_flight);
            let Ok(Heard::Sight {
                turn: turn_again,
                in_flight: flights,
            }) = Frame::read(&again)
            else {
                panic!("requests in flight that were written cannot be read");
            };
            assert_eq!((turn_again, flights), (turn, in_flight));
        }
        Ok(Heard::Report(_)) | Err(_) => {}
    }
});
