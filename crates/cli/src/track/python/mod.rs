//! Trackers that have a client for Python only: a child process runs it, so that it can neither slow the measurement nor
//! take it down.
//!
//! [`crate::interpreter`] is which Python, [`child`] the process and what is said to it and by it. The script is embedded and needs
//! nothing but the tracker's own package. Keys go over the child's input, never onto its command line.

mod child;

use std::ffi::OsStr;
use std::path::Path;

use crestline_load::engine::Stop;
use serde::Serialize;

use super::told::{Begin, Told};
use super::tracker::Opened;
use crate::interpreter;
use crate::problem::Problem;
use child::{Child, Refusal};

/// A tracker with a client for Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Package {
    /// Weights & Biases.
    Wandb,
    /// SwanLab.
    Swanlab,
    /// ClearML.
    Clearml,
}

impl Package {
    /// Its name, which is its package's too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wandb => "wandb",
            Self::Swanlab => "swanlab",
            Self::Clearml => "clearml",
        }
    }

    /// How someone who has no account on this machine gets on.
    fn login_hint(self) -> &'static str {
        match self {
            Self::Wandb => {
                "give --wandb-api-key, set WANDB_API_KEY or run `wandb login`; WANDB_MODE=offline needs none"
            }
            Self::Swanlab => {
                "give --swanlab-api-key, set SWANLAB_API_KEY or run `swanlab login`; --swanlab-api-key local and SWANLAB_MODE=offline need none"
            }
            Self::Clearml => "run `clearml-init`; CLEARML_OFFLINE_MODE=1 needs no account",
        }
    }
}

/// How a tracker is opened.
#[derive(Clone, Serialize)]
pub(crate) struct Opening {
    /// Which.
    #[serde(rename = "tracker", serialize_with = "name")]
    pub(crate) package: Package,
    /// The key, where the user gave one: a secret.
    pub(crate) key: Option<String>,
    /// The tracker's address, where the user gave one.
    pub(crate) host: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn name<S: serde::Serializer>(package: &Package, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(package.name())
}

/// Starts the tracker's client and waits until its run has begun. `None` where someone asks to stop meanwhile.
pub(crate) fn open(
    opening: &Opening,
    begin: &Begin,
    stop: &Stop,
) -> Result<Option<Opened>, Problem> {
    let candidates = interpreter::candidates(&interpreter::Surroundings::of_this_process());
    let mut refusals = Vec::new();
    for python in candidates {
        let outcome = Child::start(&python, opening, stop).and_then(|mut child| {
            child.send(&Told::Begin(begin.clone()));
            child.await_ready(stop)
        });
        match outcome {
            Ok(ready) => return Ok(Some(ready.opened())),
            Err(Refusal::Stopped) => return Ok(None),
            // Another may have the package.
            Err(refusal @ (Refusal::NoPackage | Refusal::NotThere(_))) => {
                refusals.push((python, refusal));
            }
            Err(refusal) => return Err(problem(opening.package, &python, &refusal)),
        }
    }
    let lacks_package = |(_, refusal): &&(_, Refusal)| matches!(refusal, Refusal::NoPackage);
    let told = refusals.iter().find(lacks_package).or(refusals.first());
    Err(told.map_or_else(
        || no_python(opening.package),
        |(python, refusal)| problem(opening.package, python, refusal),
    ))
}

/// What the user reads of it.
fn problem(package: Package, python: &OsStr, refusal: &Refusal) -> Problem {
    let name = package.name();
    match refusal {
        Refusal::NotThere(why) => no_python(package).cause(why),
        Refusal::NoPackage => no_package(&format!("--visualizer {name}"), name, python),
        Refusal::NoDashboard => {
            no_package("SwanLab on this machine", "'swanlab[dashboard]'", python)
        }
        Refusal::Login(why) => Problem::usage(format!("{name} cannot be logged in to"))
            .cause(why)
            .hint(package.login_hint()),
        Refusal::Other(why) => Problem::usage(format!("the tracker {name} does not begin"))
            .cause(why)
            .hint("leave out --visualizer to measure without it"),
        Refusal::Stopped => Problem::usage(format!("the tracker {name} was not waited for")),
    }
}

fn no_package(flag: &str, package: &str, python: &OsStr) -> Problem {
    let python = Path::new(python).display();
    Problem::usage(format!("{flag} needs the Python package {package}")).hint(format!(
        "{python} -m pip install {package}, or set CRESTLINE_PYTHON to a Python that has it"
    ))
}

fn no_python(package: Package) -> Problem {
    Problem::usage(format!("--visualizer {} needs Python 3", package.name())).hint(format!(
        "install it with the package {}, or set CRESTLINE_PYTHON to a Python that has it",
        package.name()
    ))
}
