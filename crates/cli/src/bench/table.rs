//! What is printed of a run: the lines before it, and its table, word for word as vLLM has them.

use std::fmt::Write as _;

use crestline_core::serving::{Figures, Quantity, SteadyState};
use crestline_load::counters::{Diffusion, Drafts};

use super::plan::{Metric, RampUpPlan, ReportPlan, python_float};
use super::probes::Probes;
use super::run_figures::Run;

/// Width of the table.
const WIDTH: usize = 50;
/// Width of a label; a blank and the value in ten columns follow.
const LABEL: usize = 40;

/// The lines before the run.
pub(super) fn before(report: &ReportPlan) -> String {
    let mut out = match report.ramp_up {
        None => format!(
            "Traffic request rate: {}\n",
            python_float(report.request_rate)
        ),
        Some(RampUpPlan {
            strategy,
            start,
            end,
        }) => format!(
            "Traffic ramp-up strategy: {}\nRequest rate: from {start} to {end} requests a second\n",
            strategy.name()
        ),
    };
    let process = if (report.burstiness - 1.0).abs() < f64::EPSILON {
        "Poisson process"
    } else {
        "Gamma distribution"
    };
    let limit = report
        .max_concurrency
        .map_or_else(|| "None".to_owned(), |limit| limit.to_string());
    let _ = writeln!(
        out,
        "Burstiness factor: {} ({process})",
        python_float(report.burstiness)
    );
    let _ = write!(out, "Maximum request concurrency: {limit}");
    out
}

/// The table of a run.
pub(super) fn of_run(run: &Run, report: &ReportPlan) -> String {
    let mut table = Table(String::new());
    table.title(" Serving Benchmark Result ", '=');
    let figures = &run.figures;
    table.whole("Successful requests:", figures.completed);
    table.whole("Failed requests:", figures.failed);
    if let Some(limit) = report.max_concurrency {
        table.whole("Maximum request concurrency:", limit.unsigned_abs());
    }
    if report.request_rate.is_finite() {
        table.number("Request rate configured (RPS):", report.request_rate);
    }
    table.number("Benchmark duration (s):", figures.duration_s);
    table.whole("Total input tokens:", figures.input_tokens);
    let has_tokens = run.has_tokens && !report.is_pooled;
    if has_tokens {
        table.whole("Total generated tokens:", figures.output_tokens);
    }
    table.number("Request throughput (req/s):", figures.request_throughput);
    if report.is_pooled {
        table.number("Input throughput (inputs/s):", figures.sequence_throughput);
    }
    if let Some(goodput) = figures.goodput {
        table.number("Request goodput (req/s):", goodput);
    }
    if has_tokens {
        table.number(
            "Output token throughput (tok/s):",
            figures.output_throughput,
        );
        table.number(
            "Peak output token throughput (tok/s):",
            figures.peak_output_per_s,
        );
    }
    if !report.is_pooled {
        table.number("Peak concurrent requests:", figures.peak_concurrency as f64);
    }
    if figures.speech_rate > 0.0 {
        table.number("RTFx (Inverse Real-Time Factor):", figures.speech_rate);
    }
    if run.has_tokens || report.is_pooled {
        table.number("Total token throughput (tok/s):", figures.token_throughput);
    }
    if let Some(probes) = &run.probes {
        table.probes(probes);
    }
    for metric in &report.metrics {
        if has_tokens || !metric.needs_tokens() {
            table.metric(*metric, run, report);
        }
    }
    table.decoding(run);
    table.title("", '=');
    table.0.trim_end().to_owned()
}

/// The steady part of a run, in a line.
pub(super) fn steady(steady: &SteadyState, whole: &Figures) -> String {
    format!(
        "Steady state: {:.2} of {:.2} s; {:.2} req/s, {:.2} tok/s, {:.1} requests in flight on average, mean TTFT {:.2} ms, mean TPOT {:.2} ms",
        steady.window.length_s(),
        whole.duration_s,
        steady.request_throughput,
        steady.output_throughput,
        steady.concurrency,
        steady.spread(Quantity::Ttft).mean_ms,
        steady.spread(Quantity::Tpot).mean_ms,
    )
}

struct Table(String);

impl Table {
    /// Centred; an odd place more is on the right.
    fn title(&mut self, text: &str, fill: char) {
        let room = WIDTH.saturating_sub(text.chars().count());
        let (left, right) = (room / 2, room - room / 2);
        let side = |places: usize| String::from(fill).repeat(places);
        let _ = writeln!(self.0, "{}{text}{}", side(left), side(right));
    }

    fn line(&mut self, label: &str, value: &str) {
        let _ = writeln!(self.0, "{label:<LABEL$} {value:<10}");
    }

    fn whole(&mut self, label: &str, value: u64) {
        self.line(label, &value.to_string());
    }

    fn number(&mut self, label: &str, value: f64) {
        self.line(label, &format!("{value:.2}"));
    }

    fn probes(&mut self, probes: &Probes) {
        self.title("Probe Requests", '-');
        self.whole("Probe requests completed:", probes.completed);
        self.whole("Probe requests failed:", probes.failed);
        if probes.completed == 0 {
            return;
        }
        self.number("Median probe E2EL (ms):", probes.latency.median_ms);
        self.number("P99 probe E2EL (ms):", probes.p99_ms());
        self.number("Max probe E2EL (ms):", probes.latency.max_ms);
    }

    /// A model that decodes by diffusion has its drafts among its canvases.
    fn decoding(&mut self, run: &Run) {
        let Some(counted) = &run.counted else { return };
        if let Some(diffusion) = &counted.diffusion
            && diffusion.canvases().is_some()
        {
            self.diffusion(diffusion, run.figures.duration_s);
        } else if let Some(drafts) = &counted.drafts {
            self.drafts(drafts);
        }
    }

    fn diffusion(&mut self, diffusion: &Diffusion, duration_s: f64) {
        let known = Option::unwrap_or_default;
        let throughput = diffusion.committed_tokens as f64 / duration_s;
        self.title("Diffusion Decoding", '-');
        self.number("Committed throughput (tok/s):", throughput);
        self.number(
            "Denoising steps per canvas:",
            known(diffusion.steps_by_canvas()),
        );
        self.number(
            "Committed per denoising step:",
            known(diffusion.committed_by_step()),
        );
        self.whole("Committed tokens:", diffusion.committed_tokens);
        self.whole("Denoising steps:", known(diffusion.noise_steps()) as u64);
        self.whole("Canvas positions evaluated:", diffusion.canvas_positions);
    }

    fn drafts(&mut self, drafts: &Drafts) {
        let (Some(rate), Some(length)) = (drafts.acceptance_rate(), drafts.acceptance_length())
        else {
            return;
        };
        self.title("Speculative Decoding", '-');
        self.number("Acceptance rate (%):", 100.0 * rate);
        self.number("Acceptance length:", length);
        self.whole("Drafts:", drafts.drafts);
        self.whole("Draft tokens:", drafts.draft_tokens);
        self.whole("Accepted tokens:", drafts.accepted_tokens);
        let places = drafts.acceptance_by_place();
        if !places.is_empty() {
            self.0.push_str("Per-position acceptance (%):\n");
        }
        for (place, share) in places.into_iter().enumerate() {
            self.number(&format!("  Position {place}:"), 100.0 * share);
        }
    }

    fn metric(&mut self, metric: Metric, run: &Run, report: &ReportPlan) {
        self.title(metric.title(), '-');
        let (name, spread) = (metric.name(), run.figures.spread(metric.quantity()));
        self.number(&format!("Mean {name} (ms):"), spread.mean_ms);
        self.number(&format!("Median {name} (ms):"), spread.median_ms);
        for (percentile, (_, value)) in report.percentiles.iter().zip(&spread.percentiles_ms) {
            self.number(&format!("P{} {name} (ms):", percentile.text), *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn titles_are_centred_and_values_are_in_ten_columns() {
        let mut table = Table(String::new());
        table.title(" Serving Benchmark Result ", '=');
        table.whole("Successful requests:", 16);
        table.title("Inter-token Latency", '-');
        table.number("Mean ITL (ms):", 32.749);
        let shown = table.0.replace(' ', ".");
        expect![[r"
            ============.Serving.Benchmark.Result.============
            Successful.requests:.....................16........
            ---------------Inter-token.Latency----------------
            Mean.ITL.(ms):...........................32.75.....
        "]]
        .assert_eq(&shown);
    }
}
