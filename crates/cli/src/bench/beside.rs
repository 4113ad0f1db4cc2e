//! What is asked of a service besides the load: its models, and what it counts itself.

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::counters::{ServerCounters, requests_running};
use crestline_load::target::Target;
use serde_json::Value;

use super::args::ServerArgs;
use super::plan::ProfilePlan;
use super::profile::{FullBatch, Wanted};
use super::serve::FLAGS;
use crate::console;
use crate::problem::Problem;

/// Longest time for one such request.
const PATIENCE: Nanos = Nanos::from_secs(30);
/// Share of the prompt tokens from which a warm cache is told.
const WARM: f64 = 0.01;

fn way_to(target: &Target) -> Result<Aside, AsideError> {
    Aside::new(target, PATIENCE, &[], |name| std::env::var(name).ok())
}

/// The first model that the service lists: the name it goes by, and the name of what it is.
pub(super) fn first_model(target: &Target) -> Result<(String, String), Problem> {
    let unknown = || {
        Problem::usage("--model is not given, and the service does not say what it serves")
            .hint("give the name that the service knows the model by")
    };
    let models: Value = way_to(target)
        .and_then(|mut aside| aside.get_json("/v1/models"))
        .map_err(|error| {
            unknown()
                .because(&error)
                .hint(format!("give --model, or check {}", FLAGS.url))
        })?;
    let first = &models["data"][0];
    let name = first["id"].as_str().ok_or_else(unknown)?;
    let root = first["root"].as_str().unwrap_or(name);
    Ok((name.to_owned(), root.to_owned()))
}

/// The service beside its load.
#[derive(Debug)]
pub(super) struct Beside {
    aside: Aside,
    before: Option<ServerCounters>,
    profile: Profile,
}

/// How far the profile of the service is.
#[derive(Debug)]
enum Profile {
    None,
    /// It goes on until the end.
    Running,
    /// It is begun when the batch is full; nobody looks before the counted requests begin.
    Waiting(Box<Aside>, Wanted),
    Watched(FullBatch),
}

impl Beside {
    /// Asks for what is wanted before a load, and reads the counters where the service shows them.
    pub(super) fn begin(
        target: &Target,
        wanted: &ServerArgs,
        profile: ProfilePlan,
    ) -> Result<Self, Problem> {
        let refused = |flag: &str, error: &AsideError| {
            Problem::usage(format!("{flag} is not what this service does"))
                .because(error)
                .hint("leave it out, or start the service with its development mode")
        };
        let unreached =
            |error: AsideError| Problem::usage("the service cannot be reached").because(&error);
        let mut aside = way_to(target).map_err(unreached)?;
        if wanted.reset_prefix_cache {
            aside
                .post("/reset_prefix_cache")
                .map_err(|error| refused("--reset-prefix-cache", &error))?;
        }
        let page = aside.get("/metrics").ok().map(|page| page.text());
        let profile = match profile {
            ProfilePlan::Never => Profile::None,
            ProfilePlan::Whole => {
                aside
                    .post("/start_profile")
                    .map_err(|error| refused("--profile", &error))?;
                Profile::Running
            }
            ProfilePlan::FullBatch { requests, length } => {
                if page.as_deref().and_then(requests_running).is_none() {
                    return Err(no_gauge());
                }
                let way = way_to(target).map_err(unreached)?;
                Profile::Waiting(Box::new(way), Wanted { requests, length })
            }
        };
        Ok(Self {
            aside,
            before: page.map(|page| ServerCounters::read(&page)),
            profile,
        })
    }

    /// The counted requests begin: a profile that waits for them may too.
    pub(super) fn begin_counting(&mut self) {
        self.profile = match std::mem::replace(&mut self.profile, Profile::None) {
            Profile::Waiting(way, wanted) => Profile::Watched(FullBatch::begin(*way, wanted)),
            other => other,
        };
    }

    /// Ends the profile, and gives what was counted meanwhile.
    pub(super) fn end(mut self) -> Option<ServerCounters> {
        let counted = self.before.take().and_then(|before| {
            let page = self.aside.get("/metrics").ok()?;
            Some(ServerCounters::read(&page.text()).since(&before))
        });
        match self.profile {
            Profile::None | Profile::Waiting(..) => {}
            Profile::Watched(full) => console::tell(&full.end()),
            Profile::Running => {
                if let Err(error) = self.aside.post("/stop_profile") {
                    console::tell(&format!("warning: the profile was not ended: {error}"));
                }
            }
        }
        counted
    }
}

/// A batch is full when the service says so.
fn no_gauge() -> Problem {
    Problem::usage(
        "--profile-batch-threshold needs a service that says how many requests are running",
    )
    .cause("its /metrics have no vllm:num_requests_running")
    .hint("leave it out: --profile alone takes the whole run")
}

/// A warning where prompts were not read because the service had seen them before.
pub(super) fn warm_cache(counted: &ServerCounters) -> Option<String> {
    let share = counted.prefix_cache?.hit_rate()?;
    (share >= WARM).then(|| {
        format!(
            "warning: the service took {:.1} % of the prompt tokens from its prefix cache: throughput and time to first token \
             are better than for new prompts; give another --seed, or reset the cache",
            100.0 * share
        )
    })
}

/// The fields of decoding by diffusion, where canvases became final in a run of this length.
pub(super) fn diffusion(counted: &ServerCounters, duration_s: f64) -> Vec<(String, Value)> {
    let Some(diffusion) = counted
        .diffusion
        .filter(|diffusion| diffusion.canvases().is_some())
    else {
        return Vec::new();
    };
    let throughput = diffusion.committed_tokens as f64 / duration_s;
    [
        ("committed_throughput", throughput.into()),
        ("steps_per_canvas", diffusion.steps_by_canvas().into()),
        ("committed_per_step", diffusion.committed_by_step().into()),
        ("committed_tokens", diffusion.committed_tokens.into()),
        (
            "denoising_steps",
            diffusion.noise_steps().map(|steps| steps as u64).into(),
        ),
        ("canvas_positions", diffusion.canvas_positions.into()),
    ]
    .map(|(name, value): (&str, Value)| (format!("diffusion_{name}"), value))
    .into()
}

/// The fields of speculative decoding, where drafts were made.
pub(super) fn drafts(counted: &ServerCounters) -> Vec<(String, Value)> {
    let Some(drafts) = counted
        .drafts
        .as_ref()
        .filter(|drafts| drafts.draft_tokens > 0)
    else {
        return Vec::new();
    };
    [
        (
            "acceptance_rate",
            drafts.acceptance_rate().map(|share| 100.0 * share).into(),
        ),
        ("acceptance_length", drafts.acceptance_length().into()),
        ("num_drafts", drafts.drafts.into()),
        ("draft_tokens", drafts.draft_tokens.into()),
        ("accepted_tokens", drafts.accepted_tokens.into()),
        (
            "per_position_acceptance_rates",
            drafts.acceptance_by_place().into(),
        ),
    ]
    .map(|(name, value): (&str, Value)| (format!("spec_decode_{name}"), value))
    .into()
}
