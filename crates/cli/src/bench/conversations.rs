//! What is printed and written of conversations: figures by number of the turn, and what came of the conversations.

use std::fmt::Write as _;

use crestline_core::serving::{ConversationFigures, Spread, TurnFigures};
use crestline_experiment::plan::Plan;
use crestline_workload::plan::{Dataset, SampleSource};
use serde_json::{Value, json};

/// Turn numbers that are printed; all of them are in the JSON.
const TURNS_SHOWN: usize = 20;

/// The titles of the columns.
const HEAD: &str =
    "Turn Completed Failed Mean TTFT (ms) Median TTFT (ms) P99 TTFT (ms) Mean input tokens";

/// What the items of a plan are called.
pub(super) fn items(plan: &Plan) -> &'static str {
    match &plan.workload.dataset {
        Dataset::Sampled(sampling) if matches!(sampling.source, SampleSource::Conversations(_)) => {
            "Conversations"
        }
        _ => "Requests",
    }
}

/// The lines behind the table of a run.
pub(super) fn lines(figures: &ConversationFigures) -> String {
    let mut out = format!(
        "Conversations: {} completed, {} broken off ({} turns not sent), {} not begun; mean duration {:.2} s\n",
        figures.completed,
        figures.broken_off,
        figures.unsent_turns,
        figures.not_begun,
        figures.duration.mean_ms / 1e3,
    );
    let is_cached = figures
        .turns
        .iter()
        .any(|turn| turn.mean_cached_tokens.is_some());
    out.push_str(HEAD);
    out.push_str(if is_cached { " Mean cached\n" } else { "\n" });
    for turn in figures.turns.iter().take(TURNS_SHOWN) {
        let _ = write!(
            out,
            "{:>4} {:>9} {:>6} {:>14.2} {:>16.2} {:>13.2} {:>17.1}",
            turn.turn,
            turn.completed,
            turn.failed,
            turn.ttft.mean_ms,
            turn.ttft.median_ms,
            p99(&turn.ttft),
            turn.mean_input_tokens
        );
        if let Some(cached) = turn.mean_cached_tokens {
            let _ = write!(out, " {cached:>11.1}");
        }
        out.push('\n');
    }
    if let Some(more) = figures
        .turns
        .len()
        .checked_sub(TURNS_SHOWN)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(
            out,
            "... and {more} more turns: the JSON of --save-result has them"
        );
    }
    out.trim_end().to_owned()
}

/// The fields of the JSON.
pub(super) fn fields(figures: &ConversationFigures) -> [(String, Value); 2] {
    let turn = |turn: &TurnFigures| {
        json!({
            "turn": turn.turn,
            "completed": turn.completed,
            "failed": turn.failed,
            "mean_ttft_ms": turn.ttft.mean_ms,
            "median_ttft_ms": turn.ttft.median_ms,
            "p99_ttft_ms": p99(&turn.ttft),
            "mean_input_tokens": turn.mean_input_tokens,
            "mean_cached_tokens": turn.mean_cached_tokens,
        })
    };
    let conversations = json!({
        "completed": figures.completed,
        "broken_off": figures.broken_off,
        "not_begun": figures.not_begun,
        "unsent_turns": figures.unsent_turns,
        "mean_duration_s": figures.duration.mean_ms / 1e3,
        "median_duration_s": figures.duration.median_ms / 1e3,
        "p99_duration_s": p99(&figures.duration) / 1e3,
    });
    [
        ("crestline_conversations".to_owned(), conversations),
        (
            "crestline_turns".to_owned(),
            figures.turns.iter().map(turn).collect(),
        ),
    ]
}

fn p99(spread: &Spread) -> f64 {
    spread.percentile_ms(99.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crestline_core::record::TurnPlace;
    use crestline_core::serving::{Row, TurnRow};
    use expect_test::{Expect, expect};

    use super::*;

    fn figures(turns: u32, cached_tokens: Option<u32>) -> ConversationFigures {
        let rows: Vec<Row> = (0..turns)
            .map(|turn| Row {
                due_s: f64::from(turn),
                ttft_s: 0.0125 * f64::from(turn + 1),
                end_s: f64::from(turn) + 0.5,
                prompt_tokens: 100 * u64::from(turn + 1),
                succeeded: true,
                ..Row::default()
            })
            .collect();
        let rows = (1..).zip(&rows).map(|(turn, row)| TurnRow {
            place: TurnPlace {
                conversation: 0,
                turn,
                turns,
            },
            row,
            cached_tokens,
        });
        ConversationFigures::of(rows, 4).unwrap()
    }

    fn check(figures: &ConversationFigures, expected: &Expect) {
        expected.assert_eq(&lines(figures));
    }

    #[test]
    fn each_turn_has_a_line_and_cached_tokens_are_shown_where_they_are_known() {
        check(
            &figures(2, None),
            &expect![[r"
            Conversations: 1 completed, 0 broken off (0 turns not sent), 3 not begun; mean duration 1.50 s
            Turn Completed Failed Mean TTFT (ms) Median TTFT (ms) P99 TTFT (ms) Mean input tokens
               1         1      0          12.50            12.50         12.50             100.0
               2         1      0          25.00            25.00         25.00             200.0"]],
        );
        check(
            &figures(2, Some(64)),
            &expect![[r"
            Conversations: 1 completed, 0 broken off (0 turns not sent), 3 not begun; mean duration 1.50 s
            Turn Completed Failed Mean TTFT (ms) Median TTFT (ms) P99 TTFT (ms) Mean input tokens Mean cached
               1         1      0          12.50            12.50         12.50             100.0        64.0
               2         1      0          25.00            25.00         25.00             200.0        64.0"]],
        );
    }

    #[test]
    fn a_long_list_of_turns_is_cut() {
        let shown = lines(&figures(23, None));
        assert_eq!(shown.lines().count(), 2 + TURNS_SHOWN + 1);
        assert!(
            shown.ends_with("... and 3 more turns: the JSON of --save-result has them"),
            "{shown}"
        );
        let [_, (_, all)] = fields(&figures(23, None));
        assert_eq!(all.as_array().unwrap().len(), 23);
    }
}
