//! What the flags of prompts, generation, output and client change.

use super::*;

#[test]
fn dataset_names_the_data() {
    changes(
        "--dataset openqa",
        &expect![[r"
        workload.dataset.open_qa.fit = null
        workload.dataset.open_qa.path = null"]],
    );
}

#[test]
fn dataset_path_is_where_it_is() {
    changes(
        "--dataset line_by_line --dataset-path prompts.jsonl",
        &expect![[r#"
            workload.dataset.line_by_line.fit = null
            workload.dataset.line_by_line.path = "prompts.jsonl""#]],
    );
}

#[test]
fn data_source_tells_that_nothing_is_downloaded() {
    changes(
        "--dataset openqa --data-source huggingface",
        &expect![[r"
            workload.dataset.open_qa.fit = null
            workload.dataset.open_qa.path = null
            note: --data-source: crestline downloads nothing; --dataset-path and both local hub caches are read"]],
    );
}

#[test]
fn dataset_offset_moves_the_first_item() {
    changes("--dataset-offset 12", &expect!["workload.offset = 12"]);
}

#[test]
fn max_prompt_length_is_the_upper_end() {
    changes(
        "--max-prompt-length 100",
        &expect!["workload.max_prompt_length = 100"],
    );
}

#[test]
fn min_prompt_length_is_the_lower_end() {
    changes(
        "--min-prompt-length 100",
        &expect!["workload.min_prompt_length = 100"],
    );
}

#[test]
fn prefix_length_is_shared() {
    changes(
        "--prefix-length 100",
        &expect!["workload.prefix_length = 100"],
    );
}

#[test]
fn prompt_wins_over_the_data_set() {
    changes(
        "--prompt 'Say this.'",
        &expect![[r#"workload.dataset.fixed = "Say this.""#]],
    );
}

#[test]
fn query_template_is_a_body_under_the_flags() {
    changes(
        r#"--query-template '{"model": "%m", "messages": [], "a": 1, "n": 9, "b": {"c": 2}}' --n-choices 2 --extra-args '{"a": 3}'"#,
        &expect![[r"
            generation.choices = 2
            generation.extra.a = 3
            generation.extra.b.c = 2"]],
    );
}

#[test]
fn a_field_of_the_template_stays_where_no_flag_is_given() {
    let template = r#"--query-template '{"temperature": 0.7, "stream": false, "max_tokens": 5}'"#;
    changes(
        template,
        &expect![[r"
        generation.extra.max_tokens = 5
        generation.extra.temperature = 0.7
        generation.stream = false
        generation.temperature = null
        workload.max_tokens = null"]],
    );
    changes(
        &format!("{template} --temperature 0 --stream --max-tokens 6"),
        &expect!["workload.max_tokens = [6,6]"],
    );
}

#[test]
fn a_prompt_may_begin_with_a_dash_where_it_has_a_blank() {
    changes(
        "--prompt '-x y'",
        &expect![[r#"workload.dataset.fixed = "-x y""#]],
    );
}

#[test]
fn apply_chat_template_is_what_a_chat_url_has_anyway() {
    changes("--apply-chat-template", &expect![[""]]);
}

#[test]
fn no_apply_chat_template_sends_text() {
    changes(
        "--no-apply-chat-template --url http://h/v1/completions",
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "http://h/v1/completions"
            workload.form = "text""#]],
    );
}

#[test]
fn tokenize_prompt_sends_ids_to_completions() {
    changes(
        "--tokenize-prompt",
        &expect![[r#"
        endpoint = "open_ai_completions"
        subject.live.url = "http://127.0.0.1:8877/v1/completions"
        workload.form.token_ids.chat = true
        note: --url http://127.0.0.1:8877/v1/chat/completions is read as http://127.0.0.1:8877/v1/completions"#]],
    );
}

#[test]
fn tokenize_prompt_without_a_chat_template_sends_plain_ids() {
    changes(
        "--tokenize-prompt --url http://h/v1/completions",
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "http://h/v1/completions"
            workload.form.token_ids.chat = false"#]],
    );
}

#[test]
fn max_tokens_of_one_value_is_fixed() {
    changes("--max-tokens 64", &expect!["workload.max_tokens = [64,64]"]);
}

#[test]
fn max_tokens_of_two_values_is_a_range() {
    changes(
        "--max-tokens 16 64",
        &expect!["workload.max_tokens = [16,64]"],
    );
}

#[test]
fn min_tokens_is_sent() {
    changes("--min-tokens 5", &expect!["generation.min_tokens = 5"]);
}

#[test]
fn frequency_penalty_is_sent() {
    changes(
        "--frequency-penalty -0.5",
        &expect!["generation.frequency_penalty = -0.5"],
    );
}

#[test]
fn repetition_penalty_is_sent() {
    changes(
        "--repetition-penalty 1.1",
        &expect!["generation.repetition_penalty = 1.1"],
    );
}

#[test]
fn logprobs_are_asked_for() {
    changes("--logprobs", &expect!["generation.logprobs = true"]);
}

#[test]
fn n_choices_is_sent() {
    changes("--n-choices 3", &expect!["generation.choices = 3"]);
}

#[test]
fn seed_is_sent_and_seeds_the_client() {
    changes(
        "--seed 42",
        &expect![[r"
        generation.seed = 42
        workload.seed = 42"]],
    );
}

#[test]
fn stop_is_a_list() {
    changes(
        "--stop a 'b c'",
        &expect![[r#"generation.stop = ["a","b c"]"#]],
    );
}

#[test]
fn stop_may_be_empty() {
    changes("--stop", &expect!["generation.stop = []"]);
}

#[test]
fn stop_token_ids_are_numbers() {
    changes(
        "--stop-token-ids 2 3",
        &expect!["generation.stop_token_ids = [2,3]"],
    );
}

#[test]
fn no_stream_asks_for_one_piece() {
    changes("--no-stream", &expect!["generation.stream = false"]);
}

#[test]
fn the_last_of_stream_and_no_stream_wins() {
    changes("--no-stream --stream", &expect![[""]]);
}

#[test]
fn temperature_is_sent() {
    changes(
        "--temperature 0.7",
        &expect!["generation.temperature = 0.7"],
    );
}

#[test]
fn top_p_is_sent() {
    changes("--top-p 0.9", &expect!["generation.top_p = 0.9"]);
}

#[test]
fn top_k_is_sent() {
    changes("--top-k -1", &expect!["generation.top_k = -1"]);
}

#[test]
fn extra_args_are_merged_last() {
    changes(
        r#"--extra-args '{"ignore_eos": true, "temperature": null}'"#,
        &expect![[r"
            generation.extra.ignore_eos = true
            generation.extra.temperature = null"]],
    );
}

#[test]
fn outputs_dir_is_the_root_of_results() {
    changes(
        "--outputs-dir out",
        &expect![[r#"output.folder = "out/20261122_101500/some-model""#]],
    );
}

#[test]
fn no_timestamp_leaves_it_out() {
    changes(
        "--no-timestamp",
        &expect![[r#"output.folder = "outputs/some-model""#]],
    );
}

#[test]
fn name_names_run_and_folder() {
    changes(
        "--name 'a/b: c'",
        &expect![[r#"
        name = "a/b: c"
        output.folder = "outputs/20261122_101500/a_b_ c""#]],
    );
}

#[test]
fn no_text_keeps_prompts_out() {
    changes("--no-text", &expect!["output.keep_text = false"]);
}

#[test]
fn workers_sets_the_threads() {
    changes("--threads 3", &expect!["client.workers = 3"]);
}

#[test]
fn num_workers_sets_the_preparing_threads() {
    changes("--num-workers 2", &expect!["client.preparers = 2"]);
}

#[test]
fn db_commit_interval_sets_the_rows() {
    changes(
        "--db-commit-interval 10",
        &expect!["output.commit_rows = 10"],
    );
}

#[test]
fn db_commit_interval_of_zero_is_one() {
    changes("--db-commit-interval 0", &expect!["output.commit_rows = 1"]);
}

#[test]
fn queue_size_multiplier_tells_that_it_has_no_effect() {
    changes(
        "--queue-size-multiplier 5",
        &expect![
            "note: --queue-size-multiplier has no effect in crestline: results pass no queue of that kind"
        ],
    );
}

#[test]
fn in_flight_task_multiplier_tells_that_it_has_no_effect() {
    changes(
        "--in-flight-task-multiplier 2",
        &expect![
            "note: --in-flight-task-multiplier has no effect in crestline: no tasks are scheduled ahead"
        ],
    );
}

#[test]
fn log_every_n_query_tells_that_it_has_no_effect() {
    changes(
        "--log-every-n-query 10",
        &expect!["note: --log-every-n-query has no effect in crestline: progress is shown by time"],
    );
}

#[test]
fn a_later_duplicate_wins() {
    changes(
        "--max-tokens 1 --max_tokens 2 --parallel 1 2 --parallel 9 -n 1 -n 3 --stop a b --stop c --headers A=1 --headers B=2",
        &expect![[r#"
            generation.stop = ["c"]
            points.0.load.concurrency = 9
            points.0.requests = 3
            subject.live.headers.0.name = "B"
            subject.live.headers.0.value = "***"
            workload.max_tokens = [2,2]"#]],
    );
}

#[test]
fn the_defaults_of_unsupported_flags_are_fine() {
    changes("--prefix-count 1 --visualizer None", &expect![[""]]);
}

#[test]
fn dataset_args_reach_the_data_set() {
    changes(
        r#"--dataset-args '{"input": {"distribution": "fixed", "value": 9}}'"#,
        &expect![[r#"
            workload.dataset.random.input.distribution = "fixed"
            workload.dataset.random.input.value = 9"#]],
    );
}

#[test]
fn speed_benchmark_sends_text_to_completions() {
    changes(
        "--dataset speed_benchmark",
        &expect![[r#"
        endpoint = "open_ai_completions"
        subject.live.url = "http://127.0.0.1:8877/v1/completions"
        workload.dataset = "speed_benchmark"
        workload.form = "text"
        note: --url http://127.0.0.1:8877/v1/chat/completions is read as http://127.0.0.1:8877/v1/completions"#]],
    );
}

#[test]
fn an_api_key_is_kept_for_the_wire_and_never_shown() {
    let key = |flags: &[&str], env: Option<&str>| {
        let all: Vec<&str> = BASE.iter().chain(flags).copied().collect();
        let around = Surroundings {
            api_key: env.map(str::to_owned),
            ..surroundings()
        };
        let translation = translate(&read(&all).unwrap(), &around).unwrap();
        assert!(!format!("{:?}", translation.plan).contains("k3y"));
        assert!(
            !serde_json::to_string(&translation.plan)
                .unwrap()
                .contains("k3y")
        );
        match translation.plan.subject {
            SubjectPlan::Live(target) => target.api_key.map(|key| key.reveal().to_owned()),
            SubjectPlan::Virtual(_) => None,
        }
    };
    assert_eq!(
        key(&["--api-key", "k3y1"], Some("k3y2")).as_deref(),
        Some("k3y1")
    );
    assert_eq!(key(&[], Some("k3y2")).as_deref(), Some("k3y2"));
    assert_eq!(
        key(&["--headers", "authorization=k3y3"], Some("k3y2")),
        None
    );
    assert_eq!(key(&[], None), None);
}

#[test]
fn a_prompt_and_a_template_may_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let prompt = folder.path().join("prompt.txt");
    let template = folder.path().join("body.json");
    std::fs::write(&prompt, "from a file\n").unwrap();
    std::fs::write(&template, r#"{"guided": true}"#).unwrap();
    let at = |path: &std::path::Path| format!("@{}", path.display());
    let plan = translated(&["--prompt", &at(&prompt), "--query-template", &at(&template)])
        .unwrap()
        .plan;
    assert_eq!(
        plan.workload.dataset,
        crestline_workload::plan::Dataset::Fixed("from a file\n".to_owned())
    );
    assert_eq!(plan.generation.extra["guided"], true);
}
