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
        &expect![[r#"
            generation.extra.ignore_eos = true
            generation.min_tokens = 1024
            model = "Qwen2.5-0.5B-Instruct"
            name = "Qwen2.5-0.5B-Instruct"
            output.folder = "outputs/20261122_101500/Qwen2.5-0.5B-Instruct"
            points.0.requests = 10
            points.1.duration = null
            points.1.load.arrivals = "immediate"
            points.1.load.concurrency = 10
            points.1.requests = 20
            points.1.warmup = 0
            subject.live.url = "http://127.0.0.1:8801/v1/chat/completions"
            workload.max_prompt_length = 1024
            workload.max_tokens = [1024,1024]
            workload.min_prompt_length = 1024
            workload.tokenizer = "Qwen/Qwen2.5-0.5B-Instruct""#]],
    );
}

#[test]
fn model_names_the_model_and_the_folder() {
    changes(
        &["--model", "a/b/other/"],
        &expect![[r#"
        model = "a/b/other/"
        name = "other"
        output.folder = "outputs/20261122_101500/other""#]],
    );
}

#[test]
fn tokenizer_path_names_the_tokenizer() {
    changes(
        &["--tokenizer-path", "dir/tok"],
        &expect![[r#"workload.tokenizer = "dir/tok""#]],
    );
}

#[test]
fn url_is_taken_as_it_is_when_it_is_whole() {
    changes(
        &[
            "--url",
            "https://host:1/x/v1/completions",
            "--no-apply-chat-template",
        ],
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "https://host:1/x/v1/completions"
            workload.form = "text""#]],
    );
}

#[test]
fn url_gets_the_path_it_lacks() {
    changes(
        &["--url", "http://host:1/v1/"],
        &expect![[r#"
        subject.live.url = "http://host:1/v1/chat/completions"
        note: --url http://host:1/v1/ is read as http://host:1/v1/chat/completions"#]],
    );
}

#[test]
fn url_without_scheme_and_path_gets_both() {
    changes(
        &["--url", "host:1"],
        &expect![[r#"
        subject.live.url = "http://host:1/v1/chat/completions"
        note: --url host:1 is read as http://host:1/v1/chat/completions"#]],
    );
}

#[test]
fn url_keeps_its_query() {
    changes(
        &["--url", "http://host/v1?version=2"],
        &expect![[r#"
        subject.live.url = "http://host/v1/chat/completions?version=2"
        note: --url http://host/v1?version=2 is read as http://host/v1/chat/completions?version=2"#]],
    );
}

#[test]
fn url_of_completions_sends_text() {
    changes(
        &["--url", "http://host/v1/completions"],
        &expect![[r#"
        endpoint = "open_ai_completions"
        subject.live.url = "http://host/v1/completions"
        workload.form = "text""#]],
    );
}

#[test]
fn url_sim_measures_the_simulated_engine() {
    changes(
        &["--url", "sim:noisy"],
        &expect![[r#"subject.virtual = "noisy""#]],
    );
}

#[test]
fn url_sim_takes_a_profile_file_and_text() {
    changes(
        &["--url", "sim:my/engine.toml", "--no-apply-chat-template"],
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.virtual = "my/engine.toml"
            workload.form = "text""#]],
    );
}

#[test]
fn headers_are_sent_and_masked() {
    changes(
        &["--headers", "X-A = 1", "Authorization=secret=2"],
        &expect![[r#"
            subject.live.headers.0.name = "X-A"
            subject.live.headers.0.value = "***"
            subject.live.headers.1.name = "Authorization"
            subject.live.headers.1.value = "***""#]],
    );
}

#[test]
fn connect_timeout_is_seconds() {
    changes(
        &["--connect-timeout", "2.5"],
        &expect!["subject.live.connect_timeout = 2500000000"],
    );
}

#[test]
fn read_timeout_is_seconds() {
    changes(
        &["--read-timeout", "30"],
        &expect!["subject.live.read_timeout = 30000000000"],
    );
}

#[test]
fn total_timeout_is_seconds() {
    changes(
        &["--total-timeout", "60"],
        &expect!["subject.live.total_timeout = 60000000000"],
    );
}

#[test]
fn no_test_connection_leaves_it_out() {
    changes(
        &["--no-test-connection"],
        &expect!["test_connection = false"],
    );
}

#[test]
fn number_counts_requests() {
    changes(&["-n", "7"], &expect!["points.0.requests = 7"]);
}

#[test]
fn parallel_is_the_concurrency() {
    changes(
        &["--parallel", "4"],
        &expect!["points.0.load.concurrency = 4"],
    );
}

#[test]
fn parallel_and_number_pair_by_place() {
    changes(
        &["--parallel", "1", "2", "3", "--number", "10", "20", "30"],
        &expect![[r#"
            points.0.requests = 10
            points.1.duration = null
            points.1.load.arrivals = "immediate"
            points.1.load.concurrency = 2
            points.1.requests = 20
            points.1.warmup = 0
            points.2.duration = null
            points.2.load.arrivals = "immediate"
            points.2.load.concurrency = 3
            points.2.requests = 30
            points.2.warmup = 0"#]],
    );
}

#[test]
fn rate_in_a_closed_loop_is_random_arrivals_under_the_cap() {
    changes(
        &["--rate", "0.5", "--parallel", "8"],
        &expect![[r#"
        points.0.load.arrivals.poisson = 0.5
        points.0.load.concurrency = 8"#]],
    );
}

#[test]
fn rate_of_minus_one_is_no_pacing() {
    changes(&["--rate", "-1"], &expect![[""]]);
}

#[test]
fn open_loop_has_no_cap_and_sweeps_the_rate() {
    changes(
        &["--open-loop", "--rate", "5", "10", "--number", "50", "100"],
        &expect![[r#"
            points.0.load.arrivals.poisson = 5.0
            points.0.load.concurrency = null
            points.0.requests = 50
            points.1.duration = null
            points.1.load.arrivals.poisson = 10.0
            points.1.load.concurrency = null
            points.1.requests = 100
            points.1.warmup = 0"#]],
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
        &expect![[r#"
            points.0.load.arrivals.poisson = 5.0
            points.0.load.concurrency = null
            points.0.requests = 50
            note: --open-loop sets no limit on requests in flight: --parallel 3 has no effect"#]],
    );
}

#[test]
fn arrival_constant_spaces_evenly() {
    changes(
        &["--open-loop", "--rate", "5", "--arrival", "constant"],
        &expect![[r#"
            points.0.load.arrivals.constant = 5.0
            points.0.load.concurrency = null"#]],
    );
}

#[test]
fn warmup_num_is_a_count_from_one_on() {
    changes(&["--warmup-num", "3.7"], &expect!["points.0.warmup = 3"]);
}

#[test]
fn warmup_num_below_one_is_a_share() {
    changes(
        &["--warmup-num", "0.0055", "--number", "1000"],
        &expect!["points.0.warmup = 5"],
    );
}

#[test]
fn warmup_num_share_is_at_least_one_request() {
    changes(
        &["--warmup-num", "0.001", "--number", "10"],
        &expect![[r#"
        points.0.requests = 10
        points.0.warmup = 1"#]],
    );
}

#[test]
fn duration_ends_the_sending() {
    changes(
        &["--duration", "1.5", "--number", "10"],
        &expect![[r#"
        points.0.duration = 1500000000
        points.0.requests = 10"#]],
    );
}

#[test]
fn duration_alone_tells_of_the_default_number() {
    changes(
        &["--duration", "60"],
        &expect![[r#"
        points.0.duration = 60000000000
        note: without --number a load ends after 1000 requests, also before --duration is over"#]],
    );
}

#[test]
fn sleep_interval_is_the_pause() {
    changes(&["--sleep-interval", "0"], &expect!["pause = 0"]);
}

#[test]
fn grace_is_the_wait_after_an_interruption() {
    changes(&["--grace", "2"], &expect!["client.grace = 2000000000"]);
}

#[test]
fn dataset_names_the_data() {
    changes(
        &["--dataset", "openqa"],
        &expect![[r#"
        workload.dataset.open_qa.fit = null
        workload.dataset.open_qa.path = null"#]],
    );
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
        &expect![[r#"
            workload.dataset.line_by_line.fit = null
            workload.dataset.line_by_line.path = "prompts.jsonl""#]],
    );
}

#[test]
fn data_source_tells_that_nothing_is_downloaded() {
    changes(
        &["--dataset", "openqa", "--data-source", "huggingface"],
        &expect![[r#"
            workload.dataset.open_qa.fit = null
            workload.dataset.open_qa.path = null
            note: --data-source: crestline downloads nothing; --dataset-path and both local hub caches are read"#]],
    );
}

#[test]
fn dataset_offset_moves_the_first_item() {
    changes(
        &["--dataset-offset", "12"],
        &expect!["workload.offset = 12"],
    );
}

#[test]
fn max_prompt_length_is_the_upper_end() {
    changes(
        &["--max-prompt-length", "100"],
        &expect!["workload.max_prompt_length = 100"],
    );
}

#[test]
fn min_prompt_length_is_the_lower_end() {
    changes(
        &["--min-prompt-length", "100"],
        &expect!["workload.min_prompt_length = 100"],
    );
}

#[test]
fn prefix_length_is_shared() {
    changes(
        &["--prefix-length", "100"],
        &expect!["workload.prefix_length = 100"],
    );
}

#[test]
fn prompt_wins_over_the_data_set() {
    changes(
        &["--prompt", "Say this."],
        &expect![[r#"workload.dataset.fixed = "Say this.""#]],
    );
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
        &expect![[r#"
            generation.choices = 2
            generation.extra.a = 3
            generation.extra.b.c = 2"#]],
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
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "http://h/v1/completions"
            workload.form = "text""#]],
    );
}

#[test]
fn tokenize_prompt_sends_ids_to_completions() {
    changes(
        &["--tokenize-prompt"],
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
        &["--tokenize-prompt", "--url", "http://h/v1/completions"],
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "http://h/v1/completions"
            workload.form.token_ids.chat = false"#]],
    );
}

#[test]
fn max_tokens_of_one_value_is_fixed() {
    changes(
        &["--max-tokens", "64"],
        &expect!["workload.max_tokens = [64,64]"],
    );
}

#[test]
fn max_tokens_of_two_values_is_a_range() {
    changes(
        &["--max-tokens", "16", "64"],
        &expect!["workload.max_tokens = [16,64]"],
    );
}

#[test]
fn min_tokens_is_sent() {
    changes(
        &["--min-tokens", "5"],
        &expect!["generation.min_tokens = 5"],
    );
}

#[test]
fn frequency_penalty_is_sent() {
    changes(
        &["--frequency-penalty", "-0.5"],
        &expect!["generation.frequency_penalty = -0.5"],
    );
}

#[test]
fn repetition_penalty_is_sent() {
    changes(
        &["--repetition-penalty", "1.1"],
        &expect!["generation.repetition_penalty = 1.1"],
    );
}

#[test]
fn logprobs_are_asked_for() {
    changes(&["--logprobs"], &expect!["generation.logprobs = true"]);
}

#[test]
fn n_choices_is_sent() {
    changes(&["--n-choices", "3"], &expect!["generation.choices = 3"]);
}

#[test]
fn seed_is_sent_and_seeds_the_client() {
    changes(
        &["--seed", "42"],
        &expect![[r#"
        generation.seed = 42
        workload.seed = 42"#]],
    );
}

#[test]
fn stop_is_a_list() {
    changes(
        &["--stop", "a", "b c"],
        &expect![[r#"generation.stop = ["a","b c"]"#]],
    );
}

#[test]
fn stop_may_be_empty() {
    changes(&["--stop"], &expect!["generation.stop = []"]);
}

#[test]
fn stop_token_ids_are_numbers() {
    changes(
        &["--stop-token-ids", "2", "3"],
        &expect!["generation.stop_token_ids = [2,3]"],
    );
}

#[test]
fn no_stream_asks_for_one_piece() {
    changes(&["--no-stream"], &expect!["generation.stream = false"]);
}

#[test]
fn the_last_of_stream_and_no_stream_wins() {
    changes(&["--no-stream", "--stream"], &expect![[""]]);
}

#[test]
fn temperature_is_sent() {
    changes(
        &["--temperature", "0.7"],
        &expect!["generation.temperature = 0.7"],
    );
}

#[test]
fn top_p_is_sent() {
    changes(&["--top-p", "0.9"], &expect!["generation.top_p = 0.9"]);
}

#[test]
fn top_k_is_sent() {
    changes(&["--top-k", "-1"], &expect!["generation.top_k = -1"]);
}

#[test]
fn extra_args_are_merged_last() {
    changes(
        &[
            "--extra-args",
            r#"{"ignore_eos": true, "temperature": null}"#,
        ],
        &expect![[r#"
            generation.extra.ignore_eos = true
            generation.extra.temperature = null"#]],
    );
}

#[test]
fn outputs_dir_is_the_root_of_results() {
    changes(
        &["--outputs-dir", "out"],
        &expect![[r#"output.folder = "out/20261122_101500/some-model""#]],
    );
}

#[test]
fn no_timestamp_leaves_it_out() {
    changes(
        &["--no-timestamp"],
        &expect![[r#"output.folder = "outputs/some-model""#]],
    );
}

#[test]
fn name_names_run_and_folder() {
    changes(
        &["--name", "a/b: c"],
        &expect![[r#"
        name = "a/b: c"
        output.folder = "outputs/20261122_101500/a_b_ c""#]],
    );
}

#[test]
fn no_text_keeps_prompts_out() {
    changes(&["--no-text"], &expect!["output.keep_text = false"]);
}

#[test]
fn workers_sets_the_threads() {
    changes(&["--workers", "3"], &expect!["client.workers = 3"]);
}

#[test]
fn num_workers_sets_the_preparing_threads() {
    changes(&["--num-workers", "2"], &expect!["client.preparers = 2"]);
}

#[test]
fn db_commit_interval_sets_the_rows() {
    changes(
        &["--db-commit-interval", "10"],
        &expect!["output.commit_rows = 10"],
    );
}

#[test]
fn db_commit_interval_of_zero_is_one() {
    changes(
        &["--db-commit-interval", "0"],
        &expect!["output.commit_rows = 1"],
    );
}

#[test]
fn queue_size_multiplier_tells_that_it_has_no_effect() {
    changes(
        &["--queue-size-multiplier", "5"],
        &expect![
            "note: --queue-size-multiplier has no effect in crestline: results pass no queue of that kind"
        ],
    );
}

#[test]
fn in_flight_task_multiplier_tells_that_it_has_no_effect() {
    changes(
        &["--in-flight-task-multiplier", "2"],
        &expect![
            "note: --in-flight-task-multiplier has no effect in crestline: no tasks are scheduled ahead"
        ],
    );
}

#[test]
fn log_every_n_query_tells_that_it_has_no_effect() {
    changes(
        &["--log-every-n-query", "10"],
        &expect!["note: --log-every-n-query has no effect in crestline: progress is shown by time"],
    );
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
        &expect![[r#"
            error: the length of --number and --parallel must be the same
              cause: --number is 1000; --parallel is 1 2 9
              hint: give one --number for each --parallel"#]],
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
        &expect!["error: --dataset-args: unknown key `input`"],
    );
}

#[test]
fn speed_benchmark_sends_text_to_completions() {
    changes(
        &["--dataset", "speed_benchmark"],
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
