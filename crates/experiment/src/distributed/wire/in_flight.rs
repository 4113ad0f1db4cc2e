//! Requests in flight, as bytes.

use crestline_core::record::InFlight;
use crestline_core::units::Nanos;

use super::FrameError;
use super::bytes::{Reader, Writer};

pub(super) fn write(to: &mut Writer, flights: &[InFlight]) {
    to.number(flights.len() as u64);
    let (mut index, mut due) = (0, 0);
    for flight in flights {
        to.step(index, flight.index);
        to.step(due, flight.due.0);
        to.step(flight.due.0, flight.sent.0);
        let known = u64::from(flight.first_token.is_some())
            | u64::from(flight.expected_tokens.is_some()) << 1;
        to.number(known);
        if let Some(first) = flight.first_token {
            to.step(flight.sent.0, first.0);
        }
        to.number(flight.output_tokens.into());
        if let Some(expected) = flight.expected_tokens {
            to.number(expected.into());
        }
        (index, due) = (flight.index, flight.due.0);
    }
}

pub(super) fn read(from: &mut Reader<'_>) -> Result<Vec<InFlight>, FrameError> {
    let count = from.count()?;
    let mut flights = Vec::with_capacity(count.min(from.left.len() / 5 + 1));
    let (mut index, mut due) = (0, 0);
    for _ in 0..count {
        index = from.step(index)?;
        due = from.step(due)?;
        let sent = from.step(due)?;
        let known = from.number()?;
        let first_token = match known & 1 {
            0 => None,
            _ => Some(Nanos(from.step(sent)?)),
        };
        let output_tokens = from.small()?;
        let expected_tokens = match known & 2 {
            0 => None,
            _ => Some(from.small()?),
        };
        flights.push(InFlight {
            index,
            due: Nanos(due),
            sent: Nanos(sent),
            first_token,
            output_tokens,
            expected_tokens,
        });
    }
    Ok(flights)
}
