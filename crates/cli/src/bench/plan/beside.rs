//! From the flags of what goes on beside a load: small requests, what the service says of itself, and a profile that it makes.

use crestline_core::units::{Nanos, Rate};
use crestline_experiment::plan::{ServerMetrics, SubjectPlan};
use crestline_experiment::probe::can_probe;
use crestline_load::client::endpoint::Endpoint;

use super::super::args::ServeArgs;
use crate::problem::Problem;
use crate::server_metrics;
use crate::values;

/// Length of a profile of a full batch.
const PROFILE: Nanos = Nanos::from_secs(5);

/// What goes on beside a load.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BesidePlan {
    pub(super) probe_rate: Option<Rate>,
    pub(super) server_metrics: ServerMetrics,
    pub(super) profile: ProfilePlan,
}

/// When the service profiles itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfilePlan {
    /// Not at all.
    Never,
    /// From before the load until after it.
    Whole,
    /// When so many requests are running.
    FullBatch {
        /// As the service counts them.
        requests: u64,
        /// For so long, or to the end of the load.
        length: Nanos,
    },
}

pub(super) fn plan(
    args: &ServeArgs,
    subject: &SubjectPlan,
    endpoint: Endpoint,
) -> Result<BesidePlan, Problem> {
    let plan = BesidePlan {
        probe_rate: probe_rate(args, endpoint)?,
        server_metrics: server_metrics::plan(&args.server.metrics, subject, "--base-url")?,
        profile: profile(args)?,
    };
    if let SubjectPlan::Live(_) = subject {
        return Ok(plan);
    }
    let wanted = [
        ("--probe-request-rate", plan.probe_rate.is_some()),
        ("--profile", args.server.profile),
        ("--reset-prefix-cache", args.server.reset_prefix_cache),
    ];
    match wanted.iter().find(|(_, is_wanted)| *is_wanted) {
        None => Ok(plan),
        Some((flag, _)) => Err(Problem::usage(format!("{flag} needs a service"))
            .cause("in virtual time nothing is asked beside the load")
            .hint("start crestline sim, and give its address with --base-url")),
    }
}

fn probe_rate(args: &ServeArgs, endpoint: Endpoint) -> Result<Option<Rate>, Problem> {
    let typed = args.load.probe_request_rate;
    if typed.to_bits() == 0.0_f64.to_bits() {
        return Ok(None);
    }
    let rate = Rate::per_second(typed).map_err(|_| {
        Problem::usage(format!("--probe-request-rate cannot be {typed}"))
            .hint("give requests a second above 0, or 0 to send none")
    })?;
    if !can_probe(endpoint) {
        return Err(Problem::usage(format!(
            "--backend {} takes no --probe-request-rate",
            args.connection.backend
        ))
        .cause("such a request is a short text and nothing else")
        .hint("leave it out"));
    }
    Ok(Some(rate))
}

fn profile(args: &ServeArgs) -> Result<ProfilePlan, Problem> {
    let typed = &args.server;
    let needs = |flag: &str, other: &str| {
        Problem::usage(format!("{flag} needs {other}")).hint(format!("add {other}"))
    };
    let length = typed.profile_duration;
    if length.is_some() && typed.profile_batch_threshold.is_none() {
        return Err(needs("--profile-duration", "--profile-batch-threshold"));
    }
    let Some(threshold) = typed.profile_batch_threshold else {
        return Ok(if typed.profile {
            ProfilePlan::Whole
        } else {
            ProfilePlan::Never
        });
    };
    if !typed.profile {
        return Err(needs("--profile-batch-threshold", "--profile"));
    }
    let requests = values::positive("--profile-batch-threshold", threshold)?;
    let length = length.map(|seconds| values::span("--profile-duration", seconds));
    Ok(ProfilePlan::FullBatch {
        requests: requests.get().into(),
        length: length.transpose()?.unwrap_or(PROFILE),
    })
}
