//! How wrong flags are told.

use super::*;

#[test]
fn the_endpoint_does_not_fit() {
    refuses(
        "--backend openai-chat",
        &expect![[r"
        error: --endpoint /v1/completions does not fit --backend openai-chat
          cause: its path ends in chat/completions
          hint: add --endpoint /v1/chat/completions"]],
    );
    refuses(
        "--endpoint /v1/chat/completions",
        &expect![[r"
        error: --endpoint /v1/chat/completions does not fit --backend openai
          cause: its path ends in completions
          hint: add --endpoint /v1/completions"]],
    );
    refuses(
        "--base-url h:8000",
        &expect![[r"
        error: --base-url h:8000 has no scheme
          hint: write --base-url http://h:8000, or sim:NAME for the simulated engine"]],
    );
    refuses(
        "--backend openai-chatt",
        &expect![[r"
        error: --backend openai-chatt is not known
          hint: did you mean openai-chat?"]],
    );
    refuses(
        "--backend tgi",
        &expect![[r"
            error: --endpoint /v1/completions does not fit --backend tgi
              cause: its path ends in generate_stream
              hint: add --endpoint /generate_stream"]],
    );
    refuses(
        "--header x",
        &expect![[r"
        error: --header has a part without `=`
          hint: write NAME=VALUE, with quotes where the value has spaces: --header 'X-Team=a b' X-Run=1"]],
    );
}

#[test]
fn settings_do_not_fit_the_backend() {
    refuses(
        "--backend tgi --endpoint /generate_stream --top-p 0.5",
        &expect![[r"
        error: --backend tgi takes no sampling flags
          cause: --top-p, --top-k, --min-p, --temperature and penalties are for OpenAI's APIs
          hint: leave them out, or put the service's own names into --extra-body"]],
    );
    refuses(
        "--backend openai-embeddings --endpoint /v1/embeddings --percentile-metrics ttft",
        &expect![[r"
            error: --percentile-metrics ttft has no meaning for vectors and scores
              hint: use e2el"]],
    );
}

#[test]
fn the_load_cannot_be() {
    refuses(
        "--num-runs 0",
        &expect!["error: --num-runs must be a number from 1 to 4294967295, not 0"],
    );
    refuses(
        "--num-prompts 0",
        &expect!["error: --num-prompts must be a number from 1 to 4294967295, not 0"],
    );
    refuses(
        "--max-concurrency 0",
        &expect!["error: --max-concurrency must be a number from 1 to 4294967295, not 0"],
    );
    refuses(
        "--request-rate 0",
        &expect![[r"
        error: --request-rate cannot be 0
          hint: give requests a second above 0, or inf to send all at the beginning"]],
    );
    refuses(
        "--request-rate nan",
        &expect![[r"
        error: --request-rate cannot be NaN
          hint: give requests a second above 0, or inf to send all at the beginning"]],
    );
    refuses(
        "--burstiness 0",
        &expect![[r"
        error: --burstiness must be above 0, not 0
          hint: 1 is a Poisson process, less is burstier, inf is even"]],
    );
    refuses(
        "--ramp-up-end-rps 3",
        &expect![[r"
        error: --ramp-up-start-rps and --ramp-up-end-rps need --ramp-up-strategy
          hint: add --ramp-up-strategy linear or exponential"]],
    );
}

#[test]
fn the_ramp_cannot_be() {
    refuses(
        "--ramp-up-strategy linear",
        &expect![[r"
        error: --ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps
          hint: add both, in requests a second"]],
    );
    refuses(
        "--ramp-up-strategy linear --ramp-up-start-rps 0 --ramp-up-end-rps 3",
        &expect![[r"
            error: --ramp-up-start-rps cannot be 0
              cause: at no requests a second the first one would never be due
              hint: give 1 or more"]],
    );
    refuses(
        "--ramp-up-strategy linear --ramp-up-start-rps 4 --ramp-up-end-rps 3",
        &expect![[r"
            error: --ramp-up-start-rps 4 is above --ramp-up-end-rps 3
              hint: exchange them"]],
    );
    refuses(
        "--ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 3 --request-rate 5",
        &expect![[r"
            error: --ramp-up-strategy and --request-rate cannot stand together
              hint: leave out --request-rate: the ramp says how the rate goes"]],
    );
}

#[test]
fn the_prompts_cannot_be() {
    refuses(
        "--dataset-path x",
        &expect![[r"
            error: --dataset-path x has no meaning with a data set that is made
              hint: leave it out, or name the data set that is in the file"]],
    );
    refuses(
        "--random-range-ratio 1",
        &expect![[r#"
        error: --random-range-ratio cannot be 1
          cause: a share is at least 0 and below 1
          hint: write a number, or --random-range-ratio '{"input": 0.2, "output": 0.5}'"#]],
    );
    refuses(
        r#"--random-range-ratio '{"in": 0.5}'"#,
        &expect![[r#"
        error: --random-range-ratio cannot be {"in": 0.5}
          cause: a share is at least 0 and below 1
          hint: write a number, or --random-range-ratio '{"input": 0.2, "output": 0.5}'"#]],
    );
    refuses(
        "--extra-body 5",
        &expect![[r#"
        error: --extra-body must be a JSON object
          cause: it is 5
          hint: write it as in --extra-body '{"key": "value"}', in single quotes for the shell"#]],
    );
}

#[test]
fn the_report_cannot_be() {
    refuses(
        "--percentile-metrics ttft,x",
        &expect![[r"
        error: --percentile-metrics does not know x
          hint: one or more of ttft,tpot,itl,e2el,client_queue_time,e2el_including_client_queue, with commas"]],
    );
    refuses(
        "--metric-percentiles 101",
        &expect![[r"
        error: --metric-percentiles cannot be 101
          hint: write numbers from 0 to 100 with commas: --metric-percentiles 50,99,99.9"]],
    );
    refuses(
        "--goodput ttft",
        &expect![[r"
        error: --goodput ttft has no colon
          hint: write a metric, a colon and milliseconds: --goodput ttft:500 tpot:50"]],
    );
    refuses(
        "--goodput itl:5",
        &expect![[r"
        error: --goodput does not know itl
          hint: one of ttft, tpot, e2el"]],
    );
    refuses(
        "--goodput ttft:-5",
        &expect![[r"
        error: --goodput ttft:-5: -5 is no limit
          hint: write milliseconds, 0 or more"]],
    );
    refuses(
        "--metadata x",
        &expect![[r"
        error: --metadata x has no `=`
          hint: write NAME=VALUE"]],
    );
}

#[test]
fn flags_that_are_not_supported_are_named() {
    refuses(
        "--plot-timeline",
        &expect![[r"
        error: --plot-timeline is not supported yet
          hint: the JSON of --save-detailed has the figures of each request"]],
    );
    refuses(
        "--lora-modules a b",
        &expect![[r"
            error: --lora-modules is not supported yet
              hint: give one name with --model"]],
    );
    changes("--timeline-itl-thresholds 25,50", &expect![[r""]]);
}

#[test]
fn a_trace_s_own_times_need_a_trace() {
    refuses(
        "--self-timed",
        &expect![[r"
        error: --self-timed needs --dataset-name timed_trace
          hint: leave it out; burstgpt has --burstgpt-timestamps"]],
    );
}
