//! Flags that are refused: what the user reads.

use super::*;

#[test]
fn no_model() {
    refuses(&["--dataset", "openqa"], &expect![[""]]);
}

#[test]
fn random_without_a_tokenizer() {
    refuses(&["--model", "m", "--dataset", "random"], &expect![[""]]);
}

#[test]
fn tokenize_prompt_without_a_tokenizer() {
    refuses(
        &["--model", "m", "--dataset", "openqa", "--tokenize-prompt"],
        &expect![[""]],
    );
}

#[test]
fn number_and_parallel_of_different_lengths() {
    refuses_more(&["--parallel", "1", "10", "--number", "5"], &expect![[""]]);
}

#[test]
fn several_parallels_without_number() {
    refuses_more(&["--parallel", "1", "10"], &expect![[""]]);
}

#[test]
fn parallel_of_zero() {
    refuses_more(&["--parallel", "0"], &expect![[""]]);
}

#[test]
fn parallel_of_minus_one_in_a_closed_loop() {
    refuses_more(&["--parallel", "-1"], &expect![[""]]);
}

#[test]
fn number_of_zero() {
    refuses_more(&["--number", "0"], &expect![[""]]);
}

#[test]
fn rates_in_a_closed_loop() {
    refuses_more(&["--rate", "1", "2"], &expect![[""]]);
}

#[test]
fn rate_of_zero() {
    refuses_more(&["--rate", "0"], &expect![[""]]);
}

#[test]
fn number_and_rate_of_different_lengths_in_an_open_loop() {
    refuses_more(
        &["--open-loop", "--rate", "1", "2", "--number", "5"],
        &expect![[""]],
    );
}

#[test]
fn open_loop_without_rate() {
    refuses_more(&["--open-loop"], &expect![[""]]);
}

#[test]
fn a_rate_of_minus_one_in_an_open_loop() {
    refuses_more(
        &["--open-loop", "--rate", "5", "-1", "--number", "1", "2"],
        &expect![[""]],
    );
}

#[test]
fn constant_arrivals_without_a_rate() {
    refuses_more(&["--arrival", "constant"], &expect![[""]]);
}

#[test]
fn a_negative_warm_up() {
    refuses_more(&["--warmup-num", "-1"], &expect![[""]]);
}

#[test]
fn a_duration_of_zero() {
    refuses_more(&["--duration", "0"], &expect![[""]]);
}

#[test]
fn a_negative_pause() {
    refuses_more(&["--sleep-interval", "-1"], &expect![[""]]);
}

#[test]
fn a_negative_timeout() {
    refuses_more(&["--connect-timeout", "-1"], &expect![[""]]);
}

#[test]
fn three_max_tokens() {
    refuses_more(&["--max-tokens", "1", "2", "3"], &expect![[""]]);
}

#[test]
fn max_tokens_upside_down() {
    refuses_more(&["--max-tokens", "9", "2"], &expect![[""]]);
}

#[test]
fn negative_max_tokens() {
    refuses_more(&["--max-tokens", "-2"], &expect![[""]]);
}

#[test]
fn min_tokens_above_max_tokens() {
    refuses_more(&["--max-tokens", "5", "--min-tokens", "6"], &expect![[""]]);
}

#[test]
fn extra_args_that_are_not_json() {
    refuses_more(&["--extra-args", "{ignore_eos: true}"], &expect![[""]]);
}

#[test]
fn extra_args_that_are_no_object() {
    refuses_more(&["--extra-args", "[1]"], &expect![[""]]);
}

#[test]
fn dataset_args_that_are_not_json() {
    refuses_more(&["--dataset-args", "{"], &expect![[""]]);
}

#[test]
fn dataset_args_with_an_unknown_key() {
    refuses_more(&["--dataset-args", r#"{"inptu": 3}"#], &expect![[""]]);
}

#[test]
fn query_template_that_is_not_json() {
    refuses_more(&["--query-template", "x"], &expect![[""]]);
}

#[test]
fn a_file_that_is_not_there() {
    refuses_more(&["--prompt", "@/no/such/file"], &expect![[""]]);
}

#[test]
fn a_header_without_equals() {
    refuses_more(&["--headers", "X-A: 1"], &expect![[""]]);
}

#[test]
fn a_header_name_with_blanks() {
    refuses_more(&["--headers", "X A=1"], &expect![[""]]);
}

#[test]
fn an_api_of_later() {
    refuses_more(&["--api", "openai_embedding"], &expect![[""]]);
}

#[test]
fn an_api_that_is_unknown() {
    refuses_more(&["--api", "opneai"], &expect![[""]]);
}

#[test]
fn a_dataset_that_is_unknown() {
    refuses_more(&["--dataset", "radnom"], &expect![[""]]);
}

#[test]
fn a_dataset_of_later() {
    refuses_more(&["--dataset", "workload_trace"], &expect![[""]]);
}

#[test]
fn a_url_of_another_api() {
    refuses_more(&["--url", "http://h/v1/embeddings"], &expect![[""]]);
}

#[test]
fn a_url_of_another_scheme() {
    refuses_more(&["--url", "ftp://h/v1"], &expect![[""]]);
}

#[test]
fn a_url_with_a_password() {
    refuses_more(&["--url", "http://me:pw@h/v1"], &expect![[""]]);
}

#[test]
fn a_url_without_host() {
    refuses_more(&["--url", "http:///v1"], &expect![[""]]);
}

#[test]
fn a_sim_url_without_profile() {
    refuses_more(&["--url", "sim:"], &expect![[""]]);
}

#[test]
fn plain_text_to_a_chat_url() {
    refuses_more(&["--no-apply-chat-template"], &expect![[""]]);
}

#[test]
fn messages_to_a_completions_url() {
    refuses_more(
        &["--apply-chat-template", "--url", "http://h/v1/completions"],
        &expect![[""]],
    );
}

#[test]
fn prompt_lengths_upside_down() {
    refuses_more(
        &["--min-prompt-length", "9", "--max-prompt-length", "3"],
        &expect![[""]],
    );
}

#[test]
fn a_prefix_for_real_data() {
    refuses_more(
        &["--dataset", "openqa", "--prefix-length", "9"],
        &expect![[""]],
    );
}

#[test]
fn data_source_local_without_a_path() {
    refuses_more(
        &["--dataset", "openqa", "--data-source", "local"],
        &expect![[""]],
    );
}

#[test]
fn a_negative_number_of_preparing_threads() {
    refuses_more(&["--num-workers", "-1"], &expect![[""]]);
}

#[test]
fn sla_flags() {
    refuses_more(&["--sla-auto-tune", "--sla-params", "[]"], &expect![[""]]);
}

#[test]
fn multi_turn_flags() {
    refuses_more(
        &["--multi-turn", "--min-turns", "2", "--max-turns", "3"],
        &expect![[""]],
    );
}

#[test]
fn open_loop_with_multi_turn() {
    refuses_more(
        &["--open-loop", "--multi-turn", "--rate", "1"],
        &expect![[""]],
    );
}

#[test]
fn image_flags() {
    refuses_more(&["--image-width", "9"], &expect![[""]]);
}

#[test]
fn visualizers() {
    refuses_more(&["--visualizer", "wandb"], &expect![[""]]);
}

#[test]
fn a_visualizers_key() {
    refuses_more(&["--swanlab-api-key", "local"], &expect![[""]]);
}

#[test]
fn several_prefixes() {
    refuses_more(&["--prefix-count", "3"], &expect![[""]]);
}

#[test]
fn scenarios() {
    refuses_more(&["--scenario", "agentx"], &expect![[""]]);
}

#[test]
fn pd_metrics() {
    refuses_more(&["--enable-pd-metrics"], &expect![[""]]);
}

#[test]
fn evalscopes_own_server() {
    refuses_more(&["--port", "8877"], &expect![[""]]);
}

#[test]
fn an_unknown_flag() {
    refuses_more(&["--paralel", "1"], &expect![[""]]);
}

#[test]
fn an_ambiguous_beginning() {
    refuses_more(&["--min", "1"], &expect![[""]]);
}

#[test]
fn a_flag_without_its_value() {
    refuses_more(&["--url"], &expect![[""]]);
}

#[test]
fn a_text_for_a_number() {
    refuses_more(&["--number", "many"], &expect![[""]]);
}

#[test]
fn every_unsupported_flag_is_refused_by_its_name() {
    let mut command = clap::Command::new("x");
    command = <crate::perf::args::UnsupportedArgs as clap::Args>::augment_args(command);
    let mut flags = 0;
    for arg in command.get_arguments() {
        let flag = format!("--{}", arg.get_long().unwrap());
        let value = if arg.get_action().takes_values() {
            &["7"][..]
        } else {
            &[]
        };
        let typed: Vec<&str> = std::iter::once(flag.as_str())
            .chain(value.iter().copied())
            .collect();
        let problem = translated(&typed).unwrap_err().to_string();
        assert!(
            problem.starts_with(&format!("error: {flag} is not supported yet")),
            "{problem}"
        );
        flags += 1;
    }
    assert_eq!(flags, 26);
}
