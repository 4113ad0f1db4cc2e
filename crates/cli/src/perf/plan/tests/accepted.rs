//! Flags that are accepted: what they change.

use super::*;

#[test]
fn the_quick_start_is_a_sweep_of_five_closed_loads() {
    changes(
        &[
            "--parallel",
            "1",
            "10",
            "--number",
            "10",
            "20",
            "--model",
            "Qwen2.5-0.5B-Instruct",
            "--url",
            "http://127.0.0.1:8801/v1/chat/completions",
            "--api",
            "openai",
            "--dataset",
            "random",
            "--max-tokens",
            "1024",
            "--min-tokens",
            "1024",
            "--prefix-length",
            "0",
            "--min-prompt-length",
            "1024",
            "--max-prompt-length",
            "1024",
            "--tokenizer-path",
            "Qwen/Qwen2.5-0.5B-Instruct",
            "--extra-args",
            r#"{"ignore_eos": true}"#,
        ],
        &expect![[""]],
    );
}

#[test]
fn model_names_the_model_and_the_folder() {
    changes(&["--model", "a/b/other/"], &expect![[""]]);
}

#[test]
fn tokenizer_path_names_the_tokenizer() {
    changes(&["--tokenizer-path", "dir/tok"], &expect![[""]]);
}

#[test]
fn url_is_taken_as_it_is_when_it_is_whole() {
    changes(
        &[
            "--url",
            "https://host:1/x/v1/completions",
            "--no-apply-chat-template",
        ],
        &expect![[""]],
    );
}

#[test]
fn url_gets_the_path_it_lacks() {
    changes(&["--url", "http://host:1/v1/"], &expect![[""]]);
}

#[test]
fn url_without_scheme_and_path_gets_both() {
    changes(&["--url", "host:1"], &expect![[""]]);
}

#[test]
fn url_keeps_its_query() {
    changes(&["--url", "http://host/v1?version=2"], &expect![[""]]);
}

#[test]
fn url_of_completions_sends_text() {
    changes(&["--url", "http://host/v1/completions"], &expect![[""]]);
}

#[test]
fn url_sim_measures_the_simulated_engine() {
    changes(&["--url", "sim:noisy"], &expect![[""]]);
}

#[test]
fn url_sim_takes_a_profile_file_and_text() {
    changes(
        &["--url", "sim:my/engine.toml", "--no-apply-chat-template"],
        &expect![[""]],
    );
}

#[test]
fn headers_are_sent_and_masked() {
    changes(
        &["--headers", "X-A = 1", "Authorization=secret=2"],
        &expect![[""]],
    );
}

#[test]
fn connect_timeout_is_seconds() {
    changes(&["--connect-timeout", "2.5"], &expect![[""]]);
}

#[test]
fn read_timeout_is_seconds() {
    changes(&["--read-timeout", "30"], &expect![[""]]);
}

#[test]
fn total_timeout_is_seconds() {
    changes(&["--total-timeout", "60"], &expect![[""]]);
}

#[test]
fn no_test_connection_leaves_it_out() {
    changes(&["--no-test-connection"], &expect![[""]]);
}

#[test]
fn number_counts_requests() {
    changes(&["-n", "7"], &expect![[""]]);
}

#[test]
fn parallel_is_the_concurrency() {
    changes(&["--parallel", "4"], &expect![[""]]);
}

#[test]
fn parallel_and_number_pair_by_place() {
    changes(
        &["--parallel", "1", "2", "3", "--number", "10", "20", "30"],
        &expect![[""]],
    );
}

#[test]
fn rate_in_a_closed_loop_is_random_arrivals_under_the_cap() {
    changes(&["--rate", "0.5", "--parallel", "8"], &expect![[""]]);
}

#[test]
fn rate_of_minus_one_is_no_pacing() {
    changes(&["--rate", "-1"], &expect![[""]]);
}

#[test]
fn open_loop_has_no_cap_and_sweeps_the_rate() {
    changes(
        &["--open-loop", "--rate", "5", "10", "--number", "50", "100"],
        &expect![[""]],
    );
}

#[test]
fn open_loop_tells_that_parallel_has_no_effect() {
    changes(
        &[
            "--open-loop",
            "--rate",
            "5",
            "--number",
            "50",
            "--parallel",
            "3",
        ],
        &expect![[""]],
    );
}

#[test]
fn arrival_constant_spaces_evenly() {
    changes(
        &["--open-loop", "--rate", "5", "--arrival", "constant"],
        &expect![[""]],
    );
}

#[test]
fn warmup_num_is_a_count_from_one_on() {
    changes(&["--warmup-num", "3.7"], &expect![[""]]);
}

#[test]
fn warmup_num_below_one_is_a_share() {
    changes(
        &["--warmup-num", "0.0055", "--number", "1000"],
        &expect![[""]],
    );
}

#[test]
fn warmup_num_share_is_at_least_one_request() {
    changes(&["--warmup-num", "0.001", "--number", "10"], &expect![[""]]);
}

#[test]
fn duration_ends_the_sending() {
    changes(&["--duration", "1.5", "--number", "10"], &expect![[""]]);
}

#[test]
fn duration_alone_tells_of_the_default_number() {
    changes(&["--duration", "60"], &expect![[""]]);
}

#[test]
fn sleep_interval_is_the_pause() {
    changes(&["--sleep-interval", "0"], &expect![[""]]);
}

#[test]
fn grace_is_the_wait_after_an_interruption() {
    changes(&["--grace", "2"], &expect![[""]]);
}

#[test]
fn dataset_names_the_data() {
    changes(&["--dataset", "openqa"], &expect![[""]]);
}

#[test]
fn dataset_path_is_where_it_is() {
    changes(
        &[
            "--dataset",
            "line_by_line",
            "--dataset-path",
            "prompts.jsonl",
        ],
        &expect![[""]],
    );
}

#[test]
fn data_source_tells_that_nothing_is_downloaded() {
    changes(
        &["--dataset", "openqa", "--data-source", "huggingface"],
        &expect![[""]],
    );
}

#[test]
fn dataset_offset_moves_the_first_item() {
    changes(&["--dataset-offset", "12"], &expect![[""]]);
}

#[test]
fn max_prompt_length_is_the_upper_end() {
    changes(&["--max-prompt-length", "100"], &expect![[""]]);
}

#[test]
fn min_prompt_length_is_the_lower_end() {
    changes(&["--min-prompt-length", "100"], &expect![[""]]);
}

#[test]
fn prefix_length_is_shared() {
    changes(&["--prefix-length", "100"], &expect![[""]]);
}

#[test]
fn prompt_wins_over_the_data_set() {
    changes(&["--prompt", "Say this."], &expect![[""]]);
}

#[test]
fn query_template_is_a_body_under_the_flags() {
    changes(
        &[
            "--query-template",
            r#"{"model": "%m", "messages": [], "a": 1, "n": 9, "b": {"c": 2}}"#,
            "--n-choices",
            "2",
            "--extra-args",
            r#"{"a": 3}"#,
        ],
        &expect![[""]],
    );
}

#[test]
fn apply_chat_template_is_what_a_chat_url_has_anyway() {
    changes(&["--apply-chat-template"], &expect![[""]]);
}

#[test]
fn no_apply_chat_template_sends_text() {
    changes(
        &[
            "--no-apply-chat-template",
            "--url",
            "http://h/v1/completions",
        ],
        &expect![[""]],
    );
}

#[test]
fn tokenize_prompt_sends_ids_to_completions() {
    changes(&["--tokenize-prompt"], &expect![[""]]);
}

#[test]
fn tokenize_prompt_without_a_chat_template_sends_plain_ids() {
    changes(
        &["--tokenize-prompt", "--url", "http://h/v1/completions"],
        &expect![[""]],
    );
}

#[test]
fn max_tokens_of_one_value_is_fixed() {
    changes(&["--max-tokens", "64"], &expect![[""]]);
}

#[test]
fn max_tokens_of_two_values_is_a_range() {
    changes(&["--max-tokens", "16", "64"], &expect![[""]]);
}

#[test]
fn min_tokens_is_sent() {
    changes(&["--min-tokens", "5"], &expect![[""]]);
}

#[test]
fn frequency_penalty_is_sent() {
    changes(&["--frequency-penalty", "-0.5"], &expect![[""]]);
}

#[test]
fn repetition_penalty_is_sent() {
    changes(&["--repetition-penalty", "1.1"], &expect![[""]]);
}

#[test]
fn logprobs_are_asked_for() {
    changes(&["--logprobs"], &expect![[""]]);
}

#[test]
fn n_choices_is_sent() {
    changes(&["--n-choices", "3"], &expect![[""]]);
}

#[test]
fn seed_is_sent_and_seeds_the_client() {
    changes(&["--seed", "42"], &expect![[""]]);
}

#[test]
fn stop_is_a_list() {
    changes(&["--stop", "a", "b c"], &expect![[""]]);
}

#[test]
fn stop_may_be_empty() {
    changes(&["--stop"], &expect![[""]]);
}

#[test]
fn stop_token_ids_are_numbers() {
    changes(&["--stop-token-ids", "2", "3"], &expect![[""]]);
}

#[test]
fn no_stream_asks_for_one_piece() {
    changes(&["--no-stream"], &expect![[""]]);
}

#[test]
fn the_last_of_stream_and_no_stream_wins() {
    changes(&["--no-stream", "--stream"], &expect![[""]]);
}

#[test]
fn temperature_is_sent() {
    changes(&["--temperature", "0.7"], &expect![[""]]);
}

#[test]
fn top_p_is_sent() {
    changes(&["--top-p", "0.9"], &expect![[""]]);
}

#[test]
fn top_k_is_sent() {
    changes(&["--top-k", "-1"], &expect![[""]]);
}

#[test]
fn extra_args_are_merged_last() {
    changes(
        &[
            "--extra-args",
            r#"{"ignore_eos": true, "temperature": null}"#,
        ],
        &expect![[""]],
    );
}

#[test]
fn outputs_dir_is_the_root_of_results() {
    changes(&["--outputs-dir", "out"], &expect![[""]]);
}

#[test]
fn no_timestamp_leaves_it_out() {
    changes(&["--no-timestamp"], &expect![[""]]);
}

#[test]
fn name_names_run_and_folder() {
    changes(&["--name", "a/b: c"], &expect![[""]]);
}

#[test]
fn no_text_keeps_prompts_out() {
    changes(&["--no-text"], &expect![[""]]);
}

#[test]
fn workers_sets_the_threads() {
    changes(&["--workers", "3"], &expect![[""]]);
}

#[test]
fn num_workers_sets_the_preparing_threads() {
    changes(&["--num-workers", "2"], &expect![[""]]);
}

#[test]
fn db_commit_interval_sets_the_rows() {
    changes(&["--db-commit-interval", "10"], &expect![[""]]);
}

#[test]
fn db_commit_interval_of_zero_is_one() {
    changes(&["--db-commit-interval", "0"], &expect![[""]]);
}

#[test]
fn queue_size_multiplier_tells_that_it_has_no_effect() {
    changes(&["--queue-size-multiplier", "5"], &expect![[""]]);
}

#[test]
fn in_flight_task_multiplier_tells_that_it_has_no_effect() {
    changes(&["--in-flight-task-multiplier", "2"], &expect![[""]]);
}

#[test]
fn log_every_n_query_tells_that_it_has_no_effect() {
    changes(&["--log-every-n-query", "10"], &expect![[""]]);
}

#[test]
fn a_later_duplicate_wins() {
    changes(
        &[
            "--max-tokens",
            "1",
            "--max_tokens",
            "2",
            "--parallel",
            "1",
            "2",
            "--parallel",
            "9",
        ],
        &expect![[""]],
    );
}

#[test]
fn the_defaults_of_unsupported_flags_are_fine() {
    changes(
        &["--prefix-count", "1", "--visualizer", "None"],
        &expect![[""]],
    );
}

#[test]
fn dataset_args_reach_the_data_set() {
    changes(
        &[
            "--dataset-args",
            r#"{"input": {"distribution": "fixed", "value": 9}}"#,
        ],
        &expect![[""]],
    );
}

#[test]
fn speed_benchmark_sends_text_to_completions() {
    changes(&["--dataset", "speed_benchmark"], &expect![[""]]);
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
