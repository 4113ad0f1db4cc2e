//! A session with a scenario's engine, and loads in its terms.
//!
//! Does not choose loads.

use std::num::NonZeroU32;

use crestline_core::request::Load;
use crestline_core::search::Variable;
use crestline_core::units::Rate;
use crestline_experiment::virtual_subject::{SessionSettings, VirtualSession};
use crestline_sim::profile::Profile;

use crate::scenario::Scenario;

/// An idle engine that will be sent the scenario's workload.
pub(crate) fn session(scenario: &Scenario, profile: &Profile, seed: u64) -> VirtualSession {
    let seed = scenario.seed(seed);
    let workload = scenario.workload.clone();
    let settings = SessionSettings {
        seed,
        streamed: true,
    };
    let source = Box::new(move |index| workload.request(seed, index));
    VirtualSession::new(profile, settings, source)
}

/// So many users, or requests a second.
pub(crate) fn load_of(variable: Variable, load: f64) -> Load {
    match variable {
        Variable::Users => {
            Load::closed(NonZeroU32::new(load.round() as u32).unwrap_or(NonZeroU32::MIN))
        }
        Variable::Rate => Load::open(Rate::per_second(load).expect("bounds lie above zero")),
    }
}
