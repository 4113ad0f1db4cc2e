//! What the flags of conversations change, and how their wrong uses are told.

use super::*;

const CHAT: &str = "--backend openai-chat --endpoint /v1/chat/completions --num-prompts 8";

/// What the flags change of a plan of conversations.
fn turns(flags: &str, expected: &Expect) {
    let plan = |flags: &str| {
        let flags = format!("{CHAT} --multi-turn {flags}");
        translated(&words(&flags))
            .unwrap_or_else(|problem| panic!("{problem}"))
            .plan
    };
    let lines = differences(&plan(""), &plan(flags));
    expected.assert_eq(&lines.join("\n"));
}

fn refuses_turns(flags: &str, expected: &Expect) {
    refuses(&format!("{CHAT} --multi-turn {flags}"), expected);
}

#[test]
fn conversations_are_a_closed_loop_of_random_turns() {
    let alone = translated(&words(CHAT)).unwrap().plan;
    let flags = format!("{CHAT} --multi-turn");
    let spoken = translated(&words(&flags)).unwrap().plan;
    expect![[r#"
        points.0.load.arrivals = "immediate"
        points.0.load.concurrency = 8
        workload.dataset.sampled.source.conversations.pause = 0
        workload.dataset.sampled.source.conversations.source.random.input.spread = 0.0
        workload.dataset.sampled.source.conversations.source.random.input.tokens = 1024
        workload.dataset.sampled.source.conversations.source.random.output.spread = 0.0
        workload.dataset.sampled.source.conversations.source.random.output.tokens = 128
        workload.dataset.sampled.source.conversations.source.random.shared = null
        workload.dataset.sampled.source.conversations.turns.least = 3
        workload.dataset.sampled.source.conversations.turns.most = 3"#]]
    .assert_eq(&differences(&alone, &spoken).join("\n"));
}

#[test]
fn turns_are_counted_and_paced() {
    turns(
        "--multi-turn-num-turns 5",
        &expect![[r"
        workload.dataset.sampled.source.conversations.turns.least = 5
        workload.dataset.sampled.source.conversations.turns.most = 5"]],
    );
    turns(
        "--multi-turn-min-turns 2 --multi-turn-max-turns 6",
        &expect![[r"
            workload.dataset.sampled.source.conversations.turns.least = 2
            workload.dataset.sampled.source.conversations.turns.most = 6"]],
    );
    turns(
        "--multi-turn-num-turns 9 --multi-turn-min-turns 0 --multi-turn-max-turns 0",
        &expect![[r"
            workload.dataset.sampled.source.conversations.turns.least = 9
            workload.dataset.sampled.source.conversations.turns.most = 9"]],
    );
    turns(
        "--multi-turn-min-turns 1",
        &expect!["workload.dataset.sampled.source.conversations.turns.least = 1"],
    );
    turns(
        "--multi-turn-delay-ms 2.5",
        &expect!["workload.dataset.sampled.source.conversations.pause = 2500000"],
    );
    turns(
        "--per-turn-input-len 77",
        &expect!["workload.dataset.sampled.source.conversations.source.random.input.tokens = 77"],
    );
    turns("--per-turn-input-len 0", &expect![[r""]]);
    turns(
        "--random-input-len 50 --random-output-len 7",
        &expect![[r"
            workload.dataset.sampled.source.conversations.source.random.input.tokens = 50
            workload.dataset.sampled.source.conversations.source.random.output.tokens = 7"]],
    );
    turns(
        "--multi-turn-prefix-global-ratio 0.25 --multi-turn-prefix-conversation-ratio 0.5",
        &expect![[r"
            workload.dataset.sampled.source.conversations.source.random.shared.by_all = 0.25
            workload.dataset.sampled.source.conversations.source.random.shared.by_conversation = 0.5"]],
    );
}

#[test]
fn so_many_conversations_go_on_at_once() {
    turns(
        "--multi-turn-concurrency 2",
        &expect!["points.0.load.concurrency = 2"],
    );
    turns(
        "--max-concurrency 3",
        &expect!["points.0.load.concurrency = 3"],
    );
    turns(
        "--max-concurrency 5 --multi-turn-concurrency 4",
        &expect!["points.0.load.concurrency = 4"],
    );
    turns("--multi-turn-concurrency 100", &expect![[r""]]);
    turns(
        "--request-rate 2",
        &expect![[r"
        points.0.load.arrivals.paced.burstiness = 1.0
        points.0.load.arrivals.paced.pace.fitted = 2.0
        points.0.load.arrivals.paced.requests = 8
        points.0.load.concurrency = null"]],
    );
    turns(
        "--request-rate 2 --multi-turn-concurrency 4",
        &expect![[r"
            points.0.load.arrivals.paced.burstiness = 1.0
            points.0.load.arrivals.paced.pace.fitted = 2.0
            points.0.load.arrivals.paced.requests = 8
            points.0.load.concurrency = 4"]],
    );
}

#[test]
fn stored_conversations_are_whole_unless_they_are_cut() {
    turns(
        "--dataset-name sharegpt --dataset-path s.json",
        &expect![[r#"
            generation.extra = {}
            workload.dataset.sampled.source.conversations.source.share_gpt.output_length = null
            workload.dataset.sampled.source.conversations.source.share_gpt.path = "s.json"
            workload.dataset.sampled.source.conversations.turns.least = 1
            workload.dataset.sampled.source.conversations.turns.most = null"#]],
    );
    turns(
        "--dataset-name custom --dataset-path c.jsonl --custom-output-len -1 --multi-turn-min-turns 2 --multi-turn-max-turns 4",
        &expect![[r#"
            generation.extra = {}
            workload.dataset.sampled.source.conversations.source.messages.output_length = null
            workload.dataset.sampled.source.conversations.source.messages.path = "c.jsonl"
            workload.dataset.sampled.source.conversations.turns.least = 2
            workload.dataset.sampled.source.conversations.turns.most = 4"#]],
    );
}

#[test]
fn flags_of_conversations_need_them() {
    for flag in [
        "--multi-turn-num-turns 4",
        "--multi-turn-min-turns 1",
        "--multi-turn-max-turns 2",
        "--multi-turn-concurrency 2",
        "--multi-turn-delay-ms 1",
        "--multi-turn-prefix-global-ratio 0.1",
        "--multi-turn-prefix-conversation-ratio 0.1",
        "--per-turn-input-len 5",
    ] {
        let problem = translated(&words(flag)).unwrap_err().to_string();
        let name = flag.split(' ').next().unwrap();
        assert!(
            problem.starts_with(&format!("error: {name} needs --multi-turn")),
            "{problem}"
        );
    }
    let idle = "--multi-turn-num-turns 3 --multi-turn-min-turns 0 --multi-turn-max-turns 0 --multi-turn-delay-ms 0 \
        --multi-turn-prefix-global-ratio 0.0 --multi-turn-prefix-conversation-ratio 0.0 --per-turn-input-len 0";
    changes(idle, &expect![""]);
    refuses(
        "--multi-turn-num-turns 4",
        &expect![[r"
        error: --multi-turn-num-turns needs --multi-turn
          hint: add --multi-turn, or leave it out"]],
    );
}

#[test]
fn conversations_need_a_chat_with_one_answer() {
    refuses(
        "--multi-turn",
        &expect![[r"
        error: --multi-turn cannot be sent to --backend openai
          cause: a turn is sent with the messages before it, which only a chat takes
          hint: use --backend openai-chat --endpoint /v1/chat/completions"]],
    );
    refuses_turns(
        r#"--extra-body '{"messages": []}'"#,
        &expect![[r"
        error: --multi-turn and `messages` in --extra-body exclude each other
          cause: the messages of a turn are what was said before it
          hint: leave `messages` out"]],
    );
    refuses_turns(
        r#"--extra-body '{"n": 2}'"#,
        &expect![[r"
        error: --multi-turn and `n` in --extra-body exclude each other
          cause: a conversation goes on with one answer
          hint: leave `n` out"]],
    );
    assert!(
        translated(&words(&format!(
            r#"{CHAT} --multi-turn --extra-body '{{"n": 1}}'"#
        )))
        .is_ok()
    );
}

#[test]
fn numbers_of_conversations_are_checked() {
    refuses_turns(
        "--multi-turn-num-turns 0",
        &expect![[r"
        error: --multi-turn-num-turns must be at least 1
          hint: a conversation has at least one turn"]],
    );
    refuses_turns(
        "--multi-turn-min-turns 5",
        &expect![[r"
        error: a conversation of at least 5 and at most 3 turns
          hint: --multi-turn-min-turns must not be above --multi-turn-max-turns; 0 is --multi-turn-num-turns for either"]],
    );
    refuses_turns(
        "--multi-turn-concurrency 0",
        &expect!["error: --multi-turn-concurrency must be a number from 1 to 4294967295, not 0"],
    );
    refuses_turns(
        "--multi-turn-concurrency 4 --max-concurrency 2",
        &expect![[r"
            error: --max-concurrency 2 is below --multi-turn-concurrency 4
              cause: a conversation has one request in flight at most
              hint: give --multi-turn-concurrency 2, and leave --max-concurrency out"]],
    );
    refuses_turns(
        "--multi-turn-delay-ms -1",
        &expect![[r"
        error: --multi-turn-delay-ms cannot be -1
          hint: give milliseconds, 0 or more"]],
    );
    refuses_turns(
        "--multi-turn-prefix-global-ratio 0.5 --multi-turn-prefix-conversation-ratio 0.5",
        &expect![[r"
            error: --multi-turn-prefix-global-ratio 0.5 and --multi-turn-prefix-conversation-ratio 0.5 leave nothing of a turn's own
              hint: each is a share of a turn's input, at least 0, and together they are below 1"]],
    );
    refuses_turns(
        "--multi-turn-prefix-global-ratio -0.1",
        &expect![[r"
        error: --multi-turn-prefix-global-ratio -0.1 and --multi-turn-prefix-conversation-ratio 0 leave nothing of a turn's own
          hint: each is a share of a turn's input, at least 0, and together they are below 1"]],
    );
    refuses_turns(
        "--multi-turn-prefix-global-ratio 0.5 --random-range-ratio 0.2",
        &expect![[r#"
            error: --random-range-ratio and shares of a turn that others have too exclude each other
              cause: turns that begin alike have one length
              hint: vary the output alone: --random-range-ratio '{"input": 0, "output": 0.5}'"#]],
    );
}

#[test]
fn not_every_data_set_has_conversations() {
    refuses_turns(
        "--dataset-name sonnet --dataset-path p",
        &expect![[r"
            error: --multi-turn does not go with --dataset-name sonnet
              cause: its requests stand alone
              hint: take --dataset-name random, sharegpt or custom"]],
    );
    refuses_turns(
        "--dataset-name sharegpt --dataset-path s.json --per-turn-input-len 9",
        &expect![[r"
            error: --per-turn-input-len is for conversations that are made: --dataset-name random
              hint: leave it out; --multi-turn-min-turns and --multi-turn-max-turns choose among stored conversations"]],
    );
    for flag in [
        "--multi-turn-num-turns 2",
        "--multi-turn-prefix-global-ratio 0.2",
        "--multi-turn-prefix-conversation-ratio 0.2",
    ] {
        let flags = format!("{CHAT} --multi-turn --dataset-name sharegpt --dataset-path s {flag}");
        let problem = translated(&words(&flags)).unwrap_err().to_string();
        assert!(
            problem.contains("is for conversations that are made"),
            "{problem}"
        );
    }
    refuses_turns(
        "--random-prefix-len 4",
        &expect![[r"
        error: --random-prefix-len and --multi-turn exclude each other
          hint: --multi-turn-prefix-global-ratio and --multi-turn-prefix-conversation-ratio make turns begin alike"]],
    );
    for flag in [
        "--random-batch-size 2",
        "--random-cache-hit-fraction 0.5 --random-cache-ratio 0.5",
    ] {
        let flags = format!("{CHAT} --multi-turn {flag}");
        let problem = translated(&words(&flags)).unwrap_err().to_string();
        assert!(
            problem.contains("and --multi-turn exclude each other"),
            "{problem}"
        );
    }
}
