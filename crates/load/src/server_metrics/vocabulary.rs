//! What servers call what they say of themselves: vLLM (and the simulated server, which has its names), SGLang, Text
//! Generation Inference and llama.cpp, in their documentation's spellings, old and new.
//!
//! Every other name keeps its own meaning, which nobody here knows.

use crestline_core::server_series::Quantity::{
    CacheUse, GeneratedTokens, GeneratedTokensPerS, Preemptions, PrefixHitShare, PrefixHits,
    PrefixQueries, PromptTokens, PromptTokensPerS, Running, Waiting,
};
use crestline_core::server_series::{Course, Quantity, Series, ServerSeries};

/// What a server says, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told<'a> {
    /// Which server it is; `None` where nothing is understood.
    pub server: Option<&'static str>,
    /// What is understood, each quantity once, over all engines and ranks of the server.
    pub courses: Vec<Course>,
    /// The rest.
    pub others: Vec<&'a Series>,
}

/// A kind of server, and what it calls what: the spellings of each quantity, of which the first one that is there counts.
struct Family {
    name: &'static str,
    words: &'static [(Quantity, &'static [&'static str])],
}

const FAMILIES: &[Family] = &[
    Family {
        name: "vLLM",
        words: &[
            (Running, &["vllm:num_requests_running"]),
            (Waiting, &["vllm:num_requests_waiting"]),
            (
                CacheUse,
                &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
            ),
            (PromptTokens, &["vllm:prompt_tokens"]),
            (GeneratedTokens, &["vllm:generation_tokens"]),
            (Preemptions, &["vllm:num_preemptions"]),
            (
                PrefixQueries,
                &["vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries"],
            ),
            (
                PrefixHits,
                &["vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits"],
            ),
            (PromptTokensPerS, &["vllm:avg_prompt_throughput_toks_per_s"]),
            (
                GeneratedTokensPerS,
                &["vllm:avg_generation_throughput_toks_per_s"],
            ),
            (PrefixHitShare, &["vllm:gpu_prefix_cache_hit_rate"]),
        ],
    },
    Family {
        name: "SGLang",
        words: &[
            (Running, &["sglang:num_running_reqs"]),
            (Waiting, &["sglang:num_queue_reqs"]),
            (CacheUse, &["sglang:token_usage"]),
            (PromptTokens, &["sglang:prompt_tokens"]),
            (GeneratedTokens, &["sglang:generation_tokens"]),
            (GeneratedTokensPerS, &["sglang:gen_throughput"]),
            (PrefixHitShare, &["sglang:cache_hit_rate"]),
        ],
    },
    Family {
        name: "Text Generation Inference",
        words: &[
            (Running, &["tgi_batch_current_size"]),
            (Waiting, &["tgi_queue_size"]),
            // Sums of histograms of requests that have ended.
            (PromptTokens, &["tgi_request_input_length_sum"]),
            (GeneratedTokens, &["tgi_request_generated_tokens_sum"]),
        ],
    },
    Family {
        name: "llama.cpp",
        words: &[
            (Running, &["llamacpp:requests_processing"]),
            (Waiting, &["llamacpp:requests_deferred"]),
            (CacheUse, &["llamacpp:kv_cache_usage_ratio"]),
            (PromptTokens, &["llamacpp:prompt_tokens"]),
            (GeneratedTokens, &["llamacpp:tokens_predicted"]),
            (PromptTokensPerS, &["llamacpp:prompt_tokens_seconds"]),
            (GeneratedTokensPerS, &["llamacpp:predicted_tokens_seconds"]),
        ],
    },
];

/// The simulated server has vLLM's names, and some of its own.
const SIMULATED: (&str, &str) = ("crestline_sim:", "crestline sim");

/// Labels of the parts that one engine is cut into: each part says the same of the whole.
const PARTS: [&str; 3] = ["tp_rank", "pp_rank", "moe_ep_rank"];

/// Reads the series of a run. Several kinds of servers on one page are taken for the first that is known.
pub fn told(all: &ServerSeries) -> Told<'_> {
    let known = FAMILIES
        .iter()
        .map(|family| (family, understood(family, all)))
        .find(|(_, understood)| !understood.is_empty());
    let Some((family, understood)) = known else {
        return Told {
            others: all.series.iter().collect(),
            ..Told::default()
        };
    };
    let courses = understood.iter().map(|(quantity, series)| Course {
        quantity: *quantity,
        points: all.combined(series, quantity.combination()),
    });
    let is_used = |one: &Series| {
        let mut used = understood.iter().flat_map(|(_, series)| series);
        used.any(|used| std::ptr::eq(*used, one))
    };
    let is_simulated = all
        .series
        .iter()
        .any(|series| series.name.starts_with(SIMULATED.0));
    Told {
        server: Some(if is_simulated {
            SIMULATED.1
        } else {
            family.name
        }),
        courses: courses.collect(),
        others: all.series.iter().filter(|one| !is_used(one)).collect(),
    }
}

/// The series of each quantity that is there.
fn understood<'a>(family: &Family, all: &'a ServerSeries) -> Vec<(Quantity, Vec<&'a Series>)> {
    let found = family.words.iter().filter_map(|(quantity, spellings)| {
        let called = |spelling: &&str| -> Vec<&'a Series> {
            let series = all.series.iter();
            series
                .filter(|series| is_called(series, spelling))
                .collect()
        };
        let mut series = spellings.iter().map(called);
        let first = series.find(|series| !series.is_empty())?;
        Some((*quantity, first_parts(&first)))
    });
    found.collect()
}

/// A counter may have `_total` at its end, and what passes metrics on may write `_` for `:`.
fn is_called(series: &Series, spelling: &str) -> bool {
    let name = series.name.as_str();
    let name = name.strip_suffix("_total").unwrap_or(name);
    let same = |(one, other): (u8, u8)| one == other || (one == b'_' && other == b':');
    name.len() == spelling.len() && name.bytes().zip(spelling.bytes()).all(same)
}

/// One series of each engine: the first of those that differ in their part alone.
fn first_parts<'a>(series: &[&'a Series]) -> Vec<&'a Series> {
    let whole = |series: &'a Series| {
        let labels = series.labels.iter();
        labels.filter(|(name, _)| !PARTS.contains(&name.as_str()))
    };
    let mut first: Vec<&'a Series> = Vec::new();
    for one in series {
        if !first.iter().any(|other| whole(other).eq(whole(one))) {
            first.push(one);
        }
    }
    first
}

#[cfg(test)]
mod tests;
