//! What the flags of address and load change.

use super::*;

#[test]
fn the_service_is_named_by_host_port_and_endpoint() {
    changes(
        "--host 10.0.0.1 --port 9",
        &expect![[r#"subject.live.url = "http://10.0.0.1:9/v1/completions""#]],
    );
    changes(
        "--host ::1",
        &expect![[r#"subject.live.url = "http://[::1]:8000/v1/completions""#]],
    );
    changes(
        "--base-url https://h/x",
        &expect![[r#"subject.live.url = "https://h/x/v1/completions""#]],
    );
    changes(
        "--base_url=sim:gpu-small",
        &expect![[r#"subject.virtual = "gpu-small""#]],
    );
    changes(
        "--backend openai-chat --endpoint /v1/chat/completions",
        &expect![[r#"
            endpoint = "open_ai_chat"
            name = "openai-chat"
            subject.live.url = "http://127.0.0.1:8000/v1/chat/completions"
            workload.form = "chat""#]],
    );
    changes(
        "--served-model-name short",
        &expect![[r#"model = "short""#]],
    );
    changes(
        "--request-id-prefix a-",
        &expect![[r#"client.request_ids = "a-""#]],
    );
    changes(
        "--header X-A=1 'B = 2'",
        &expect![[r#"
        subject.live.headers.0.name = "X-A"
        subject.live.headers.0.value = "***"
        subject.live.headers.1.name = "B"
        subject.live.headers.1.value = "***""#]],
    );
}

#[test]
fn load_flags_make_one_load() {
    changes(
        "--num-prompt 5",
        &expect![[r"
        points.0.requests = 5
        workload.dataset.sampled.requests = 5"]],
    );
    changes(
        "--num-prompts 5 --max-concurrency 2",
        &expect![[r"
            points.0.load.concurrency = 2
            points.0.requests = 5
            workload.dataset.sampled.requests = 5"]],
    );
    changes(
        "--request-rate 2.5",
        &expect![[r"
            points.0.load.arrivals.paced.burstiness = 1.0
            points.0.load.arrivals.paced.pace.fitted = 2.5
            points.0.load.arrivals.paced.requests = 1000"]],
    );
    changes(
        "--request-rate 2.5 --max_concurrency 3 --num-warmups 4",
        &expect![[r"
            points.0.load.arrivals.paced.burstiness = 1.0
            points.0.load.arrivals.paced.pace.fitted = 2.5
            points.0.load.arrivals.paced.requests = 1000
            points.0.load.concurrency = 3
            points.0.warmup = 4
            workload.dataset.sampled.requests = 1004"]],
    );
}

#[test]
fn arrivals_are_bursty_even_or_rising() {
    changes(
        "--request-rate 2.5 --burstiness 0.5",
        &expect![[r"
        points.0.load.arrivals.paced.burstiness = 0.5
        points.0.load.arrivals.paced.pace.fitted = 2.5
        points.0.load.arrivals.paced.requests = 1000"]],
    );
    changes(
        "--request-rate 2.5 --burstiness inf",
        &expect![[r"
        points.0.load.arrivals.paced.burstiness = null
        points.0.load.arrivals.paced.pace.fitted = 2.5
        points.0.load.arrivals.paced.requests = 1000"]],
    );
    changes(
        "--ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 9",
        &expect![[r"
            points.0.load.arrivals.paced.burstiness = 1.0
            points.0.load.arrivals.paced.pace.linear.from = 1.0
            points.0.load.arrivals.paced.pace.linear.to = 9.0
            points.0.load.arrivals.paced.requests = 1000"]],
    );
    changes(
        "--ramp-up-strategy exponential --ramp-up-start-rps 1 --ramp-up-end-rps 9 --max-concurrency 4",
        &expect![[r"
            points.0.load.arrivals.paced.burstiness = 1.0
            points.0.load.arrivals.paced.pace.exponential.from = 1.0
            points.0.load.arrivals.paced.pace.exponential.to = 9.0
            points.0.load.arrivals.paced.requests = 1000
            points.0.load.concurrency = 4"]],
    );
    changes(
        "--ready-check-timeout-sec 600",
        &expect![[r"
        ready_within = 600000000000
        test_connection = true"]],
    );
    changes(
        "--random-batch-size 4 --num-prompts 10 --backend openai-embeddings --endpoint /v1/embeddings",
        &expect![[r#"
            endpoint = "open_ai_embeddings"
            generation.extra = {}
            generation.stream = false
            name = "openai-embeddings"
            points.0.requests = 3
            subject.live.url = "http://127.0.0.1:8000/v1/embeddings"
            workload.dataset.sampled.requests = 3
            workload.dataset.sampled.source.random.texts = 4"#]],
    );
    changes("--seed 7", &expect!["workload.seed = 7"]);
}

#[test]
fn the_last_of_several_wins() {
    changes(
        "--num-prompts 5 --num-prompts 6 --num_prompts=7",
        &expect![[r"
            points.0.requests = 7
            workload.dataset.sampled.requests = 7"]],
    );
}

#[test]
fn a_trace_says_when_requests_are_due_unless_that_is_not_wanted() {
    let depends = |flags: &str| depends_on_samples(&read(&words(flags)).unwrap());
    let trace = "--dataset-name timed_trace --dataset-path t.jsonl";
    assert!(depends(trace));
    assert!(depends(&format!("{trace} --no-self-timed --self-timed")));
    assert!(!depends(&format!("{trace} --no-self-timed")));
    assert!(depends(
        "--dataset-name sharegpt --dataset-path s.json --no-oversample"
    ));
}
