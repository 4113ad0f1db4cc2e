//! Which flags have an effect together with which others: what was typed in vain is told.
//!
//! One table. Flags that contradict each other are refused where they are read, not here.

use clap::{Args as _, Command};
use crestline_load::client::endpoint::Endpoint;
use crestline_workload::{RowContent, row_content};

use super::super::args::{DatasetName, RampUp, ServeArgs, TokenizerMode};
use super::address::{Address, Place};
use super::{address, dataset, request};
use DatasetName::{
    Burstgpt, Custom, CustomAudio, CustomImage, Hf, PrefixRepetition, Random, RandomMm,
    RandomRerank, Sharegpt, Sonnet, SpecBench, SpeedBench, TimedTrace,
};
use Need::{
    Alone, AnyOf, Backend, Data, Encrypted, Finite, Live, Measured, Never, OtherTokenizer, Rows,
    Untimed, WholeSets,
};

/// What a flag needs to have an effect.
enum Need {
    /// One of these data sets.
    Data(&'static [DatasetName]),
    /// Rows of the hub that hold this.
    Rows(RowContent),
    /// Data sets that have an end.
    WholeSets,
    /// A form of requests.
    Backend(fn(Endpoint) -> bool),
    /// Another flag that says the same, or makes it idle, is not there.
    Alone(&'static str),
    /// One of these flags is there too.
    AnyOf(&'static [&'static str]),
    /// A real service.
    Live,
    /// A real service behind TLS.
    Encrypted,
    /// Requests that are not all due at the beginning.
    Finite,
    /// Requests that are not due when the data set says.
    Untimed,
    /// Limits of more than what only generated texts have.
    Measured,
    /// Another value than the one that asks for nothing.
    OtherTokenizer,
    /// There is nothing that it could do.
    Never(&'static str),
}

const MADE: Need = Data(&[Random, RandomMm, RandomRerank]);
const PROMPTS: Need = Data(&[Random, RandomMm]);
const PICTURES: Need = Data(&[RandomMm]);
const OWN: Need = Data(&[Custom, CustomImage, CustomAudio]);
const REPEATED: Need = Data(&[PrefixRepetition]);
const TRACE: Need = Data(&[TimedTrace]);
const HUB: Need = Data(&[Hf]);
const QUESTIONS: Need = Data(&[Custom, SpecBench, SpeedBench, Sonnet, Hf]);
const READ: Need = Data(&[
    Sharegpt,
    Burstgpt,
    Custom,
    CustomImage,
    CustomAudio,
    SpecBench,
    SpeedBench,
    Hf,
]);
const GENERATES: Need = Backend(Endpoint::generates);
const OPENAI: Need = Backend(request::is_openai);
const AS_TEXT: Need = Backend(|endpoint| !is_conversation(endpoint));
const COMPLETIONS: Need = Backend(|endpoint| endpoint == Endpoint::OpenAiCompletions);
const SAVED: Need = AnyOf(&[
    "save-result",
    "append-result",
    "plot-timeline",
    "plot-dataset-stats",
]);
const NO_OUTPUT_LEN: Need = Alone("output-len");
const NO_INPUT_LEN: Need = Alone("input-len");

/// Flags with what each needs. All flags of data sets are here, also those that need nothing.
const EFFECTS: &[(&str, &[Need])] = &[
    ("header", &[Live]),
    ("insecure", &[Encrypted]),
    ("host", &[Alone("base-url")]),
    ("port", &[Alone("base-url")]),
    ("endpoint", &[Live]),
    ("served-model-name", &[AnyOf(&["model"])]),
    ("tokenizer", &[Alone("skip-tokenizer-init")]),
    ("tokenizer-mode", &[OtherTokenizer]),
    (
        "trust-remote-code",
        &[Never("no code of a model is ever run")],
    ),
    ("lora-assignment", &[AnyOf(&["lora-modules"])]),
    ("request-rate", &[Untimed]),
    ("burstiness", &[Untimed, Finite]),
    ("ramp-up-strategy", &[Untimed]),
    ("ready-check-timeout-sec", &[Live]),
    ("warmup-copies", &[AnyOf(&["num-warmups"])]),
    (
        "input-len",
        &[Data(&[Random, RandomMm, RandomRerank, Sonnet])],
    ),
    (
        "output-len",
        &[
            Data(&[
                Random,
                RandomMm,
                Sharegpt,
                Sonnet,
                Hf,
                Custom,
                CustomImage,
                CustomAudio,
                PrefixRepetition,
                SpecBench,
            ]),
            GENERATES,
        ],
    ),
    ("ignore-eos", &[GENERATES]),
    ("logprobs", &[COMPLETIONS]),
    ("use-beam-search", &[Never("no service takes it any more")]),
    ("top-p", &[OPENAI]),
    ("top-k", &[OPENAI]),
    ("min-p", &[OPENAI]),
    ("temperature", &[OPENAI]),
    ("frequency-penalty", &[OPENAI]),
    ("presence-penalty", &[OPENAI]),
    ("repetition-penalty", &[OPENAI]),
    ("prompt-token-ids", &[AS_TEXT]),
    ("dataset-name", &[]),
    ("dataset-path", &[]),
    ("no-oversample", &[WholeSets]),
    ("disable-shuffle", &[READ]),
    ("random-input-len", &[MADE, NO_INPUT_LEN]),
    ("random-output-len", &[PROMPTS, GENERATES, NO_OUTPUT_LEN]),
    ("random-range-ratio", &[MADE]),
    (
        "random-prefix-len",
        &[PROMPTS, Alone("random-cache-hit-fraction")],
    ),
    ("random-batch-size", &[MADE]),
    ("no-reranker", &[Data(&[RandomRerank])]),
    ("random-cache-hit-fraction", &[PROMPTS]),
    ("random-cache-ratio", &[PROMPTS]),
    (
        "max-model-len",
        &[Data(&[
            Random,
            RandomMm,
            Sharegpt,
            Burstgpt,
            Sonnet,
            Hf,
            Custom,
            CustomImage,
            CustomAudio,
            PrefixRepetition,
            SpecBench,
            SpeedBench,
            TimedTrace,
        ])],
    ),
    (
        "skip-chat-template",
        &[QUESTIONS, AS_TEXT, Alone("skip-tokenizer-init")],
    ),
    (
        "chat-template-kwargs",
        &[
            QUESTIONS,
            AS_TEXT,
            Alone("skip-chat-template"),
            Alone("skip-tokenizer-init"),
        ],
    ),
    ("enable-multimodal-chat", &[Data(&[CustomAudio])]),
    ("random-mm-base-items-per-request", &[PICTURES]),
    ("random-mm-num-mm-items-range-ratio", &[PICTURES]),
    ("random-mm-limit-mm-per-prompt", &[PICTURES]),
    ("random-mm-bucket-config", &[PICTURES]),
    ("sharegpt-output-len", &[Data(&[Sharegpt]), NO_OUTPUT_LEN]),
    ("custom-output-len", &[OWN, NO_OUTPUT_LEN]),
    ("custom-ensure-client-side-data", &[Data(&[CustomImage])]),
    (
        "spec-bench-output-len",
        &[Data(&[SpecBench]), NO_OUTPUT_LEN],
    ),
    ("spec-bench-category", &[Data(&[SpecBench])]),
    ("speed-bench-dataset-subset", &[Data(&[SpeedBench])]),
    ("speed-bench-output-len", &[Data(&[SpeedBench])]),
    ("speed-bench-category", &[Data(&[SpeedBench])]),
    ("prefix-repetition-prefix-len", &[REPEATED]),
    ("prefix-repetition-suffix-len", &[REPEATED]),
    ("prefix-repetition-num-prefixes", &[REPEATED]),
    ("prefix-repetition-output-len", &[REPEATED, NO_OUTPUT_LEN]),
    ("sonnet-input-len", &[Data(&[Sonnet]), NO_INPUT_LEN]),
    ("sonnet-output-len", &[Data(&[Sonnet]), NO_OUTPUT_LEN]),
    ("sonnet-prefix-len", &[Data(&[Sonnet])]),
    ("burstgpt-timestamps", &[Data(&[Burstgpt])]),
    ("hf-subset", &[HUB]),
    ("hf-split", &[HUB]),
    ("hf-name", &[HUB]),
    ("hf-output-len", &[HUB, NO_OUTPUT_LEN]),
    ("no-stream", &[Never("data sets are read from local files")]),
    ("bfcl-categories", &[HUB, Rows(RowContent::Functions)]),
    ("blazedit-min-distance", &[HUB, Rows(RowContent::Edits)]),
    ("blazedit-max-distance", &[HUB, Rows(RowContent::Edits)]),
    (
        "asr-min-audio-len-sec",
        &[HUB, Rows(RowContent::Recordings)],
    ),
    (
        "asr-max-audio-len-sec",
        &[HUB, Rows(RowContent::Recordings)],
    ),
    ("self-timed", &[]),
    ("no-self-timed", &[]),
    ("timed-trace-chunk-hash-size", &[TRACE]),
    ("timed-trace-sec-multiplier", &[TRACE]),
    ("timed-trace-label-timestamp", &[TRACE]),
    ("timed-trace-label-input-length", &[TRACE]),
    ("timed-trace-label-output-length", &[TRACE]),
    ("timed-trace-label-hash-ids", &[TRACE]),
    ("goodput", &[Measured]),
    ("save-detailed", &[SAVED]),
    ("metadata", &[SAVED]),
    ("result-dir", &[SAVED]),
    ("result-filename", &[SAVED]),
    ("label", &[SAVED]),
];

/// A line for each flag that was typed and has no effect.
pub(super) fn in_vain(args: &ServeArgs, address: &Address) -> Vec<String> {
    let case = Case {
        args,
        address,
        command: ServeArgs::augment_args(Command::new("serve")),
    };
    let told = EFFECTS.iter().filter_map(|(flag, needs)| {
        let reason = case
            .is_typed(flag)
            .then(|| needs.iter().find_map(|need| case.misses(need)))??;
        Some(format!("--{flag} has no effect{reason}"))
    });
    told.collect()
}

/// The flags together.
struct Case<'a> {
    args: &'a ServeArgs,
    address: &'a Address,
    command: Command,
}

impl Case<'_> {
    fn is_typed(&self, flag: &str) -> bool {
        let mut known = self.command.get_arguments();
        known
            .find(|known| known.get_long() == Some(flag))
            .is_some_and(|known| self.args.typed.has(known.get_id().as_str()))
    }

    /// Why a need is not met; `None` where it is.
    fn misses(&self, need: &Need) -> Option<String> {
        let set = self.args.dataset.dataset_name;
        let is_live = matches!(self.address.place, Place::Live(_));
        let (is_met, reason) = match need {
            Data(sets) => (sets.contains(&set), self.with_data()),
            Rows(content) => {
                let name = dataset::hub_name(self.args).unwrap_or_default();
                let is_met = row_content(name).is_none_or(|found| found == *content);
                (is_met, format!(" with {name}"))
            }
            WholeSets => (self.has_end(), self.with_data()),
            Backend(fits) => (
                fits(self.address.endpoint),
                format!(" with --backend {}", self.args.connection.backend),
            ),
            Alone(other) => (!self.is_typed(other), format!(" beside --{other}")),
            AnyOf(others) => (
                others.iter().any(|other| self.is_typed(other)),
                format!(" without --{}", others[0]),
            ),
            Live => (is_live, " in virtual time".to_owned()),
            Encrypted => (
                address::is_encrypted(&self.args.connection),
                " without an https address in --base-url".to_owned(),
            ),
            Finite => (self.is_spread(), " with --request-rate inf".to_owned()),
            Untimed => (
                !dataset::has_times(self.args),
                ": requests are due when the data set says".to_owned(),
            ),
            Measured => (
                self.address.endpoint.generates() || !self.limits_tokens(),
                " by its tpot: vectors and scores have no time between tokens".to_owned(),
            ),
            OtherTokenizer => (
                self.args.connection.tokenizer_mode == TokenizerMode::Auto,
                ": the kind of a tokenizer is found out from its files".to_owned(),
            ),
            Never(reason) => (false, format!(": {reason}")),
        };
        (!is_met).then_some(reason)
    }

    fn with_data(&self) -> String {
        use clap::ValueEnum as _;
        let set = self.args.dataset.dataset_name.to_possible_value();
        let name = set.as_ref().map_or("", |set| set.get_name());
        format!(" with --dataset-name {name}")
    }

    /// Random prompts have no end, but where some of a number of them are left out.
    fn has_end(&self) -> bool {
        match self.args.dataset.dataset_name {
            Random | RandomMm => self.args.dataset.max_model_len.is_some(),
            RandomRerank => false,
            _ => true,
        }
    }

    fn limits_tokens(&self) -> bool {
        let mut limits = self.args.results.goodput.iter();
        limits.any(|limit| limit.starts_with("tpot:"))
    }

    fn is_spread(&self) -> bool {
        let load = &self.args.load;
        let ramp: Option<RampUp> = load.ramp_up_strategy;
        ramp.is_some() || load.request_rate.is_finite()
    }
}

/// The server puts what is sent through the model's chat template.
fn is_conversation(endpoint: Endpoint) -> bool {
    matches!(endpoint, Endpoint::OpenAiChat | Endpoint::OpenAiResponses)
}

#[cfg(test)]
mod tests;
