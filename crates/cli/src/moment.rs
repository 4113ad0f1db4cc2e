//! The wall clock as users read it.
//!
//! Formats what the clock of `load` says; reads no other.

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

/// Now in UTC, as files hold it: `2026-11-22T10:15:00Z`.
pub(crate) fn file_stamp() -> String {
    now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Now in local time, as a log has it: `2026-11-22 10:15:00.123`.
pub(crate) fn log_stamp() -> String {
    now()
        .to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M:%S%.3f")
        .to_string()
}

fn now() -> Timestamp {
    Timestamp::from_nanosecond(i128::from(clock::wall().0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_have_their_shapes() {
        let shape = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "9");
        assert_eq!(shape(&folder_stamp()), "99999999_999999");
        assert_eq!(shape(&file_stamp()), "9999-99-99T99:99:99Z");
        assert_eq!(shape(&log_stamp()), "9999-99-99 99:99:99.999");
    }
}
