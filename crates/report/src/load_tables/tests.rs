//! Tests of the tables and lines: snapshots of runs with figures that can be checked by hand.

use std::num::NonZeroU32;

use crestline_core::health::{ClientHealth, ClockFit, Loss, NodeHealth, WorkerUse};
use crestline_core::record::{Failure, FailureKind, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::summary::{EXACT_REQUESTS, RunSummary};
use crestline_core::units::{Nanos, Rate};
use expect_test::{Expect, expect};

use super::{
    benchmarking_summary, best_configuration, detailed_performance, health_line, load_name,
    percentile_results, recommendations, run_lines, void_line,
};

fn closed(concurrency: u32) -> Load {
    Load::closed(NonZeroU32::new(concurrency).unwrap())
}

fn open(per_second: f64) -> Load {
    Load::open(Rate::per_second(per_second).unwrap())
}

/// Due at `due_ms`, sent 1 ms later, first of `tokens` tokens after 100 ms, the others in the time until `latency_ms`.
fn record(due_ms: u64, latency_ms: u64, tokens: u32) -> RequestRecord {
    let due = Nanos::from_millis(due_ms);
    let sent = due + Nanos::from_millis(1);
    let first = sent + Nanos::from_millis(100);
    let end = sent + Nanos::from_millis(latency_ms);
    let gap = end.saturating_sub(first) / u64::from(tokens.max(2) - 1);
    let count = |count, source| Some(TokenCount { count, source });
    RequestRecord {
        index: 0,
        phase: Phase::Measured,
        due,
        slot_wait: Nanos::ZERO,
        sent,
        connect: None,
        first_byte: Some(first),
        first_token: Some(first),
        first_reasoning: None,
        first_answer: Some(first),
        last_token: Some(end),
        end,
        gaps: (1..tokens).map(|_| gap).collect(),
        chunks: tokens,
        chunk_tokens: Vec::new(),
        bare_events: Vec::new(),
        streamed: true,
        prompt_tokens: count(1024, TokenSource::Usage),
        asked_output: None,
        output_tokens: count(tokens, TokenSource::Usage),
        cached_tokens: None,
        status: Some(200),
        failure: None,
        reconnects: 0,
        request_id: String::new(),
        turn: None,
        exchange: None,
    }
}

fn failed(kind: FailureKind) -> RequestRecord {
    RequestRecord {
        failure: Some(Failure {
            kind,
            text: String::new(),
        }),
        ..record(0, 200, 1)
    }
}

fn summary(load: Load, records: &[RequestRecord]) -> RunSummary {
    let mut summary = RunSummary::new(LoadPoint {
        load,
        requests: records.len() as u64,
        warmup: 0,
        duration: None,
    });
    for record in records {
        summary.add(record);
    }
    summary
}

/// `waves` times as many requests as slots, each slot one after the other; latencies spread by a tenth.
fn closed_run(concurrency: u32, waves: u64, latency_ms: u64) -> RunSummary {
    let records: Vec<_> = (0..waves)
        .flat_map(|wave| {
            (0..u64::from(concurrency)).map(move |slot| {
                let spread = (wave * 7 + slot * 3) % 11 * latency_ms / 100;
                record(wave * latency_ms * 11 / 10, latency_ms + spread, 21)
            })
        })
        .collect();
    summary(closed(concurrency), &records)
}

/// Evenly spaced requests of which each takes the given time longer than the one before.
fn open_run(per_second: u32, requests: u64, slower_ms: u64) -> RunSummary {
    let due = |k: u64| k * 1000 / u64::from(per_second);
    let records: Vec<_> = (0..requests)
        .map(|k| record(due(k), 500 + k * slower_ms, 21))
        .collect();
    summary(open(f64::from(per_second)), &records)
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(text);
}

#[test]
fn the_summary_has_the_rows_of_the_documents_in_their_order() {
    let records = [
        record(0, 600, 11),
        record(0, 500, 21),
        failed(FailureKind::RateLimited),
    ];
    check(
        &benchmarking_summary(&summary(closed(2), &records)),
        &expect![[r"
            Benchmarking summary:
            +-----------------------------------+-----------+
            | Key                               |     Value |
            +===================================+===========+
            | Time taken for tests (s)          |    0.6000 |
            +-----------------------------------+-----------+
            | Number of concurrency             |    2      |
            +-----------------------------------+-----------+
            | Total requests                    |    3      |
            +-----------------------------------+-----------+
            | Succeed requests                  |    2      |
            +-----------------------------------+-----------+
            | Failed requests                   |    1      |
            +-----------------------------------+-----------+
            | Output token throughput (tok/s)   |   53.3333 |
            +-----------------------------------+-----------+
            | Total token throughput (tok/s)    | 3466.6667 |
            +-----------------------------------+-----------+
            | Request throughput (req/s)        |    3.3333 |
            +-----------------------------------+-----------+
            | Average latency (s)               |    0.5500 |
            +-----------------------------------+-----------+
            | Average time to first token (s)   |    0.1000 |
            +-----------------------------------+-----------+
            | Average time per output token (s) |    0.0350 |
            +-----------------------------------+-----------+
            | Average input tokens per request  | 1024      |
            +-----------------------------------+-----------+
            | Average output tokens per request |   16      |
            +-----------------------------------+-----------+
            | Average package latency (s)       |    0.0300 |
            +-----------------------------------+-----------+
            | Average package per request       |   16      |
            +-----------------------------------+-----------+
        "]],
    );
}

#[test]
fn percentiles_are_interpolated_rows() {
    let records: Vec<_> = (0..=100)
        .map(|k| record(0, 600 + k * 10, 11 + k as u32))
        .collect();
    check(
        &percentile_results(&summary(closed(2), &records)),
        &expect![[r"
            Percentile results:
            +-------------+----------+---------+----------+-------------+--------------+---------------+----------------+---------------+
            | Percentiles | TTFT (s) | ITL (s) | TPOT (s) | Latency (s) | Input tokens | Output tokens | Output (tok/s) | Total (tok/s) |
            +-------------+----------+---------+----------+-------------+--------------+---------------+----------------+---------------+
            |     10%     |  0.1000  | 0.0138  |  0.0140  |   0.7000    |     1024     |      21       |    30.0000     |   750.0000    |
            |     25%     |  0.1000  | 0.0142  |  0.0147  |   0.8500    |     1024     |      36       |    42.3529     |   822.2222    |
            |     50%     |  0.1000  | 0.0151  |  0.0167  |   1.1000    |     1024     |      61       |    55.4545     |   986.3636    |
            |     66%     |  0.1000  | 0.0162  |  0.0191  |   1.2600    |     1024     |      77       |    61.1111     |   1137.2340   |
            |     75%     |  0.1000  | 0.0171  |  0.0214  |   1.3500    |     1024     |      86       |    63.7037     |   1247.0588   |
            |     80%     |  0.1000  | 0.0180  |  0.0233  |   1.4000    |     1024     |      91       |    65.0000     |   1318.7500   |
            |     90%     |  0.1000  | 0.0211  |  0.0300  |   1.5000    |     1024     |      101      |    67.3333     |   1492.8571   |
            |     95%     |  0.1000  | 0.0254  |  0.0367  |   1.5500    |     1024     |      106      |    68.3871     |   1600.0000   |
            |     98%     |  0.1000  | 0.0322  |  0.0433  |   1.5800    |     1024     |      109      |    68.9873     |   1672.5806   |
            |     99%     |  0.1000  | 0.0367  |  0.0464  |   1.5900    |     1024     |      110      |    69.1824     |   1698.3607   |
            +-------------+----------+---------+----------+-------------+--------------+---------------+----------------+---------------+
        "]],
    );
}

#[test]
fn what_was_not_measured_is_a_dash() {
    let nothing = summary(closed(2), &[failed(FailureKind::ConnectRefused)]);
    let text = percentile_results(&nothing);
    assert!(
        text.contains("|     99%     |    -     |    -    |    -     |      -      |"),
        "{text}"
    );
    let text = benchmarking_summary(&nothing);
    assert!(
        text.contains("| Average latency (s)               | -      |"),
        "{text}"
    );
}

#[test]
fn loads_are_sorted_and_each_is_a_row() {
    let runs = [
        open_run(4, 40, 0),
        closed_run(10, 5, 700),
        summary(closed(64), &[failed(FailureKind::ServerError)]),
        closed_run(2, 5, 500),
    ];
    check(
        &detailed_performance(&runs),
        &expect![[r"
                                                                 Detailed Performance Metrics
            ┏━━━━━━┳━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━┓
            ┃Conc. ┃ Rate ┃   RPS ┃ Avg Lat.(s) ┃ P99 Lat.(s) ┃ Avg TTFT(s) ┃ P99 TTFT(s) ┃ Avg TPOT(s) ┃ P99 TPOT(s) ┃ Gen. toks/s ┃ Success Rate┃
            ┡━━━━━━╇━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━┩
            │    2 │    - │  3.64 │       0.528 │       0.550 │       0.100 │       0.100 │      0.0214 │      0.0225 │       76.50 │         100%│
            │   10 │    - │ 12.99 │       0.735 │       0.770 │       0.100 │       0.100 │      0.0318 │      0.0335 │      272.73 │         100%│
            │   64 │    - │  0.00 │           - │           - │           - │           - │           - │           - │        0.00 │           0%│
            │    - │    4 │  3.90 │       0.500 │       0.500 │       0.100 │       0.100 │      0.0200 │      0.0200 │       81.95 │         100%│
            └──────┴──────┴───────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┴─────────────┘
        "]],
    );
}

#[test]
fn the_best_loads_are_those_with_the_best_figures() {
    let mut runs = [
        closed_run(4, 5, 700),
        closed_run(1, 5, 500),
        closed_run(8, 5, 4000),
    ];
    let text = best_configuration(&runs);
    check(
        &text,
        &expect![[r"
        Best Performance Configuration
         Highest RPS         Concurrency 4 (5.20 req/sec)
         Lowest Latency      Concurrency 1 (0.526 seconds)
    "]],
    );
    runs.reverse();
    assert_eq!(best_configuration(&runs), text);
}

#[test]
fn a_load_at_which_nothing_succeeded_wins_nothing() {
    let refused = summary(closed(1), &[failed(FailureKind::ConnectRefused)]);
    let text = best_configuration(&[refused.clone(), closed_run(4, 5, 700)]);
    assert!(!text.contains("Concurrency 1"), "{text}");
    check(
        &best_configuration(&[refused]),
        &expect![[r"
        Best Performance Configuration
         No request succeeded at any load
    "]],
    );
}

#[test]
fn open_loops_are_compared_by_latency_from_due() {
    check(
        &best_configuration(&[open_run(2, 20, 0), open_run(20, 20, 30)]),
        &expect![[r"
            Best Performance Configuration
             Highest RPS         Rate 20 (9.90 req/sec)
             Lowest Latency      Rate 2 (0.501 seconds from due)
        "]],
    );
}

#[test]
fn growth_up_to_the_last_load_means_try_more() {
    let runs = [
        closed_run(1, 100, 500),
        closed_run(4, 100, 520),
        closed_run(16, 100, 560),
    ];
    check(
        &recommendations(&runs),
        &expect![[r"
        Performance Recommendations:
        • Throughput still grows at the highest load, Concurrency 16 (+271.4 % over Concurrency 4, noise about 3 %): the limit is not reached, try higher loads
    "]],
    );
}

#[test]
fn throughput_that_levels_off_is_named_at_its_lowest_load() {
    let runs = [
        closed_run(4, 50, 500),
        closed_run(16, 50, 800),
        closed_run(32, 50, 1600),
        closed_run(64, 50, 3150),
    ];
    check(
        &recommendations(&runs),
        &expect![[r"
        Performance Recommendations:
        • Throughput levels off around Concurrency 16 (18.18 req/s): no higher load gives more than the noise of about 3 %
        • Mean latency grows 6.3 times from Concurrency 4 (0.525 s) to Concurrency 64 (3.307 s)
    "]],
    );
}

#[test]
fn a_difference_within_the_noise_decides_nothing() {
    let runs = [closed_run(8, 50, 500), closed_run(16, 50, 990)];
    assert!(runs[1].rps() > runs[0].rps());
    check(
        &recommendations(&runs),
        &expect![[r"
        Performance Recommendations:
        • Throughput at the lowest load, Concurrency 8, is already within the noise (about 3 %) of the highest (14.69 req/s): more load only adds waiting, try lower loads
    "]],
    );
}

#[test]
fn failures_are_warned_of_and_full_success_is_not() {
    let mut broken: Vec<_> = (0..120).map(|k| record(k * 500, 500, 21)).collect();
    broken.push(failed(FailureKind::RateLimited));
    let runs = [summary(closed(2), &broken), closed_run(1, 120, 500)];
    check(
        &recommendations(&runs),
        &expect![[r"
            Performance Recommendations:
            • Throughput still grows at the highest load, Concurrency 2 (+10.0 % over Concurrency 1, noise about 3 %): the limit is not reached, try higher loads
            • 1 of 121 requests failed at Concurrency 2 (rate_limited 1): latencies are those of the rest, find the cause first
        "]],
    );
    assert!(!recommendations(&[closed_run(1, 120, 500)]).contains("failed"));
}

#[test]
fn short_runs_are_said_to_be_short() {
    check(
        &recommendations(&[closed_run(20, 2, 500), closed_run(10, 2, 400)]),
        &expect![[r"
            Performance Recommendations:
            • Throughput still grows at the highest load, Concurrency 20 (+60.0 % over Concurrency 10, noise about 3 %): the limit is not reached, try higher loads
            • Fewer than 100 requests succeeded at Concurrency 10; Concurrency 20: their P99 is close to the slowest request
            • Fewer than 5 requests a slot at Concurrency 10; Concurrency 20: start and drain weigh heavily, measure longer for the steady state
        "]],
    );
}

#[test]
fn rates_are_judged_by_whether_the_service_kept_up() {
    let kept = [open_run(2, 400, 0), open_run(10, 400, 0)];
    check(
        &recommendations(&kept),
        &expect![[r"
        Performance Recommendations:
        • The service kept up with every rate, up to Rate 10: the limit is not reached, try higher rates
    "]],
    );
    let overrun = [
        open_run(2, 400, 0),
        open_run(10, 400, 0),
        open_run(20, 400, 100),
    ];
    check(
        &recommendations(&overrun),
        &expect![[r"
        Performance Recommendations:
        • The service kept up with Rate 10, but at Rate 20 it finished only 6.63 req/s: requests queue and their latency depends on how long the run lasts
        • Mean latency grows 40.8 times from Rate 2 (0.501 s) to Rate 20 (20.451 s)
    "]],
    );
    check(
        &recommendations(&[open_run(20, 400, 100), open_run(30, 400, 120)]),
        &expect![[r"
            Performance Recommendations:
            • The service did not keep up with the lowest rate: at Rate 20 it finished only 6.63 req/s: requests queue and their latency depends on how long the run lasts
        "]],
    );
}

#[test]
fn equal_loads_are_named_once_and_of_many_loads_the_first_few() {
    let same = [closed_run(1, 20, 500), closed_run(1, 20, 500)];
    check(
        &recommendations(&same),
        &expect![[r"
            Performance Recommendations:
            • Only Concurrency 1 can be judged, 2 times: measure several loads to see where throughput stops growing
            • Fewer than 100 requests succeeded at Concurrency 1: their P99 is close to the slowest request
        "]],
    );
    let many: Vec<_> = (1..=9).map(|slots| closed_run(slots, 5, 500)).collect();
    let lines = recommendations(&many);
    assert!(
        lines.contains(
            "succeeded at Concurrency 1; Concurrency 2; Concurrency 3; Concurrency 4 and 5 more:"
        ),
        "{lines}"
    );
}

#[test]
fn requests_that_the_user_called_off_are_no_failures_of_the_service() {
    let with = |kind| {
        let mut records: Vec<_> = (0..120).map(|k| record(k * 500, 500, 21)).collect();
        records.push(failed(kind));
        recommendations(&[summary(closed(2), &records)])
    };
    assert!(!with(FailureKind::Cancelled).contains("failed"));
    assert!(with(FailureKind::ReadTimeout).contains("latencies are those of the rest"));
    let all = recommendations(&[summary(closed(2), &[failed(FailureKind::ReadTimeout)])]);
    assert!(
        all.contains("(read_timeout 1): nothing was measured"),
        "{all}"
    );
}

#[test]
fn recommendations_on_nothing_say_so() {
    check(
        &recommendations(&[]),
        &expect![[r"
        Performance Recommendations:
        • No request succeeded at any load: nothing can be said about the service
    "]],
    );
}

#[test]
fn a_load_is_named_by_what_was_asked() {
    let both = Load {
        arrivals: Arrivals::Constant(Rate::per_second(0.25).unwrap()),
        concurrency: NonZeroU32::new(4),
    };
    assert_eq!(load_name(&closed(8)), "Concurrency 8");
    assert_eq!(load_name(&open(5.0)), "Rate 5");
    assert_eq!(load_name(&both), "Rate 0.25, concurrency 4");
}

#[test]
fn lines_below_the_tables_tell_what_a_reader_must_know() {
    let mut guessed = record(0, 700, 3);
    guessed.output_tokens = Some(TokenCount {
        count: 3,
        source: TokenSource::Chunks,
    });
    guessed.prompt_tokens = Some(TokenCount {
        count: 9,
        source: TokenSource::Tokenizer,
    });
    guessed.reconnects = 1;
    let mut unknown = record(500, 600, 2);
    unknown.prompt_tokens = None;
    let mut cached = record(0, 700, 3);
    cached.cached_tokens = Some(512);
    let kinds = [
        FailureKind::RateLimited,
        FailureKind::ReadTimeout,
        FailureKind::ReadTimeout,
    ];
    let records: Vec<_> = [guessed, unknown, cached]
        .into_iter()
        .chain(kinds.map(failed))
        .collect();
    check(
        &run_lines(&summary(open(2.0), &records)).join("\n"),
        &expect![[r"
            Failed requests: 3 of 6 (read_timeout 2, rate_limited 1)
            From when requests were due: latency 0.6677 s (p99 0.7010), TTFT 0.1010 s (p99 0.1010); from when they were sent: latency 0.6667 s (p99 0.7000), TTFT 0.1000 s (p99 0.1000)
            Reconnects: 1 (the kept-alive connection was found closed, the request was sent again on a new one)
            Prefix cache: the server had 50.0 % of the prompt tokens cached (reported for 1 requests)
            Warning: output tokens of 1 of 3 requests are numbers of chunks, for want of the server's usage and of a tokenizer; too low where a chunk holds several tokens
            Note: input tokens of 1 of 3 requests were counted by the client's tokenizer, for want of the server's usage
            Warning: input tokens of 1 of 3 requests are not known; token figures leave them out"]],
    );
}

#[test]
fn a_clean_closed_loop_has_no_lines() {
    assert_eq!(run_lines(&closed_run(2, 5, 500)), Vec::<String>::new());
}

#[test]
fn percentiles_of_very_long_runs_are_said_to_come_from_histograms() {
    let mut run = summary(closed(2), &[]);
    let one = record(0, 500, 2);
    for _ in 0..=EXACT_REQUESTS {
        run.add(&one);
    }
    check(
        &run_lines(&run).join("\n"),
        &expect!["Note: percentiles, but for those of gaps, are from histograms, within 0.049 %"],
    );
}

#[test]
fn void_loads_are_named_under_the_table_of_all() {
    assert_eq!(void_line(&[]), None);
    let void = [closed_run(8, 5, 500), closed_run(2, 5, 500)];
    check(
        &void_line(&void).unwrap(),
        &expect![
            "VOID: Concurrency 2; Concurrency 8: the client was the bottleneck there, so these rows do not show what the service can do"
        ],
    );
}

#[test]
fn a_closed_loop_asks_for_no_rate_and_shows_none() {
    let run = closed_run(2, 5, 500);
    let mut health = ClientHealth::default();
    for k in 0..200 {
        health.add(&record(k * 10, 500, 3));
    }
    let line = health_line(&run, &health, &health.verdict(&run));
    assert!(
        line.contains("send lag") && !line.contains("req/s"),
        "{line}"
    );
}

#[test]
fn the_health_line_shows_figures_and_reasons() {
    let records: Vec<_> = (0..200).map(|k| record(k * 10, 500, 3)).collect();
    let run = summary(open(100.0), &records);
    let mut health = ClientHealth::default();
    check(
        &health_line(&run, &health, &health.verdict(&run)),
        &expect!["Client: sound (nothing observed)"],
    );
    for record in &records {
        health.add(record);
    }
    health.read_lag.add_many(20_000, 99);
    (health.reads, health.events) = (400, 600);
    let share = |percent: u64| WorkerUse {
        cpu: Nanos::from_millis(20 * percent),
        wall: Nanos::from_secs(2),
    };
    health.workers = vec![share(30), share(34)];
    check(
        &health_line(&run, &health, &health.verdict(&run)),
        &expect![
            "Client: sound (send lag p50 1 ms, p99 1 ms, max 1 ms; read lag p50 0.02 ms, p99 0.02 ms, max 0.02 ms; 1.50 events a read; busiest worker 34 % CPU; 100.00 req/s sent, 100.00 due)"
        ],
    );
    health.workers.push(share(97));
    health.read_lag.add_many(80_000_000, 9);
    check(
        &health_line(&run, &health, &health.verdict(&run)),
        &expect![[r"
            Client: VOID, the client was the bottleneck (send lag p50 1 ms, p99 1 ms, max 1 ms; read lag p50 0.02 ms, p99 79.987 ms, max 80 ms; 1.50 events a read; busiest worker 97 % CPU; 100.00 req/s sent, 100.00 due)
              responses were read late: p99 of the lag 80.0 ms (limit 50.0 ms)
                hint: give the client processors of its own, more worker threads, or another machine than the server's
              1 of the client's workers had no time left: processor use 97 % (limit 90 %)
                hint: give the client more worker threads, or send from more machines"]],
    );
}

#[test]
fn the_health_line_names_each_machine_and_the_one_that_was_lost() {
    let records: Vec<_> = (0..200).map(|k| record(k * 10, 500, 3)).collect();
    let run = summary(open(100.0), &records);
    let mut health = ClientHealth::default();
    let bound = Nanos::from_micros(84);
    for (name, lost) in [
        ("worker 1 (a)", None),
        ("worker 2 (b)", Some("its link has ended")),
    ] {
        let lost = lost.map(|why| Loss {
            after: Nanos::from_millis(12_300),
            why: why.to_owned(),
        });
        health.merge_node(NodeHealth {
            name: name.to_owned(),
            requests: 100,
            health: ClientHealth::default(),
            clock: ClockFit {
                offset_ns: 5,
                bound,
                drift_ns: 0,
            },
            lost,
        });
    }
    check(
        &health_line(&run, &health, &health.verdict(&run)),
        &expect![[r"
            Client: VOID, a worker was lost (nothing observed)
              worker 2 (b) was lost at 12.3 s: its link has ended
                hint: look into that machine's own log, and run the load again; what had arrived is in the database
              worker 1 (a): 100 requests; nothing observed; clock known to 0.084 ms
              worker 2 (b), lost: 100 requests; nothing observed; clock known to 0.084 ms"]],
    );
}
