//! What a server of vLLM says of itself on its `/metrics` page and a load test wants to know: how much the prefix cache
//! saved and how well drafts were guessed.
//!
//! Totals since the server's start: a load is the [difference](ServerCounters::since) of two pages.

use crate::exposition::{Sample, samples};

/// Totals of a page, over all engines and models on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerCounters {
    /// Of the prefix cache; `None` where the page has nothing of it.
    pub prefix_cache: Option<PrefixCache>,
    /// Of speculative decoding; `None` where the server does none.
    pub drafts: Option<Drafts>,
    /// Of decoding by diffusion; `None` where the server does none.
    pub diffusion: Option<Diffusion>,
}

/// Requests in the server's batch at the moment of a page (`vllm:num_requests_running`), over all engines and models on
/// it; `None` where the page does not say.
pub fn requests_running(page: &str) -> Option<u64> {
    let running = samples(page).filter(|sample| sample.name == "vllm:num_requests_running");
    running
        .map(|sample| sample.value.max(0.0).round() as u64)
        .reduce(u64::saturating_add)
}

/// Prompt tokens that were looked up and found (`vllm:prefix_cache_queries_total`, `…_hits_total`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PrefixCache {
    /// Tokens looked up.
    pub queries: u64,
    /// Tokens found.
    pub hits: u64,
}

impl PrefixCache {
    /// Share of the tokens that was found, 0 to 1: `hits / queries`. `None` where nothing was looked up.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.queries > 0).then(|| self.hits as f64 / self.queries as f64)
    }
}

/// Speculative decoding (`vllm:spec_decode_num_…_total`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drafts {
    /// Drafts made: one for each sequence and step.
    pub drafts: u64,
    /// Tokens in them.
    pub draft_tokens: u64,
    /// Of those, accepted.
    pub accepted_tokens: u64,
    /// Accepted by their place in the draft, from the first on.
    pub accepted_by_place: Vec<u64>,
}

impl Drafts {
    /// Share of the draft tokens that was accepted, 0 to 1: `accepted_tokens / draft_tokens`.
    pub fn acceptance_rate(&self) -> Option<f64> {
        (self.draft_tokens > 0).then(|| self.accepted_tokens as f64 / self.draft_tokens as f64)
    }

    /// Mean number of tokens a step yields: `1 + accepted_tokens / drafts`.
    pub fn acceptance_length(&self) -> Option<f64> {
        (self.drafts > 0).then(|| 1.0 + self.accepted_tokens as f64 / self.drafts as f64)
    }

    /// Share of the drafts whose token at each place was accepted: `accepted_by_place[k] / drafts`.
    pub fn acceptance_by_place(&self) -> Vec<f64> {
        if self.drafts == 0 {
            return Vec::new();
        }
        let share = |accepted: &u64| *accepted as f64 / self.drafts as f64;
        self.accepted_by_place.iter().map(share).collect()
    }
}

/// Decoding by diffusion (`vllm:diffusion_num_…_total`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diffusion {
    /// Steps, of removing noise and, one for each canvas, of making it final.
    pub denoising_steps: u64,
    /// Places that were worked on in them.
    pub canvas_positions: u64,
    /// Tokens that became final.
    pub committed_tokens: u64,
}

impl Diffusion {
    /// Canvases that became final: `committed_tokens / (canvas_positions / denoising_steps)`, for each step works on all places
    /// of a canvas. `None` where nothing became final.
    pub fn canvases(&self) -> Option<f64> {
        let is_known = self.canvas_positions > 0 && self.committed_tokens > 0;
        is_known.then(|| {
            let places = self.canvas_positions as f64 / self.denoising_steps as f64;
            self.committed_tokens as f64 / places
        })
    }

    /// Steps that remove noise: all but the last of each canvas, `denoising_steps - canvases`.
    pub fn noise_steps(&self) -> Option<f64> {
        Some(self.denoising_steps as f64 - self.canvases()?)
    }

    /// Such steps for each canvas.
    pub fn steps_by_canvas(&self) -> Option<f64> {
        Some(self.noise_steps()? / self.canvases()?)
    }

    /// Tokens that became final for each such step; `None` without such steps.
    pub fn committed_by_step(&self) -> Option<f64> {
        let steps = self.noise_steps().filter(|steps| *steps > 0.0)?;
        Some(self.committed_tokens as f64 / steps)
    }
}

impl ServerCounters {
    /// Reads a page.
    pub fn read(page: &str) -> Self {
        let mut counters = Self::default();
        for sample in samples(page) {
            if sample.value.is_finite() && sample.value >= 0.0 {
                counters.take(&sample);
            }
        }
        counters
    }

    fn take(&mut self, sample: &Sample) {
        let Some(name) = sample.name.strip_prefix("vllm:") else {
            return;
        };
        let Some(name) = name.strip_suffix("_total") else {
            return;
        };
        let value = sample.value.round() as u64;
        if let Some(what) = name.strip_prefix("prefix_cache_") {
            take_prefix_cache(&mut self.prefix_cache, what, value);
        } else if let Some(what) = name.strip_prefix("spec_decode_num_") {
            let place = sample.label("position").and_then(|at| at.parse().ok());
            take_drafts(&mut self.drafts, what, place, value);
        } else if let Some(what) = name.strip_prefix("diffusion_num_") {
            take_diffusion(&mut self.diffusion, what, value);
        }
    }

    /// What has been added since an earlier page. A total that has become smaller is of a server that was started anew
    /// in between, and counts from 0.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            prefix_cache: self.prefix_cache.map(|now| {
                let before = before.prefix_cache.unwrap_or_default();
                PrefixCache {
                    queries: added(now.queries, before.queries),
                    hits: added(now.hits, before.hits),
                }
            }),
            drafts: self.drafts.as_ref().map(|now| {
                let none = Drafts::default();
                drafts_since(now, before.drafts.as_ref().unwrap_or(&none))
            }),
            diffusion: self.diffusion.map(|now| {
                let before = before.diffusion.unwrap_or_default();
                Diffusion {
                    denoising_steps: added(now.denoising_steps, before.denoising_steps),
                    canvas_positions: added(now.canvas_positions, before.canvas_positions),
                    committed_tokens: added(now.committed_tokens, before.committed_tokens),
                }
            }),
        }
    }
}

fn drafts_since(now: &Drafts, before: &Drafts) -> Drafts {
    let places = now.accepted_by_place.iter().enumerate();
    let earlier = |place: usize| before.accepted_by_place.get(place).copied();
    Drafts {
        drafts: added(now.drafts, before.drafts),
        draft_tokens: added(now.draft_tokens, before.draft_tokens),
        accepted_tokens: added(now.accepted_tokens, before.accepted_tokens),
        accepted_by_place: places
            .map(|(place, now)| added(*now, earlier(place).unwrap_or(0)))
            .collect(),
    }
}

fn added(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

fn take_prefix_cache(to: &mut Option<PrefixCache>, what: &str, value: u64) {
    let place: fn(&mut PrefixCache) -> &mut u64 = match what {
        "queries" => |cache| &mut cache.queries,
        "hits" => |cache| &mut cache.hits,
        _ => return,
    };
    let total = place(to.get_or_insert_default());
    *total = total.saturating_add(value);
}

/// Most places of a draft that are counted apart.
const MOST_PLACES: usize = 1024;

fn take_drafts(to: &mut Option<Drafts>, what: &str, place: Option<usize>, value: u64) {
    let total: fn(&mut Drafts) -> &mut u64 = match what {
        "drafts" => |drafts| &mut drafts.drafts,
        "draft_tokens" => |drafts| &mut drafts.draft_tokens,
        "accepted_tokens" => |drafts| &mut drafts.accepted_tokens,
        "accepted_tokens_per_pos" => {
            let Some(place) = place.filter(|place| *place < MOST_PLACES) else {
                return;
            };
            let places = &mut to.get_or_insert_default().accepted_by_place;
            if places.len() <= place {
                places.resize(place + 1, 0);
            }
            places[place] = places[place].saturating_add(value);
            return;
        }
        _ => return,
    };
    let total = total(to.get_or_insert_default());
    *total = total.saturating_add(value);
}

fn take_diffusion(to: &mut Option<Diffusion>, what: &str, value: u64) {
    let place: fn(&mut Diffusion) -> &mut u64 = match what {
        "denoising_steps" => |diffusion| &mut diffusion.denoising_steps,
        "canvas_positions" => |diffusion| &mut diffusion.canvas_positions,
        "committed_tokens" => |diffusion| &mut diffusion.committed_tokens,
        _ => return,
    };
    let total = place(to.get_or_insert_default());
    *total = total.saturating_add(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# TYPE vllm:spec_decode_num_drafts_total counter
vllm:spec_decode_num_drafts_total{engine="0"} 10.0
vllm:spec_decode_num_drafts_total{engine="1"} 6.0
vllm:spec_decode_num_drafts_created{engine="0"} 1.7e9
vllm:spec_decode_num_draft_tokens_total{engine="0"} 48.0
vllm:spec_decode_num_accepted_tokens_total{engine="0"} 24.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="1"} 8.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",position="0"} 12.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="0"} 4.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="1",position="x"} 99.0
vllm:prefix_cache_queries_total{engine="0"} 1000.0
vllm:prefix_cache_hits_total{engine="0"} 250.0
vllm:num_requests_running{engine="0"} 3.0
other:prefix_cache_hits_total 77
"#;

    #[test]
    fn totals_are_summed_over_engines_and_places_are_kept_apart() {
        let counters = ServerCounters::read(PAGE);
        let drafts = counters.drafts.unwrap();
        assert_eq!(
            drafts,
            Drafts {
                drafts: 16,
                draft_tokens: 48,
                accepted_tokens: 24,
                accepted_by_place: vec![16, 8],
            }
        );
        let close = |value: Option<f64>, expected: f64| (value.unwrap() - expected).abs() < 1e-12;
        assert!(close(drafts.acceptance_rate(), 0.5));
        assert!(close(drafts.acceptance_length(), 2.5));
        assert_eq!(drafts.acceptance_by_place(), [1.0, 0.5]);
        let cache = counters.prefix_cache.unwrap();
        assert_eq!((cache.queries, cache.hits), (1000, 250));
        assert!(close(cache.hit_rate(), 0.25));
        assert_eq!(counters.diffusion, None);
    }

    #[test]
    fn a_load_is_the_difference_of_two_pages() {
        let before = ServerCounters::read(PAGE);
        let later = PAGE
            .replace(
                "queries_total{engine=\"0\"} 1000",
                "queries_total{engine=\"0\"} 1600",
            )
            .replace(
                "drafts_total{engine=\"0\"} 10",
                "drafts_total{engine=\"0\"} 30",
            )
            .replace("position=\"1\"} 8", "position=\"1\"} 18");
        let load = ServerCounters::read(&later).since(&before);
        assert_eq!(
            load.prefix_cache,
            Some(PrefixCache {
                queries: 600,
                hits: 0
            })
        );
        let drafts = load.drafts.unwrap();
        assert_eq!((drafts.drafts, drafts.accepted_by_place), (20, vec![0, 10]));
        let restarted = before.since(&ServerCounters::read(&later));
        assert_eq!(restarted.prefix_cache.unwrap().queries, 1000);
    }

    #[test]
    fn requests_in_the_batch_are_summed_over_engines() {
        let page = format!("{PAGE}vllm:num_requests_running{{engine=\"1\"}} 2\n");
        assert_eq!(requests_running(&page), Some(5));
        assert_eq!(requests_running("vllm:num_requests_waiting 7\n"), None);
    }

    #[test]
    fn a_page_without_them_has_none_and_rates_of_nothing_are_none() {
        let counters = ServerCounters::read("vllm:num_requests_running 3\n");
        assert_eq!(counters, ServerCounters::default());
        let nothing = Drafts::default();
        assert_eq!(
            (nothing.acceptance_rate(), nothing.acceptance_length()),
            (None, None)
        );
        assert_eq!(nothing.acceptance_by_place(), [0.0; 0]);
        assert_eq!(PrefixCache::default().hit_rate(), None);
    }

    #[test]
    fn the_last_step_of_each_canvas_removes_no_noise() {
        // Canvases of 8 places: 24 tokens are 3 of them, and 3 of the 15 steps made them final.
        let diffusion = Diffusion {
            denoising_steps: 15,
            canvas_positions: 120,
            committed_tokens: 24,
        };
        let near = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}");
        };
        near(diffusion.canvases(), 3.0);
        near(diffusion.noise_steps(), 12.0);
        near(diffusion.steps_by_canvas(), 4.0);
        near(diffusion.committed_by_step(), 2.0);
        assert_eq!(Diffusion::default().canvases(), None);
        let at_once = Diffusion {
            denoising_steps: 1,
            canvas_positions: 8,
            committed_tokens: 8,
        };
        assert_eq!(at_once.committed_by_step(), None);
    }

    #[test]
    fn diffusion_is_counted_too() {
        let page = "vllm:diffusion_num_denoising_steps_total 4\nvllm:diffusion_num_canvas_positions_total 32\nvllm:diffusion_num_committed_tokens_total 9\n";
        let diffusion = ServerCounters::read(page).diffusion.unwrap();
        assert_eq!(
            (
                diffusion.denoising_steps,
                diffusion.canvas_positions,
                diffusion.committed_tokens
            ),
            (4, 32, 9)
        );
    }
}
