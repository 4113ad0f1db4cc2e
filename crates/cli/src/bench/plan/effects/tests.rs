//! Each row of the table, and that it has all it should have.

use super::super::tests::{read, translated};
use super::*;
use crate::plan_lines::words;

fn command() -> Command {
    ServeArgs::augment_args(Command::new("serve"))
}

/// The notes of flags that have no effect.
fn told(flags: &str) -> Vec<String> {
    let notes = translated(&words(flags)).unwrap_or_else(|problem| panic!("{flags}: {problem}"));
    let notes = notes.notes.into_iter();
    notes
        .filter(|note| note.contains(" has no effect"))
        .collect()
}

#[test]
fn every_flag_of_the_data_sets_is_in_the_table() {
    let command = command();
    let flags: Vec<&str> = command
        .get_arguments()
        .filter(|flag| flag.get_help_heading() == Some("Data set"))
        .filter_map(clap::Arg::get_long)
        .collect();
    assert!(flags.len() > 50, "{flags:?}");
    for flag in flags {
        let rows = EFFECTS.iter().filter(|(name, _)| *name == flag).count();
        assert_eq!(rows, 1, "--{flag}");
    }
}

#[test]
fn every_row_names_flags_that_there_are() {
    let command = command();
    let is_flag = |name: &str| {
        let mut known = command.get_arguments();
        known.any(|known| known.get_long() == Some(name))
    };
    for (flag, needs) in EFFECTS {
        assert!(is_flag(flag), "--{flag}");
        for need in *needs {
            match need {
                Alone(other) => assert!(is_flag(other), "--{other}"),
                AnyOf(others) => assert!(others.iter().all(|other| is_flag(other)), "{others:?}"),
                _ => {}
            }
        }
    }
}

/// A value that a flag takes.
fn value_of(flag: &str) -> Option<&'static str> {
    let command = command();
    let mut known = command.get_arguments();
    let known = known.find(|known| known.get_long() == Some(flag)).unwrap();
    if !known.get_action().takes_values() {
        return None;
    }
    Some(match flag {
        "random-cache-hit-fraction" | "random-cache-ratio" | "random-range-ratio" => "0.5",
        "random-mm-limit-mm-per-prompt" => r#"'{"image":1}'"#,
        "random-mm-bucket-config" => "{(1,1,1):1}",
        "chat-template-kwargs" => "{}",
        _ => "1",
    })
}

/// A command line that is complete for a data set.
fn base_of(set: DatasetName) -> &'static str {
    match set {
        Random => "--dataset-name random",
        RandomMm => {
            "--dataset-name random-mm --backend openai-chat --endpoint /v1/chat/completions"
        }
        RandomRerank => "--dataset-name random-rerank --backend vllm-rerank --endpoint /v1/rerank",
        PrefixRepetition => "--dataset-name prefix_repetition",
        Sharegpt => "--dataset-name sharegpt --dataset-path f",
        Burstgpt => "--dataset-name burstgpt --dataset-path f",
        Sonnet => "--dataset-name sonnet --dataset-path f",
        Hf => "--dataset-name hf --dataset-path openai/gsm8k",
        Custom => "--dataset-name custom --dataset-path f",
        CustomImage => {
            "--dataset-name custom_image --dataset-path f --backend openai-chat --endpoint /v1/chat/completions"
        }
        CustomAudio => {
            "--dataset-name custom_audio --dataset-path f --backend openai-audio --endpoint /v1/audio/transcriptions"
        }
        SpecBench => "--dataset-name spec_bench --dataset-path f",
        SpeedBench => "--dataset-name speed_bench --dataset-path f",
        TimedTrace => "--dataset-name timed_trace --dataset-path f",
    }
}

#[test]
fn a_flag_of_other_data_sets_is_told_and_one_of_its_own_is_not() {
    use clap::ValueEnum as _;
    let mut checked = 0;
    for (flag, needs) in EFFECTS {
        for need in *needs {
            let Data(sets) = need else { continue };
            for set in DatasetName::value_variants() {
                let both = ["random-cache-hit-fraction", "random-cache-ratio"];
                let mut line = base_of(*set).to_owned();
                if *flag == "enable-multimodal-chat" {
                    line = line.replace("openai-audio", "openai-chat");
                    line = line.replace("audio/transcriptions", "chat/completions");
                }
                for flag in both.iter().filter(|_| both.contains(flag)).chain([flag]) {
                    line.extend([" --", flag]);
                    line.extend(value_of(flag).map(|value| format!(" {value}")));
                }
                let name = set.to_possible_value().unwrap();
                let expected = format!(
                    "--{flag} has no effect with --dataset-name {}",
                    name.get_name()
                );
                assert_eq!(
                    told(&line).contains(&expected),
                    !sets.contains(set),
                    "{line}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 600, "{checked}");
}

/// Flags that are told, with what follows their names.
fn check(flags: &str, expected: &[&str]) {
    let told = told(flags);
    let told: Vec<String> = told
        .iter()
        .map(|note| note.replace(" has no effect", ""))
        .collect();
    assert_eq!(told, expected, "{flags}");
}

#[test]
fn flags_that_make_each_other_idle_are_told() {
    check("", &[]);
    check(
        "--random-input-len 5 --input-len 6",
        &["--random-input-len beside --input-len"],
    );
    check(
        "--random-prefix-len 5 --random-cache-hit-fraction 0.5 --random-cache-ratio 0.5",
        &["--random-prefix-len beside --random-cache-hit-fraction"],
    );
    check(
        "--dataset-name custom --dataset-path f --skip-chat-template --chat-template-kwargs {}",
        &["--chat-template-kwargs beside --skip-chat-template"],
    );
    check(
        "--base-url http://h --host a --port 1",
        &["--host beside --base-url", "--port beside --base-url"],
    );
    check("--lora-assignment random --lora-modules a", &[]);
    check(
        "--lora-assignment random",
        &["--lora-assignment without --lora-modules"],
    );
    check(
        "--save-detailed --result-dir d --metadata a=b --label x",
        &[
            "--save-detailed without --save-result",
            "--metadata without --save-result",
            "--result-dir without --save-result",
            "--label without --save-result",
        ],
    );
    check("--save-detailed --result-dir d --append-result", &[]);
}

#[test]
fn flags_that_a_backend_has_no_use_for_are_told() {
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    check(
        &format!("{chat} --logprobs 1 --prompt-token-ids --temperature 0"),
        &[
            "--logprobs with --backend openai-chat",
            "--prompt-token-ids with --backend openai-chat",
        ],
    );
    check(
        &format!("{chat} --dataset-name custom --dataset-path f --skip-chat-template"),
        &["--skip-chat-template with --backend openai-chat"],
    );
    let pooled = "--backend openai-embeddings --endpoint /v1/embeddings";
    check(
        &format!("{pooled} --ignore-eos --temperature 0 --min-p 0.1 --random-output-len 4"),
        &[
            "--ignore-eos with --backend openai-embeddings",
            "--min-p with --backend openai-embeddings",
            "--temperature with --backend openai-embeddings",
            "--random-output-len with --backend openai-embeddings",
        ],
    );
    check(
        &format!("{pooled} --goodput e2el:5 tpot:1"),
        &["--goodput by its tpot: vectors and scores have no time between tokens"],
    );
    check(&format!("{pooled} --goodput e2el:5"), &[]);
    check("--goodput tpot:1", &[]);
    let plan = translated(&words(&format!(
        "{pooled} --ignore-eos --temperature 0 --min-p 0.1"
    )));
    let sent = plan.unwrap().plan.generation;
    assert!(
        sent.extra.is_empty() && sent.temperature.is_none(),
        "{sent:?}"
    );
}

#[test]
fn flags_of_the_load_that_nothing_comes_of_are_told() {
    check("--burstiness 2", &["--burstiness with --request-rate inf"]);
    check("--burstiness 2 --request-rate 3", &[]);
    check(
        "--burstiness 2 --ramp-up-strategy linear --ramp-up-start-rps 1 --ramp-up-end-rps 2",
        &[],
    );
    let trace = base_of(TimedTrace);
    let due = ": requests are due when the data set says";
    check(
        &format!("{trace} --request-rate 3 --burstiness 2"),
        &[
            &format!("--request-rate{due}"),
            &format!("--burstiness{due}"),
        ],
    );
    check(&format!("{trace} --request-rate 3 --no-self-timed"), &[]);
    check(
        "--no-oversample",
        &["--no-oversample with --dataset-name random"],
    );
    check("--no-oversample --max-model-len 2000", &[]);
    check(
        "--warmup-copies",
        &["--warmup-copies without --num-warmups"],
    );
    check("--warmup-copies --num-warmups 2", &[]);
}

#[test]
fn flags_that_need_a_real_service_are_told() {
    check(
        "--base-url sim:constant-20ms --header a=b --insecure --endpoint /x",
        &[
            "--header in virtual time",
            "--insecure without an https address in --base-url",
            "--endpoint in virtual time",
        ],
    );
    check("--base-url https://h --insecure --header a=b", &[]);
}

#[test]
fn flags_that_never_have_an_effect_are_told() {
    check(
        "--trust-remote-code --use-beam-search --tokenizer-mode slow --no-stream",
        &[
            "--tokenizer-mode: the kind of a tokenizer is found out from its files",
            "--trust-remote-code: no code of a model is ever run",
            "--use-beam-search: no service takes it any more",
            "--no-stream: data sets are read from local files",
        ],
    );
    check("--tokenizer-mode auto", &[]);
}

#[test]
fn flags_of_other_rows_of_the_hub_are_told() {
    let hub = |name: &str, flags: &str| format!("--dataset-name hf --dataset-path {name} {flags}");
    let all = "--bfcl-categories a --blazedit-max-distance 0.5 --asr-max-audio-len-sec 9";
    check(
        &hub("openai/gsm8k", all),
        &[
            "--bfcl-categories with openai/gsm8k",
            "--blazedit-max-distance with openai/gsm8k",
            "--asr-max-audio-len-sec with openai/gsm8k",
        ],
    );
    check(
        &hub("vdaita/edit_5k_char", "--blazedit-max-distance 0.5"),
        &[],
    );
    check(
        &hub("here --hf-name LIUM/tedlium", "--asr-max-audio-len-sec 9"),
        &[],
    );
}

#[test]
fn a_model_that_the_service_names_has_the_service_s_name() {
    let args = read(&["--served-model-name", "n"]).unwrap();
    assert!(args.typed.has("served_model_name") && !args.typed.has("model"));

    let address = address::resolve(&args.connection).unwrap();
    assert_eq!(
        in_vain(&args, &address),
        ["--served-model-name has no effect without --model"]
    );
}
