//! What a load from several machines costs the coordinator: bytes a record on the way, records a second it takes, and its
//! processor time.
//!
//! `cargo bench -p crestline-experiment --bench distributed` lets workers that have their records ready send them as fast as they
//! are taken, into a whole run with its summary and its database. A word after `--` is the number of workers (4). Every machine
//! sends records of one kind; what reading and timing answers costs it is in `docs/performance.md`.

mod ready;

use std::thread;

use anyhow::ensure;
use crestline_core::record::{Exchange, Gaps, Phase, RequestRecord, TokenCount, TokenSource};
use crestline_core::units::Nanos;
use crestline_experiment::distributed::Link;
use crestline_experiment::distributed::wire::read_records;
use crestline_experiment::run::{DATABASE, run_over};
use crestline_load::clock::monotonic;
use crestline_load::engine::Stop;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Records of each kind that the coordinator takes.
const RECORDS: u64 = 60_000;
/// Records of which bytes and the work of a frame are told.
const SAMPLE: u64 = 2000;

/// Records of one kind.
struct Kind {
    name: &'static str,
    /// Tokens of an answer, each an event.
    tokens: u64,
    /// Length of prompt and answer in characters, where texts are kept.
    text: usize,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "1 token",
        tokens: 1,
        text: 0,
    },
    Kind {
        name: "64 tokens",
        tokens: 64,
        text: 0,
    },
    Kind {
        name: "256 tokens",
        tokens: 256,
        text: 0,
    },
    Kind {
        name: "1024 tokens",
        tokens: 1024,
        text: 0,
    },
    Kind {
        name: "256 tokens, texts",
        tokens: 256,
        text: 1024,
    },
];

impl Kind {
    /// An answer at 20 ms a token, give or take 0.3 ms.
    fn record(&self, index: u64) -> RequestRecord {
        let jitter = |salt: u64| (index * 7919 + salt * 104_729) % 300_000;
        let mut record = RequestRecord::new(index, Phase::Measured);
        record.due = Nanos(2_000_000_000 + index * 1_234_567);
        record.sent = record.due + Nanos(40_000 + jitter(1) / 10);
        record.first_byte = Some(record.sent + Nanos(80_000_000 + jitter(2)));
        record.first_token = record.first_byte;
        record.first_answer = record.first_byte;
        let gaps = (1..self.tokens).map(|token| Nanos(20_000_000 + jitter(token)));
        record.gaps = gaps.collect::<Gaps>();
        let length: Nanos = record.gaps.iter().sum();
        record.last_token = record.first_token.map(|first| first + length);
        record.end = record.last_token.unwrap_or_default() + Nanos(60_000);
        record.chunks = self.tokens as u32;
        record.streamed = true;
        record.status = Some(200);
        let count = |count| {
            Some(TokenCount {
                count,
                source: TokenSource::Usage,
            })
        };
        record.prompt_tokens = count(500);
        record.output_tokens = count(self.tokens as u32);
        record.asked_output = Some(self.tokens as u32);
        record.request_id = format!("crestline-0a1b2c3d-{index}");
        record.exchange = (self.text > 0).then(|| {
            Box::new(Exchange {
                request: "p".repeat(self.text),
                answer: "a".repeat(self.text),
                ..Exchange::default()
            })
        });
        record
    }
}

#[expect(clippy::print_stdout, reason = "a bench shows what it measured")]
fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let workers: usize = words.next().map_or(Ok(4), |word| word.parse())?;
    let processors = thread::available_parallelism()?;
    println!("{workers} workers and the coordinator in one process, {processors} processors\n");
    println!(
        "| records           | bytes each | a token | write, us | read, us | taken /s | CPU, us each | MB/s |"
    );
    println!(
        "| ----------------- | ---------- | ------- | --------- | -------- | -------- | ------------ | ---- |"
    );
    for kind in &KINDS {
        let (bytes, write_us, read_us) = frames(kind)?;
        let (per_s, cpu_us) = taken(kind, workers)?;
        println!(
            "| {:<17} | {:>10.0} | {:>7.2} | {:>9.2} | {:>8.2} | {:>8.0} | {:>12.1} | {:>4.1} |",
            kind.name,
            bytes,
            bytes / kind.tokens as f64,
            write_us,
            read_us,
            per_s,
            cpu_us,
            per_s * bytes / 1e6
        );
    }
    Ok(())
}

/// Bytes of a record, and the microseconds to write and to read it.
fn frames(kind: &Kind) -> anyhow::Result<(f64, f64, f64)> {
    let records: Vec<_> = (0..SAMPLE).map(|index| kind.record(index)).collect();
    let began = monotonic();
    let frames: Vec<Vec<u8>> = ready::frames(&records);
    let written = monotonic();
    for frame in &frames {
        read_records(frame)?;
    }
    let read = monotonic();
    let each = |from: Nanos, to: Nanos| (to - from).0 as f64 / 1e3 / SAMPLE as f64;
    let bytes: usize = frames.iter().map(Vec::len).sum();
    Ok((
        bytes as f64 / SAMPLE as f64,
        each(began, written),
        each(written, read),
    ))
}

/// Records a second that a run takes, and the processor time of the process for each.
fn taken(kind: &Kind, workers: usize) -> anyhow::Result<(f64, f64)> {
    let place = tempfile::tempdir()?;
    let share = RECORDS / workers as u64;
    let (links, ends): (Vec<_>, Vec<_>) = (0..workers)
        .map(|number| Link::joined(&format!("{number}")))
        .unzip();
    let threads: Vec<_> = ends
        .into_iter()
        .zip(0..)
        .map(|(end, number)| {
            let indices = number * share..(number + 1) * share;
            let records: Vec<_> = indices.map(|index| kind.record(index)).collect();
            let frames = ready::frames(&records);
            thread::spawn(move || ready::serve(&end, frames, share))
        })
        .collect();
    let plan = ready::plan(place.path(), share * workers as u64, kind.text);
    let mut taken = 0;
    let cpu_before = cpu_us()?;
    let began = monotonic();
    let outcome = run_over(&plan, links, &Stop::default(), &mut |_| {})?;
    for point in &outcome.points {
        taken += point.summary.total();
        ensure!(point.folder.join(DATABASE).exists(), "no database");
    }
    let took = (monotonic() - began).as_secs_f64();
    let cpu = cpu_us()? - cpu_before;
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("a worker has failed"))??;
    }
    ensure!(taken == share * workers as u64, "records are missing");
    Ok((taken as f64 / took, cpu / taken as f64))
}

/// Processor time of the process so far, user and system, in microseconds.
fn cpu_us() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let all = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(all as f64)
}
