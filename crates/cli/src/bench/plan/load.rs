//! From rate, concurrency and number to one load.

use std::num::NonZeroU32;

use crestline_core::request::{Arrivals, Burstiness, Load, LoadPoint, Pace, Pacing, Ramp};
use crestline_core::units::Rate;

use super::super::args::{Compat, DatasetName, LoadArgs, RampUp, ServeArgs};
use crate::problem::Problem;
use crate::values;

pub(super) fn point(all: &ServeArgs) -> Result<LoadPoint, Problem> {
    let args = &all.load;
    let requests = if wants_all(all) {
        NonZeroU32::MAX
    } else {
        batches(all, values::positive("--num-prompts", args.num_prompts)?)
    };
    let limit = args
        .max_concurrency
        .map(|limit| values::positive("--max-concurrency", limit))
        .transpose()?;
    let warmup = u64::from(values::count("--num-warmups", args.num_warmups)?);
    Ok(LoadPoint {
        load: load(args, requests, limit)?,
        requests: u64::from(requests.get()),
        warmup,
        duration: None,
    })
}

/// Requests that hold so many prompts: random texts may be sent several in one. A query of its own is no document, so that
/// one prompt and one text of each request are spent on it.
fn batches(args: &ServeArgs, prompts: NonZeroU32) -> NonZeroU32 {
    let texts = args.dataset.random_batch_size.max(1);
    let (prompts, texts) = match args.dataset.dataset_name {
        DatasetName::RandomRerank if args.dataset.no_reranker => {
            (prompts.get() - 1, texts.saturating_sub(1).max(1))
        }
        DatasetName::Random | DatasetName::RandomRerank => (prompts.get(), texts),
        _ => return prompts,
    };
    NonZeroU32::new(prompts.div_ceil(texts)).unwrap_or(NonZeroU32::MIN)
}

/// Warm-up requests are copies of the first counted one, as vLLM sends them.
pub(super) fn warms_up_with_copies(args: &ServeArgs) -> bool {
    args.load.warmup_copies || args.results.compat == Compat::Vllm
}

/// All lines of the user's own file, each once.
pub(super) fn wants_all(args: &ServeArgs) -> bool {
    let is_own = matches!(
        args.dataset.dataset_name,
        DatasetName::Custom | DatasetName::CustomImage | DatasetName::CustomAudio
    );
    args.load.num_prompts <= 0 && is_own
}

fn load(args: &LoadArgs, requests: NonZeroU32, limit: Option<NonZeroU32>) -> Result<Load, Problem> {
    let burstiness = Burstiness::of_shape(args.burstiness).map_err(|_| {
        Problem::usage(format!(
            "--burstiness must be above 0, not {}",
            args.burstiness
        ))
        .hint("1 is a Poisson process, less is burstier, inf is even")
    })?;
    let arrivals = match pace(args)? {
        None => Arrivals::AtOnce,
        Some(pace) => Arrivals::Paced(Pacing {
            requests: u64::from(requests.get()),
            pace,
            burstiness,
        }),
    };
    Ok(Load {
        arrivals,
        concurrency: limit,
    })
}

/// How the rate goes; `None` where all requests are due at the beginning.
fn pace(args: &LoadArgs) -> Result<Option<Pace>, Problem> {
    let is_all_at_once = args.request_rate.is_infinite() && args.request_rate > 0.0;
    if let Some(strategy) = args.ramp_up_strategy {
        if !is_all_at_once {
            return Err(Problem::usage(
                "--ramp-up-strategy and --request-rate cannot stand together",
            )
            .hint("leave out --request-rate: the ramp says how the rate goes"));
        }
        return ramp(args, strategy).map(Some);
    }
    if args.ramp_up_start_rps.is_some() || args.ramp_up_end_rps.is_some() {
        return Err(Problem::usage(
            "--ramp-up-start-rps and --ramp-up-end-rps need --ramp-up-strategy",
        )
        .hint("add --ramp-up-strategy linear or exponential"));
    }
    if is_all_at_once {
        return Ok(None);
    }
    let rate = Rate::per_second(args.request_rate).map_err(|_| {
        Problem::usage(format!("--request-rate cannot be {}", args.request_rate))
            .hint("give requests a second above 0, or inf to send all at the beginning")
    })?;
    Ok(Some(Pace::Fitted(rate)))
}

fn ramp(args: &LoadArgs, strategy: RampUp) -> Result<Pace, Problem> {
    let (Some(from), Some(to)) = (args.ramp_up_start_rps, args.ramp_up_end_rps) else {
        return Err(Problem::usage(
            "--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps",
        )
        .hint("add both, in requests a second"));
    };
    if from > to {
        return Err(Problem::usage(format!(
            "--ramp-up-start-rps {from} is above --ramp-up-end-rps {to}"
        ))
        .hint("exchange them"));
    }
    let rate = |flag, value: i64| {
        Rate::per_second(value as f64).map_err(|_| {
            Problem::usage(format!("{flag} cannot be {value}"))
                .cause("at no requests a second the first one would never be due")
                .hint("give 1 or more")
        })
    };
    let ramp = Ramp {
        from: rate("--ramp-up-start-rps", from)?,
        to: rate("--ramp-up-end-rps", to)?,
    };
    Ok(match strategy {
        RampUp::Linear => Pace::Linear(ramp),
        RampUp::Exponential => Pace::Exponential(ramp),
    })
}
