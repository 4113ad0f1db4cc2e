//! The whole meaning of the flags of `crestline bench serve`: from [`ServeArgs`], as typed, to a [`Plan`], as meant.
//!
//! Sends nothing and reads no clock and no environment; those come in as [`Surroundings`]. Every refusal happens here,
//! before any load.

mod address;
mod beside;
mod buckets;
mod conversations;
mod dataset;
mod effects;
mod load;
mod pictures;
mod report;
mod request;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crestline_core::request::Arrivals;
use crestline_core::units::{Nanos, Rate};
use crestline_experiment::error::RunError;
use crestline_experiment::plan::{ClientPlan, OutputPlan, Plan, SubjectPlan, Tallies};
use crestline_load::target::{Certificates, Secret, Target};
use crestline_workload::Workload;

pub(crate) use address::path_prefix;
pub(crate) use beside::ProfilePlan;
pub(crate) use pictures::Pictures;
pub(crate) use report::{Metric, RampUpPlan, ReportPlan, Saving, python_float};
pub(crate) use request::backends_for;
pub(super) use request::is_openai;

use super::args::{ConnectionArgs, ServeArgs};
use super::serve::FLAGS;
use crate::headers;
use crate::problem::Problem;
use crate::problems::{self, Stage};
use crate::values;

/// Longest time for one request: six hours.
const TOTAL_TIMEOUT: Nanos = Nanos::from_secs(21600);
/// How long requests in flight may take to end after an interruption.
const GRACE: Nanos = Nanos::from_secs(10);
/// Rows of the database committed together.
const COMMIT_ROWS: NonZeroUsize = NonZeroUsize::new(1000).expect("not zero");

/// What a plan takes from outside the argument list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// `OPENAI_API_KEY`, where it is set.
    pub(crate) api_key: Option<String>,
    /// Folder for the database of the run.
    pub(crate) folder: PathBuf,
}

/// A plan, what is shown of it, and what the user should know of how the flags were read.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    /// What is run.
    pub(crate) plan: Plan,
    /// What is computed of it.
    pub(crate) report: ReportPlan,
    /// When the service profiles itself.
    pub(crate) profile: ProfilePlan,
    /// One line each, to be shown before the run.
    pub(crate) notes: Vec<String>,
}

/// Translates the flags.
pub(crate) fn translate(args: &ServeArgs, around: &Surroundings) -> Result<Translation, Problem> {
    let mut notes = Vec::new();
    let address = address::resolve(&args.connection)?;
    conversations::check(args, &address)?;
    let model = args.connection.model.clone().ok_or_else(|| {
        Problem::usage("--model is required")
            .hint("give the name that the service knows the model by; GET /v1/models lists them")
    })?;
    let report = report::plan(args, &model, address.endpoint, &mut notes)?;
    let point = load::point(args)?;
    let subject = match &address.place {
        address::Place::Live(url) => {
            SubjectPlan::Live(target(url, &args.connection, around, &mut notes)?)
        }
        address::Place::Virtual(profile) => SubjectPlan::Virtual(profile.clone()),
    };
    notes.extend(effects::in_vain(args, &address));
    let beside = beside::plan(args, &subject, address.endpoint)?;
    let plan = Plan {
        name: report.name(),
        subject,
        endpoint: address.endpoint,
        own_api: None,
        workload: request::workload(args, &address, &point)?,
        generation: request::generation(args, &address)?,
        points: vec![point],
        search: None,
        pause: Nanos::ZERO,
        test_connection: args.load.ready_check_timeout_sec > 0,
        ready_within: Nanos::from_secs(u64::from(values::count(
            "--ready-check-timeout-sec",
            args.load.ready_check_timeout_sec,
        )?)),
        probe_rate: beside.probe_rate,
        server_metrics: beside.server_metrics,
        client: ClientPlan {
            workers: None,
            preparers: None,
            grace: GRACE,
            request_ids: args.connection.request_id_prefix.clone(),
            part: None,
        },
        output: OutputPlan {
            folder: around.folder.clone(),
            commit_rows: COMMIT_ROWS,
            keep_text: true,
            command: args.command.clone(),
            tallies: Tallies::default(),
        },
        model: args.connection.served_model_name.clone().unwrap_or(model),
        adapters: request::adapters(args, &address)?,
    };
    Ok(Translation {
        plan,
        report,
        profile: beside.profile,
        notes,
    })
}

/// The service itself, before a model is known.
pub(crate) fn live_target(args: &ServeArgs, around: &Surroundings) -> Result<Target, Problem> {
    let needed = || {
        Problem::usage("--model is required")
            .hint("the simulated engine takes any name: --model m --tokenizer builtin")
    };
    match address::resolve(&args.connection)?.place {
        address::Place::Live(url) => target(&url, &args.connection, around, &mut Vec::new()),
        address::Place::Virtual(_) => Err(needed()),
    }
}

/// What the user should know of a service that does not have to prove who it is.
pub(crate) fn unproved(args: &ConnectionArgs) -> Option<&'static str> {
    (args.insecure && address::is_encrypted(args)).then_some(
        "--insecure: no certificate is checked, so that whoever stands between can read and change what is sent, keys \
         included",
    )
}

/// How many requests there are, or when they are due, is known only when the data set is read.
pub(crate) fn depends_on_samples(args: &ServeArgs) -> bool {
    args.dataset.no_oversample || dataset::has_times(args) || load::wants_all(args)
}

/// Reads the data set, and takes the number of requests and their times from it.
pub(crate) fn fit_to_samples(
    translation: &mut Translation,
    args: &ServeArgs,
) -> Result<(), Problem> {
    let plan = &mut translation.plan;
    let workload = Workload::open(&plan.workload)
        .map_err(|error| problems::problem(&RunError::from(error), Stage::SetUp, &FLAGS))?;
    let point = &mut plan.points[0];
    let apart = if load::warms_up_with_copies(args) {
        0
    } else {
        point.warmup
    };
    if let Some(samples) = workload.len() {
        point.requests = point.requests.min(samples.saturating_sub(apart)).max(1);
        let (all, what) = if args.conversations.multi_turn {
            ("conversations", "used")
        } else {
            ("samples", "requests")
        };
        let of_samples = format!("{samples} {all}, {} {what}", point.requests);
        translation.notes.push(of_samples);
        conversations::fit(&mut point.load, point.requests);
    }
    let times = workload.due_times().filter(|_| dataset::has_times(args));
    if let Some(last) = times.and_then(<[Nanos]>::last) {
        let mean = point.requests as f64 / last.as_secs_f64();
        let rate = Rate::per_second(mean)
            .or_else(|_| Rate::per_second(1.0))
            .map_err(|error| Problem::usage("the trace has no times").because(&error))?;
        point.load.arrivals = Arrivals::Recorded(rate);
    }
    Ok(())
}

fn target(
    url: &str,
    args: &ConnectionArgs,
    around: &Surroundings,
    notes: &mut Vec<String>,
) -> Result<Target, Problem> {
    let headers = headers::read("--header", &args.header)?;
    let is_named = headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("authorization"));
    let key = around
        .api_key
        .as_ref()
        .filter(|key| !key.is_empty() && !is_named);
    if key.is_some() {
        notes.push("the key in OPENAI_API_KEY is sent to the service".to_owned());
    }
    Ok(Target {
        url: url.to_owned(),
        headers,
        api_key: key.map(Secret::new),
        connect_timeout: None,
        read_timeout: None,
        total_timeout: TOTAL_TIMEOUT,
        certificates: if args.insecure {
            Certificates::Unchecked
        } else {
            Certificates::Checked
        },
    })
}

#[cfg(test)]
mod tests;
