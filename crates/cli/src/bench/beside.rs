//! What is asked of a service besides the load: its models, and what it counts itself.

use crestline_core::units::Nanos;
use crestline_load::aside::{Aside, AsideError};
use crestline_load::counters::ServerCounters;
use crestline_load::target::Target;
use serde_json::Value;

use super::serve::FLAGS;
use crate::problem::Problem;

/// Longest time for one such request.
const PATIENCE: Nanos = Nanos::from_secs(30);
/// Share of the prompt tokens from which a warm cache is told.
const WARM: f64 = 0.01;

fn aside(target: &Target) -> Result<Aside, AsideError> {
    Aside::new(target, PATIENCE, &[], |name| std::env::var(name).ok())
}

/// The first model that the service lists: the name it goes by, and the name of what it is.
pub(super) fn first_model(target: &Target) -> Result<(String, String), Problem> {
    let unknown = || {
        Problem::usage("--model is not given, and the service does not say what it serves")
            .hint("give the name that the service knows the model by")
    };
    let models: Value = aside(target)
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

/// What the service counts, where it shows that.
#[derive(Debug)]
pub(super) struct Counting {
    aside: Aside,
    before: ServerCounters,
}

impl Counting {
    /// Reads its counters before a load; `None` where it shows none.
    pub(super) fn begin(target: &Target) -> Option<Self> {
        let mut aside = aside(target).ok()?;
        let page = aside.get("/metrics").ok()?;
        let before = ServerCounters::read(&page.text());
        Some(Self { aside, before })
    }

    /// What was added since.
    pub(super) fn end(mut self) -> Option<ServerCounters> {
        let page = self.aside.get("/metrics").ok()?;
        Some(ServerCounters::read(&page.text()).since(&self.before))
    }
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
