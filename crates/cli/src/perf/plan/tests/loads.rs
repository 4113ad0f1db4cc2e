//! What the flags of model, connection and load change.

use super::*;

#[test]
fn the_quick_start_is_a_sweep_of_five_closed_loads() {
    changes(
        r#"--parallel 1 10 --number 10 20 --model Qwen2.5-0.5B-Instruct --url http://127.0.0.1:8801/v1/chat/completions --api openai --dataset random --max-tokens 1024 --min-tokens 1024 --prefix-length 0 --min-prompt-length 1024 --max-prompt-length 1024 --tokenizer-path Qwen/Qwen2.5-0.5B-Instruct --extra-args '{"ignore_eos": true}'"#,
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
        "--model a/b/other/",
        &expect![[r#"
        model = "a/b/other/"
        name = "other"
        output.folder = "outputs/20261122_101500/other""#]],
    );
}

#[test]
fn tokenizer_path_names_the_tokenizer() {
    changes(
        "--tokenizer-path dir/tok",
        &expect![[r#"workload.tokenizer = "dir/tok""#]],
    );
}

#[test]
fn url_is_taken_as_it_is_when_it_is_whole() {
    changes(
        "--url https://host:1/x/v1/completions --no-apply-chat-template",
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.live.url = "https://host:1/x/v1/completions"
            workload.form = "text""#]],
    );
}

#[test]
fn url_gets_the_path_it_lacks() {
    changes(
        "--url http://host:1/v1/",
        &expect![[r#"
        subject.live.url = "http://host:1/v1/chat/completions"
        note: --url http://host:1/v1/ is read as http://host:1/v1/chat/completions"#]],
    );
}

#[test]
fn url_without_scheme_and_path_gets_both() {
    changes(
        "--url host:1",
        &expect![[r#"
        subject.live.url = "http://host:1/v1/chat/completions"
        note: --url host:1 is read as http://host:1/v1/chat/completions"#]],
    );
}

#[test]
fn url_keeps_its_query() {
    changes(
        "--url http://host/v1?version=2",
        &expect![[r#"
        subject.live.url = "http://host/v1/chat/completions?version=2"
        note: --url http://host/v1?version=2 is read as http://host/v1/chat/completions?version=2"#]],
    );
}

#[test]
fn url_is_shown_without_the_keys_in_its_query() {
    changes(
        "--url h:1?key=s3cret&v=2",
        &expect![[r#"
        subject.live.url = "http://h:1/v1/chat/completions?key=***&v=2"
        note: --url h:1?key=***&v=2 is read as http://h:1/v1/chat/completions?key=***&v=2"#]],
    );
    let translation = translated(&["--url", "http://h/v1?v=2&code=s3cret"]).unwrap();
    expect!["http://h/v1/chat/completions?v=2&code=***"].assert_eq(&translation.address.shown());
}

#[test]
fn url_of_completions_sends_text() {
    changes(
        "--url http://host/v1/completions",
        &expect![[r#"
        endpoint = "open_ai_completions"
        subject.live.url = "http://host/v1/completions"
        workload.form = "text""#]],
    );
}

#[test]
fn url_sim_measures_the_simulated_engine() {
    changes(
        "--url sim:noisy",
        &expect![[r#"subject.virtual = "noisy""#]],
    );
}

#[test]
fn url_sim_takes_a_profile_file_and_text() {
    changes(
        "--url sim:my/engine.toml --no-apply-chat-template",
        &expect![[r#"
            endpoint = "open_ai_completions"
            subject.virtual = "my/engine.toml"
            workload.form = "text""#]],
    );
}

#[test]
fn headers_are_sent_and_masked() {
    changes(
        "--headers 'X-A = 1' Authorization=secret=2",
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
        "--connect-timeout 2.5",
        &expect!["subject.live.connect_timeout = 2500000000"],
    );
}

#[test]
fn read_timeout_is_seconds() {
    changes(
        "--read-timeout 30",
        &expect!["subject.live.read_timeout = 30000000000"],
    );
}

#[test]
fn total_timeout_is_seconds() {
    changes(
        "--total-timeout 60",
        &expect!["subject.live.total_timeout = 60000000000"],
    );
}

#[test]
fn no_test_connection_leaves_it_out() {
    changes("--no-test-connection", &expect!["test_connection = false"]);
}

#[test]
fn number_counts_requests() {
    changes("-n 7", &expect!["points.0.requests = 7"]);
}

#[test]
fn parallel_is_the_concurrency() {
    changes("--parallel 4", &expect!["points.0.load.concurrency = 4"]);
}

#[test]
fn parallel_and_number_pair_by_place() {
    changes(
        "--parallel 1 2 3 --number 10 20 30",
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
        "--rate 0.5 --parallel 8",
        &expect![[r"
        points.0.load.arrivals.poisson = 0.5
        points.0.load.concurrency = 8"]],
    );
}

#[test]
fn rate_of_minus_one_is_no_pacing() {
    changes("--rate -1", &expect![[""]]);
}

#[test]
fn open_loop_has_no_cap_and_sweeps_the_rate() {
    changes(
        "--open-loop --rate 5 10 --number 50 100",
        &expect![[r"
            points.0.load.arrivals.poisson = 5.0
            points.0.load.concurrency = null
            points.0.requests = 50
            points.1.duration = null
            points.1.load.arrivals.poisson = 10.0
            points.1.load.concurrency = null
            points.1.requests = 100
            points.1.warmup = 0"]],
    );
}

#[test]
fn open_loop_tells_that_parallel_has_no_effect() {
    changes(
        "--open-loop --rate 5 --number 50 --parallel 3",
        &expect![[r"
            points.0.load.arrivals.poisson = 5.0
            points.0.load.concurrency = null
            points.0.requests = 50
            note: --open-loop sets no limit on requests in flight: --parallel 3 has no effect"]],
    );
}

#[test]
fn arrival_constant_spaces_evenly() {
    changes(
        "--open-loop --rate 5 --arrival constant",
        &expect![[r"
            points.0.load.arrivals.constant = 5.0
            points.0.load.concurrency = null"]],
    );
}

#[test]
fn warmup_num_is_a_count_from_one_on() {
    changes("--warmup-num 3.7", &expect!["points.0.warmup = 3"]);
}

#[test]
fn warmup_num_below_one_is_a_share() {
    changes(
        "--warmup-num 0.0055 --number 1000",
        &expect!["points.0.warmup = 5"],
    );
}

#[test]
fn warmup_num_share_is_at_least_one_request() {
    changes(
        "--warmup-num 0.001 --number 10",
        &expect![[r"
        points.0.requests = 10
        points.0.warmup = 1"]],
    );
}

#[test]
fn duration_ends_the_sending() {
    changes(
        "--duration 1.5 --number 10",
        &expect![[r"
        points.0.duration = 1500000000
        points.0.requests = 10"]],
    );
}

#[test]
fn duration_alone_tells_of_the_default_number() {
    changes(
        "--duration 60",
        &expect![[r"
        points.0.duration = 60000000000
        note: without --number a load ends after 1000 requests, also before --duration is over"]],
    );
}

#[test]
fn sleep_interval_is_the_pause() {
    changes("--sleep-interval 0", &expect!["pause = 0"]);
}

#[test]
fn grace_is_the_wait_after_an_interruption() {
    changes("--grace 2", &expect!["client.grace = 2000000000"]);
}

#[test]
fn url_sim_tells_which_flags_have_no_effect() {
    changes(
        "--url sim:noisy --total-timeout 9 --api-key k --headers A=1",
        &expect![[r#"
            subject.virtual = "noisy"
            note: virtual time has no connections: --headers, --api-key, --total-timeout have no effect"#]],
    );
}
