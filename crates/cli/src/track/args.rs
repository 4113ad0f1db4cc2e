//! The flags of trackers: the same in all dialects.
//!
//! Opens nothing: that is done once the rest of the command is known to be right.

use std::fmt;

use clap::Args;
use crestline_core::nearest::nearest;
use crestline_core::units::Nanos;
use crestline_load::engine::Stop;

use super::mlflow;
use super::python::{self, Opening, Package};
use super::told::Begin;
use super::tracker::Opened;
use crate::problem::Problem;
use crate::values;

/// The value that is SwanLab on this machine, where others have a key.
pub(crate) const LOCAL: &str = "local";

/// The flags as typed.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TrackArgs {
    /// Trackers that are told of the run while it goes on: `wandb`, `swanlab`, `clearml`, `mlflow`, several with blanks, or
    /// `none`. `MLFLOW_TRACKING_URI` is the address of MLflow's server; each of the others needs its Python package, and
    /// `CRESTLINE_PYTHON` names the Python.
    #[arg(long, value_name = "NAME", num_args = 1.., action = clap::ArgAction::Set)]
    pub(crate) visualizer: Vec<String>,
    /// Key for W&B, in place of `WANDB_API_KEY` or a login; implies `--visualizer wandb`. Never written to files.
    #[arg(long, value_name = "KEY")]
    pub(crate) wandb_api_key: Option<String>,
    /// Key for SwanLab, in place of `SWANLAB_API_KEY` or a login, or `local` to keep the run on this machine; implies
    /// `--visualizer swanlab`. Never written to files.
    #[arg(long, value_name = "KEY|local")]
    pub(crate) swanlab_api_key: Option<String>,
    /// Address of a SwanLab of one's own, in place of `SWANLAB_HOST`.
    #[arg(long, value_name = "URL")]
    pub(crate) swanlab_host: Option<String>,
    /// After the last load: how long trackers may take to send what they have.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "30",
        allow_negative_numbers = true
    )]
    pub(crate) tracker_patience: f64,
}

/// What the flags mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackPlan {
    /// Who is told, each once.
    pub(crate) trackers: Vec<TrackerPlan>,
    /// How long they may take at the end.
    pub(crate) patience: Nanos,
}

/// One tracker.
#[derive(Clone)]
pub(crate) enum TrackerPlan {
    /// With a client for Python.
    Python(Opening),
    /// MLflow's server, spoken to directly.
    Mlflow,
}

impl fmt::Debug for TrackerPlan {
    /// Without the key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// All that `--visualizer` knows.
const NAMES: [&str; 5] = ["wandb", "swanlab", "clearml", mlflow::NAME, "none"];

impl TrackArgs {
    /// The meaning of the flags; a key alone names its tracker too.
    pub(crate) fn plan(&self) -> Result<TrackPlan, Problem> {
        let patience = values::pause("--tracker-patience", self.tracker_patience)?;
        let given = |key: &Option<String>| key.as_deref().is_some_and(|key| !key.is_empty());
        let mut named = Vec::new();
        for name in &self.visualizer {
            named.extend(meant(name)?);
        }
        let is_none = !self.visualizer.is_empty() && named.is_empty();
        for (key, package) in [
            (&self.wandb_api_key, Package::Wandb),
            (&self.swanlab_api_key, Package::Swanlab),
        ] {
            if given(key) && !is_none {
                named.push(Named::Package(package));
            }
        }
        let mut once: Vec<Named> = Vec::new();
        for tracker in named {
            if !once.contains(&tracker) {
                once.push(tracker);
            }
        }
        let swanlab = Named::Package(Package::Swanlab);
        if self.swanlab_host.is_some() && !once.contains(&swanlab) {
            return Err(Problem::usage("--swanlab-host needs --visualizer swanlab"));
        }
        let trackers = once.into_iter().map(|tracker| match tracker {
            Named::Package(package) => TrackerPlan::Python(self.opening(package)),
            Named::Mlflow => TrackerPlan::Mlflow,
        });
        Ok(TrackPlan {
            trackers: trackers.collect(),
            patience,
        })
    }

    fn opening(&self, package: Package) -> Opening {
        let (key, host) = match package {
            Package::Wandb => (&self.wandb_api_key, &None),
            Package::Swanlab => (&self.swanlab_api_key, &self.swanlab_host),
            Package::Clearml => (&None, &None),
        };
        Opening {
            package,
            key: key.clone().filter(|key| !key.is_empty()),
            host: host.clone(),
        }
    }
}

/// A tracker by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Package(Package),
    Mlflow,
}

/// What a name stands for; `none` for nothing.
fn meant(name: &str) -> Result<Option<Named>, Problem> {
    Ok(match name.to_lowercase().as_str() {
        "wandb" => Some(Named::Package(Package::Wandb)),
        "swanlab" => Some(Named::Package(Package::Swanlab)),
        "clearml" => Some(Named::Package(Package::Clearml)),
        mlflow::NAME => Some(Named::Mlflow),
        "none" => None,
        _ => {
            let problem = Problem::usage(format!("--visualizer does not know the value {name}"));
            return Err(match nearest(name, NAMES) {
                Some(meant) => problem.hint(format!("did you mean {meant}?")),
                None => problem.hint(format!("one of {}", NAMES.join(", "))),
            });
        }
    })
}

impl TrackerPlan {
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Python(opening) => opening.package.name(),
            Self::Mlflow => mlflow::NAME,
        }
    }

    /// Makes it ready to be told, before any load. `None` where someone asks to stop meanwhile.
    pub(crate) fn open(&self, begin: &Begin, stop: &Stop) -> Result<Option<Opened>, Problem> {
        match self {
            Self::Python(opening) => python::open(opening, begin, stop),
            Self::Mlflow => mlflow::open(begin, stop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(visualizer: &[&str]) -> TrackArgs {
        TrackArgs {
            visualizer: visualizer.iter().map(|name| (*name).to_owned()).collect(),
            ..TrackArgs::default()
        }
    }

    fn names(args: &TrackArgs) -> Vec<&'static str> {
        let plan = args.plan().unwrap();
        plan.trackers.iter().map(TrackerPlan::name).collect()
    }

    #[test]
    fn a_key_alone_names_its_tracker_and_none_is_told_twice() {
        let keyed = TrackArgs {
            wandb_api_key: Some("k".to_owned()),
            swanlab_api_key: Some(LOCAL.to_owned()),
            ..named(&["swanlab"])
        };
        assert_eq!(names(&keyed), ["swanlab", "wandb"]);
        assert_eq!(names(&named(&["clearml", "CLEARML"])), ["clearml"]);
        assert!(names(&named(&["None"])).is_empty());
        assert!(names(&named(&[])).is_empty());
        let off = TrackArgs {
            visualizer: vec!["none".to_owned()],
            ..keyed
        };
        assert!(
            names(&off).is_empty(),
            "none is none, whatever keys are given"
        );
    }

    #[test]
    fn a_key_is_in_no_print_of_a_plan() {
        let args = TrackArgs {
            wandb_api_key: Some("secret".to_owned()),
            ..TrackArgs::default()
        };
        let plan = args.plan().unwrap();
        assert!(!format!("{plan:?}").contains("secret"));
    }

    #[test]
    fn an_unknown_tracker_and_a_host_without_its_tracker_are_refused() {
        let refused = |args: &TrackArgs| args.plan().unwrap_err().to_string();
        let text = refused(&named(&["wandbb"]));
        assert!(text.ends_with("hint: did you mean wandb?"), "{text}");
        let text = refused(&named(&["tensorboard"]));
        assert!(
            text.ends_with("one of wandb, swanlab, clearml, mlflow, none"),
            "{text}"
        );
        let host = TrackArgs {
            swanlab_host: Some("https://x".to_owned()),
            ..named(&["wandb"])
        };
        assert!(refused(&host).contains("--swanlab-host needs"));
    }
}
