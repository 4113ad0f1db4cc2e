//! Figures of conversations of several turns: each turn number by itself, and how many conversations came to their end.
//!
//! A turn is a request: the figures of all of them are in [`super::Figures`].

use std::collections::BTreeMap;

use super::{Row, Spread};
use crate::record::TurnPlace;

/// What came of the conversations of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationFigures {
    /// Conversations of which all turns were answered.
    pub completed: u64,
    /// Conversations that were begun and did not come to their end.
    pub broken_off: u64,
    /// Conversations that were planned and not begun.
    pub not_begun: u64,
    /// Turns of those that were broken off which were never sent.
    pub unsent_turns: u64,
    /// From when the first turn was due to the end of the last one, think times included, of those that were completed. In
    /// milliseconds, with the 99th percentile.
    pub duration: Spread,
    /// By number of the turn, from 1; a number that no turn had is left out.
    pub turns: Vec<TurnFigures>,
}

/// All turns of the same number.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnFigures {
    /// The number, from 1.
    pub turn: u32,
    /// Answered.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Time to first token of the answered ones, with the 99th percentile.
    pub ttft: Spread,
    /// Mean input length of the answered ones: the whole request, history included; 0 without any.
    pub mean_input_tokens: f64,
    /// Mean part of it that the service took from its prefix cache, of the answered ones of which it said so; `None` where it
    /// never did.
    pub mean_cached_tokens: Option<f64>,
}

/// One turn of a run.
#[derive(Debug, Clone, Copy)]
pub struct TurnRow<'a> {
    /// Where it stands.
    pub place: TurnPlace,
    /// What came of it.
    pub row: &'a Row,
    /// Input that the service took from its prefix cache, where it says so.
    pub cached_tokens: Option<u32>,
}

/// One conversation as far as it came.
#[derive(Debug, Default)]
struct Course {
    sent: u64,
    answered: u64,
    planned: u64,
    from_s: f64,
    to_s: f64,
}

impl ConversationFigures {
    /// Of the turns of a run that was to have so many conversations; `None` where no request is a turn.
    pub fn of<'a>(turns: impl Iterator<Item = TurnRow<'a>>, planned: u64) -> Option<Self> {
        let mut courses: BTreeMap<u64, Course> = BTreeMap::new();
        let mut by_number: BTreeMap<u32, Vec<TurnRow<'a>>> = BTreeMap::new();
        for turn in turns {
            let TurnRow { place, row, .. } = turn;
            by_number.entry(place.turn).or_default().push(turn);
            let course = courses.entry(place.conversation).or_insert_with(|| Course {
                from_s: f64::INFINITY,
                ..Course::default()
            });
            course.take(place, row);
        }
        if courses.is_empty() {
            return None;
        }
        let (whole, broken): (Vec<&Course>, Vec<&Course>) = courses
            .values()
            .partition(|course| course.answered == course.planned);
        let durations: Vec<f64> = whole
            .iter()
            .map(|course| course.to_s - course.from_s)
            .collect();
        Some(Self {
            completed: whole.len() as u64,
            broken_off: broken.len() as u64,
            not_begun: planned.saturating_sub(courses.len() as u64),
            unsent_turns: broken.iter().map(|course| course.unsent()).sum(),
            duration: Spread::of_seconds(&durations, &[99.0]),
            turns: by_number
                .into_iter()
                .map(|(turn, rows)| TurnFigures::of(turn, &rows))
                .collect(),
        })
    }
}

/// Each conversation of a run as one long request, from its first turn to the end of its last: think times included, that is
/// how long it has its slot.
pub fn conversation_spans<'a>(turns: impl Iterator<Item = TurnRow<'a>>) -> Vec<Row> {
    let mut spans: BTreeMap<u64, Row> = BTreeMap::new();
    for TurnRow { place, row, .. } in turns {
        let span = spans
            .entry(place.conversation)
            .or_insert_with(|| row.clone());
        if row.due_s < span.due_s {
            (span.due_s, span.start_s, span.queue_s) = (row.due_s, row.start_s, row.queue_s);
        }
        span.end_s = span.end_s.max(row.end_s);
    }
    spans.into_values().collect()
}

impl Course {
    fn take(&mut self, place: TurnPlace, row: &Row) {
        self.planned = u64::from(place.turns);
        self.sent += 1;
        self.answered += u64::from(row.succeeded);
        self.from_s = self.from_s.min(row.due_s);
        self.to_s = self.to_s.max(row.end_s);
    }

    fn unsent(&self) -> u64 {
        self.planned.saturating_sub(self.sent)
    }
}

impl TurnFigures {
    fn of(number: u32, turns: &[TurnRow<'_>]) -> Self {
        let answered: Vec<&TurnRow<'_>> = turns.iter().filter(|turn| turn.row.succeeded).collect();
        let ttfts: Vec<f64> = answered.iter().map(|turn| turn.row.ttft_s).collect();
        let input = answered.iter().map(|turn| turn.row.prompt_tokens as f64);
        let cached = answered.iter().filter_map(|turn| turn.cached_tokens);
        Self {
            turn: number,
            completed: answered.len() as u64,
            failed: (turns.len() - answered.len()) as u64,
            ttft: Spread::of_seconds(&ttfts, &[99.0]),
            mean_input_tokens: mean(input).unwrap_or_default(),
            mean_cached_tokens: mean(cached.map(f64::from)),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, number) = values.fold((0.0, 0_u64), |(sum, number), value| {
        (sum + value, number + 1)
    });
    (number > 0).then(|| sum / number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(conversation: u64, turn: u32, turns: u32) -> TurnPlace {
        TurnPlace {
            conversation,
            turn,
            turns,
        }
    }

    fn all(rows: &[(TurnPlace, Row)]) -> impl Iterator<Item = TurnRow<'_>> {
        rows.iter().map(|(place, row)| TurnRow {
            place: *place,
            row,
            cached_tokens: (place.turn > 1).then_some(16),
        })
    }

    fn row(due_s: f64, ttft_s: f64, prompt_tokens: u64) -> Row {
        Row {
            due_s,
            start_s: due_s,
            ttft_s,
            end_s: due_s + 1.0,
            prompt_tokens,
            succeeded: true,
            ..Row::default()
        }
    }

    #[test]
    fn a_conversation_is_complete_when_all_its_turns_are_answered_and_no_turn_is_lost_to_sight() {
        let failed = Row {
            succeeded: false,
            ..row(5.0, 0.0, 0)
        };
        let rows = [
            (turn(0, 1, 2), row(1.0, 0.1, 10)),
            (turn(0, 2, 2), row(4.0, 0.3, 30)),
            (turn(1, 1, 5), row(2.0, 0.2, 20)),
            (turn(1, 2, 5), failed),
            // Interrupted between two turns.
            (turn(2, 1, 3), row(3.0, 0.6, 30)),
        ];
        let figures = ConversationFigures::of(all(&rows), 10).unwrap();
        assert_eq!(
            (figures.completed, figures.broken_off, figures.not_begun),
            (1, 2, 7)
        );
        assert_eq!(figures.unsent_turns, 3 + 2);
        assert!((figures.duration.mean_ms - 4000.0).abs() < 1e-9);
        assert_eq!(figures.duration.count, 1);
        let [first, second] = &figures.turns[..] else {
            panic!("{figures:?}")
        };
        assert_eq!((first.turn, first.completed, first.failed), (1, 3, 0));
        assert!((first.ttft.mean_ms - 300.0).abs() < 1e-9);
        assert!((first.ttft.median_ms - 200.0).abs() < 1e-9);
        assert!((first.mean_input_tokens - 20.0).abs() < 1e-9);
        assert_eq!((second.turn, second.completed, second.failed), (2, 1, 1));
        assert!((second.mean_input_tokens - 30.0).abs() < 1e-9);
        assert_eq!(
            (first.mean_cached_tokens, second.mean_cached_tokens),
            (None, Some(16.0))
        );
    }

    #[test]
    fn the_span_of_a_conversation_is_from_its_first_turn_to_the_end_of_its_last() {
        let queued = Row {
            queue_s: 0.25,
            start_s: 1.25,
            ..row(1.0, 0.1, 10)
        };
        let rows = [
            (turn(7, 2, 2), row(9.0, 0.3, 30)),
            (turn(7, 1, 2), queued),
            (turn(4, 1, 1), row(2.0, 0.2, 20)),
        ];
        let spans = conversation_spans(all(&rows));
        let found: Vec<[f64; 3]> = spans
            .iter()
            .map(|span| [span.admitted_s(), span.start_s, span.end_s])
            .collect();
        assert_eq!(found, [[2.0, 2.0, 3.0], [1.25, 1.25, 10.0]]);
    }

    #[test]
    fn requests_that_stand_alone_make_no_conversation() {
        assert_eq!(ConversationFigures::of(std::iter::empty(), 4), None);
    }
}
