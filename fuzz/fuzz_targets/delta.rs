//! Events of a stream: whatever a learnt shape says of an event, the JSON reader says too.
//!
//! An input is a text, a zero byte, and the JSON of an event.

#![no_main]

use crestline_load::client::delta::{Shape, generated, pooled, read, response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for read_other in [response::read, generated::read, pooled::read] {
        // Whatever it says, it is said without a panic.
        let _ = read_other(input);
    }
    let zero = input.iter().position(|byte| *byte == 0);
    let (text, event) = input.split_at(zero.unwrap_or(0));
    let event = event.strip_prefix(b"\0").unwrap_or(event);
    let Ok(delta) = read(event) else { return };
    let Some(shape) = Shape::learn(event, &delta) else {
        return;
    };
    assert_eq!(shape.read(event).as_ref(), Some(&delta), "its own event");
    let learnt = if delta.answer.is_empty() {
        &delta.reasoning
    } else {
        &delta.answer
    };
    let start = learnt.as_ptr() as usize - event.as_ptr() as usize;
    let other = [&event[..start], text, &event[start + learnt.len()..]].concat();
    if let Some(by_shape) = shape.read(&other) {
        assert_eq!(
            by_shape,
            read(&other).expect("a shape reads JSON only"),
            "another text"
        );
    }
});
