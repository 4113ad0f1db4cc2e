//! Server-sent events: the decoder agrees with a plain reading of the standard, however the bytes are cut.

#![no_main]

use crestline_fuzz::cut;
use crestline_load::client::sse::{Event, EventDecoder};
use libfuzzer_sys::fuzz_target;

/// Name and data of an event.
type Owned = (Vec<u8>, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    let (bytes, pieces) = cut(input);
    let expected = by_the_standard(bytes);
    assert_eq!(decoded([bytes]), expected, "fed whole");
    assert_eq!(decoded(pieces), expected, "fed in pieces");
});

fn decoded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut events = Vec::new();
    let mut keep = |event: Event<'_>| events.push((event.name.to_vec(), event.data.to_vec()));
    let mut decoder = EventDecoder::default();
    for piece in pieces {
        decoder.feed(piece, &mut keep);
    }
    decoder.finish(&mut keep);
    events
}

/// WHATWG HTML 9.2.6 on a whole stream, line by line. An event at the end counts without its blank line.
fn by_the_standard(bytes: &[u8]) -> Vec<Owned> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (mut events, mut name, mut data) = (Vec::new(), Vec::new(), None::<Vec<u8>>);
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let line = &rest[..end.unwrap_or(rest.len())];
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            b"event" => name = value.to_vec(),
            _ => {}
        }
        if line.is_empty() || end.is_none() {
            let name = std::mem::take(&mut name);
            events.extend(data.take().map(|data| (name, data)));
        }
        let Some(end) = end else { return events };
        let skip = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + skip..];
    }
}
