//! What the flags of prompts and generation change.

use expect_test::expect_file;

use super::*;

#[test]
fn lengths_are_ranges_around_what_is_asked() {
    changes(
        "--random-input-len 100 --random-output-len 10",
        &expect![[r"
            workload.dataset.sampled.source.random.input.tokens = 100
            workload.dataset.sampled.source.random.output.tokens = 10"]],
    );
    changes(
        "--input-len 100 --output-len 10 --random-range-ratio 0.25",
        &expect![[r"
            workload.dataset.sampled.source.random.input.spread = 0.25
            workload.dataset.sampled.source.random.input.tokens = 100
            workload.dataset.sampled.source.random.output.spread = 0.25
            workload.dataset.sampled.source.random.output.tokens = 10"]],
    );
    changes(
        r#"--random-range-ratio '{"input": 0.5, "output": 0}'"#,
        &expect!["workload.dataset.sampled.source.random.input.spread = 0.5"],
    );
    changes(
        "--random-prefix-len 32 --tokenizer builtin",
        &expect![[r#"
            workload.dataset.sampled.source.random.prefix_length = 32
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

#[test]
fn prompts_without_meaning_are_answered_to_the_full_length() {
    let forced = |flags: &str| {
        let plan = translated(&words(flags)).unwrap().plan;
        plan.generation.extra.get("ignore_eos") == Some(&true.into())
    };
    assert!(forced(""));
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    assert!(forced(&format!("{chat} --dataset-name random-mm")));
    assert!(forced("--dataset-name timed_trace --dataset-path t.jsonl"));
    let tgi = "--backend tgi --endpoint /generate_stream";
    assert!(!forced(tgi));
    assert!(!forced("--dataset-name sharegpt --dataset-path s.json"));
    assert!(forced(
        "--dataset-name sharegpt --dataset-path s.json --ignore-eos"
    ));
}

#[test]
fn a_tokenizer_can_be_named_or_left_out() {
    changes(
        "--tokenizer gpt2",
        &expect![[r#"workload.tokenizer = "gpt2""#]],
    );
    changes(
        "--tokenizer-mode mistral",
        &expect![
            "note: --tokenizer-mode has no effect: the kind of a tokenizer is found out from its files"
        ],
    );
    changes(
        "--trust-remote-code",
        &expect!["note: --trust-remote-code has no effect: no code of a model is ever run"],
    );
    changes(
        "--skip-tokenizer-init --dataset-name custom --dataset-path c.jsonl",
        &expect![[r#"
            generation.extra = {}
            workload.dataset.sampled.source.prompts.output_length = 256
            workload.dataset.sampled.source.prompts.path = "c.jsonl"
            workload.dataset.sampled.template = "skipped"
            workload.tokenizer = null"#]],
    );
}

#[test]
fn data_sets_are_named_with_their_flags() {
    let all = [
        "--dataset-name random-mm --backend openai-chat --endpoint /v1/chat/completions --random-mm-base-items-per-request 2",
        "--dataset-name random-rerank --backend vllm-rerank --endpoint /v1/rerank --random-batch-size 4 --no-reranker",
        "--dataset-name sharegpt --dataset-path s.json --output-len 9",
        "--dataset-name burstgpt --dataset-path b.csv --burstgpt-timestamps",
        "--dataset-name sonnet --dataset-path p.txt --sonnet-prefix-len 20",
        "--dataset-name custom --dataset-path c.jsonl --custom-output-len -1 --skip-chat-template",
        "--dataset-name custom_audio --dataset-path a.jsonl --enable-multimodal-chat",
        "--dataset-name prefix_repetition --prefix-repetition-num-prefixes 3",
        "--dataset-name spec_bench --dataset-path q.jsonl --spec-bench-category math",
        "--dataset-name speed_bench --dataset-path folder --speed-bench-dataset-subset throughput_1k",
        "--dataset-name timed_trace --dataset-path t.jsonl --timed-trace-sec-multiplier 0.001 --timed-trace-label-hash-ids h",
        "--dataset-name hf --dataset-path openai/gsm8k --hf-split test --max-model-len 512",
        "--dataset-name hf --dataset-path here --hf-name openai/gsm8k --bfcl-categories a,b --hf-subset main --hf-output-len 7",
        "--dataset-name hf --dataset-path vdaita/edit_5k_char --blazedit-min-distance 0.1 --blazedit-max-distance 0.9 \
         --asr-min-audio-len-sec 1 --asr-max-audio-len-sec 20",
        "--dataset-name random-mm --backend openai-chat --endpoint /v1/chat/completions --random-mm-num-mm-items-range-ratio 0.5 \
         --random-mm-limit-mm-per-prompt '{\"image\": 3}' --random-mm-bucket-config '{(8, 16, 1): 1.0}'",
        "--dataset-name sharegpt --dataset-path s.json --sharegpt-output-len 5 --disable-shuffle",
        "--dataset-name sonnet --dataset-path p.txt --sonnet-input-len 300 --sonnet-output-len 10",
        "--dataset-name custom --dataset-path c.jsonl --chat-template-kwargs '{\"thinking\": false}'",
        "--dataset-name custom_image --dataset-path i.jsonl --custom-ensure-client-side-data --backend openai-chat \
         --endpoint /v1/chat/completions",
        "--dataset-name prefix_repetition --prefix-repetition-prefix-len 5 --prefix-repetition-suffix-len 6 \
         --prefix-repetition-output-len 7",
        "--dataset-name spec_bench --dataset-path q.jsonl --spec-bench-output-len 9",
        "--dataset-name speed_bench --dataset-path folder --speed-bench-output-len 9 --speed-bench-category coding",
        "--dataset-name timed_trace --dataset-path t.jsonl --timed-trace-chunk-hash-size 512 --timed-trace-label-timestamp t \
         --timed-trace-label-input-length i --timed-trace-label-output-length o",
        "--random-cache-hit-fraction 0.5 --random-cache-ratio 0.25",
    ];
    let shown = all.map(|flags| {
        let lines = changed(flags);
        let source = lines.lines().filter(|line| line.contains("workload."));
        format!("{flags}\n{}\n", source.collect::<Vec<_>>().join("\n"))
    });
    expect_file!["data_sets.txt"].assert_eq(&shown.join("\n"));
}

#[test]
fn answers_to_what_means_nothing_or_has_a_length_are_not_ended_early() {
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    for (flags, expected) in [
        ("--dataset-name random".to_owned(), true),
        (format!("--dataset-name random-mm {chat}"), true),
        (
            "--dataset-name timed_trace --dataset-path t".to_owned(),
            true,
        ),
        ("--dataset-name sonnet --dataset-path p".to_owned(), false),
        (
            "--backend tgi --endpoint /generate_stream".to_owned(),
            false,
        ),
        (
            "--backend openai-embeddings --endpoint /v1/embeddings --ignore-eos".to_owned(),
            false,
        ),
    ] {
        let plan = translated(&words(&flags)).unwrap().plan;
        let sent = plan.generation.extra.get("ignore_eos");
        assert_eq!(sent.is_some(), expected, "{flags}");
    }
}

#[test]
fn data_sets_of_the_hub_are_read_from_files_whatever_is_said_of_streams() {
    let notes = translated(&words(
        "--dataset-name hf --dataset-path openai/gsm8k --no-stream",
    ));
    expect!["--no-stream has no effect: data sets are read from local files"]
        .assert_eq(&notes.unwrap().notes.join("\n"));
}
