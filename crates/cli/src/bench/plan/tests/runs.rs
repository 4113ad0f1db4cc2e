//! What the flags of several runs change, and of what goes on beside a run.

use super::*;
use crestline_experiment::plan::ReadMetrics;

#[test]
fn the_number_of_runs_is_told_to_the_report() {
    reports("--num-runs 3", &expect!["turns: 3,"]);
}

#[test]
fn small_requests_have_a_rate() {
    changes("--probe-request-rate 0", &expect![""]);
    changes("--probe-request-rate 2.5", &expect!["probe_rate = 2.5"]);
}

#[test]
fn a_profile_is_of_the_run_or_of_a_full_batch() {
    let profile = |flags: &str| format!("{:?}", translated(&words(flags)).unwrap().profile);
    let check = |flags: &str, expected: &str| assert_eq!(profile(flags), expected, "{flags}");
    check("", "Never");
    check("--profile", "Whole");
    check(
        "--profile --profile-batch-threshold 8",
        "FullBatch { requests: 8, length: Nanos(5000000000) }",
    );
    check(
        "--profile --profile-batch-threshold 8 --profile-duration 0.5",
        "FullBatch { requests: 8, length: Nanos(500000000) }",
    );
}

#[test]
fn what_goes_on_beside_a_load_cannot_be() {
    refuses(
        "--probe-request-rate -1",
        &expect![[r"
        error: --probe-request-rate cannot be -1
          hint: give requests a second above 0, or 0 to send none"]],
    );
    refuses(
        "--probe-request-rate nan",
        &expect![[r"
        error: --probe-request-rate cannot be NaN
          hint: give requests a second above 0, or 0 to send none"]],
    );
    refuses(
        "--backend vllm-rerank --endpoint /v1/rerank --dataset-name random-rerank --random-batch-size 4 --probe-request-rate 1",
        &expect![[r"
            error: --backend vllm-rerank takes no --probe-request-rate
              cause: such a request is a short text and nothing else
              hint: leave it out"]],
    );
    refuses(
        "--profile-batch-threshold 8",
        &expect![[r"
        error: --profile-batch-threshold needs --profile
          hint: add --profile"]],
    );
    refuses(
        "--profile --profile-duration 3",
        &expect![[r"
        error: --profile-duration needs --profile-batch-threshold
          hint: add --profile-batch-threshold"]],
    );
    refuses(
        "--profile --profile-batch-threshold 0",
        &expect!["error: --profile-batch-threshold must be a number from 1 to 4294967295, not 0"],
    );
    refuses(
        "--profile --profile-batch-threshold 8 --profile-duration 0",
        &expect!["error: --profile-duration must be above 0 seconds, not 0"],
    );
    refuses(
        "--base-url sim:gpu-small --probe-request-rate 1",
        &expect![[r"
            error: --probe-request-rate needs a service
              cause: in virtual time nothing is asked beside the load
              hint: start crestline sim, and give its address with --base-url"]],
    );
    refuses(
        "--base-url sim:gpu-small --profile",
        &expect![[r"
        error: --profile needs a service
          cause: in virtual time nothing is asked beside the load
          hint: start crestline sim, and give its address with --base-url"]],
    );
    refuses(
        "--base-url sim:gpu-small --reset-prefix-cache",
        &expect![[r"
        error: --reset-prefix-cache needs a service
          cause: in virtual time nothing is asked beside the load
          hint: start crestline sim, and give its address with --base-url"]],
    );
}

#[test]
fn warm_up_requests_may_be_copies_and_are_as_vllm_has_them() {
    changes(
        "--num-warmups 3 --warmup-copies",
        &expect![[r"
        points.0.warmup = 3
        workload.dataset.sampled.copies = 3"]],
    );
    changes(
        "--num-warmups 3",
        &expect![[r"
        points.0.warmup = 3
        workload.dataset.sampled.requests = 1003"]],
    );
    let copies = changed("--num-warmups 3 --warmup-copies");
    assert_eq!(changed("--num-warmups 3 --compat vllm"), copies);
}

#[test]
fn the_service_s_metrics_are_read_where_they_are_unless_something_else_is_said() {
    let metrics = |flags: &str| {
        let plan = translated(&words(flags)).unwrap().plan;
        let metrics = plan.server_metrics;
        (metrics.read, metrics.url)
    };
    let url = Some("http://h:1/m".to_owned());
    assert_eq!(metrics(""), (ReadMetrics::IfThere, None));
    assert_eq!(metrics("--server-metrics"), (ReadMetrics::Always, None));
    assert_eq!(metrics("--server-metrics off"), (ReadMetrics::Never, None));
    assert_eq!(
        metrics("--server-metrics-url http://h:1/m"),
        (ReadMetrics::Always, url)
    );
    refuses(
        "--base-url sim:gpu-small --server-metrics",
        &expect![[r"
        error: --server-metrics on needs a service
          cause: in virtual time nothing is asked beside the load
          hint: start crestline sim, and give its address with --base-url"]],
    );
}
