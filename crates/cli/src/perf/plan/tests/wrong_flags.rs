//! Flags that are unknown or not supported: what the user reads.

use super::*;

#[test]
fn multi_turn_flags() {
    refuses_more(
        "--multi-turn --min-turns 2 --max-turns 3",
        &expect![[r"
            error: --multi-turn is not supported yet
              cause: nor is --min-turns, --max-turns
              hint: measure single requests; share_gpt_zh and share_gpt_en send whole conversations as one request"]],
    );
}

#[test]
fn open_loop_with_multi_turn() {
    refuses_more(
        "--open-loop --multi-turn --rate 1",
        &expect![[r"
            error: --multi-turn is not supported yet
              hint: measure single requests; share_gpt_zh and share_gpt_en send whole conversations as one request"]],
    );
}

#[test]
fn image_flags() {
    refuses_more(
        "--image-width 9",
        &expect![[r"
        error: --image-width is not supported yet
          hint: line_by_line sends whole request bodies, also with images in them"]],
    );
}

#[test]
fn several_prefixes() {
    refuses_more(
        "--prefix-count 3",
        &expect![[r"
        error: --prefix-count is not supported yet
          hint: one prefix is shared by all prompts"]],
    );
}

#[test]
fn scenarios() {
    refuses_more(
        "--scenario agentx",
        &expect![[r"
        error: --scenario is not supported yet
          hint: describe the load by the flags of `--help`"]],
    );
}

#[test]
fn pd_metrics() {
    refuses_more(
        "--enable-pd-metrics",
        &expect![[r"
        error: --enable-pd-metrics is not supported yet
          hint: every gap between chunks is in benchmark_data.db"]],
    );
}

#[test]
fn evalscopes_own_server() {
    refuses_more(
        "--port 8877",
        &expect![[r"
        error: --port is not supported yet
          hint: it belongs to evalscope's own server; start a server, or `crestline sim`, and give its --url"]],
    );
}

#[test]
fn an_unknown_flag() {
    refuses_more(
        "--paralel 1",
        &expect![[r"
        error: unknown argument --paralel
          hint: did you mean --parallel?"]],
    );
}

#[test]
fn an_ambiguous_beginning() {
    refuses_more(
        "--min 1",
        &expect![[r"
        error: --min is not one flag
          cause: it is the beginning of --min-prompt-length, --min-tokens, --min-turns
          hint: write the name in full"]],
    );
}

#[test]
fn a_flag_without_its_value() {
    refuses_more(
        "--url",
        &expect![[r"
        error: --url needs a value
          hint: write --url <URL>"]],
    );
}

#[test]
fn a_text_for_a_number() {
    refuses_more(
        "--number many",
        &expect![[r"
        error: --number cannot be many
          cause: invalid digit found in string"]],
    );
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
    assert_eq!(flags, 14);
}
