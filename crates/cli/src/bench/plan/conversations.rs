//! From the flags of conversations to what is said, in how many turns, and how many go on at once.

use std::num::NonZeroU32;

use crestline_core::request::{Arrivals, Load};
use crestline_core::units::Nanos;
use crestline_load::client::endpoint::Endpoint;
use crestline_workload::plan::{
    AroundLength, ConversationSamples, ConversationSource, PromptSamples, RandomTurns,
    ShareGptSamples, SharedTurns, TurnCounts,
};

use super::super::args::{ConversationArgs, DatasetName, ServeArgs};
use super::address::Address;
use super::dataset;
use crate::problem::Problem;
use crate::values;

/// Turns of a conversation that is made, where nothing is said of them.
const USUAL_TURNS: u32 = 3;

/// Refuses flags of conversations where there are none, and what cannot be sent turn by turn.
pub(super) fn check(args: &ServeArgs, address: &Address) -> Result<(), Problem> {
    if !args.conversations.multi_turn {
        return match stray(&args.conversations) {
            None => Ok(()),
            Some(flag) => Err(Problem::usage(format!("{flag} needs --multi-turn"))
                .hint("add --multi-turn, or leave it out")),
        };
    }
    if address.endpoint != Endpoint::OpenAiChat {
        return Err(Problem::usage(format!(
            "--multi-turn cannot be sent to --backend {}",
            args.connection.backend
        ))
        .cause("a turn is sent with the messages before it, which only a chat takes")
        .hint("use --backend openai-chat --endpoint /v1/chat/completions"));
    }
    check_body(args)
}

/// The first flag that asks for something and means nothing without conversations.
fn stray(args: &ConversationArgs) -> Option<&'static str> {
    let is_usual = |turns: u32| turns == USUAL_TURNS;
    [
        (
            "--multi-turn-num-turns",
            !args.multi_turn_num_turns.is_none_or(is_usual),
        ),
        (
            "--multi-turn-min-turns",
            given(args.multi_turn_min_turns).is_some(),
        ),
        (
            "--multi-turn-max-turns",
            given(args.multi_turn_max_turns).is_some(),
        ),
        (
            "--multi-turn-concurrency",
            args.multi_turn_concurrency.is_some(),
        ),
        ("--multi-turn-delay-ms", is_any(args.multi_turn_delay_ms)),
    ]
    .into_iter()
    .chain(of_made_turns(args))
    .find_map(|(flag, is_given)| is_given.then_some(flag))
}

/// Flags that say what is in turns that are made, and whether they ask for something.
fn of_made_turns(args: &ConversationArgs) -> [(&'static str, bool); 3] {
    [
        (
            "--multi-turn-prefix-global-ratio",
            is_any(args.multi_turn_prefix_global_ratio),
        ),
        (
            "--multi-turn-prefix-conversation-ratio",
            is_any(args.multi_turn_prefix_conversation_ratio),
        ),
        (
            "--per-turn-input-len",
            given(args.per_turn_input_len).is_some(),
        ),
    ]
}

/// Neither left out nor zero.
fn is_any(number: Option<f64>) -> bool {
    number.is_some_and(|number| number != 0.0)
}

/// Fields of the body that would leave no history, or several of them.
fn check_body(args: &ServeArgs) -> Result<(), Problem> {
    let Some(text) = &args.request.extra_body else {
        return Ok(());
    };
    let extra = values::object("--extra-body", text)?;
    let refused = |name: &str, why: &str| {
        Err(Problem::usage(format!(
            "--multi-turn and `{name}` in --extra-body exclude each other"
        ))
        .cause(why)
        .hint(format!("leave `{name}` out")))
    };
    if extra.contains_key("messages") {
        return refused(
            "messages",
            "the messages of a turn are what was said before it",
        );
    }
    if extra.get("n").is_some_and(|choices| *choices != 1) {
        return refused("n", "a conversation goes on with one answer");
    }
    Ok(())
}

/// The load with conversations in place of requests: how many go on at the same time, and when they begin.
pub(super) fn load(
    args: &ServeArgs,
    load: Load,
    conversations: NonZeroU32,
) -> Result<Load, Problem> {
    let flag = "--multi-turn-concurrency";
    let typed = args.conversations.multi_turn_concurrency;
    let limit = typed
        .map(|limit| values::positive(flag, limit))
        .transpose()?;
    if let (Some(limit), Some(requests)) = (limit, load.concurrency)
        && requests < limit
    {
        return Err(Problem::usage(format!(
            "--max-concurrency {requests} is below {flag} {limit}"
        ))
        .cause("a conversation has one request in flight at most")
        .hint(format!(
            "give {flag} {requests}, and leave --max-concurrency out"
        )));
    }
    let limit = limit.or(load.concurrency);
    Ok(match load.arrivals {
        Arrivals::AtOnce => Load::closed(limit.unwrap_or(conversations).min(conversations)),
        arrivals => Load {
            arrivals,
            concurrency: limit,
        },
    })
}

/// No more users than conversations: all have one at first.
pub(super) fn fit(load: &mut Load, conversations: u64) {
    let most = u32::try_from(conversations).ok().and_then(NonZeroU32::new);
    if let (Arrivals::Immediate, Some(limit), Some(most)) = (load.arrivals, load.concurrency, most)
    {
        load.concurrency = Some(limit.min(most));
    }
}

/// What is said.
pub(super) fn source(args: &ServeArgs) -> Result<ConversationSamples, Problem> {
    let name = args.dataset.dataset_name;
    let source = match name {
        DatasetName::Random => ConversationSource::Random(random(args)?),
        DatasetName::Sharegpt => ConversationSource::ShareGpt(ShareGptSamples {
            path: dataset::path(&args.dataset)?,
            output_length: args
                .request
                .output_len
                .or(args.dataset.file.sharegpt_output_len),
        }),
        DatasetName::Custom => ConversationSource::Messages(PromptSamples {
            path: dataset::path(&args.dataset)?,
            output_length: dataset::custom_length(args)?,
        }),
        _ => {
            return Err(Problem::usage(format!(
                "--multi-turn does not go with --dataset-name {}",
                dataset::name(name)
            ))
            .cause("its requests stand alone")
            .hint("take --dataset-name random, sharegpt or custom"));
        }
    };
    let is_made = name == DatasetName::Random;
    if !is_made {
        check_stored(&args.conversations)?;
    }
    Ok(ConversationSamples {
        source,
        turns: if is_made {
            made_turns(&args.conversations)?
        } else {
            stored_turns(&args.conversations)?
        },
        pause: pause(&args.conversations)?,
    })
}

fn pause(args: &ConversationArgs) -> Result<Nanos, Problem> {
    let flag = "--multi-turn-delay-ms";
    let delay_ms = args.multi_turn_delay_ms.unwrap_or(0.0);
    if delay_ms < 0.0 || !delay_ms.is_finite() {
        return Err(Problem::usage(format!("{flag} cannot be {delay_ms}"))
            .hint("give milliseconds, 0 or more"));
    }
    Ok(Nanos::from_secs_f64(delay_ms / 1e3))
}

/// 0 is as good as nothing.
fn given(turns: Option<u32>) -> Option<u32> {
    turns.filter(|turns| *turns > 0)
}

fn made_turns(args: &ConversationArgs) -> Result<TurnCounts, Problem> {
    let usual = args.multi_turn_num_turns.unwrap_or(USUAL_TURNS);
    let least = given(args.multi_turn_min_turns).unwrap_or(usual);
    let most = given(args.multi_turn_max_turns).unwrap_or(usual);
    if usual == 0 {
        return Err(Problem::usage("--multi-turn-num-turns must be at least 1")
            .hint("a conversation has at least one turn"));
    }
    in_order(least, most)?;
    Ok(TurnCounts {
        least,
        most: Some(most),
    })
}

fn stored_turns(args: &ConversationArgs) -> Result<TurnCounts, Problem> {
    let least = given(args.multi_turn_min_turns).unwrap_or(1);
    let most = given(args.multi_turn_max_turns);
    in_order(least, most.unwrap_or(u32::MAX))?;
    Ok(TurnCounts { least, most })
}

fn in_order(least: u32, most: u32) -> Result<(), Problem> {
    if least <= most {
        return Ok(());
    }
    Err(
        Problem::usage(format!("a conversation of at least {least} and at most {most} turns")).hint(
            "--multi-turn-min-turns must not be above --multi-turn-max-turns; 0 is --multi-turn-num-turns for either",
        ),
    )
}

/// Flags that say how turns are made.
fn check_stored(args: &ConversationArgs) -> Result<(), Problem> {
    let counted = [(
        "--multi-turn-num-turns",
        args.multi_turn_num_turns.is_some(),
    )];
    let mut made = counted.into_iter().chain(of_made_turns(args));
    match made.find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(
            Problem::usage(format!("{flag} is for conversations that are made: --dataset-name random")).hint(
                "leave it out; --multi-turn-min-turns and --multi-turn-max-turns choose among stored conversations",
            ),
        ),
    }
}

fn random(args: &ServeArgs) -> Result<RandomTurns, Problem> {
    let set = &args.dataset;
    dataset::without_path(set)?;
    let alone = [
        ("--random-prefix-len", set.random_prefix_len > 0),
        ("--random-batch-size", set.random_batch_size != 1),
        (
            "--random-cache-hit-fraction",
            set.random_cache_hit_fraction.is_some(),
        ),
        ("--random-cache-ratio", set.random_cache_ratio.is_some()),
    ];
    if let Some((flag, _)) = alone.into_iter().find(|(_, is_given)| *is_given) {
        return Err(
            Problem::usage(format!("{flag} and --multi-turn exclude each other")).hint(
                "--multi-turn-prefix-global-ratio and --multi-turn-prefix-conversation-ratio make turns begin alike",
            ),
        );
    }
    let (input, output) = dataset::around(args)?;
    let shared = shared(&args.conversations)?;
    if shared.is_some() && input.spread > 0.0 {
        return Err(Problem::usage(
            "--random-range-ratio and shares of a turn that others have too exclude each other",
        )
        .cause("turns that begin alike have one length")
        .hint("vary the output alone: --random-range-ratio '{\"input\": 0, \"output\": 0.5}'"));
    }
    Ok(RandomTurns {
        input: AroundLength {
            tokens: given(args.conversations.per_turn_input_len).unwrap_or(input.tokens),
            ..input
        },
        output,
        shared,
    })
}

fn shared(args: &ConversationArgs) -> Result<Option<SharedTurns>, Problem> {
    let by_all = args.multi_turn_prefix_global_ratio.unwrap_or(0.0);
    let by_conversation = args.multi_turn_prefix_conversation_ratio.unwrap_or(0.0);
    let is_share = |share: f64| (0.0..1.0).contains(&share);
    if !is_share(by_all) || !is_share(by_conversation) || by_all + by_conversation >= 1.0 {
        return Err(Problem::usage(format!(
            "--multi-turn-prefix-global-ratio {by_all} and --multi-turn-prefix-conversation-ratio {by_conversation} leave \
             nothing of a turn's own"
        ))
        .hint("each is a share of a turn's input, at least 0, and together they are below 1"));
    }
    let is_any = by_all + by_conversation > 0.0;
    Ok(is_any.then_some(SharedTurns {
        by_all,
        by_conversation,
    }))
}
