//! Why a plan cannot be run, in the words of this dialect's flags.

use crestline_core::record::FailureKind;
use crestline_experiment::error::RunError;
use crestline_experiment::search::journal::JournalError;
use crestline_load::client::connect::RouteError;
use crestline_load::engine::EngineError;

use crate::problem::Problem;

/// How far a command came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// No load was sent: the set-up cannot be used.
    SetUp,
    /// A load was begun.
    Load,
}

/// What the user reads.
pub(super) fn problem(error: &RunError, stage: Stage) -> Problem {
    let title = title(error);
    let problem = match stage {
        Stage::SetUp => Problem::usage(title),
        Stage::Load => Problem::failed(title),
    };
    problem.because(error).maybe_hint(hint(error))
}

fn title(error: &RunError) -> &'static str {
    match error {
        RunError::Workload(_) => "the prompts cannot be made",
        RunError::Profile(_) => "the simulated engine cannot be used",
        RunError::Engine(EngineError::Route(_) | EngineError::Unreachable(_)) => {
            "the service cannot be reached"
        }
        RunError::Engine(_) | RunError::Files(_) => "the load cannot be applied",
        RunError::Refused { .. } => "the service does not answer as it should",
        RunError::Folder { .. }
        | RunError::Store(_)
        | RunError::Journal(JournalError::File { .. } | JournalError::Exists { .. }) => {
            "the results cannot be written"
        }
        RunError::NoSearch => "the search cannot be run",
        RunError::Journal(_) => "there is no search to go on with",
    }
}

fn hint(error: &RunError) -> Option<String> {
    match error {
        RunError::Workload(error) => error.hint(),
        RunError::Profile(_) => {
            Some("`crestline sim --list` shows the built-in profiles".to_owned())
        }
        RunError::Files(_) => {
            Some("raise the limit with `ulimit -n`, or lower --parallel".to_owned())
        }
        RunError::Engine(EngineError::Unreachable(failure)) => {
            Some(refused(failure.kind).to_owned())
        }
        RunError::Engine(EngineError::Route(RouteError::Dns { .. })) => {
            Some(refused(FailureKind::Dns).to_owned())
        }
        RunError::Engine(EngineError::Route(_)) => {
            Some("check --url and the proxy variables".to_owned())
        }
        RunError::Engine(_) | RunError::NoSearch => None,
        RunError::Refused { kind, .. } => Some(refused(*kind).to_owned()),
        RunError::Folder { .. } => Some("choose another folder with --outputs-dir".to_owned()),
        RunError::Journal(error) => Some(journal_hint(error).to_owned()),
        RunError::Store(_) => Some(
            "choose another folder with --outputs-dir or --name, or leave out --no-timestamp"
                .to_owned(),
        ),
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

fn refused(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Dns => "check the host name in --url",
        FailureKind::ConnectRefused => {
            "start the server, or check host and port in --url; `crestline sim` starts a simulated one"
        }
        FailureKind::ConnectTimeout => {
            "check host and port in --url, and whether a proxy is needed"
        }
        FailureKind::Connect => "check --url and the proxy variables",
        FailureKind::Tls => {
            "check whether --url should be http, and whether the certificate is one that this machine trusts"
        }
        FailureKind::Unauthorized => "give the key with --api-key or in OPENAI_API_KEY",
        FailureKind::ClientError => {
            "check the path of --url (it should end in /v1/chat/completions or /v1/completions), --model (GET /v1/models \
             lists the names that the service knows), and the fields that the flags and --extra-args put into the body"
        }
        FailureKind::RateLimited => {
            "the service is busy or limits this key; --no-test-connection starts all the same"
        }
        FailureKind::ReadTimeout => "raise --read-timeout",
        FailureKind::TotalTimeout => "raise --total-timeout",
        FailureKind::UnexpectedStatus | FailureKind::MalformedJson | FailureKind::EmptyAnswer => {
            "check --url: this does not answer as an OpenAI API does; it may be another service or a proxy's own page"
        }
        FailureKind::MalformedHttp => "check whether --url should be https",
        _ => "see the service's log; --no-test-connection starts all the same",
    }
}
