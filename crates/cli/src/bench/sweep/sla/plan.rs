//! The whole meaning of the flags of `crestline bench sweep serve_sla`: a sweep, the SLAs, and how loads are looked for.
//!
//! Starts and sends nothing. Every refusal that does not need a server happens here.

use crestline_core::search::{Bounds, Budget, Variable};

use super::super::args::{SlaArgs, SlaSearch, SlaVariable, SweepSlaArgs};
use super::super::params::Combination;
use super::super::plan::{self, Sweep};
use super::criteria::{self, Keys, Sla};
use crate::problem::Problem;
use crate::search_flags;

/// The highest load of vLLM's search, which stands for all that is higher.
const HIGHEST: f64 = 8192.0;
/// The lowest rate that is tried where none is given: one request in 100 seconds.
const LOWEST_RATE: f64 = 0.01;
/// Where a search begins, within its bounds.
const FIRST: f64 = 1.0;

/// A search for each combination of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlaSweep {
    pub(crate) sweep: Sweep,
    pub(crate) variable: SlaVariable,
    pub(crate) slas: Vec<Sla>,
    pub(crate) method: Method,
    pub(crate) bounds: Bounds,
}

/// How loads are chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Method {
    /// One session on each server for all SLAs.
    Crest {
        confidence: f64,
        tolerance: f64,
        budget: Budget,
    },
    /// Separate runs, each SLA after the other, as vLLM did.
    Pchip,
}

/// Translates the flags.
pub(crate) fn translate(args: &SweepSlaArgs) -> Result<SlaSweep, Problem> {
    let sweep = plan::translate(&args.serve)?;
    let typed = &args.sla;
    check_variable(&sweep, typed.sla_variable)?;
    let keys = match typed.sla_search {
        SlaSearch::Crest => Keys::Judged,
        SlaSearch::Pchip => Keys::Known,
    };
    Ok(SlaSweep {
        slas: criteria::read(&typed.sla_params, keys)?,
        variable: typed.sla_variable,
        method: method(typed)?,
        bounds: bounds(typed)?,
        sweep,
    })
}

/// What is searched for cannot be given.
fn check_variable(sweep: &Sweep, variable: SlaVariable) -> Result<(), Problem> {
    let name = variable.name();
    let cells = sweep.servers.iter().flat_map(|server| &server.cells);
    let sets = |parameters: &&Combination| parameters.sets(name);
    match cells.map(|cell| &cell.parameters).find(sets) {
        None => Ok(()),
        Some(parameters) => Err(Problem::usage(format!(
            "--bench-params sets {name}, which --sla-variable searches for"
        ))
        .cause(format!("the combination is {}", parameters.name()))
        .hint(format!("leave {name} out of the file, or choose the other --sla-variable"))),
    }
}

fn method(typed: &SlaArgs) -> Result<Method, Problem> {
    match typed.sla_search {
        SlaSearch::Crest => Ok(Method::Crest {
            confidence: search_flags::confidence(typed.sla_confidence.as_deref())?,
            tolerance: search_flags::tolerance(typed.sla_tolerance.as_deref())?,
            budget: search_flags::budget(&typed.sla_budget)?,
        }),
        SlaSearch::Pchip => {
            let given = [
                ("--sla-confidence", typed.sla_confidence.is_some()),
                ("--sla-tolerance", typed.sla_tolerance.is_some()),
                ("--sla-budget", !typed.sla_budget.is_empty()),
            ];
            match given.into_iter().find(|(_, given)| *given) {
                None => Ok(Method::Pchip),
                Some((flag, _)) => Err(Problem::usage(format!(
                    "{flag} has no meaning in --sla-search pchip"
                ))
                .cause("it takes each comparison as final and ends at neighbouring loads")
                .hint(format!("leave out {flag}, or leave out --sla-search"))),
            }
        }
    }
}

fn bounds(typed: &SlaArgs) -> Result<Bounds, Problem> {
    let is_real =
        typed.sla_variable == SlaVariable::RequestRate && typed.sla_search == SlaSearch::Crest;
    let highest = typed.sla_upper_bound.unwrap_or(HIGHEST);
    let least = if is_real { LOWEST_RATE } else { 1.0 };
    let lowest = typed.sla_lower_bound.unwrap_or(least.min(highest));
    for (flag, value) in [
        ("--sla-lower-bound", lowest),
        ("--sla-upper-bound", highest),
    ] {
        if !value.is_finite() || value <= 0.0 || value > f64::from(u32::MAX) {
            return Err(Problem::usage(format!(
                "{flag} must be above 0 and at most {}, not {value}",
                u32::MAX
            )));
        }
        if !is_real && value.fract() != 0.0 {
            return Err(
                Problem::usage(format!("{flag} must be a whole number, not {value}")).cause(
                    match typed.sla_variable {
                        SlaVariable::MaxConcurrency => "requests in flight are counted",
                        SlaVariable::RequestRate => "--sla-search pchip knows whole rates only",
                    },
                ),
            );
        }
    }
    if lowest > highest {
        return Err(Problem::usage(format!(
            "--sla-lower-bound {lowest} is above --sla-upper-bound {highest}"
        ))
        .hint("give the lowest load that is of interest, and the highest"));
    }
    Ok(Bounds { lowest, highest })
}

impl SlaSweep {
    /// What the load is counted in.
    pub(crate) fn counted_in(&self) -> Variable {
        match self.variable {
            SlaVariable::RequestRate => Variable::Rate,
            SlaVariable::MaxConcurrency => Variable::Users,
        }
    }

    /// The load that is tried first.
    pub(crate) fn first(&self) -> f64 {
        FIRST.clamp(self.bounds.lowest, self.bounds.highest)
    }
}
