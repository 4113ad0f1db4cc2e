//! What the server really did, for judging clients: one CSV row for each generation request.
//!
//! Times are `CLOCK_MONOTONIC` in nanoseconds, taken just before the bytes are handed to the socket.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crestline_core::units::Nanos;

use crate::fault::FaultKind;

const HEADER: &str = "request_id,arrival_ns,first_token_ns,last_ns,chunks,output_tokens,prompt_tokens,mean_gap_ns,fault,outcome";

/// The truth about one request, as it comes to light.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) request_id: String,
    pub(super) arrival: Nanos,
    pub(super) prompt_tokens: Option<u32>,
    pub(super) output_tokens: u32,
    pub(super) fault: Option<FaultKind>,
    first: Option<Nanos>,
    last: Option<Nanos>,
    chunks: u32,
    /// Every send, where that is asked for.
    sends: Option<Vec<Nanos>>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The whole answer was sent.
    Finished,
    /// A status other than 200 was sent.
    Refused,
    /// A fault cut it short.
    Cut,
    /// The client went away, or the server was stopped.
    Abandoned,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Refused => "refused",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
        }
    }
}

impl Row {
    /// A chunk with tokens goes out.
    pub(super) fn sent(&mut self, at: Nanos) {
        self.first.get_or_insert(at);
        self.last = Some(at);
        self.chunks += 1;
        if let Some(sends) = &mut self.sends {
            sends.push(at);
        }
    }

    fn mean_gap(&self) -> Option<u64> {
        let span = self.last?.saturating_sub(self.first?);
        (self.chunks > 1).then(|| span.0 / u64::from(self.chunks - 1))
    }

    fn line(&self, outcome: Outcome) -> String {
        let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        format!(
            "{},{},{},{},{},{},{},{},{},{}\n",
            csv_field(&self.request_id),
            self.arrival.0,
            number(self.first.map(|at| at.0)),
            number(self.last.map(|at| at.0)),
            self.chunks,
            self.output_tokens,
            number(self.prompt_tokens.map(u64::from)),
            number(self.mean_gap()),
            self.fault.map_or("", FaultKind::name),
            outcome.name(),
        )
    }
}

/// The files that the truth is written to; both, one or none.
#[derive(Debug, Default)]
pub(super) struct Truth {
    rows: Option<BufWriter<File>>,
    sends: Option<BufWriter<File>>,
}

impl Truth {
    pub(super) fn create(rows: Option<&Path>, sends: Option<&Path>) -> io::Result<Self> {
        let create = |path: &Path, header: &str| -> io::Result<BufWriter<File>> {
            let mut file = BufWriter::new(File::create(path)?);
            writeln!(file, "{header}")?;
            Ok(file)
        };
        let mut truth = Self {
            rows: rows.map(|path| create(path, HEADER)).transpose()?,
            sends: sends
                .map(|path| create(path, "request_id,sent_ns"))
                .transpose()?,
        };
        truth.flush()?;
        Ok(truth)
    }

    pub(super) fn row(&self, request_id: String, arrival: Nanos) -> Row {
        Row {
            request_id,
            arrival,
            prompt_tokens: None,
            output_tokens: 0,
            fault: None,
            first: None,
            last: None,
            chunks: 0,
            sends: self.sends.is_some().then(Vec::new),
        }
    }

    pub(super) fn write(&mut self, row: &Row, outcome: Outcome) -> io::Result<()> {
        if let Some(file) = &mut self.rows {
            file.write_all(row.line(outcome).as_bytes())?;
        }
        if let (Some(file), Some(sends)) = (&mut self.sends, &row.sends) {
            let id = csv_field(&row.request_id);
            for at in sends {
                writeln!(file, "{id},{}", at.0)?;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        for file in [&mut self.rows, &mut self.sends].into_iter().flatten() {
            file.flush()?;
        }
        Ok(())
    }
}

/// Quoted where it must be.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_is_known_and_leaves_the_rest_empty() {
        let mut row = Truth::default().row("a,\"b\"".into(), Nanos(5));
        assert_eq!(
            row.line(Outcome::Refused),
            "\"a,\"\"b\"\"\",5,,,0,0,,,,refused\n"
        );
        for at in [100, 150, 220] {
            row.sent(Nanos(at));
        }
        row.prompt_tokens = Some(9);
        row.output_tokens = 3;
        row.fault = Some(FaultKind::Stall);
        let line = row.line(Outcome::Abandoned);
        assert!(
            line.ends_with(",5,100,220,3,3,9,60,stall,abandoned\n"),
            "{line}"
        );
    }

    #[test]
    fn every_send_is_listed_where_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sends.csv");
        let mut truth = Truth::create(None, Some(&path)).unwrap();
        let mut row = truth.row("r".into(), Nanos(1));
        row.sent(Nanos(7));
        row.sent(Nanos(8));
        truth.write(&row, Outcome::Finished).unwrap();
        truth.flush().unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "request_id,sent_ns\nr,7\nr,8\n"
        );
    }
}
