//! What is printed and written of conversations: figures by number of the turn, and what came of the conversations.

use std::fmt::Write as _;

use crestline_core::serving::{ConversationFigures, TurnFigures};
use crestline_experiment::plan::Plan;
use crestline_workload::plan::{Dataset, SampleSource};
use serde_json::{Value, json};

/// Turn numbers that are printed; all of them are in the JSON.
const TURNS_SHOWN: usize = 20;

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
    let _ = writeln!(
        out,
        "{:>4} {:>9} {:>6} {:>14} {:>16} {:>13} {:>17}",
        "Turn",
        "Completed",
        "Failed",
        "Mean TTFT (ms)",
        "Median TTFT (ms)",
        "P99 TTFT (ms)",
        "Mean input tokens"
    );
    for turn in figures.turns.iter().take(TURNS_SHOWN) {
        let _ = writeln!(
            out,
            "{:>4} {:>9} {:>6} {:>14.2} {:>16.2} {:>13.2} {:>17.1}",
            turn.turn,
            turn.completed,
            turn.failed,
            turn.ttft.mean_ms,
            turn.ttft.median_ms,
            p99(turn),
            turn.mean_input_tokens
        );
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
            "p99_ttft_ms": p99(turn),
            "mean_input_tokens": turn.mean_input_tokens,
        })
    };
    let conversations = json!({
        "completed": figures.completed,
        "broken_off": figures.broken_off,
        "not_begun": figures.not_begun,
        "unsent_turns": figures.unsent_turns,
        "mean_duration_s": figures.duration.mean_ms / 1e3,
    });
    [
        ("crestline_conversations".to_owned(), conversations),
        (
            "crestline_turns".to_owned(),
            figures.turns.iter().map(turn).collect(),
        ),
    ]
}

fn p99(turn: &TurnFigures) -> f64 {
    turn.ttft.percentile_ms(99.0).unwrap_or_default()
}
