//! The text of a page of metrics, as Prometheus reads it: exposition format 0.0.4.
//!
//! Values in, text out. What the names mean is in their own `HELP` lines and in `docs/guide/monitoring.md`.

use std::fmt::Write as _;

use crestline_core::search::Variable;
use crestline_core::tally::{Buckets, Timing};

use super::observed::{Counts, Labels, Observed, Searching, Series};

/// What the page is, as HTTP says it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The kinds of metrics on the page.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A page that is being written.
#[derive(Default)]
struct Page {
    text: String,
}

type Pairs = Vec<(&'static str, String)>;

impl Page {
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.put(format_args!(
            "# HELP crestline_{name} {help}\n# TYPE crestline_{name} {kind}\n"
        ));
    }

    fn sample(&mut self, name: &str, labels: &[(&str, String)], value: f64) {
        self.put(format_args!("crestline_{name}"));
        for (position, (label, value)) in labels.iter().enumerate() {
            let before = if position == 0 { '{' } else { ',' };
            self.put(format_args!("{before}{label}=\"{}\"", escaped(value)));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.put(format_args!("{end} {value}\n"));
    }

    /// A family of one sample.
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text
            .write_fmt(text)
            .expect("a text takes whatever is written");
    }
}

/// The whole page.
pub(super) fn page(observed: &Observed) -> String {
    let mut page = Page::default();
    about(&mut page, observed);
    let series: Vec<(&Series, Counts)> = observed
        .series
        .iter()
        .map(|series| (series, series.total()))
        .collect();
    requests(&mut page, &series);
    present(&mut page, observed);
    if let Some(search) = &observed.search {
        searching(&mut page, search);
    }
    for timing in Timing::ALL {
        histogram(&mut page, timing, &series);
    }
    page.text
}

fn about(page: &mut Page, observed: &Observed) {
    let about = &observed.about;
    page.family(
        "build_info",
        Kind::Gauge,
        "Always 1; which crestline this is.",
    );
    let version = env!("CARGO_PKG_VERSION").to_owned();
    page.sample("build_info", &[("version", version)], 1.0);
    page.family("run_info", Kind::Gauge, "Always 1; what is measured.");
    let labels = [
        ("name", about.name.clone()),
        ("model", about.model.clone()),
        ("url", about.url.clone()),
        ("operation", about.operation.to_owned()),
    ];
    page.sample("run_info", &labels, 1.0);
}

fn requests(page: &mut Page, all: &[(&Series, Counts)]) {
    let mut counter = |name: &str, help: &str, of: fn(&Counts) -> u64| {
        page.family(name, Kind::Counter, help);
        for (series, counts) in all {
            page.sample(name, &series.labels.pairs(), of(counts) as f64);
        }
    };
    counter(
        "requests_sent_total",
        "Requests sent, those of the warm-up included.",
        |counts| counts.sent,
    );
    counter(
        "warmup_requests_total",
        "Requests of the warm-up that ended; they are in no other count but that of those sent.",
        |counts| counts.tally.warmup,
    );
    counter(
        "requests_succeeded_total",
        "Counted requests that ended well.",
        |counts| counts.tally.succeeded,
    );
    counter(
        "prompt_tokens_total",
        "Prompt tokens of counted requests that ended well.",
        |counts| tokens(&counts.tally.prompt_tokens),
    );
    counter(
        "output_tokens_total",
        "Answer tokens of counted requests that ended well.",
        |counts| tokens(&counts.tally.output_tokens),
    );
    failures(page, all);
    let name = "client_sound";
    page.family(
        name,
        Kind::Gauge,
        "1 if the client kept up in the last load that ended, 0 if it was the bottleneck and the load is void.",
    );
    for (series, _) in all {
        if let Some(is_sound) = series.is_sound {
            let value = f64::from(u8::from(is_sound));
            page.sample(name, &series.labels.pairs(), value);
        }
    }
}

/// All tokens of a load: fewer than 2 to the power of 64.
fn tokens(lengths: &Buckets) -> u64 {
    u64::try_from(lengths.sum()).unwrap_or(u64::MAX)
}

fn failures(page: &mut Page, all: &[(&Series, Counts)]) {
    let name = "requests_failed_total";
    page.family(
        name,
        Kind::Counter,
        "Counted requests that failed, by the kind of the failure.",
    );
    for (series, counts) in all {
        for (kind, count) in &counts.tally.failures {
            let mut labels = series.labels.pairs();
            labels.push(("kind", kind.name().to_owned()));
            page.sample(name, &labels, *count as f64);
        }
    }
}

fn present(page: &mut Page, observed: &Observed) {
    let now = &observed.present;
    page.gauge(
        "requests_in_flight",
        "Requests sent that have not ended.",
        now.in_flight as f64,
    );
    page.gauge(
        "completed_requests_per_second",
        "Requests ended a second, since the report before; such a report is made four times a second.",
        now.completed_per_s,
    );
    page.gauge(
        "received_chunks_per_second",
        "Events with content received a second, since the report before.",
        now.chunks_per_s,
    );
    if now.number == 0 {
        return;
    }
    page.gauge(
        "load_number",
        "Which of the loads is applied, from 1.",
        now.number as f64,
    );
    if let Some(of) = now.of {
        page.gauge("loads", "Loads in the plan.", of as f64);
    }
    applied(page, now.labels);
}

fn applied(page: &mut Page, load: Labels) {
    if let Some(parallel) = load.parallel {
        page.gauge(
            "load_parallel",
            "Most requests in flight at the load that is applied.",
            f64::from(parallel.get()),
        );
    }
    if let Some(rate) = load.rate_per_s {
        page.gauge(
            "offered_requests_per_second",
            "Requests due a second at the load that is applied.",
            rate,
        );
    }
}

fn searching(page: &mut Page, search: &Searching) {
    match search.variable {
        Variable::Users => page.gauge(
            "load_parallel",
            "Users at the load that the search applies.",
            search.load,
        ),
        Variable::Rate => page.gauge(
            "offered_requests_per_second",
            "Requests due a second at the load that the search applies.",
            search.load,
        ),
    }
    if let Some((low, high)) = search.interval {
        let name = "search_answer_bound";
        page.family(
            name,
            Kind::Gauge,
            "Where the highest load that meets the SLA lies, as far as it is known.",
        );
        for (end, value) in [("low", low), ("high", high)] {
            page.sample(name, &[("end", end.to_owned())], value);
        }
    }
    page.gauge(
        "search_progress_ratio",
        "Share of the search that is done, as far as that can be told.",
        search.progress,
    );
}

fn histogram(page: &mut Page, timing: Timing, all: &[(&Series, Counts)]) {
    let (name, help) = words(timing);
    page.family(name, Kind::Histogram, help);
    for (series, counts) in all {
        buckets(
            page,
            name,
            &series.labels.pairs(),
            (timing, counts.tally.of(timing)),
        );
    }
}

fn buckets(page: &mut Page, name: &str, labels: &Pairs, (timing, values): (Timing, &Buckets)) {
    let bounds = timing.bounds_us().iter();
    let bounds = bounds
        .map(|us| (*us as f64 / 1e6).to_string())
        .chain(["+Inf".to_owned()]);
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (bound, count) in bounds.zip(values.counts()) {
        below += count;
        let mut labels = labels.clone();
        labels.push(("le", bound));
        page.sample(&bucket, &labels, below as f64);
    }
    page.sample(&format!("{name}_sum"), labels, values.sum_s());
    page.sample(&format!("{name}_count"), labels, below as f64);
}

fn words(timing: Timing) -> (&'static str, &'static str) {
    match timing {
        Timing::Latency => (
            "request_duration_seconds",
            "From the request written to the whole answer received, of successes.",
        ),
        Timing::LatencyFromDue => (
            "request_duration_from_due_seconds",
            "From when the request was due to the whole answer received, of successes.",
        ),
        Timing::Ttft => (
            "time_to_first_token_seconds",
            "From the request written to the first event with content, of streamed successes.",
        ),
        Timing::TtftFromDue => (
            "time_to_first_token_from_due_seconds",
            "From when the request was due to the first event with content, of streamed successes.",
        ),
        Timing::Tpot => (
            "time_per_output_token_seconds",
            "Time per output token after the first, one value a request, of streamed successes.",
        ),
        Timing::Itl => (
            "inter_token_latency_seconds",
            "Gaps between the events of an answer, of streamed successes.",
        ),
        Timing::SendLag => (
            "send_lag_seconds",
            "How late requests were sent by the client's own fault.",
        ),
    }
}

/// A value of a label, as it stands between quotes.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use crestline_load::exposition::{Sample, samples, types};
    use expect_test::expect;
    use proptest::prelude::*;

    use super::super::observed::About;
    use super::super::observed::tests::{about, observed};
    use super::*;

    fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(label, value)| sample.label(label) == Some(*value))
        };
        let found: Vec<_> = samples(page).filter(has).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?}");
        found[0].value
    }

    #[test]
    fn a_page_is_read_as_what_was_written() {
        let page = page(&observed());
        for (name, labels, expected) in [
            (
                "crestline_requests_sent_total",
                &[("parallel", "1")][..],
                10.0,
            ),
            ("crestline_requests_sent_total", &[("parallel", "8")], 20.0),
            (
                "crestline_requests_succeeded_total",
                &[("parallel", "8")],
                18.0,
            ),
            (
                "crestline_requests_failed_total",
                &[("parallel", "8"), ("kind", "rate_limited")],
                2.0,
            ),
            ("crestline_client_sound", &[("parallel", "1")], 1.0),
            ("crestline_requests_in_flight", &[], 1.0),
            ("crestline_load_parallel", &[], 8.0),
            ("crestline_load_number", &[], 2.0),
            ("crestline_run_info", &[("model", "org/\"m\"")], 1.0),
        ] {
            let found = value(&page, name, labels);
            assert!(
                (found - expected).abs() < 1e-9,
                "{name} {labels:?}: {found}"
            );
        }
    }

    #[test]
    fn buckets_add_up_and_end_with_all() {
        let page = page(&observed());
        let name = "crestline_time_to_first_token_seconds";
        let of = |bound| {
            let labels = [("parallel", "8"), ("le", bound)];
            value(&page, &format!("{name}_bucket"), &labels)
        };
        // All first tokens come after 40 ms.
        let found = ["0.001", "0.02", "0.04", "0.06", "160", "+Inf"];
        let found = found.map(|bound| of(bound).to_string());
        assert_eq!(found, ["0", "0", "18", "18", "18", "18"]);
        let sum = value(&page, &format!("{name}_sum"), &[("parallel", "8")]);
        assert!((sum - 18.0 * 0.04).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn every_sample_is_of_a_family_with_a_type_and_a_help() {
        let page = page(&observed());
        let types = types(&page);
        for sample in samples(&page) {
            let stem = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| sample.name.strip_suffix(end))
                .unwrap_or(&sample.name);
            assert!(types.contains_key(stem), "{}", sample.name);
            assert!(page.contains(&format!("# HELP {stem} ")), "{stem}");
        }
        let lines = page.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(samples(&page).count(), lines, "every line can be read");
    }

    #[test]
    fn a_search_shows_its_load_and_where_the_answer_lies() {
        let mut observed = Observed::new(about());
        observed.search = Some(Searching {
            variable: Variable::Rate,
            load: 2.5,
            interval: Some((2.0, 3.5)),
            progress: 0.25,
        });
        let page = page(&observed);
        let lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        expect![[r#"
            crestline_build_info{version="VERSION"} 1
            crestline_run_info{name="nightly",model="org/\"m\"",url="http://127.0.0.1:8000/v1/chat/completions",operation="chat"} 1
            crestline_requests_in_flight 0
            crestline_completed_requests_per_second 0
            crestline_received_chunks_per_second 0
            crestline_offered_requests_per_second 2.5
            crestline_search_answer_bound{end="low"} 2
            crestline_search_answer_bound{end="high"} 3.5
            crestline_search_progress_ratio 0.25"#]]
        .assert_eq(&lines.join("\n").replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_name_comes_back_from_its_label(name in "\\PC*|[\\\\\"\n a]{0,8}") {
            let observed = Observed::new(About { name: name.clone(), ..about() });
            let page = page(&observed);
            let info = samples(&page).find(|sample| sample.name == "crestline_run_info").unwrap();
            prop_assert_eq!(info.label("name"), Some(name.as_str()));
        }
    }
}
