//! Every message and hint about criteria that cannot be read.

use expect_test::expect;

use super::slo;
use crate::sla::{parse_groups, parse_slo};

/// Message and hint for each text, with the text above them.
fn refused(texts: &[&str]) -> String {
    let lines = texts.iter().map(|text| {
        let error = parse_groups(text, Some(&slo())).unwrap_err();
        format!("{text}\n  {error}\n  {}\n", error.hint())
    });
    lines.collect()
}

#[test]
fn what_is_no_list_of_groups_is_refused() {
    let found = refused(&[
        "",
        "p99_ttft<=2",
        r#"[{"p99_latency": "<=2"}, {"p99_ttft": "<=1s" "rps": "max"}]"#,
        "[{\n \"p99_ttft\": \"<=1s\",\n}]",
        "3",
        "[]",
        r#"[{"p99_ttft": "<=1s"}, "tps"]"#,
        r#"[{"p99_ttft": "<=1s"}, {}]"#,
    ]);
    expect![[r#"

          the list of criteria is empty
          name at least one metric in each group, such as {"p99_ttft": "<=2s"}
        p99_ttft<=2
          the criteria are not JSON: expected value at line 1, column 1, after `p`
          write a list of groups such as [{"p99_ttft": "<=2s"}], in a shell between single quotes
        [{"p99_latency": "<=2"}, {"p99_ttft": "<=1s" "rps": "max"}]
          the criteria are not JSON: expected `,` or `}` at line 1, column 46, after `…"p99_ttft": "<=1s" "`
          write a list of groups such as [{"p99_ttft": "<=2s"}], in a shell between single quotes
        [{
         "p99_ttft": "<=1s",
        }]
          the criteria are not JSON: trailing comma at line 3, column 1, after `}`
          write a list of groups such as [{"p99_ttft": "<=2s"}], in a shell between single quotes
        3
          the criteria are a number, not a list of groups
          write a list of groups such as [{"p99_ttft": "<=2s"}]
        []
          the list of criteria is empty
          name at least one metric in each group, such as {"p99_ttft": "<=2s"}
        [{"p99_ttft": "<=1s"}, "tps"]
          group 2 is a string, not an object of metrics and conditions
          write a list of groups such as [{"p99_ttft": "<=2s"}]
        [{"p99_ttft": "<=1s"}, {}]
          group 2 is empty
          name at least one metric in each group, such as {"p99_ttft": "<=2s"}
    "#]].assert_eq(&found);
}

#[test]
fn what_is_no_condition_on_a_metric_is_refused() {
    let found = refused(&[
        r#"[{"rps": "max"}, {"p99_tftt": "<=2s"}]"#,
        r#"{"throughput_of_the_whole": "max"}"#,
        r#"{"p99_ttft": "= 2s"}"#,
        r#"{"tps": ""}"#,
        r#"{"p99_ttft": 2}"#,
        r#"{"rps": 0.5}"#,
        r#"{"p99_ttft": ["<=2s"]}"#,
        r#"{"success_rate": null}"#,
    ]);
    expect![[r#"
        [{"rps": "max"}, {"p99_tftt": "<=2s"}]
          unknown metric `p99_tftt` in group 2
          did you mean `p99_ttft`? Metrics: avg_, p50_, p90_, p95_, p99_ or p99.9_ before latency, ttft, tpot or itl; rps, tps, total_tps, success_rate, goodput
        {"throughput_of_the_whole": "max"}
          unknown metric `throughput_of_the_whole` in group 1
          metrics: avg_, p50_, p90_, p95_, p99_ or p99.9_ before latency, ttft, tpot or itl; rps, tps, total_tps, success_rate, goodput
        {"p99_ttft": "= 2s"}
          `p99_ttft` in group 1: `= 2s` has no comparison
          write a limit such as "<=2s", or "min"
        {"tps": ""}
          `tps` in group 1: `` has no comparison
          write a limit such as ">=500 tok/s", or "max"
        {"p99_ttft": 2}
          `p99_ttft` in group 1: the number 2 has no comparison
          write "<=2"
        {"rps": 0.5}
          `rps` in group 1: the number 0.5 has no comparison
          write ">=0.5"
        {"p99_ttft": ["<=2s"]}
          `p99_ttft` in group 1: the condition is a list, not a string
          write a limit such as "<=2s", or "min"
        {"success_rate": null}
          `success_rate` in group 1: the condition is null, not a string
          write a limit such as ">=99.5%", or "max"
    "#]].assert_eq(&found);
}

#[test]
fn what_is_no_number_is_refused() {
    let found = refused(&[
        r#"{"p99_ttft": "<="}"#,
        r#"{"p99_ttft": "<= 1,5s"}"#,
        r#"{"p99_ttft": "<=nan"}"#,
        r#"{"p99_ttft": "<=inf"}"#,
        r#"{"p99_ttft": "<=1e400"}"#,
        r#"{"p99_ttft": "<=0"}"#,
        r#"{"p99_ttft": "<-1s"}"#,
        r#"{"success_rate": ">=100.1%"}"#,
        r#"{"goodput": ">=101"}"#,
        r#"{"success_rate": ">100%"}"#,
    ]);
    expect![[r#"
        {"p99_ttft": "<="}
          `p99_ttft` in group 1: no threshold follows
          write a number with a decimal point, and its unit behind it
        {"p99_ttft": "<= 1,5s"}
          `p99_ttft` in group 1: `1,5s` is not a number
          write a number with a decimal point, and its unit behind it
        {"p99_ttft": "<=nan"}
          `p99_ttft` in group 1: `nan` is not a number
          write a number with a decimal point, and its unit behind it
        {"p99_ttft": "<=inf"}
          `p99_ttft` in group 1: `inf` is not a number
          write a number with a decimal point, and its unit behind it
        {"p99_ttft": "<=1e400"}
          `p99_ttft` in group 1: `1e400` is too large
          leave out a limit that nothing can exceed
        {"p99_ttft": "<=0"}
          `p99_ttft` in group 1: the threshold `0` is not above 0
          write a threshold above 0, or leave the metric out
        {"p99_ttft": "<-1s"}
          `p99_ttft` in group 1: the threshold `-1s` is not above 0
          write a threshold above 0, or leave the metric out
        {"success_rate": ">=100.1%"}
          `success_rate` in group 1: the threshold `100.1%` is more than 100 %
          write a share such as 99.5% or 0.995
        {"goodput": ">=101"}
          `goodput` in group 1: the threshold `101` is more than 100 %
          write a share such as 99.5% or 0.995
        {"success_rate": ">100%"}
          `success_rate` in group 1: no share is above 100 %
          write ">=100%"
    "#]]
    .assert_eq(&found);
}

#[test]
fn a_unit_of_another_metric_is_refused() {
    let found = refused(&[
        r#"{"p99_ttft": "<=2 req/s"}"#,
        r#"{"p99_ttft": "<=99%"}"#,
        r#"{"rps": ">=2 tok/s"}"#,
        r#"{"tps": ">=2s"}"#,
        r#"{"success_rate": ">=2s"}"#,
    ]);
    expect![[r#"
        {"p99_ttft": "<=2 req/s"}
          `p99_ttft` in group 1: `req/s` is not a unit of it
          units: s, ms or us, or nothing for seconds
        {"p99_ttft": "<=99%"}
          `p99_ttft` in group 1: `%` is not a unit of it
          units: s, ms or us, or nothing for seconds
        {"rps": ">=2 tok/s"}
          `rps` in group 1: `tok/s` is not a unit of it
          units: req/s, or nothing for the same
        {"tps": ">=2s"}
          `tps` in group 1: `s` is not a unit of it
          units: tok/s, or nothing for the same
        {"success_rate": ">=2s"}
          `success_rate` in group 1: `s` is not a unit of it
          units: %, or nothing for a share up to 1 or a percentage above 1
    "#]]
    .assert_eq(&found);
}

#[test]
fn a_group_that_no_load_answers_is_refused() {
    let found = refused(&[
        r#"{"p99_ttft": ">=1s"}"#,
        r#"{"tps": "<500"}"#,
        r#"{"goodput": "<=99%"}"#,
        r#"{"p99_latency": "max"}"#,
        r#"{"rps": "min"}"#,
        r#"{"p99_ttft": "<=1s", "p99_ttft": "<=2s"}"#,
        r#"{"p99_ttft": "<=1s", "p99_ttft": ">=2s"}"#,
        r#"{"tps": ">=500", "tps": "<500"}"#,
        r#"[{"rps": ">=1"}, {"tps": "max", "p99_ttft": "min"}]"#,
    ]);
    expect![[r#"
        {"p99_ttft": ">=1s"}
          `p99_ttft` in group 1: `>=` gives no highest load: a service that is overloaded keeps to it ever better
          limit it from above with `<=`
        {"tps": "<500"}
          `tps` in group 1: `<` gives no highest load: a service that does little or fails much keeps to it at any load
          limit it from below with `>=`, or leave it out
        {"goodput": "<=99%"}
          `goodput` in group 1: `<=` gives no highest load: a service that does little or fails much keeps to it at any load
          limit it from below with `>=`, or leave it out
        {"p99_latency": "max"}
          `p99_latency` in group 1: `max` seeks the load at which the service is worst
          write "min", or a limit
        {"rps": "min"}
          `rps` in group 1: `min` seeks the load at which the service is worst
          write "max", or a limit
        {"p99_ttft": "<=1s", "p99_ttft": "<=2s"}
          `p99_ttft` in group 1: `<=` is given twice
          keep the stricter of the two
        {"p99_ttft": "<=1s", "p99_ttft": ">=2s"}
          `p99_ttft` in group 1: no value is both `<= 1 s` and `>= 2 s`
          keep one of the two
        {"tps": ">=500", "tps": "<500"}
          `tps` in group 1: no value is both `>= 500 tok/s` and `< 500 tok/s`
          keep one of the two
        [{"rps": ">=1"}, {"tps": "max", "p99_ttft": "min"}]
          group 2 has two aims: `tps -> max` and `p99_ttft -> min`
          give each aim a group of its own, or turn one into a limit
    "#]].assert_eq(&found);
}

#[test]
fn goodput_without_limits_of_a_good_request_is_refused() {
    for slo in [None, Some(crate::sla::Slo::default())] {
        let error = parse_groups(r#"[{"goodput": ">=95%"}]"#, slo.as_ref()).unwrap_err();
        expect!["`goodput` in group 1: there are no limits that a good request keeps to"]
            .assert_eq(&error.to_string());
        expect!["say what a good request is, such as ttft:500ms tpot:50ms"]
            .assert_eq(&error.hint());
    }
}

#[test]
fn limits_of_single_requests_that_make_no_sense_are_refused() {
    let all = [
        ",",
        "ttft",
        "ttff:500ms",
        "throughput:3",
        "ttft:1s,ttft:2s",
        "latency:1s e2el:2s",
        "ttft:fast",
        "ttft:50%",
        "ttft:0",
        "tpot:<50ms",
    ]
    .map(|text| {
        let error = parse_slo(&[text.to_owned()]).unwrap_err();
        format!("{text}\n  {error}\n  {}\n", error.hint())
    })
    .concat();
    expect![[r"
        ,
          there is no limit that a good request keeps to
          write a time, a colon and a limit, such as ttft:500ms tpot:50ms
        ttft
          the limit `ttft` has no colon
          write a time, a colon and a limit, such as ttft:500ms tpot:50ms
        ttff:500ms
          unknown time `ttff` in the limit `ttff:500ms`
          did you mean `ttft`? times: ttft, tpot, itl, latency, e2el (the same as latency)
        throughput:3
          unknown time `throughput` in the limit `throughput:3`
          times: ttft, tpot, itl, latency, e2el (the same as latency)
        ttft:1s,ttft:2s
          ttft has two limits
          keep the stricter of the two
        latency:1s e2el:2s
          latency has two limits
          keep the stricter of the two
        ttft:fast
          the limit `ttft:fast`: `fast` is not a number
          write a number with a decimal point, and its unit behind it
        ttft:50%
          the limit `ttft:50%`: `%` is not a unit of it
          units: s, ms or us, or nothing for seconds
        ttft:0
          the limit `ttft:0`: the threshold `0` is not above 0
          write a threshold above 0, or leave the metric out
        tpot:<50ms
          the limit `tpot:<50ms`: `<50ms` is not a number
          write a number with a decimal point, and its unit behind it
    "]]
    .assert_eq(&all);
}
