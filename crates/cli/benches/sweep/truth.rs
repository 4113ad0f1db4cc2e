//! The load up to which a server meets an SLA, from long runs at fixed loads around it.
//!
//! Each figure is the mean over several seeds; the beginning of a run, in which all users are new, and its end, in which the
//! load falls, are left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Requests of a run, and seeds.
const REQUESTS: usize = 8000;
const SEEDS: [u64; 2] = [1001, 1002];
/// Share of the requests that are left out, at the beginning and at the end.
const LEFT_OUT: f64 = 0.1;
/// How near the two loads are between which the truth lies, as a ratio.
const APART: f64 = 1.01;

/// 99th percentiles of TTFT, TPOT and latency, in milliseconds.
type Figures = [f64; 3];

/// All that was measured for it.
pub(crate) struct Truths<'a> {
    place: &'a Path,
    variable: &'a str,
    known: BTreeMap<(String, u64), Figures>,
}

impl<'a> Truths<'a> {
    /// Nothing yet; profiles are those of the first seed's experiment.
    pub(crate) fn new(place: &'a Path, variable: &'a str) -> Self {
        Self {
            place,
            variable,
            known: BTreeMap::new(),
        }
    }

    /// The highest load that meets an SLA, searched from a guess; 0 where none does.
    pub(crate) fn of(
        &mut self,
        server: &str,
        sla: &Value,
        guess: Option<f64>,
    ) -> anyhow::Result<f64> {
        let guess = guess.unwrap_or(32.0);
        let (mut low, mut high) = (self.load(guess * 0.95), self.load(guess * 1.05));
        while low >= 1.0 && !self.meets(server, low, sla)? {
            high = low;
            low = self.load(low * 0.9);
        }
        while self.meets(server, high, sla)? {
            low = high;
            high = self.load(high * 1.1);
            ensure!(high < 4096.0, "{server} meets {sla} at any load");
        }
        while high / low > APART && !self.are_neighbours(low, high) {
            let middle = self.load(f64::midpoint(low, high));
            if self.meets(server, middle, sla)? {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(if self.is_whole() {
            low
        } else {
            f64::midpoint(low, high)
        })
    }

    fn is_whole(&self) -> bool {
        self.variable == "max_concurrency"
    }

    fn load(&self, load: f64) -> f64 {
        if self.is_whole() {
            load.floor()
        } else {
            (load * 100.0).round() / 100.0
        }
    }

    fn are_neighbours(&self, low: f64, high: f64) -> bool {
        self.is_whole() && high - low < 1.5
    }

    fn meets(&mut self, server: &str, load: f64, sla: &Value) -> anyhow::Result<bool> {
        let figures = self.figures(server, load)?;
        let limits = sla.as_object().into_iter().flatten();
        for (key, condition) in limits {
            let condition = condition.as_str().and_then(|text| text.strip_prefix("<="));
            let limit: f64 = condition.context("an upper limit")?.parse()?;
            let place = match key.as_str() {
                "p99_ttft_ms" => 0,
                "p99_tpot_ms" => 1,
                "p99_e2el_ms" => 2,
                other => bail!("no truth for {other}"),
            };
            if figures[place] > limit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn figures(&mut self, server: &str, load: f64) -> anyhow::Result<Figures> {
        let key = (server.to_owned(), load.to_bits());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let mut mean = Figures::default();
        for seed in SEEDS {
            let one = self.measure(server, load, seed)?;
            for (sum, value) in mean.iter_mut().zip(one) {
                *sum += value / SEEDS.len() as f64;
            }
        }
        self.known.insert(key, mean);
        Ok(mean)
    }

    fn measure(&self, server: &str, load: f64, seed: u64) -> anyhow::Result<Figures> {
        let profile = format!("sim:out/seed0/crestline/profiles/SERVE-{server}.toml");
        let flag = format!("--{}", self.variable.replace('_', "-"));
        let output = super::crestline()
            .current_dir(self.place)
            .args(super::BENCH.split_whitespace().skip(1))
            .args(["--base-url", &profile, &flag, &load.to_string()])
            .args([
                "--num-prompts",
                &REQUESTS.to_string(),
                "--seed",
                &seed.to_string(),
            ])
            .args("--save-result --save-detailed --result-filename truth.json".split(' '))
            .output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = fs::read_to_string(self.place.join("truth.json"))?;
        p99s(&serde_json::from_str(&text)?)
    }
}

/// Of the requests in the middle of a run.
fn p99s(result: &Value) -> anyhow::Result<Figures> {
    let starts = result["start_times"].as_array().context("start times")?;
    let mut order: Vec<usize> = (0..starts.len()).collect();
    let start = |place: &usize| starts[*place].as_f64().unwrap_or_default();
    order.sort_by(|one, other| start(one).total_cmp(&start(other)));
    let left_out = (LEFT_OUT * order.len() as f64) as usize;
    let middle = &order[left_out..order.len() - left_out];
    let mut values = [Vec::new(), Vec::new(), Vec::new()];
    for &place in middle {
        let ttft = result["ttfts"][place].as_f64().context("a TTFT")?;
        let gaps = result["itls"][place].as_array().into_iter().flatten();
        let rest: f64 = gaps.filter_map(Value::as_f64).sum();
        let tokens = result["output_lens"][place].as_f64().context("a length")?;
        values[0].push(ttft);
        values[1].push(rest / (tokens - 1.0).max(1.0));
        values[2].push(ttft + rest);
    }
    Ok(values.map(|mut values| {
        values.sort_by(f64::total_cmp);
        1e3 * values[(0.99 * (values.len() - 1) as f64) as usize]
    }))
}
