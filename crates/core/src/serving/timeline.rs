//! The course of each request for a picture: when it waited for its first token, and how long it waited for each next.
//!
//! Draws nothing and chooses no colours.

use super::Row;

/// One request, in seconds from the earliest start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineRow {
    /// Place of the request in the run, from 0.
    pub request: usize,
    /// When it started.
    pub start_s: f64,
    /// When its last token came, or it failed.
    pub end_s: f64,
    /// Input length.
    pub prompt_tokens: u64,
    /// Output length.
    pub output_tokens: u64,
    /// Ended well.
    pub succeeded: bool,
    /// From its start on without a break; none where no token came.
    pub segments: Vec<Segment>,
}

/// A wait for the next event of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// For what.
    pub kind: SegmentKind,
    /// When it began.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// The first token.
    FirstToken,
    /// The next event.
    Next(GapClass),
}

/// How long a wait is beside two thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapClass {
    /// Below the first one.
    Short,
    /// From the first one on, below the second.
    Middle,
    /// From the second one on.
    Long,
}

impl GapClass {
    /// Against two ascending thresholds in milliseconds.
    pub fn of(gap_s: f64, thresholds_ms: [f64; 2]) -> Self {
        let [first, second] = thresholds_ms;
        match gap_s * 1e3 {
            gap if gap < first => Self::Short,
            gap if gap < second => Self::Middle,
            _ => Self::Long,
        }
    }
}

/// All requests in their order; waits between events are classed by two ascending thresholds in milliseconds.
pub fn timeline(rows: &[Row], thresholds_ms: [f64; 2]) -> Vec<TimelineRow> {
    let starts = rows.iter().map(|row| row.start_s);
    let origin = starts.min_by(f64::total_cmp).unwrap_or(0.0);
    rows.iter()
        .enumerate()
        .map(|(request, row)| TimelineRow {
            request,
            start_s: row.start_s - origin,
            end_s: row.served_s() - origin,
            prompt_tokens: row.prompt_tokens,
            output_tokens: row.output_tokens,
            succeeded: row.succeeded,
            segments: segments(row, origin, thresholds_ms),
        })
        .collect()
}

fn segments(row: &Row, origin: f64, thresholds_ms: [f64; 2]) -> Vec<Segment> {
    if row.ttft_s <= 0.0 && row.itls_s.is_empty() {
        return Vec::new();
    }
    let mut from_s = row.start_s - origin;
    let first = std::iter::once((SegmentKind::FirstToken, row.ttft_s));
    let next = row
        .itls_s
        .iter()
        .map(|&gap| (SegmentKind::Next(GapClass::of(gap, thresholds_ms)), gap));
    first
        .chain(next)
        .map(|(kind, span)| {
            let segment = Segment {
                kind,
                from_s,
                to_s: from_s + span,
            };
            from_s = segment.to_s;
            segment
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(start_s: f64, ttft_s: f64, itls_s: &[f64]) -> Row {
        Row {
            start_s,
            ttft_s,
            itls_s: itls_s.to_vec(),
            latency_s: ttft_s + itls_s.iter().sum::<f64>(),
            prompt_tokens: 8,
            output_tokens: itls_s.len() as u64 + 1,
            succeeded: true,
            ..Row::default()
        }
    }

    #[test]
    fn times_count_from_the_earliest_start_and_segments_join() {
        let rows = [row(12.0, 0.5, &[0.25]), row(11.5, 0.125, &[])];
        let found = timeline(&rows, [25.0, 50.0]);
        let expected = [
            Segment {
                kind: SegmentKind::FirstToken,
                from_s: 0.5,
                to_s: 1.0,
            },
            Segment {
                kind: SegmentKind::Next(GapClass::Long),
                from_s: 1.0,
                to_s: 1.25,
            },
        ];
        assert_eq!(found[0].segments, expected);
        assert_eq!((found[0].start_s, found[0].end_s), (0.5, 1.25));
        assert_eq!(
            (found[1].request, found[1].start_s, found[1].end_s),
            (1, 0.0, 0.125)
        );
        assert_eq!((found[0].prompt_tokens, found[0].output_tokens), (8, 2));
    }

    #[test]
    fn a_wait_on_a_threshold_belongs_to_the_class_above() {
        let class = |gap_s| GapClass::of(gap_s, [25.0, 50.0]);
        assert_eq!(class(0.024), GapClass::Short);
        assert_eq!(class(0.025), GapClass::Middle);
        assert_eq!(class(0.05), GapClass::Long);
    }

    #[test]
    fn a_request_without_a_token_has_a_row_without_segments() {
        let failed = Row {
            start_s: 1.0,
            latency_s: 2.0,
            ..Row::default()
        };
        let found = timeline(&[failed], [25.0, 50.0]);
        assert_eq!(found.len(), 1);
        assert!(found[0].segments.is_empty() && !found[0].succeeded);
        assert!((found[0].end_s - 2.0).abs() < 1e-12);
        assert!(timeline(&[], [25.0, 50.0]).is_empty());
    }
}
