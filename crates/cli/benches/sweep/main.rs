//! Whether `bench sweep serve_sla` finds the best server, and how near its load is to the truth: six simulated servers, three
//! SLAs, in virtual time.
//!
//! `cargo bench -p crestline --bench sweep` runs ten seeds with users as the load; `-- SEEDS VARIABLE` other ones; `-- prune
//! SEEDS VARIABLE` compares with `--prune` instead. The truth
//! comes from long runs at fixed loads. An SLA passes where nine of ten seeds name the best server with a load within 5 %.

#![expect(clippy::print_stdout, reason = "a bench shows its table")]

mod race;
mod truth;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use truth::Truths;

/// How far a load may be from the truth, as a share of it.
const NEAR: f64 = 0.05;
/// A server with less than this share of the best one's load is not the best: its truth need not be known.
const CONTENDS: f64 = 0.75;
/// Seeds of ten that must be right.
const OF_TEN: usize = 9;

/// What is sent: prompts and answers of mixed lengths.
const BENCH: &str = "crestline bench serve --model m --tokenizer builtin --random-input-len 512 --random-output-len 128 \
                     --random-range-ratio 0.5";

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .peekable();
    let is_race = words.next_if(|word| word == "prune").is_some();
    let seeds: u64 = words.next().map_or(Ok(10), |word| word.parse())?;
    let variable = words.next().unwrap_or_else(|| "max_concurrency".to_owned());
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("serve.json"), servers().to_string())?;
    fs::write(place.path().join("sla.json"), slas().to_string())?;
    if is_race {
        if !race::run(place.path(), &variable, seeds)? {
            bail!("a race finds other winners, or needs more than half of the load");
        }
        return Ok(());
    }
    let sweeps = (0..seeds)
        .map(|seed| Ok(sweep(place.path(), &variable, seed, "")?.1))
        .collect::<anyhow::Result<Vec<Value>>>()?;
    let mut truths = Truths::new(place.path(), &variable);
    let mut passed = true;
    for (number, sla) in slas().as_array().into_iter().flatten().enumerate() {
        passed &= judge(number, sla, &sweeps, &mut truths)?;
    }
    if !passed {
        bail!("an SLA has fewer than {OF_TEN} of ten seeds right");
    }
    Ok(())
}

/// The program of this build, or the one that `CRESTLINE` names.
fn crestline() -> Command {
    let built = || env!("CARGO_BIN_EXE_crestline").into();
    Command::new(std::env::var_os("CRESTLINE").unwrap_or_else(built))
}

fn servers() -> Value {
    json!({
        "small_batch": {"max_num_seqs": 16},
        "wide": {"max_num_seqs": 128, "max_num_batched_tokens": 2048},
        "chunked": {"max_num_seqs": 128, "max_num_batched_tokens": 512},
        "slim": {"max_num_seqs": 64, "max_num_batched_tokens": 1024},
        "two_gpus": {"max_num_seqs": 128, "max_num_batched_tokens": 2048, "tensor_parallel_size": 2},
        "four_gpus_small_batch": {"max_num_seqs": 32, "max_num_batched_tokens": 2048, "tensor_parallel_size": 4}
    })
}

fn slas() -> Value {
    json!([
        {"p99_ttft_ms": "<=400"},
        {"p99_tpot_ms": "<=25", "p99_ttft_ms": "<=1500"},
        {"p99_e2el_ms": "<=4000"}
    ])
}

/// A whole experiment; gives its folder in `place` and its answers.
fn sweep(place: &Path, variable: &str, seed: u64, more: &str) -> anyhow::Result<(String, Value)> {
    let name = format!("seed{seed}{more}");
    let output = crestline()
        .current_dir(place)
        .args("bench sweep serve_sla --virtual-time -o out --serve-params serve.json".split(' '))
        .args(["--sla-params", "sla.json", "--sla-variable", variable])
        .args(["--sla-upper-bound", "1024", "-e", &name])
        .args(["--serve-cmd", "crestline sim --profile gpu-small"])
        .args(["--bench-cmd", &format!("{BENCH} --seed {seed}")])
        .args(more.split_whitespace())
        .output()?;
    let folder = format!("out/{name}");
    let answers = place.join(&folder).join("crestline/sla.json");
    let text = fs::read_to_string(&answers)
        .with_context(|| format!("no answers: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok((folder, serde_json::from_str(&text)?))
}

/// Shows the table of one SLA, and says whether enough seeds are right.
fn judge(
    number: usize,
    sla: &Value,
    sweeps: &[Value],
    truths: &mut Truths<'_>,
) -> anyhow::Result<bool> {
    println!("\n{sla}");
    let ranking = |sweep: &Value| sweep["slas"][number]["ranking"].clone();
    let first = ranking(&sweeps[0]);
    let mut known = Vec::new();
    let load = |row: &Value| row["load"].as_f64().unwrap_or_default();
    let contenders = first.as_array().into_iter().flatten();
    for row in contenders.filter(|row| load(row) >= CONTENDS * load(&first[0])) {
        let name = row["serve"].as_str().context("a server has a name")?;
        let truth = truths.of(name, sla, row["estimate"].as_f64().or(row["load"].as_f64()))?;
        known.push((name.to_owned(), truth));
    }
    known.sort_by(|one, other| other.1.total_cmp(&one.1));
    let shown: Vec<String> = known
        .iter()
        .map(|(name, truth)| format!("{name} {truth:.1}"))
        .collect();
    println!("  truth of those near the best: {}", shown.join(", "));
    let mut right = 0;
    for (seed, sweep) in sweeps.iter().enumerate() {
        let best = ranking(sweep)[0].clone();
        let (name, load) = (best["serve"].as_str(), best["load"].as_f64());
        let error = load.map(|load| load / known[0].1 - 1.0);
        let is_best = name == Some(known[0].0.as_str());
        let is_right = is_best && error.is_some_and(|error| error.abs() <= NEAR);
        right += usize::from(is_right);
        println!(
            "  seed {seed}: {} at {:.1} ({:+.1} %) {}",
            name.unwrap_or("none"),
            load.unwrap_or(f64::NAN),
            100.0 * error.unwrap_or(f64::NAN),
            if is_right { "right" } else { "WRONG" }
        );
    }
    println!("  {right} of {} seeds are right", sweeps.len());
    Ok(right * 10 >= OF_TEN * sweeps.len())
}
