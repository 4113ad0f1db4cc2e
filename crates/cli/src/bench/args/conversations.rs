//! Flags of conversations of several turns.

use clap::Args;

/// Conversations: requests that follow on each other.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConversationArgs {
    /// Hold conversations: each turn is sent when the one before is answered, with all that was said and answered before.
    /// `--num-prompts` counts conversations then; for chats.
    #[arg(long)]
    pub(crate) multi_turn: bool,
    /// Turns of a conversation that is made [default: 3].
    #[arg(long, value_name = "N")]
    pub(crate) multi_turn_num_turns: Option<u32>,
    /// Least turns; 0 is `--multi-turn-num-turns`. Stored conversations that are shorter are left out [default: 0].
    #[arg(long, value_name = "N")]
    pub(crate) multi_turn_min_turns: Option<u32>,
    /// Most turns, drawn evenly from the least on; 0 is `--multi-turn-num-turns`. Stored conversations are cut there, and 0
    /// leaves them whole [default: 0].
    #[arg(long, value_name = "N")]
    pub(crate) multi_turn_max_turns: Option<u32>,
    /// Conversations at the same time [default: `--max-concurrency`, or all; with `--request-rate` no limit].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) multi_turn_concurrency: Option<i64>,
    /// Think time from the end of an answer to the next turn [default: 0].
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) multi_turn_delay_ms: Option<f64>,
    /// Share of a random turn that all turns of all conversations begin with; turns have no history then [default: 0].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) multi_turn_prefix_global_ratio: Option<f64>,
    /// Share of a random turn behind it that all turns of the same conversation have [default: 0].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) multi_turn_prefix_conversation_ratio: Option<f64>,
    /// Tokens of a random turn without its history; 0 is `--random-input-len` [default: 0].
    #[arg(long, value_name = "N")]
    pub(crate) per_turn_input_len: Option<u32>,
}
