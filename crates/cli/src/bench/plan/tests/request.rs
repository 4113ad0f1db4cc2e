//! What the flags of prompts and generation change.

use super::*;

#[test]
fn lengths_are_ranges_around_what_is_asked() {
    changes(
        "--random-input-len 100 --random-output-len 10",
        &expect![[r"
            workload.dataset.random.output.max = 10
            workload.dataset.random.output.min = 10
            workload.max_prompt_length = 100
            workload.min_prompt_length = 100"]],
    );
    changes(
        "--input-len 100 --output-len 10 --random-range-ratio 0.25",
        &expect![[r"
            workload.dataset.random.output.max = 13
            workload.dataset.random.output.min = 7
            workload.max_prompt_length = 125
            workload.min_prompt_length = 75"]],
    );
    changes(
        r#"--random-range-ratio '{"input": 0.5, "output": 0}'"#,
        &expect![[r"
            workload.max_prompt_length = 1536
            workload.min_prompt_length = 512"]],
    );
    changes(
        "--random-prefix-len 32 --tokenizer builtin",
        &expect![[r#"
            workload.prefix_length = 32
            workload.tokenizer = "builtin""#]],
    );
    changes(
        "--prompt-token-ids",
        &expect!["workload.form.token_ids.chat = false"],
    );
}

#[test]
fn generation_flags_go_into_the_body() {
    changes(
        "--temperature 0 --top-p 0.9 --top-k 4 --min-p 0.1",
        &expect![[r"
            generation.extra.min_p = 0.1
            generation.temperature = 0.0
            generation.top_k = 4
            generation.top_p = 0.9"]],
    );
    changes(
        "--frequency-penalty 1 --presence-penalty 2 --repetition-penalty 1.1",
        &expect![[r"
            generation.extra.presence_penalty = 2.0
            generation.frequency_penalty = 1.0
            generation.repetition_penalty = 1.1"]],
    );
    changes("--logprobs 3", &expect!["generation.top_logprobs = 3"]);
    changes(
        "--extra-body.a.b 1 --extra_body.a.c=x",
        &expect![[r#"
        generation.extra.a.b = 1
        generation.extra.a.c = "x""#]],
    );
    changes(
        r#"--extra-body '{"ignore_eos": false}'"#,
        &expect!["generation.extra.ignore_eos = false"],
    );
    changes(
        "--use-beam-search",
        &expect!["note: --use-beam-search has no effect: no service takes it any more"],
    );
}
