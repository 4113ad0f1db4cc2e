//! Why a plan cannot be run, in the words of a dialect's flags.

use crestline_core::record::FailureKind;
use crestline_experiment::distributed::FleetError;
use crestline_experiment::error::RunError;
use crestline_experiment::search::journal::JournalError;
use crestline_load::client::connect::RouteError;
use crestline_load::client::endpoint::Misfit;
use crestline_load::engine::EngineError;

use crate::problem::Problem;

/// What a dialect calls the flags that hints name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flags {
    /// Where the service is.
    pub(crate) url: &'static str,
    /// Which tokenizer.
    pub(crate) tokenizer: &'static str,
    /// How a service is measured whose certificate nobody vouches for, where that can be.
    pub(crate) unverified: Option<&'static str>,
    /// Where what cannot be sent as it is can go.
    pub(crate) fits: fn(Misfit) -> &'static str,
    /// How a key is given.
    pub(crate) key: &'static str,
    /// Longest silence inside a response.
    pub(crate) read_timeout: &'static str,
    /// Longest time for one request.
    pub(crate) total_timeout: &'static str,
    /// Requests in flight.
    pub(crate) concurrency: &'static str,
    /// Further fields of the body.
    pub(crate) extra: &'static str,
    /// How to begin although the service does not answer a first request.
    pub(crate) unchecked: &'static str,
    /// How to choose another folder.
    pub(crate) folder: &'static str,
    /// How to choose another name.
    pub(crate) name: &'static str,
}

/// How far a command came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No load was sent: the set-up cannot be used.
    SetUp,
    /// A load was begun.
    Load,
}

/// What the user reads.
pub(crate) fn problem(error: &RunError, stage: Stage, flags: &Flags) -> Problem {
    let title = title(error);
    let problem = match stage {
        Stage::SetUp => Problem::usage(title),
        Stage::Load => Problem::failed(title),
    };
    problem.because(error).maybe_hint(hint(error, flags))
}

fn title(error: &RunError) -> &'static str {
    match error {
        RunError::Workload(_) | RunError::OwnItem { .. } => "the prompts cannot be made",
        RunError::Unsendable { .. } => "the prompts cannot be sent",
        RunError::Profile(_) => "the simulated engine cannot be used",
        RunError::Engine(EngineError::Route(_) | EngineError::Unreachable(_)) => {
            "the service cannot be reached"
        }
        RunError::Engine(_) | RunError::Files(_) | RunError::OwnApi { .. } => {
            "the load cannot be applied"
        }
        RunError::Refused { .. } => "the service does not answer as it should",
        RunError::NoMetrics { .. } => "the server's metrics are not there",
        RunError::Folder { .. }
        | RunError::Store(_)
        | RunError::Journal(JournalError::File { .. } | JournalError::Exists { .. }) => {
            "the results cannot be written"
        }
        RunError::Fleet(FleetError::Lost { .. }) => "a worker was lost: the load is void",
        RunError::Fleet(_) => "the workers cannot be used",
        RunError::NoSearch => "the search cannot be run",
        RunError::Journal(_) => "there is no search to go on with",
    }
}

fn hint(error: &RunError, flags: &Flags) -> Option<String> {
    let Flags {
        url,
        concurrency,
        folder,
        name,
        ..
    } = flags;
    match error {
        RunError::Workload(error) => error
            .hint()
            .map(|hint| hint.replace("--tokenizer-path", flags.tokenizer)),
        RunError::Unsendable { misfit, .. } => Some((flags.fits)(*misfit).to_owned()),
        RunError::Profile(_) => {
            Some("`crestline sim --list` shows the built-in profiles".to_owned())
        }
        RunError::Files(_) => Some(format!(
            "raise the limit with `ulimit -n`, or lower {concurrency}"
        )),
        RunError::Engine(EngineError::Unreachable(failure)) => Some(refused(failure.kind, flags)),
        RunError::Engine(EngineError::Route(RouteError::Dns { .. })) => {
            Some(refused(FailureKind::Dns, flags))
        }
        RunError::Engine(EngineError::Route(_)) => {
            Some(format!("check {url} and the proxy variables"))
        }
        RunError::Engine(_)
        | RunError::NoSearch
        | RunError::OwnItem { .. }
        | RunError::OwnApi { .. } => None,
        RunError::Refused { kind, .. } => Some(refused(*kind, flags)),
        RunError::NoMetrics { .. } => Some(
            "start the server so that it shows them (SGLang: --enable-metrics; llama.cpp: --metrics), say where they are with \
             --server-metrics-url, or leave out --server-metrics"
                .to_owned(),
        ),
        RunError::Fleet(error) => Some(fleet_hint(error).to_owned()),
        RunError::Folder { .. } => Some(format!("choose another folder with {folder}")),
        RunError::Journal(error) => Some(journal_hint(error).to_owned()),
        RunError::Store(_) => Some(format!(
            "choose another folder with {folder} or another name with {name}"
        )),
    }
}

fn fleet_hint(error: &FleetError) -> &'static str {
    match error {
        FleetError::Nobody => "give a number of workers above zero",
        FleetError::Virtual => {
            "leave out the workers, or give the URL of a real service; `crestline sim` serves the same engine over HTTP"
        }
        FleetError::Probes => "leave out the probes, or send from one machine",
        FleetError::Code { .. } => {
            "send from this machine alone, or give prompts as a file that is at the same path on each machine"
        }
        FleetError::Version { .. } => "install the same version of crestline on all machines",
        FleetError::Worker { .. } => {
            "each machine needs the same files at the same paths, reaches the service by itself, and stays up while the load goes on"
        }
        FleetError::Lost { .. } => {
            "look into that machine's own log, and run the load again; what had arrived by then is kept"
        }
    }
}

fn journal_hint(error: &JournalError) -> &'static str {
    match error {
        JournalError::Missing { .. } => {
            "give --resume the folder of a search, or leave it out to begin anew"
        }
        JournalError::Exists { .. } => {
            "add --resume to go on with that search, or choose another folder with --outputs-dir or --name"
        }
        JournalError::Busy { .. } => "wait for it to end, or end it, and repeat this command",
        JournalError::File { .. } => "check that the folder may be read and written",
        JournalError::Damaged { .. } | JournalError::Newer { .. } => {
            "leave out --resume to begin anew"
        }
        JournalError::Differs { .. } => {
            "repeat the flags of the command that began it (only --sla-budget may change), or leave out --resume to begin anew"
        }
    }
}

/// What to do about a service that does not show a certificate which this machine accepts.
pub(crate) fn certificate(flags: &Flags) -> String {
    let otherwise = flags.unverified.map_or_else(String::new, |flag| {
        format!("; {flag} asks for no proof at all")
    });
    format!(
        "check whether {} should be http; trust the certificate's issuer on this machine, or name its file in \
         SSL_CERT_FILE{otherwise}",
        flags.url
    )
}

fn refused(kind: FailureKind, flags: &Flags) -> String {
    let Flags {
        url,
        key,
        unchecked,
        extra,
        ..
    } = flags;
    match kind {
        FailureKind::Dns => format!("check the host name in {url}"),
        FailureKind::ConnectRefused => format!(
            "start the server, or check host and port in {url}; `crestline sim` starts a simulated one"
        ),
        FailureKind::ConnectTimeout => {
            format!("check host and port in {url}, and whether a proxy is needed")
        }
        FailureKind::Connect => format!("check {url} and the proxy variables"),
        FailureKind::Tls => certificate(flags),
        FailureKind::Unauthorized => format!("give the key {key}"),
        FailureKind::ClientError => format!(
            "check the path of {url} (it should end in /v1/chat/completions or /v1/completions), --model (GET /v1/models \
             lists the names that the service knows), and the fields that the flags and {extra} put into the body"
        ),
        FailureKind::RateLimited => {
            format!("the service is busy or limits this key; {unchecked} starts all the same")
        }
        FailureKind::ReadTimeout => format!("raise {}", flags.read_timeout),
        FailureKind::TotalTimeout => format!("raise {}", flags.total_timeout),
        FailureKind::UnexpectedStatus | FailureKind::MalformedJson | FailureKind::EmptyAnswer => {
            format!(
                "check {url}: this does not answer as an OpenAI API does; it may be another service or a proxy's own page"
            )
        }
        FailureKind::MalformedHttp => format!("check whether {url} should be https"),
        _ => format!("see the service's log; {unchecked} starts all the same"),
    }
}
