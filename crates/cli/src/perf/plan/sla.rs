//! From the `--sla-…` flags to a search: what is asked, how it is answered, and which flags have nothing to say in it.

use std::num::NonZeroU32;

use crestline_core::search::{Bounds, Question, Variable};
use crestline_core::sla::{
    CriteriaError, CriterionFault, Group, Measure, Slo, Timed, parse_groups, parse_slo,
};
use crestline_experiment::plan::{BisectPlan, Method, Resume, SearchPlan, Spacing};

use crate::perf::args::{self, Arrival, LoadArgs, PerfArgs, SearchMethod, SlaArgs};
use crate::problem::Problem;
use crate::{search_flags, values};

/// Evalscope's defaults.
const DEFAULT_LOWEST: f64 = 1.0;
const DEFAULT_HIGHEST: f64 = 65536.0;
const DEFAULT_RUNS: i64 = 3;
const DEFAULT_MULTIPLIER: f64 = 2.0;

/// The search that is asked for, if one is.
pub(super) fn search(
    args: &PerfArgs,
    notes: &mut Vec<String>,
) -> Result<Option<SearchPlan>, Problem> {
    if !args.sla.sla_auto_tune {
        return no_search(&args.sla).map(|()| None);
    }
    let method = args.sla.sla_search.unwrap_or(SearchMethod::Crest);
    refuse_misfits(args, method)?;
    let question = question(args, method, notes)?;
    idle_flags(args, method, notes);
    let fixed_parallel = fixed_parallel(args, method, question.bounds)?;
    let method = match method {
        SearchMethod::Crest => Method::Crest,
        SearchMethod::Bisect => Method::Bisect(bisection(args)?),
    };
    Ok(Some(SearchPlan {
        question,
        method,
        fixed_parallel,
        resume: match args.sla.resume {
            Some(_) => Resume::Yes,
            None => Resume::No,
        },
    }))
}

/// Flags of a search where none is asked for.
fn no_search(args: &SlaArgs) -> Result<(), Problem> {
    let given = [
        ("--sla-params", args.sla_params.is_some()),
        ("--sla-variable", args.sla_variable.is_some()),
        ("--goodput", !args.goodput.is_empty()),
        ("--sla-search", args.sla_search.is_some()),
        ("--sla-lower-bound", args.sla_lower_bound.is_some()),
        ("--sla-upper-bound", args.sla_upper_bound.is_some()),
        ("--sla-confidence", args.sla_confidence.is_some()),
        ("--sla-tolerance", args.sla_tolerance.is_some()),
        ("--sla-budget", !args.sla_budget.is_empty()),
        ("--sla-num-runs", args.sla_num_runs.is_some()),
        (
            "--sla-number-multiplier",
            args.sla_number_multiplier.is_some(),
        ),
        ("--sla-fixed-parallel", args.sla_fixed_parallel.is_some()),
        ("--resume", args.resume.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(
            Problem::usage(format!("{flag} needs --sla-auto-tune")).hint(format!(
                "add --sla-auto-tune to search, or leave out {flag} to measure the given loads"
            )),
        ),
    }
}

/// Flags that contradict the search.
fn refuse_misfits(args: &PerfArgs, method: SearchMethod) -> Result<(), Problem> {
    let by_rate = variable(&args.sla) == Variable::Rate;
    if args.load.open_loop && !by_rate {
        return Err(
            Problem::usage("--open-loop contradicts --sla-variable parallel")
                .cause("users who wait for their answers are a closed loop")
                .hint("choose --sla-variable rate, or leave out --open-loop"),
        );
    }
    if args.load.arrival == Arrival::Constant && !by_rate {
        return Err(
            Problem::usage("--arrival constant needs --sla-variable rate")
                .hint("users send when their last answer is there; leave out --arrival"),
        );
    }
    if args.load.arrival == Arrival::Constant && method == SearchMethod::Crest {
        return Err(
            Problem::usage("--arrival constant needs --sla-search bisect")
                .cause("crest offers rates at random times, as independent users do")
                .hint("leave out --arrival"),
        );
    }
    if method == SearchMethod::Bisect {
        let sla = &args.sla;
        let given = [
            ("--sla-confidence", sla.sla_confidence.is_some()),
            ("--sla-tolerance", sla.sla_tolerance.is_some()),
            ("--sla-budget", !sla.sla_budget.is_empty()),
        ];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(
                Problem::usage(format!("{flag} has no meaning in --sla-search bisect"))
                    .cause(
                        "a bisection takes each comparison as final and ends at neighbouring loads",
                    )
                    .hint(format!("leave out {flag}, or leave out --sla-search")),
            );
        }
    }
    Ok(())
}

fn variable(args: &SlaArgs) -> Variable {
    match args.sla_variable {
        None | Some(args::Variable::Parallel) => Variable::Users,
        Some(args::Variable::Rate) => Variable::Rate,
    }
}

fn question(
    args: &PerfArgs,
    method: SearchMethod,
    notes: &mut Vec<String>,
) -> Result<Question, Problem> {
    let sla = &args.sla;
    let variable = variable(sla);
    let text = sla.sla_params.as_deref().ok_or_else(|| {
        Problem::usage("--sla-auto-tune needs --sla-params").hint(
            "say what must hold, as in --sla-params '[{\"p99_ttft\": \"<=500ms\"}]'; a maximum is '[{\"tps\": \"max\"}]'",
        )
    })?;
    let slo = slo(&sla.goodput)?;
    let groups = groups(text, slo.as_ref())?;
    check_measurable(args, &groups, slo.as_ref())?;
    readings(&groups, slo.as_ref(), notes);
    let bounds = bounds(sla, whole(variable, method))?;
    Ok(Question {
        variable,
        bounds,
        first: first(&args.load, variable, bounds, notes)?,
        groups,
        slo: slo.unwrap_or_default(),
        confidence: search_flags::confidence(sla.sla_confidence.as_deref())?,
        tolerance: search_flags::tolerance(sla.sla_tolerance.as_deref())?,
        budget: search_flags::budget(&sla.sla_budget)?,
    })
}

fn slo(typed: &[String]) -> Result<Option<Slo>, Problem> {
    if typed.is_empty() {
        return Ok(None);
    }
    parse_slo(typed).map(Some).map_err(|error| {
        Problem::usage("--goodput cannot be understood")
            .because(&error)
            .hint(error.hint())
    })
}

fn groups(text: &str, slo: Option<&Slo>) -> Result<Vec<Group>, Problem> {
    parse_groups(text, slo).map_err(|error| {
        let hint = match &error {
            CriteriaError::Criterion {
                fault: CriterionFault::NoSlo,
                ..
            } => "add --goodput with what a good request keeps to, as in --goodput ttft:500ms tpot:50ms"
                .to_owned(),
            _ => error.hint(),
        };
        Problem::usage("--sla-params cannot be searched for")
            .because(&error)
            .hint(hint)
    })
}

/// Refuses criteria that no answer will have a figure for, and limits that nothing asks for.
fn check_measurable(args: &PerfArgs, groups: &[Group], slo: Option<&Slo>) -> Result<(), Problem> {
    let measures = || groups.iter().flat_map(Group::measures);
    if slo.is_some() && !measures().any(|measure| measure == Measure::Goodput) {
        return Err(
            Problem::usage("--goodput is given, but no group asks for goodput").hint(
                "add it to --sla-params, as in {\"goodput\": \">=99%\"}, or leave out --goodput",
            ),
        );
    }
    let between_tokens =
        |measure: &Measure| matches!(measure, Measure::Time(_, Timed::Tpot | Timed::Itl));
    if args.generation.no_stream
        && let Some(measure) = measures().find(between_tokens)
    {
        return Err(
            Problem::usage(format!("{measure} cannot be measured with --no-stream"))
                .cause("an answer in one piece has no time between its tokens")
                .hint("leave out --no-stream, or limit the latency"),
        );
    }
    Ok(())
}

/// How the criteria were read, with their units.
fn readings(groups: &[Group], slo: Option<&Slo>, notes: &mut Vec<String>) {
    for (number, group) in (1..).zip(groups) {
        let of = match groups {
            [_] => String::new(),
            _ => format!("group {number} of "),
        };
        notes.push(format!("{of}--sla-params is read as {}", group.reading()));
    }
    notes.extend(slo.map(|slo| format!("--goodput is read as {slo}")));
}

/// Why loads must be whole numbers, where they must.
fn whole(variable: Variable, method: SearchMethod) -> Option<&'static str> {
    match (variable, method) {
        (Variable::Users, _) => Some("users come whole"),
        (Variable::Rate, SearchMethod::Bisect) => {
            Some("--sla-search bisect knows whole rates only")
        }
        (Variable::Rate, SearchMethod::Crest) => None,
    }
}

fn bounds(args: &SlaArgs, whole: Option<&'static str>) -> Result<Bounds, Problem> {
    let lowest = args.sla_lower_bound.unwrap_or(DEFAULT_LOWEST);
    let highest = args.sla_upper_bound.unwrap_or(DEFAULT_HIGHEST);
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
        if let Some(why) = whole.filter(|_| value.fract() != 0.0) {
            return Err(
                Problem::usage(format!("{flag} must be a whole number, not {value}")).cause(why),
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

/// The load that is tried first: the first of `--parallel` or `--rate`, within the bounds.
fn first(
    args: &LoadArgs,
    variable: Variable,
    bounds: Bounds,
    notes: &mut Vec<String>,
) -> Result<f64, Problem> {
    let (flag, typed): (_, Vec<f64>) = match variable {
        Variable::Users => (
            "--parallel",
            args.parallel.iter().map(|users| *users as f64).collect(),
        ),
        Variable::Rate => ("--rate", args.rate.clone()),
    };
    let Some(&wanted) = typed.first() else {
        return Ok(bounds.lowest);
    };
    let unset = variable == Variable::Rate && wanted.total_cmp(&-1.0).is_eq();
    if unset {
        return Ok(bounds.lowest);
    }
    if !(wanted.is_finite() && wanted > 0.0) {
        return Err(
            Problem::usage(format!("{flag} must be above 0, not {wanted}"))
                .hint("it is the load that the search tries first"),
        );
    }
    if typed.len() > 1 {
        notes.push(format!(
            "a search tries its own loads: of {flag} {} it takes {wanted} to begin with",
            values::list(&typed)
        ));
    }
    let first = wanted.clamp(bounds.lowest, bounds.highest);
    if first.total_cmp(&wanted).is_ne() {
        notes.push(format!(
            "{flag} {wanted} is outside the bounds: the search begins at {first}"
        ));
    }
    Ok(first)
}

fn bisection(args: &PerfArgs) -> Result<BisectPlan, Problem> {
    let sla = &args.sla;
    let multiplier = sla.sla_number_multiplier.unwrap_or(DEFAULT_MULTIPLIER);
    if !(multiplier.is_finite() && multiplier > 0.0) {
        return Err(Problem::usage(format!(
            "--sla-number-multiplier must be above 0, not {multiplier}"
        )));
    }
    Ok(BisectPlan {
        runs: values::positive("--sla-num-runs", sla.sla_num_runs.unwrap_or(DEFAULT_RUNS))?,
        multiplier,
        warmup: super::loads::warmup(args.load.warmup_num)?,
        duration: args
            .load
            .duration
            .map(|seconds| values::span("--duration", seconds))
            .transpose()?,
        arrivals: match args.load.arrival {
            Arrival::Poisson => Spacing::Random,
            Arrival::Constant => Spacing::Even,
        },
    })
}

/// Most requests in flight where the rate is varied. Evalscope has no rates without: unless the loop is opened by a flag,
/// it is the upper bound.
fn fixed_parallel(
    args: &PerfArgs,
    method: SearchMethod,
    bounds: Bounds,
) -> Result<Option<NonZeroU32>, Problem> {
    let typed = args
        .sla
        .sla_fixed_parallel
        .map(|limit| values::positive("--sla-fixed-parallel", limit))
        .transpose()?;
    if variable(&args.sla) == Variable::Users || args.load.open_loop {
        return Ok(None);
    }
    Ok(match method {
        SearchMethod::Crest => typed,
        SearchMethod::Bisect => typed.or_else(|| NonZeroU32::new(bounds.highest as u32)),
    })
}

/// Tells of flags that a search has no use for, so that none is ignored in silence.
fn idle_flags(args: &PerfArgs, method: SearchMethod, notes: &mut Vec<String>) {
    let (sla, load) = (&args.sla, &args.load);
    let mut idle: Vec<(&str, bool, &str)> = vec![
        (
            "--number",
            !load.number.is_empty(),
            "the search chooses how many requests it sends",
        ),
        (
            "--enable-progress-tracker",
            args.output.enable_progress_tracker,
            "a search does not know how many requests it will send",
        ),
    ];
    idle.push(match variable(sla) {
        Variable::Users => (
            "--rate",
            load.rate.iter().any(|rate| rate.total_cmp(&-1.0).is_ne()),
            "users send when their last answer is there",
        ),
        Variable::Rate => (
            "--parallel",
            load.parallel.iter().any(|users| *users != -1),
            "the rate is varied; --sla-fixed-parallel limits the requests in flight",
        ),
    });
    idle.push((
        "--sla-fixed-parallel",
        sla.sla_fixed_parallel.is_some() && (variable(sla) == Variable::Users || load.open_loop),
        "nothing limits the requests in flight here",
    ));
    if method == SearchMethod::Crest {
        let session =
            "crest sends without a break and decides by what it has seen how long a load stays";
        idle.extend([
            ("--sla-num-runs", sla.sla_num_runs.is_some(), session),
            (
                "--sla-number-multiplier",
                sla.sla_number_multiplier.is_some(),
                session,
            ),
            (
                "--duration",
                load.duration.is_some(),
                "--sla-budget limits the time of the whole search",
            ),
            (
                "--warmup-num",
                load.warmup_num != 0.0,
                "crest leaves out what it sends before a load has settled",
            ),
        ]);
    }
    for (flag, given, why) in idle {
        if given {
            notes.push(format!("{flag} has no effect in this search: {why}"));
        }
    }
}
