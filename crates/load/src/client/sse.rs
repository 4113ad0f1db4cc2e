//! Splits a byte stream into server-sent events (WHATWG HTML, section 9.2).
//!
//! Knows nothing of sockets or JSON: bytes go in by [`EventDecoder::feed`], whole events come out,
//! and it never matters where the network cut the bytes.

use memchr::memchr2;

/// One event: its data lines joined by line feeds. Events without data are not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; empty where there is none.
    pub name: &'a [u8],
    /// The data.
    pub data: &'a [u8],
}

/// Where the data of the event under construction lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Data {
    #[default]
    None,
    /// A range of the bytes being fed: the usual case, nothing is copied.
    Fed(usize, usize),
    /// In `EventDecoder::data`.
    Kept,
}

/// The state between two reads.
#[derive(Debug, Default)]
pub struct EventDecoder {
    /// An incomplete line.
    line: Vec<u8>,
    /// Data lines of an incomplete event, when they are not in the bytes being fed.
    data: Vec<u8>,
    name: Vec<u8>,
    state: Data,
    /// The last byte was a carriage return: a line feed next belongs to it.
    after_cr: bool,
    /// At least one line was seen, so that a byte-order mark is no longer expected.
    begun: bool,
}

impl EventDecoder {
    /// Takes the next bytes and hands over every event that they complete, in order.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Event<'_>)) {
        let mut at = 0;
        while at < bytes.len() {
            if std::mem::take(&mut self.after_cr) && bytes[at] == b'\n' {
                at += 1;
                continue;
            }
            let Some(length) = memchr2(b'\n', b'\r', &bytes[at..]) else {
                self.line.extend_from_slice(&bytes[at..]);
                break;
            };
            let end = at + length;
            self.after_cr = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.take_line(bytes, at, end, &mut each);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[at..end]);
                self.take_kept_line(&line, bytes, &mut each);
                line.clear();
                self.line = line;
            }
            at = end + 1;
        }
        self.keep(bytes);
    }

    /// The stream has ended: hands over an event whose blank line is missing, as some servers send their last one.
    pub fn finish(&mut self, mut each: impl FnMut(Event<'_>)) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_kept_line(&line, &[], &mut each);
        }
        self.dispatch(&[], &mut each);
    }

    /// Bytes held back until more arrive.
    pub fn pending(&self) -> usize {
        self.line.len() + self.data.len()
    }

    /// A whole line that lies in the bytes being fed.
    fn take_line(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        each: &mut impl FnMut(Event<'_>),
    ) {
        let start = start + self.skip_mark(&bytes[start..end]);
        match field(&bytes[start..end]) {
            Field::Blank => self.dispatch(bytes, each),
            Field::Data(skip) => match self.state {
                Data::None => self.state = Data::Fed(start + skip, end),
                _ => self.append(bytes, start + skip, end),
            },
            Field::Name(skip) => self.set_name(&bytes[start + skip..end]),
            Field::Other => {}
        }
    }

    /// A whole line that was put together from several reads.
    fn take_kept_line(&mut self, line: &[u8], bytes: &[u8], each: &mut impl FnMut(Event<'_>)) {
        let line = &line[self.skip_mark(line)..];
        match field(line) {
            Field::Blank => self.dispatch(bytes, each),
            Field::Data(skip) => {
                self.keep(bytes);
                self.append(line, skip, line.len());
            }
            Field::Name(skip) => self.set_name(&line[skip..]),
            Field::Other => {}
        }
    }

    fn skip_mark(&mut self, line: &[u8]) -> usize {
        if std::mem::replace(&mut self.begun, true) || !line.starts_with("\u{feff}".as_bytes()) {
            0
        } else {
            3
        }
    }

    fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }

    /// One more data line, after those there are.
    fn append(&mut self, bytes: &[u8], start: usize, end: usize) {
        self.keep(bytes);
        if self.state == Data::Kept {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(&bytes[start..end]);
        self.state = Data::Kept;
    }

    /// Copies data out of the bytes being fed, before they go away.
    fn keep(&mut self, bytes: &[u8]) {
        if let Data::Fed(start, end) = self.state {
            self.data.extend_from_slice(&bytes[start..end]);
            self.state = Data::Kept;
        }
    }

    fn dispatch(&mut self, bytes: &[u8], each: &mut impl FnMut(Event<'_>)) {
        match std::mem::take(&mut self.state) {
            Data::None => {}
            Data::Fed(start, end) => each(Event {
                name: &self.name,
                data: &bytes[start..end],
            }),
            Data::Kept => each(Event {
                name: &self.name,
                data: &self.data,
            }),
        }
        self.data.clear();
        self.name.clear();
    }
}

/// What a line means, with the length of its field name, colon and optional space.
enum Field {
    Blank,
    Data(usize),
    Name(usize),
    /// A comment, `id`, `retry` or unknown field.
    Other,
}

fn field(line: &[u8]) -> Field {
    if line.is_empty() {
        return Field::Blank;
    }
    let value_of = |name: &[u8]| {
        let rest = line.strip_prefix(name)?;
        match rest {
            [b':', b' ', ..] => Some(name.len() + 2),
            [b':', ..] => Some(name.len() + 1),
            [] => Some(name.len()),
            _ => None,
        }
    };
    if let Some(skip) = value_of(b"data") {
        Field::Data(skip)
    } else if let Some(skip) = value_of(b"event") {
        Field::Name(skip)
    } else {
        Field::Other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut decoder = EventDecoder::default();
        let mut events = Vec::new();
        let mut each = |event: Event<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            events.push((text(event.name), text(event.data)));
        };
        for piece in pieces {
            decoder.feed(piece, &mut each);
        }
        decoder.finish(&mut each);
        events
    }

    fn data(wire: &str) -> Vec<String> {
        decode(&[wire.as_bytes()])
            .into_iter()
            .map(|(_, data)| data)
            .collect()
    }

    #[test]
    fn line_ends_may_be_lf_crlf_or_cr() {
        for end in ["\n", "\r\n", "\r"] {
            let wire = format!("data: hel{end}{end}data: lo{end}{end}");
            assert_eq!(data(&wire), ["hel", "lo"], "{end:?}");
        }
    }

    #[test]
    fn one_space_after_the_colon_is_optional_and_a_second_one_is_data() {
        assert_eq!(data("data:a\n\ndata: b\n\ndata:  c\n\n"), ["a", "b", " c"]);
    }

    #[test]
    fn data_lines_are_joined_and_comments_ids_and_unknown_fields_are_passed_over() {
        assert_eq!(
            data(": ping\n\ndata: a\nid: 7\n: in the middle\ndata: b\ndatax: no\n\n"),
            ["a\nb"]
        );
    }

    #[test]
    fn an_event_name_belongs_to_one_event() {
        let events = decode(&[b"event: error\ndata: 1\n\ndata: 2\n\n"]);
        assert_eq!(
            events,
            [("error".into(), "1".into()), (String::new(), "2".into())]
        );
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_very_start() {
        assert_eq!(data("\u{feff}data: a\n\n"), ["a"]);
        assert_eq!(data("data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    }

    #[test]
    fn a_last_event_without_its_blank_line_is_not_lost() {
        assert_eq!(data("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
        assert_eq!(data("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
    }

    #[test]
    fn an_event_without_data_is_not_reported() {
        assert_eq!(data("event: ping\n\n\n\ndata\n\n"), [""]);
    }

    /// Streams made of the pieces that decide what a parser does.
    fn wire() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "data: ",
            "data:",
            "data",
            "event: e",
            ": c",
            "\n",
            "\r\n",
            "\r",
            "\n\n",
            "x",
            " ",
            "\u{feff}",
            "{\"a\":1}",
            "é",
            ":",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_cut_of_the_bytes_gives_the_same_events(wire in wire(), cuts in prop::collection::vec(0.0..1.0f64, 0..8)) {
            let bytes = wire.as_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * bytes.len() as f64) as usize).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(decode(&pieces), decode(&[bytes]));
        }

        #[test]
        fn events_are_those_of_a_line_by_line_reading(wire in wire()) {
            prop_assert_eq!(decode(&[wire.as_bytes()]), by_lines(&wire));
        }
    }

    /// The rule of the standard, written the slow way.
    fn by_lines(wire: &str) -> Vec<(String, String)> {
        let text = wire
            .strip_prefix('\u{feff}')
            .unwrap_or(wire)
            .replace("\r\n", "\n")
            .replace('\r', "\n");
        let (mut name, mut data) = (String::new(), None::<String>);
        let mut events = Vec::new();
        for line in text.split('\n').chain(std::iter::once("")) {
            let (field, value) = match line.split_once(':') {
                Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
                None => (line, ""),
            };
            match field {
                "" if line.is_empty() => {
                    if let Some(data) = data.take() {
                        events.push((name.clone(), data));
                    }
                    name.clear();
                }
                "data" => match &mut data {
                    Some(data) => *data = format!("{data}\n{value}"),
                    None => data = Some(value.to_owned()),
                },
                "event" => value.clone_into(&mut name),
                _ => {}
            }
        }
        events
    }
}
