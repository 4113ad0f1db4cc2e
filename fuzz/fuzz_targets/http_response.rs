//! HTTP/1.1 responses: head, body and end are the same however the bytes are cut, and a failure is the same failure.

#![no_main]

use std::mem::{Discriminant, discriminant};

use crestline_fuzz::cut;
use crestline_load::client::h1::{Head, ResponseDecoder, ResponseError};
use libfuzzer_sys::fuzz_target;

/// What came of a response.
#[derive(Debug, PartialEq)]
struct Outcome {
    head: Option<Head>,
    body: Vec<u8>,
    done: bool,
    reusable: bool,
    finished: bool,
    /// The kind: how many bytes are surplus depends on the cut.
    failure: Option<Discriminant<ResponseError>>,
}

fuzz_target!(|input: &[u8]| {
    let (bytes, pieces) = cut(input);
    assert_eq!(outcome([bytes]), outcome(pieces));
});

fn outcome<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = ResponseDecoder::default();
    let mut body = Vec::new();
    let failure = pieces.into_iter().find_map(|piece| {
        decoder
            .feed(piece, |_, bytes| body.extend_from_slice(bytes))
            .err()
    });
    Outcome {
        done: decoder.is_done(),
        reusable: decoder.is_reusable(),
        finished: failure.is_none() && decoder.finish(),
        head: decoder.head().cloned(),
        body,
        failure: failure.as_ref().map(discriminant),
    }
}
