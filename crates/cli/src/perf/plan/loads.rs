//! From `--number`, `--parallel`, `--rate` and their neighbours to the loads of a sweep.

use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::units::{Nanos, Rate};
use crestline_experiment::plan::warmup_requests;

use crate::perf::args::{Arrival, LoadArgs};
use crate::problem::Problem;
use crate::values;

/// Requests of a load where `--number` is not given.
const DEFAULT_NUMBER: i64 = 1000;

/// The loads in the order in which they are applied.
pub(super) fn points(args: &LoadArgs, notes: &mut Vec<String>) -> Result<Vec<LoadPoint>, Problem> {
    let numbers = if args.number.is_empty() {
        vec![DEFAULT_NUMBER]
    } else {
        args.number.clone()
    };
    let duration = args
        .duration
        .map(|seconds| values::span("--duration", seconds))
        .transpose()?;
    if duration.is_some() && args.number.is_empty() {
        notes.push(format!(
            "without --number a load ends after {DEFAULT_NUMBER} requests, also before --duration is over"
        ));
    }
    let loads = if args.open_loop {
        open(args, &numbers, notes)?
    } else {
        closed(args, &numbers)?
    };
    loads
        .into_iter()
        .zip(numbers)
        .map(|(load, number)| point(load, number, args.warmup_num, duration))
        .collect()
}

fn closed(args: &LoadArgs, numbers: &[i64]) -> Result<Vec<Load>, Problem> {
    let parallels = if args.parallel.is_empty() {
        vec![1]
    } else {
        args.parallel.clone()
    };
    if parallels.len() != numbers.len() {
        return Err(
            Problem::usage("the length of --number and --parallel must be the same")
                .cause(format!(
                    "--number is {}; --parallel is {}",
                    values::list(numbers),
                    values::list(&parallels)
                ))
                .hint("give one --number for each --parallel"),
        );
    }
    if args.rate.len() > 1 {
        return Err(Problem::usage("--rate takes one value here")
            .cause(format!(
                "--rate is {}, and without --open-loop the sweep is over --parallel",
                values::list(&args.rate)
            ))
            .hint("add --open-loop to sweep over --rate"));
    }
    let arrivals = match args.rate.first() {
        Some(rate) if !is_unpaced(*rate) => arrivals(args.arrival, *rate)?,
        _ if args.arrival == Arrival::Constant => {
            return Err(Problem::usage("--arrival constant needs a --rate")
                .hint("add --rate with the requests a second"));
        }
        _ => Arrivals::Immediate,
    };
    parallels
        .into_iter()
        .map(|parallel| {
            let concurrency = values::positive("--parallel", parallel).map_err(|problem| {
                problem.hint("for requests in flight without limit use --open-loop with --rate")
            })?;
            Ok(Load {
                arrivals,
                concurrency: Some(concurrency),
            })
        })
        .collect()
}

/// Evalscope's word for "as fast as slots become free" is exactly -1.
fn is_unpaced(rate: f64) -> bool {
    rate.total_cmp(&-1.0).is_eq()
}

fn open(args: &LoadArgs, numbers: &[i64], notes: &mut Vec<String>) -> Result<Vec<Load>, Problem> {
    if args.rate.is_empty() {
        return Err(Problem::usage("--open-loop needs --rate")
            .hint("add --rate with the requests a second; a list is a sweep"));
    }
    if args.rate.len() != numbers.len() {
        return Err(Problem::usage(
            "in open-loop mode the length of --number and --rate must be the same",
        )
        .cause(format!(
            "--number is {}; --rate is {}",
            values::list(numbers),
            values::list(&args.rate)
        ))
        .hint("give one --number for each --rate"));
    }
    if args.parallel.iter().any(|parallel| *parallel != -1) {
        notes.push(format!(
            "--open-loop sets no limit on requests in flight: --parallel {} has no effect",
            values::list(&args.parallel)
        ));
    }
    args.rate
        .iter()
        .map(|rate| {
            arrivals(args.arrival, *rate)
                .map(|arrivals| Load {
                    arrivals,
                    concurrency: None,
                })
                .map_err(|problem| {
                    problem.cause(format!(
                        "in open-loop mode all --rate values must be above 0; --rate is {}",
                        values::list(&args.rate)
                    ))
                })
        })
        .collect()
}

fn arrivals(shape: Arrival, rate: f64) -> Result<Arrivals, Problem> {
    let rate = Rate::per_second(rate).map_err(|_| {
        Problem::usage(format!("--rate cannot be {rate}"))
            .hint("give requests a second above 0, or -1 in a closed loop for no pacing")
    })?;
    Ok(match shape {
        Arrival::Poisson => Arrivals::Poisson(rate),
        Arrival::Constant => Arrivals::Constant(rate),
    })
}

fn point(
    load: Load,
    number: i64,
    warmup: f64,
    duration: Option<Nanos>,
) -> Result<LoadPoint, Problem> {
    let requests = u64::from(values::positive("--number", number)?.get());
    Ok(LoadPoint {
        load,
        requests,
        warmup: warmup_requests(self::warmup(warmup)?, requests),
        duration,
    })
}

/// `--warmup-num` as it may be: a number of requests, or below 1 a share.
pub(super) fn warmup(typed: f64) -> Result<f64, Problem> {
    if typed.is_finite() && typed >= 0.0 {
        Ok(typed)
    } else {
        Err(
            Problem::usage(format!("--warmup-num must be 0 or more, not {typed}"))
                .hint("give a number of requests, or a share of --number below 1"),
        )
    }
}
