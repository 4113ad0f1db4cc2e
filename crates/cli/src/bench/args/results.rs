//! Flags of the metrics and files, and those that are refused by name.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum};

/// What is computed, shown and written.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResultArgs {
    /// Metrics to print and save, with commas: `ttft`, `tpot`, `itl`, `e2el`, `client_queue_time`,
    /// `e2el_including_client_queue` [default: ttft,tpot,itl].
    #[arg(long, value_name = "NAMES")]
    pub(crate) percentile_metrics: Option<String>,
    /// Percentiles of them, with commas.
    #[arg(long, value_name = "NUMBERS", default_value = "99")]
    pub(crate) metric_percentiles: String,
    /// Limits of a good request in milliseconds: `ttft:500 tpot:50 e2el:2000`.
    #[arg(long, value_name = "NAME:MS", num_args = 1.., action = ArgAction::Set)]
    pub(crate) goodput: Vec<String>,
    /// How figures are counted where vLLM's way is known to mislead.
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compat: Compat,
    /// Write the results as JSON.
    #[arg(long)]
    pub(crate) save_result: bool,
    /// Keep the figures of each request in it.
    #[arg(long)]
    pub(crate) save_detailed: bool,
    /// Write them behind what is in the file.
    #[arg(long)]
    pub(crate) append_result: bool,
    /// Further fields of the JSON.
    #[arg(long, value_name = "NAME=VALUE", num_args = 1.., action = ArgAction::Set)]
    pub(crate) metadata: Vec<String>,
    /// Folder of the file.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) result_dir: Option<String>,
    /// Name of the file, in place of one made of backend, rate, model and time.
    #[arg(long, value_name = "NAME")]
    pub(crate) result_filename: Option<String>,
    /// Beginning of that name, in place of the backend.
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
}

/// Ways to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compat {
    /// Spans by token, peaks as they were, time from the write of a request.
    None,
    /// As vLLM does: spans by event, peaks by seconds touched.
    Vllm,
}

/// Flags that are known and refused by name, with what to do instead.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnsupportedArgs {
    /// Those that were given.
    pub(crate) given: Vec<&'static Refused>,
}

/// One such flag.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) name: &'static str,
    pub(crate) hint: &'static str,
    /// A value that asks for nothing, which scripts may give.
    pub(crate) idle: &'static str,
}

const fn refused(name: &'static str, idle: &'static str, hint: &'static str) -> Refused {
    Refused { name, hint, idle }
}

const PICTURES: &str = "the JSON of --save-detailed has the figures of each request";

/// All of them.
const REFUSED: &[Refused] = &[
    refused(
        "insecure",
        "",
        "add the certificate's issuer to those that this machine trusts",
    ),
    refused("lora-modules", "", "give one name with --model"),
    refused("lora-assignment", "random", "give one name with --model"),
    refused("plot-timeline", "", PICTURES),
    refused("timeline-itl-thresholds", "25,50", PICTURES),
    refused("plot-dataset-stats", "", PICTURES),
];

impl FromArgMatches for UnsupportedArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = |flag: &&Refused| {
            let values = matches.get_many::<String>(flag.name);
            values.is_some_and(|mut values| {
                !values.len().eq(&1) || values.any(|value| value != flag.idle)
            })
        };
        Ok(Self {
            given: REFUSED.iter().filter(is_given).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UnsupportedArgs {
    fn augment_args(command: Command) -> Command {
        command.args(REFUSED.iter().map(|flag| {
            Arg::new(flag.name)
                .long(flag.name)
                .num_args(0..)
                .action(ArgAction::Set)
                .hide(true)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
