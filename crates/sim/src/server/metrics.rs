//! The `/metrics` page: Prometheus text under vLLM's names, and the server's own health under `crestline_sim:` names.

use std::fmt::Write as _;

use crestline_core::units::Nanos;

use super::histogram::{Histogram, LATENESS_BOUNDS, REQUEST_BOUNDS, TOKEN_BOUNDS, TTFT_BOUNDS};
use crate::model::{Counters, DraftCounters, Engine, Gauges};

/// What the server counts itself; the rest is the engine's.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) ttft: Histogram,
    pub(super) between_tokens: Histogram,
    pub(super) request: Histogram,
    pub(super) stopped: u64,
    pub(super) at_length: u64,
    pub(super) aborted: u64,
    /// Tokens that ended a prompt of which nothing else was asked for.
    pub(super) only_read: u64,
    /// Times that a profiler was asked to start, and to stop.
    pub(super) profiler: [u64; 2],
    pub(super) lateness: Histogram,
    /// Times the schedule was given up because the process was too late.
    pub(super) slips: u64,
    pub(super) slipped: Nanos,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            ttft: Histogram::new(TTFT_BOUNDS),
            between_tokens: Histogram::new(TOKEN_BOUNDS),
            request: Histogram::new(REQUEST_BOUNDS),
            stopped: 0,
            at_length: 0,
            aborted: 0,
            only_read: 0,
            profiler: [0; 2],
            lateness: Histogram::new(LATENESS_BOUNDS),
            slips: 0,
            slipped: Nanos::ZERO,
        }
    }

    pub(super) fn page(&self, model: &str, engine: &Engine) -> String {
        let mut counters = engine.counters();
        counters.generation_tokens = counters.generation_tokens.saturating_sub(self.only_read);
        let model = model.replace('\\', "\\\\").replace('"', "\\\"");
        let mut page = Page {
            text: String::with_capacity(8192),
            labels: format!("engine=\"0\",model_name=\"{}\"", model.replace('\n', "\\n")),
        };
        page.engine(engine.gauges(), counters);
        if let Some(drafts) = engine.draft_counters() {
            page.drafts(drafts);
        }
        page.requests(self);
        page.health(self, counters);
        page.text
    }
}

struct Page {
    text: String,
    labels: String,
}

impl Page {
    fn engine(&mut self, gauges: Gauges, counters: Counters) {
        self.gauge(
            "vllm:num_requests_running",
            "Sequences in the batch.",
            gauges.running,
        );
        self.gauge(
            "vllm:num_requests_waiting",
            "Sequences that wait.",
            gauges.waiting,
        );
        let help = "Used share of the key-value cache, 1 is full.";
        self.gauge("vllm:kv_cache_usage_perc", help, gauges.kv_usage);
        let help = "Sequences that lost their blocks and were computed again.";
        self.counter("vllm:num_preemptions_total", help, counters.preemptions);
        let help = "Prompt tokens processed.";
        self.counter("vllm:prompt_tokens_total", help, counters.prompt_tokens);
        let help = "Tokens generated.";
        self.counter(
            "vllm:generation_tokens_total",
            help,
            counters.generation_tokens,
        );
        let help = "Prompt tokens looked up in the prefix cache.";
        self.counter(
            "vllm:prefix_cache_queries_total",
            help,
            counters.prefix_queries,
        );
        let help = "Prompt tokens found in the prefix cache.";
        self.counter("vllm:prefix_cache_hits_total", help, counters.prefix_hits);
    }

    fn drafts(&mut self, drafts: &DraftCounters) {
        let help = "Drafts checked.";
        self.counter("vllm:spec_decode_num_drafts_total", help, drafts.drafts);
        let help = "Tokens in drafts.";
        self.counter(
            "vllm:spec_decode_num_draft_tokens_total",
            help,
            drafts.draft_tokens,
        );
        let help = "Tokens of drafts that were accepted.";
        let accepted: u64 = drafts.accepted.iter().sum();
        self.counter("vllm:spec_decode_num_accepted_tokens_total", help, accepted);
        let name = "vllm:spec_decode_num_accepted_tokens_per_pos_total";
        self.head(name, "The same by their place in the draft.", "counter");
        for (place, accepted) in drafts.accepted.iter().enumerate() {
            let _ = writeln!(
                self.text,
                "{name}{{{},position=\"{place}\"}} {accepted}",
                self.labels
            );
        }
    }

    fn requests(&mut self, metrics: &Metrics) {
        self.head(
            "vllm:request_success_total",
            "Requests that ended.",
            "counter",
        );
        for (reason, count) in [
            ("stop", metrics.stopped),
            ("length", metrics.at_length),
            ("abort", metrics.aborted),
        ] {
            let _ = writeln!(
                self.text,
                "vllm:request_success_total{{{},finished_reason=\"{reason}\"}} {count}",
                self.labels
            );
        }
        let help = "Arrival of the request to its first token.";
        self.histogram("vllm:time_to_first_token_seconds", help, &metrics.ttft);
        let help = "Time between two events of a request.";
        let between = &metrics.between_tokens;
        self.histogram("vllm:inter_token_latency_seconds", help, between);
        self.histogram("vllm:time_per_output_token_seconds", help, between);
        let help = "Arrival of the request to its last token.";
        self.histogram("vllm:e2e_request_latency_seconds", help, &metrics.request);
    }

    fn health(&mut self, metrics: &Metrics, counters: Counters) {
        let help = "Iterations ended.";
        self.counter("crestline_sim:iterations_total", help, counters.iterations);
        let help = "How late the ends of iterations were noticed.";
        self.histogram(
            "crestline_sim:iteration_lateness_seconds",
            help,
            &metrics.lateness,
        );
        for (name, count) in ["starts", "stops"].iter().zip(metrics.profiler) {
            let help = "Times that the profiler was switched.";
            self.counter(&format!("crestline_sim:profiler_{name}_total"), help, count);
        }
        let help = "Times the schedule was moved because the process was too late to keep it.";
        self.counter("crestline_sim:schedule_slips_total", help, metrics.slips);
        let help = "Seconds by which the schedule was moved in all.";
        let slipped = metrics.slipped.as_secs_f64();
        self.counter("crestline_sim:schedule_slip_seconds_total", help, slipped);
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.text, "{name}{{{}}} {value}", self.labels);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, help, "counter");
        let _ = writeln!(self.text, "{name}{{{}}} {value}", self.labels);
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, help, "histogram");
        histogram.write(&mut self.text, name, &self.labels);
    }
}
