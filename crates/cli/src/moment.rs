//! The wall clock as users read it.
//!
//! Formats what the clock of `load` says; reads no other.

use crestline_core::units::Nanos;
use crestline_load::clock;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Now in local time, as folders are named: `20261122_101500`.
pub(crate) fn folder_stamp() -> String {
    now()
        .to_zoned(TimeZone::system())
        .strftime("%Y%m%d_%H%M%S")
        .to_string()
}

/// Now in local time, as vLLM's files are named: `20261122-101500`.
pub(crate) fn result_stamp() -> String {
    now()
        .to_zoned(TimeZone::system())
        .strftime("%Y%m%d-%H%M%S")
        .to_string()
}

/// Now in UTC, as files hold it: `2026-11-22T10:15:00Z`.
pub(crate) fn file_stamp() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment since 1970 in local time, to the microsecond: `2026-11-22T10:15:00.123456`.
pub(crate) fn iso(since_1970: Nanos) -> String {
    of(since_1970)
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%dT%H:%M:%S%.6f")
        .to_string()
}

/// Now in local time, as a log has it: `2026-11-22 10:15:00.123`.
pub(crate) fn log_stamp() -> String {
    now()
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S%.3f")
        .to_string()
}

fn now() -> Timestamp {
    of(clock::wall())
}

fn of(since_1970: Nanos) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(since_1970.0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_their_shapes() {
        let shape = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "9");
        assert_eq!(shape(&folder_stamp()), "99999999_999999");
        assert_eq!(shape(&result_stamp()), "99999999-999999");
        assert_eq!(shape(&file_stamp()), "9999-99-99T99:99:99Z");
        assert_eq!(
            shape(&iso(Nanos::from_secs(1))),
            "9999-99-99T99:99:99.999999"
        );
        assert_eq!(shape(&log_stamp()), "9999-99-99 99:99:99.999");
    }
}
