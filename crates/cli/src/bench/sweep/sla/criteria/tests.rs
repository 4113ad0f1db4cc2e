//! SLAs as files have them: what is read, how it is called, and what is refused.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn sla(value: Value, keys: Keys) -> Result<Sla, Refusal> {
    match value {
        Value::Object(fields) => Sla::of(&Combination(fields), keys),
        other => panic!("{other}"),
    }
}

#[test]
fn keys_of_results_are_measures_in_base_units() {
    let check = |key: &str, text: &str, expected: &str| {
        let sla = sla(json!({ key: text }), Keys::Judged).unwrap();
        assert_eq!(sla.group().to_string(), expected);
    };
    check("p99_ttft_ms", "<=200", "p99_ttft <= 0.2");
    check("median_e2el_ms", "< 1500.5", "p50_latency < 1.5005");
    check("mean_tpot_ms", "<=50", "avg_tpot <= 0.05");
    check("p99.9_itl_ms", "<=80", "p99.9_itl <= 0.08");
    check("p75_ttft_ms", "<=80", "p75_ttft <= 0.08");
    check("request_throughput", ">=5", "rps >= 5.0");
    check("output_throughput", ">100", "tps > 100.0");
    check("total_token_throughput", ">=1e3", "total_tps >= 1000.0");
}

#[test]
fn files_are_called_by_all_criteria_with_two_digits() {
    let both = json!({"p99_ttft_ms": "<=200", "p99_tpot_ms": "<50.125"});
    let named = json!({"_benchmark_name": "chat", "p99_ttft_ms": "<=200"});
    assert_eq!(
        sla(both, Keys::Judged).unwrap().label(),
        "p99_ttft_ms<=200.00-p99_tpot_ms<50.12"
    );
    let named = sla(named, Keys::Judged).unwrap();
    assert_eq!(named.label(), "p99_ttft_ms<=200.00");
    assert_eq!(named.shown(), "chat: p99_ttft_ms<=200.00");
}

fn check(value: Value, keys: Keys, expected: &Expect) {
    let (why, hint) = sla(value, keys).unwrap_err();
    expected.assert_eq(&format!("{why}\n{hint}"));
}

#[test]
fn a_condition_that_cannot_be_read_is_told_with_what_to_do() {
    check(
        json!({"p99_tftt_ms": "<=200"}),
        Keys::Judged,
        &expect![[r"
        no result has the key p99_tftt_ms
        did you mean p99_ttft_ms?"]],
    );
    check(
        json!({"p99_ttft": "<=200"}),
        Keys::Judged,
        &expect![[r"
        no result has the key p99_ttft
        did you mean p99_ttft_ms?"]],
    );
    check(
        json!({"latency": "<=200"}),
        Keys::Known,
        &expect![[r"
        no result has the key latency
        a key of the result, such as p99_ttft_ms, median_tpot_ms, mean_e2el_ms, p99.9_itl_ms, request_throughput or output_throughput"]],
    );
    check(
        json!({"p99_ttft_ms": 200}),
        Keys::Judged,
        &expect![[r#"
        p99_ttft_ms: 200 is no text
        write a comparison and a number in a text, as in "p99_ttft_ms": "<=200""#]],
    );
    check(
        json!({"p99_ttft_ms": "200"}),
        Keys::Judged,
        &expect![[r#"
        p99_ttft_ms: '200' has none of <=, >=, < and >
        write a comparison and a number in a text, as in "p99_ttft_ms": "<=200""#]],
    );
    check(
        json!({"p99_ttft_ms": "<=200ms"}),
        Keys::Judged,
        &expect![[r#"
            p99_ttft_ms: '<=200ms' has no number behind the comparison
            write a comparison and a number in a text, as in "p99_ttft_ms": "<=200""#]],
    );
}

#[test]
fn a_condition_that_cannot_be_searched_for_is_told_with_what_to_do() {
    check(
        json!({"p99_ttft_ms": ">=200"}),
        Keys::Judged,
        &expect![[r"
        p99_ttft_ms>=200.00 gives no highest load
        limit p99_ttft_ms with <=, or choose --sla-search pchip"]],
    );
    check(
        json!({"output_throughput": "<=200"}),
        Keys::Judged,
        &expect![[r"
            output_throughput<=200.00 gives no highest load
            limit output_throughput with >=, or choose --sla-search pchip"]],
    );
    check(
        json!({"p99_ttft_ms": "<=0"}),
        Keys::Judged,
        &expect![[r"
        p99_ttft_ms<=0.00 is met by no load
        give a number above 0"]],
    );
    check(
        json!({"std_ttft_ms": "<=5"}),
        Keys::Judged,
        &expect![[r"
        std_ttft_ms cannot be told from single requests
        choose --sla-search pchip, which compares any number of whole runs"]],
    );
    check(
        json!({"_benchmark_name": "x"}),
        Keys::Judged,
        &expect![[r#"
        an SLA without criteria is met by any load
        write at least one, as in {"p99_ttft_ms": "<=200"}"#]],
    );
}

#[test]
fn whole_runs_are_compared_by_any_number() {
    for key in ["std_ttft_ms", "failed", "p100_client_queue_time_ms"] {
        assert!(sla(json!({ key: "<=5" }), Keys::Known).is_ok(), "{key}");
    }
    assert!(sla(json!({"my_own": "<=5"}), Keys::Any).is_ok());
    assert!(sla(json!({"my_own": "<=5"}), Keys::Known).is_err());
}

#[test]
fn a_criterion_says_which_percentile_a_result_must_have() {
    let percentile = |key: &str| {
        let condition = Condition {
            key: key.to_owned(),
            relation: Relation::AtMost,
            threshold: 1.0,
        };
        condition.percentile()
    };
    assert_eq!(percentile("p99.9_itl_ms"), Some(99.9));
    assert_eq!(percentile("mean_itl_ms"), None);
    assert_eq!(percentile("request_throughput"), None);
}
