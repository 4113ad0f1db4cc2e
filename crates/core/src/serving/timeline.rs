//! The course of each request for a picture: when it waited for its first token, and how long it waited for each next.
//!
//! Draws nothing and chooses no colours.

use super::{Counting, Row};

/// One request, in seconds from the earliest start of the run; what was before that is below 0.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineRow {
    /// Place of the request in the run, from 0.
    pub request: usize,
    /// When it should have been sent.
    pub due_s: f64,
    /// When it got its slot among the requests in flight, its start at the latest.
    pub admitted_s: f64,
    /// When it started.
    pub start_s: f64,
    /// When its last token came, or it failed.
    pub served_s: f64,
    /// When its response ended, or it failed.
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

/// A wait for the next tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// For what.
    pub kind: SegmentKind,
    /// When it began.
    pub from_s: f64,
    /// When it ended.
    pub to_s: f64,
    /// Tokens that came at its end; 1 for the first ones, and where events are counted.
    pub tokens: u64,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// The first token.
    FirstToken,
    /// The next tokens, or the next event where events are counted.
    Next(GapClass),
}

/// How long a wait for one token is beside two thresholds.
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

/// All requests in their order; waits for a token, or for an event, are classed by two ascending thresholds in milliseconds.
pub fn timeline(rows: &[Row], counting: Counting, thresholds_ms: [f64; 2]) -> Vec<TimelineRow> {
    let starts = rows.iter().map(|row| row.start_s);
    let origin = starts.min_by(f64::total_cmp).unwrap_or(0.0);
    rows.iter()
        .enumerate()
        .map(|(request, row)| TimelineRow {
            request,
            due_s: row.due_s.min(row.start_s) - origin,
            admitted_s: row.admitted_s().min(row.start_s) - origin,
            start_s: row.start_s - origin,
            served_s: row.served_s() - origin,
            end_s: row.end_s.max(row.served_s()) - origin,
            prompt_tokens: row.prompt_tokens,
            output_tokens: row.output_tokens,
            succeeded: row.succeeded,
            segments: segments(row, counting, origin, thresholds_ms),
        })
        .collect()
}

fn segments(row: &Row, counting: Counting, origin: f64, thresholds_ms: [f64; 2]) -> Vec<Segment> {
    let (first_s, waits) = row.waits(counting);
    if first_s <= 0.0 && waits.is_empty() {
        return Vec::new();
    }
    let mut from_s = row.start_s - origin;
    let first = std::iter::once((SegmentKind::FirstToken, first_s, 1));
    let next = waits.into_iter().map(|wait| {
        let class = GapClass::of(wait.span_s / wait.tokens as f64, thresholds_ms);
        (SegmentKind::Next(class), wait.span_s, wait.tokens)
    });
    first
        .chain(next)
        .map(|(kind, span, tokens)| {
            let segment = Segment {
                kind,
                from_s,
                to_s: from_s + span,
                tokens,
            };
            from_s = segment.to_s;
            segment
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::EventTokens;
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
        let found = timeline(&rows, Counting::Tokens, [25.0, 50.0]);
        let expected = [
            Segment {
                kind: SegmentKind::FirstToken,
                from_s: 0.5,
                to_s: 1.0,
                tokens: 1,
            },
            Segment {
                kind: SegmentKind::Next(GapClass::Long),
                from_s: 1.0,
                to_s: 1.25,
                tokens: 1,
            },
        ];
        assert_eq!(found[0].segments, expected);
        assert_eq!((found[0].start_s, found[0].served_s), (0.5, 1.25));
        assert_eq!(
            (found[1].request, found[1].start_s, found[1].served_s),
            (1, 0.0, 0.125)
        );
        assert_eq!((found[0].prompt_tokens, found[0].output_tokens), (8, 2));
    }

    #[test]
    fn tokens_of_one_event_share_its_wait_unless_events_are_counted() {
        let answer = Row {
            event_tokens: EventTokens::Known(vec![1, 3]),
            output_tokens: 4,
            ..row(0.0, 0.5, &[0.0625])
        };
        let last = |counting| {
            timeline(std::slice::from_ref(&answer), counting, [25.0, 50.0])[0].segments[1]
        };
        let by_token = last(Counting::Tokens);
        assert_eq!(by_token.kind, SegmentKind::Next(GapClass::Short));
        assert_eq!(
            (by_token.from_s, by_token.to_s, by_token.tokens),
            (0.5, 0.5625, 3)
        );
        let by_event = last(Counting::Events);
        assert_eq!(by_event.kind, SegmentKind::Next(GapClass::Long));
        assert_eq!((by_event.to_s, by_event.tokens), (0.5625, 1));
    }

    #[test]
    fn waits_before_the_start_and_the_rest_of_a_response_are_there_too() {
        let waited = Row {
            due_s: 1.0,
            queue_s: 0.5,
            end_s: 3.25,
            ..row(2.0, 0.5, &[0.25])
        };
        let found = &timeline(&[waited], Counting::Tokens, [25.0, 50.0])[0];
        assert_eq!(
            (found.due_s, found.admitted_s, found.start_s),
            (-1.0, -0.5, 0.0)
        );
        assert_eq!((found.served_s, found.end_s), (0.75, 1.25));
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
        let found = timeline(&[failed], Counting::Tokens, [25.0, 50.0]);
        assert_eq!(found.len(), 1);
        assert!(found[0].segments.is_empty() && !found[0].succeeded);
        assert!((found[0].served_s - 2.0).abs() < 1e-12);
        assert!(timeline(&[], Counting::Tokens, [25.0, 50.0]).is_empty());
    }
}
