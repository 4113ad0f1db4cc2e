//! Wrong values and combinations: what the user reads.

use super::*;

#[test]
fn no_model() {
    refuses(
        "--dataset openqa",
        &expect![[r"
        error: --model is required
          hint: give the name that the service knows the model by; GET /v1/models lists them"]],
    );
}

#[test]
fn random_without_a_tokenizer() {
    refuses(
        "--model m --dataset random",
        &expect![[r"
        error: --dataset random needs --tokenizer-path
          hint: give the model's folder or its hub name; `--tokenizer-path builtin` needs no files but is no model's own"]],
    );
}

#[test]
fn tokenize_prompt_without_a_tokenizer() {
    refuses(
        "--model m --dataset openqa --tokenize-prompt",
        &expect![[r"
            error: --tokenize-prompt needs --tokenizer-path
              hint: give the model's folder or its hub name; `--tokenizer-path builtin` needs no files but is no model's own"]],
    );
}

#[test]
fn number_and_parallel_of_different_lengths() {
    refuses_more(
        "--parallel 1 10 --number 5",
        &expect![[r"
        error: the length of --number and --parallel must be the same
          cause: --number is 5; --parallel is 1 10
          hint: give one --number for each --parallel"]],
    );
}

#[test]
fn several_parallels_without_number() {
    refuses_more(
        "--parallel 1 10",
        &expect![[r"
        error: the length of --number and --parallel must be the same
          cause: --number is 1000; --parallel is 1 10
          hint: give one --number for each --parallel"]],
    );
}

#[test]
fn parallel_of_zero() {
    refuses_more(
        "--parallel 0",
        &expect![[r"
        error: --parallel must be a number from 1 to 4294967295, not 0
          hint: for requests in flight without limit use --open-loop with --rate"]],
    );
}

#[test]
fn parallel_of_minus_one_in_a_closed_loop() {
    refuses_more(
        "--parallel -1",
        &expect![[r"
        error: --parallel must be a number from 1 to 4294967295, not -1
          hint: for requests in flight without limit use --open-loop with --rate"]],
    );
}

#[test]
fn number_of_zero() {
    refuses_more(
        "--number 0",
        &expect!["error: --number must be a number from 1 to 4294967295, not 0"],
    );
}

#[test]
fn rates_in_a_closed_loop() {
    refuses_more(
        "--rate 1 2",
        &expect![[r"
        error: --rate takes one value here
          cause: --rate is 1 2, and without --open-loop the sweep is over --parallel
          hint: add --open-loop to sweep over --rate"]],
    );
}

#[test]
fn rate_of_zero() {
    refuses_more(
        "--rate 0",
        &expect![[r"
        error: --rate cannot be 0
          hint: give requests a second above 0, or -1 in a closed loop for no pacing"]],
    );
}

#[test]
fn number_and_rate_of_different_lengths_in_an_open_loop() {
    refuses_more(
        "--open-loop --rate 1 2 --number 5",
        &expect![[r"
            error: in open-loop mode the length of --number and --rate must be the same
              cause: --number is 5; --rate is 1 2
              hint: give one --number for each --rate"]],
    );
}

#[test]
fn open_loop_without_rate() {
    refuses_more(
        "--open-loop",
        &expect![[r"
        error: --open-loop needs --rate
          hint: add --rate with the requests a second; a list is a sweep"]],
    );
}

#[test]
fn a_rate_of_minus_one_in_an_open_loop() {
    refuses_more(
        "--open-loop --rate 5 -1 --number 1 2",
        &expect![[r"
            error: --rate cannot be -1
              cause: in open-loop mode all --rate values must be above 0; --rate is 5 -1
              hint: give requests a second above 0, or -1 in a closed loop for no pacing"]],
    );
}

#[test]
fn constant_arrivals_without_a_rate() {
    refuses_more(
        "--arrival constant",
        &expect![[r"
        error: --arrival constant needs a --rate
          hint: add --rate with the requests a second"]],
    );
}

#[test]
fn a_negative_warm_up() {
    refuses_more(
        "--warmup-num -1",
        &expect![[r"
        error: --warmup-num must be 0 or more, not -1
          hint: give a number of requests, or a share of --number below 1"]],
    );
}

#[test]
fn a_duration_of_zero() {
    refuses_more(
        "--duration 0",
        &expect!["error: --duration must be above 0 seconds, not 0"],
    );
}

#[test]
fn a_negative_pause() {
    refuses_more(
        "--sleep-interval -1",
        &expect!["error: --sleep-interval must be 0 or more seconds, not -1"],
    );
}

#[test]
fn a_negative_timeout() {
    refuses_more(
        "--connect-timeout -1",
        &expect!["error: --connect-timeout must be above 0 seconds, not -1"],
    );
}

#[test]
fn three_max_tokens() {
    refuses_more(
        "--max-tokens 1 2 3",
        &expect![[r"
        error: --max-tokens takes 1 or 2 values
          cause: it is 1 2 3
          hint: one value is the longest answer, two are the range from which each request draws its own"]],
    );
}

#[test]
fn max_tokens_upside_down() {
    refuses_more(
        "--max-tokens 9 2",
        &expect![[r"
        error: --max-tokens 9 2 is not a range
          hint: the first value must not be above the second"]],
    );
}

#[test]
fn negative_max_tokens() {
    refuses_more(
        "--max-tokens -2",
        &expect!["error: --max-tokens must be 0 or more, not -2"],
    );
}

#[test]
fn min_tokens_above_max_tokens() {
    refuses_more(
        "--max-tokens 5 --min-tokens 6",
        &expect![[r"
        error: --min-tokens 6 is above --max-tokens 5
          hint: lower --min-tokens or raise --max-tokens"]],
    );
}

#[test]
fn extra_args_that_are_not_json() {
    refuses_more(
        "--extra-args '{ignore_eos: true}'",
        &expect![[r#"
        error: --extra-args is not JSON
          cause: key must be a string at line 1 column 2
          hint: write it as in --extra-args '{"key": "value"}', in single quotes for the shell"#]],
    );
}

#[test]
fn extra_args_that_are_no_object() {
    refuses_more(
        "--extra-args '[1]'",
        &expect![[r#"
        error: --extra-args must be a JSON object
          cause: it is [1]
          hint: write it as in --extra-args '{"key": "value"}', in single quotes for the shell"#]],
    );
}

#[test]
fn dataset_args_that_are_not_json() {
    refuses_more(
        "--dataset-args '{'",
        &expect![[r#"
        error: --dataset-args is not JSON
          cause: EOF while parsing an object at line 1 column 1
          hint: write it as in --dataset-args '{"key": "value"}', in single quotes for the shell"#]],
    );
}

#[test]
fn dataset_args_with_an_unknown_key() {
    refuses_more(
        r#"--dataset-args '{"inptu": 3}'"#,
        &expect![[r"
            error: the data set cannot be used
              cause: data set `random` has no argument `inptu`
              hint: it has `input`, `output`, `pairs`"]],
    );
}

#[test]
fn query_template_with_a_stream_that_is_neither() {
    refuses_more(
        r#"--query-template '{"stream": 1}'"#,
        &expect![[r"
        error: --query-template: `stream` must be true or false
          cause: it is 1"]],
    );
}

#[test]
fn query_template_that_is_not_json() {
    refuses_more(
        "--query-template x",
        &expect![[r#"
        error: --query-template is not JSON
          cause: expected value at line 1 column 1
          hint: write it as in --query-template '{"key": "value"}', in single quotes for the shell"#]],
    );
}

#[test]
fn a_file_that_is_not_there() {
    refuses_more(
        "--prompt @/no/such/file",
        &expect![[r"
        error: --prompt: cannot read the file /no/such/file
          cause: No such file or directory (os error 2)"]],
    );
}

#[test]
fn a_header_without_equals() {
    refuses_more(
        "--headers 'X-A: 1'",
        &expect![[r"
        error: --headers has a part without `=`
          hint: write NAME=VALUE, with quotes where the value has spaces: --headers 'X-Team=a b' X-Run=1"]],
    );
}

#[test]
fn a_header_name_with_blanks() {
    refuses_more(
        "--headers 'X A=1'",
        &expect![[r"
        error: --headers: `X A` is no name of a header
          hint: write NAME=VALUE"]],
    );
}

#[test]
fn an_api_of_later() {
    refuses_more(
        "--api openai_embedding",
        &expect![[r"
        error: --api openai_embedding is not supported yet
          hint: `--api openai` speaks chat/completions and completions"]],
    );
}

#[test]
fn an_api_that_is_unknown() {
    refuses_more(
        "--api opneai",
        &expect![[r"
        error: --api opneai is not known
          hint: `--api openai` speaks chat/completions and completions"]],
    );
}

#[test]
fn a_dataset_that_is_unknown() {
    refuses_more(
        "--dataset radnom",
        &expect![[r"
            error: the data set cannot be used
              cause: no data set is called `radnom`
              hint: did you mean `random`?"]],
    );
}

#[test]
fn a_dataset_of_later() {
    refuses_more(
        "--dataset workload_trace",
        &expect![[r"
            error: the data set cannot be used
              cause: data set `workload_trace` is not supported yet"]],
    );
}

#[test]
fn a_url_of_another_api() {
    refuses_more(
        "--url http://h/v1/embeddings",
        &expect![[r"
        error: an API of `embeddings` is not supported yet
          cause: --url is http://h/v1/embeddings
          hint: use a URL that ends in /v1/chat/completions or /v1/completions"]],
    );
}

#[test]
fn a_url_of_another_scheme() {
    refuses_more(
        "--url ftp://h/v1",
        &expect![[r"
        error: --url ftp://h/v1 cannot be used
          cause: its scheme is `ftp`
          hint: write http://, https:// or sim:"]],
    );
}

#[test]
fn a_url_with_a_password() {
    refuses_more(
        "--url http://me:pw@h/v1",
        &expect![[r"
        error: --url must not hold a user name or password
          hint: the URL is written to files; send `--headers 'Authorization=Basic …'` instead"]],
    );
}

#[test]
fn a_url_without_host() {
    refuses_more(
        "--url http:///v1",
        &expect![[r"
        error: --url http:///v1 names no host
          hint: write it as in http://127.0.0.1:8000/v1/chat/completions"]],
    );
}

#[test]
fn a_header_that_says_how_long_the_body_is() {
    refuses_more(
        "--headers Content-Length=3",
        &expect![[r"
        error: --headers cannot set Content-Length
          cause: crestline sets it to fit each request
          hint: leave it out"]],
    );
}

#[test]
fn a_url_of_nothing_but_a_scheme() {
    refuses_more(
        "--url http://",
        &expect![[r"
        error: --url http:// names no host
          hint: write it as in http://127.0.0.1:8000/v1/chat/completions"]],
    );
}

#[test]
fn a_url_with_an_impossible_port_keeps_its_key_to_itself() {
    refuses_more(
        "--url http://127.0.0.1:99999/v1?api_key=k3y",
        &expect![[r"
            error: --url http://127.0.0.1:99999/v1?api_key=*** cannot be used
              cause: `http://127.0.0.1:99999/v1` is not a URL such as http://127.0.0.1:8000/v1/chat/completions
              hint: write it as in http://127.0.0.1:8000/v1/chat/completions"]],
    );
}

#[test]
fn a_sim_url_without_profile() {
    refuses_more(
        "--url sim:",
        &expect![[r"
        error: --url sim: names no profile
          hint: write sim:NAME with a name that `crestline sim --list` shows, or sim:FILE.toml"]],
    );
}

#[test]
fn plain_text_to_a_chat_url() {
    refuses_more(
        "--no-apply-chat-template",
        &expect![[r"
        error: --no-apply-chat-template does not fit the URL
          cause: --url http://127.0.0.1:8877/v1/chat/completions takes messages, not plain text
          hint: use a URL that ends in /v1/completions"]],
    );
}

#[test]
fn messages_to_a_completions_url() {
    refuses_more(
        "--apply-chat-template --url http://h/v1/completions",
        &expect![[r"
            error: --apply-chat-template does not fit the URL
              cause: --url http://h/v1/completions takes plain text, not messages
              hint: use a URL that ends in /v1/chat/completions, or add --tokenize-prompt"]],
    );
}

#[test]
fn prompt_lengths_upside_down() {
    refuses_more(
        "--min-prompt-length 9 --max-prompt-length 3",
        &expect![[r"
            error: --min-prompt-length 9 is above --max-prompt-length 3
              hint: lower the first or raise the second"]],
    );
}

#[test]
fn a_prefix_for_real_data() {
    refuses_more(
        "--dataset openqa --prefix-length 9",
        &expect![[r#"
            error: --prefix-length 9 needs --dataset random
              hint: for other data sets use --dataset-args '{"target_input_len": N, "prefix_file": "FILE"}'"#]],
    );
}

#[test]
fn data_source_local_without_a_path() {
    refuses_more(
        "--dataset openqa --data-source local",
        &expect![[r"
            error: --data-source local needs --dataset-path
              hint: give the file or folder of the data set"]],
    );
}

#[test]
fn a_negative_number_of_preparing_threads() {
    refuses_more(
        "--num-workers -1",
        &expect!["error: --num-workers must be a number from 0 to 4294967295, not -1"],
    );
}
