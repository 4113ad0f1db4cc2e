//! The whole meaning of the flags of `crestline perf`: from [`PerfArgs`], as typed, to a [`Plan`], as meant.
//!
//! Sends nothing and reads no clock and no environment; those come in as [`Surroundings`]. It opens only files that a
//! flag names by `@file`. Every refusal happens here, before any load.

mod address;
mod generation;
mod loads;
mod machines;
mod output;
mod refused;
mod sla;
mod workload;

use std::num::NonZeroUsize;

use crestline_core::units::Nanos;
use crestline_experiment::plan::{ClientPlan, OutputPlan, Plan, SubjectPlan, Tallies};
use crestline_load::target::{Certificates, Secret, Target};

pub(crate) use address::{Address, Place};
pub(crate) use machines::Machines;
pub(crate) use output::model_id;

use super::args::{ConnectionArgs, PerfArgs};
use crate::headers;
use crate::own;
use crate::problem::Problem;
use crate::track::args::TrackPlan;
use crate::{server_metrics, values};

/// Longest time for one request where `--total-timeout` is not given: evalscope's six hours.
pub(crate) const DEFAULT_TOTAL_TIMEOUT_S: f64 = 21600.0;

/// What a plan takes from outside the argument list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// `OPENAI_API_KEY`, where it is set.
    pub(crate) api_key: Option<String>,
    /// When the command started, as `YYYYmmdd_HHMMSS` in local time.
    pub(crate) timestamp: String,
}

/// A plan, and what the user should know of how the flags were read.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    /// What is run.
    pub(crate) plan: Plan,
    /// Where it goes.
    pub(crate) address: Address,
    /// One line each, to be shown before the run.
    pub(crate) notes: Vec<String>,
    /// Who is told of it.
    pub(crate) track: TrackPlan,
}

/// Translates the flags.
pub(crate) fn translate(args: &PerfArgs, around: &Surroundings) -> Result<Translation, Problem> {
    refused::check(args)?;
    let mut notes = Vec::new();
    refused::notes(args, &mut notes);
    let model = args
        .model
        .model
        .clone()
        .filter(|model| !model.is_empty())
        .ok_or_else(|| {
            Problem::usage("--model is required").hint(
                "give the name that the service knows the model by; GET /v1/models lists them",
            )
        })?;
    let address = address::resolve(args, &mut notes)?;
    let search = sla::search(args, &mut notes)?;
    let points = match search {
        Some(_) => Vec::new(),
        None => loads::points(&args.load, &mut notes)?,
    };
    let subject = match &address.place {
        Place::Live(url) => SubjectPlan::Live(target(url, &args.connection, around, &mut notes)?),
        Place::Virtual(profile) => {
            refused::notes_of_virtual_time(args, &mut notes);
            SubjectPlan::Virtual(profile.clone())
        }
    };
    let server_metrics = server_metrics::plan(&args.metrics, &subject, "--url")?;
    let plan = Plan {
        name: output::name(args, &model),
        subject,
        endpoint: address.endpoint,
        own_api: own::api(&args.model.api),
        workload: workload::plan(args, &address)?,
        generation: generation::settings(args)?,
        points,
        search,
        pause: values::pause("--sleep-interval", args.load.sleep_interval)?,
        test_connection: !args.connection.no_test_connection,
        ready_within: Nanos::ZERO,
        probe_rate: None,
        server_metrics,
        client: client(args)?,
        output: OutputPlan {
            folder: output::folder(args, &model, &around.timestamp),
            commit_rows: NonZeroUsize::new(args.tuning.db_commit_interval.try_into().unwrap_or(1))
                .unwrap_or(NonZeroUsize::MIN),
            keep_text: !args.output.no_text,
            command: args.command.clone(),
            tallies: Tallies::default(),
        },
        model,
        adapters: None,
    };
    machines::check(args, &plan)?;
    Ok(Translation {
        plan,
        address,
        notes,
        track: args.track.plan()?,
    })
}

fn target(
    url: &str,
    args: &ConnectionArgs,
    around: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<Target, Problem> {
    let headers = headers::read("--headers", &args.headers)?;
    let named = headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("authorization"));
    let api_key = match (&args.api_key, &around.api_key) {
        (Some(key), _) => Some(key),
        (None, Some(key)) if !named && !key.is_empty() => {
            notes.push("the key in OPENAI_API_KEY is sent to the service".to_owned());
            Some(key)
        }
        _ => None,
    };
    let timeout = |flag, seconds: Option<f64>| {
        seconds
            .map(|seconds| values::span(flag, seconds))
            .transpose()
    };
    Ok(Target {
        url: url.to_owned(),
        headers,
        api_key: api_key.map(Secret::new),
        connect_timeout: timeout("--connect-timeout", args.connect_timeout)?,
        read_timeout: timeout("--read-timeout", args.read_timeout)?,
        total_timeout: values::span(
            "--total-timeout",
            args.total_timeout.unwrap_or(DEFAULT_TOTAL_TIMEOUT_S),
        )?,
        certificates: Certificates::Checked,
    })
}

fn client(args: &PerfArgs) -> Result<ClientPlan, Problem> {
    let threads = args
        .tuning
        .threads
        .map(|threads| values::positive("--threads", threads))
        .transpose()?;
    let preparers = values::count("--num-workers", args.tuning.num_workers)?;
    let size = |count: u32| usize::try_from(count).ok().and_then(NonZeroUsize::new);
    Ok(ClientPlan {
        workers: threads.and_then(|threads| size(threads.get())),
        preparers: size(preparers),
        grace: values::pause("--grace", args.load.grace)?,
        request_ids: None,
        part: None,
    })
}

#[cfg(test)]
mod tests;
