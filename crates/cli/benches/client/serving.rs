//! The figures that `crestline bench serve` prints against what the service really did, beside vLLM's own clients where those are
//! installed.
//!
//! All clients get the same command line, for the same kind of service; each is judged by the truth of its own runs. The
//! variable `CRESTLINE_PEER_VLLM` names a virtual environment that holds vLLM; without it crestline stands alone.

mod peers;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::service::{Service, Truth, Witness};
use crate::table::{Table, mean, median, quantile, verdict};
use peers::{Peer, Report, TOKENIZER};

/// Turns of each client.
const TURNS: usize = 3;
/// What a reported time may differ by from the true one: the larger of a share and of milliseconds.
const SHARE: f64 = 0.01;
const MILLISECONDS: f64 = 1.0;
/// What the rate of departures may differ by from the one asked for, as a share.
const RATE_SHARE: f64 = 0.005;

/// A closed loop on a service whose iterations take 20 ms.
struct Case {
    users: usize,
    requests: usize,
}

const CASES: [Case; 3] = [
    Case {
        users: 1,
        requests: 5,
    },
    Case {
        users: 64,
        requests: 320,
    },
    Case {
        users: 512,
        requests: 2560,
    },
];

/// Requests a second of open loops, for ten seconds each.
const RATES: [usize; 2] = [1000, 5000];

/// The times that a report has, as its fields call them.
const TIMES: [&str; 3] = ["ttft", "tpot", "e2el"];

/// Mean, median and 99th percentile in ms.
type Spread = [f64; 3];

/// What a run said, and what was so: one spread for each of [`TIMES`].
struct Judged {
    reported: [Spread; 3],
    truth: [Spread; 3],
    health: String,
}

/// Runs all cases with all clients and prints their tables.
pub(crate) fn run() -> anyhow::Result<()> {
    let peers = Peer::all()?;
    closed_loops(&peers)?;
    open_loops(&peers)
}

fn closed_loops(peers: &[Peer]) -> anyhow::Result<()> {
    let mut table = Table::new(
        "bench serve: reported and true times in ms",
        &[
            "users", "time", "client", "mean", "true", "median", "true", "p99", "true", "target",
        ],
    );
    for case in &CASES {
        let mut turns: Vec<Vec<Judged>> = peers.iter().map(|_| Vec::new()).collect();
        for _ in 0..TURNS {
            for (peer, turns) in peers.iter().zip(&mut turns) {
                turns.push(measure(peer, case)?);
            }
        }
        for (time, name) in TIMES.iter().enumerate() {
            for (peer, turns) in peers.iter().zip(&turns) {
                table.row(row(case, (time, name), peer, turns));
            }
        }
    }
    table.print();
    Ok(())
}

/// A service that counts tokens as its clients do.
fn service(profile: &str) -> anyhow::Result<Service> {
    Service::start_with(profile, Witness::Requests, &["--tokenizer-path", TOKENIZER])
}

fn measure(peer: &Peer, case: &Case) -> anyhow::Result<Judged> {
    let service = service("constant-20ms")?;
    let report = peer.run(
        &service,
        &[
            ("--num-prompts", case.requests.to_string()),
            ("--max-concurrency", case.users.to_string()),
            ("--random-output-len", "100".to_owned()),
        ],
    )?;
    let truth = service.stop()?.requests()?;
    ensure!(
        truth.len() == case.requests && report.completed() == Some(case.requests as u64),
        "{}: {} of {} requests came, {:?} are reported",
        peer.name,
        truth.len(),
        case.requests,
        report.completed(),
    );
    Ok(Judged {
        reported: reported(&report)?,
        truth: true_times(&truth)?,
        health: report.health(),
    })
}

fn reported(report: &Report) -> anyhow::Result<[Spread; 3]> {
    let mut spreads = [[0.0; 3]; 3];
    for (spread, time) in spreads.iter_mut().zip(TIMES) {
        for (value, which) in spread.iter_mut().zip(["mean", "median", "p99"]) {
            let field = format!("{which}_{time}_ms");
            *value = report.json[&field]
                .as_f64()
                .with_context(|| format!("no {field} in the report"))?;
        }
    }
    Ok(spreads)
}

/// TTFT and E2EL from when a request had come; TPOT between the first token and the last.
fn true_times(truth: &[Truth]) -> anyhow::Result<[Spread; 3]> {
    let (mut ttft, mut tpot, mut e2el) = (Vec::new(), Vec::new(), Vec::new());
    for row in truth {
        let first = row.first_token_ns.context("an answer without tokens")?;
        let last = row.last_ns.context("an answer without tokens")?;
        let ms = |from: u64, to: u64| (to - from) as f64 / 1e6;
        ttft.push(ms(row.arrival_ns, first));
        e2el.push(ms(row.arrival_ns, last));
        tpot.push(ms(first, last) / (row.chunks - 1) as f64);
    }
    Ok([ttft, tpot, e2el].map(|values| [mean(&values), median(&values), quantile(&values, 0.99)]))
}

fn row(case: &Case, (time, name): (usize, &str), peer: &Peer, turns: &[Judged]) -> [String; 10] {
    let middle = |of: &dyn Fn(&Judged) -> f64| median(&turns.iter().map(of).collect::<Vec<_>>());
    let figure = |which: usize| {
        (
            middle(&|turn| turn.reported[time][which]),
            middle(&|turn| turn.truth[time][which]),
        )
    };
    let figures = [figure(0), figure(1), figure(2)];
    let met = figures
        .iter()
        .all(|(reported, truth)| (reported - truth).abs() <= MILLISECONDS.max(SHARE * truth));
    let worst = figures
        .iter()
        .map(|(reported, truth)| reported - truth)
        .max_by(|one, other| one.abs().total_cmp(&other.abs()))
        .unwrap_or_default();
    let unsound = turns
        .iter()
        .map(|turn| &turn.health)
        .find(|health| !health.is_empty());
    let said = unsound.map_or_else(String::new, |health| format!(", {health}"));
    let [mean, median, p99] = figures.map(|(reported, truth)| [shown(reported), shown(truth)]);
    let [mean, true_mean] = mean;
    let [median, true_median] = median;
    let [p99, true_p99] = p99;
    [
        case.users.to_string(),
        name.to_uppercase(),
        peer.name.to_owned(),
        mean,
        true_mean,
        median,
        true_median,
        p99,
        true_p99,
        format!(
            "{}{said}",
            verdict(met.into(), format!("{worst:+.2} ms, limit 1 ms or 1 %"))
        ),
    ]
}

fn shown(ms: f64) -> String {
    format!("{ms:.2}")
}

fn open_loops(peers: &[Peer]) -> anyhow::Result<()> {
    let mut table = Table::new(
        "bench serve: rate of departures",
        &[
            "asked /s",
            "client",
            "requests",
            "failed",
            "sent /s",
            "sent ÷ asked",
            "target",
        ],
    );
    for rate in RATES {
        for peer in peers {
            let service = service("full-speed")?;
            let requests = rate * 10;
            let report = peer.run(
                &service,
                &[
                    ("--num-prompts", requests.to_string()),
                    ("--request-rate", rate.to_string()),
                    ("--random-output-len", "4".to_owned()),
                ],
            )?;
            let truth = service.stop()?.requests()?;
            table.row(rate_row(rate, peer, &report, &truth)?);
        }
    }
    table.print();
    Ok(())
}

/// By when the requests came to the service, not by what the client says.
fn rate_row(
    rate: usize,
    peer: &Peer,
    report: &Report,
    truth: &[Truth],
) -> anyhow::Result<[String; 7]> {
    let arrivals = truth.iter().map(|row| row.arrival_ns);
    let (first, last) = (
        arrivals.clone().min().context("no request came")?,
        arrivals.max().context("no request came")?,
    );
    let sent = (truth.len() - 1) as f64 / ((last - first) as f64 / 1e9);
    let achieved = sent / rate as f64;
    Ok([
        rate.to_string(),
        peer.name.to_owned(),
        truth.len().to_string(),
        report.json["failed"]
            .as_u64()
            .map_or_else(String::new, |failed| failed.to_string()),
        format!("{sent:.1}"),
        format!("{achieved:.4}"),
        verdict(((achieved - 1.0).abs() <= RATE_SHARE).into(), "± 0.5 %"),
    ])
}

impl Report {
    fn completed(&self) -> Option<u64> {
        self.json["completed"].as_u64()
    }

    /// Why the run is void, by the client's own word; empty where it is sound or says nothing.
    fn health(&self) -> String {
        let client = &self.json["crestline_client"];
        if client["void"] != Value::Bool(true) {
            return String::new();
        }
        format!("void: {}", client["reasons"])
    }
}
