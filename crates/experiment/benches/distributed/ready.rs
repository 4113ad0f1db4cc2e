//! A worker that has all of its records ready, and the plan of a run that it takes part in.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;

use anyhow::bail;
use crestline_core::health::ClientHealth;
use crestline_core::record::RequestRecord;
use crestline_core::request::{Generation, Load, LoadPoint};
use crestline_core::units::Nanos;
use crestline_experiment::distributed::Link;
use crestline_experiment::distributed::wire::{
    Frame, Hello, Order, PROTOCOL, Receipt, RecordWriter, Report,
};
use crestline_experiment::plan::{
    ClientPlan, OutputPlan, Plan, ReadMetrics, ServerMetrics, SubjectPlan, Tallies,
};
use crestline_load::client::endpoint::Endpoint;
use crestline_load::clock::monotonic;
use crestline_load::target::{Certificates, Target};
use crestline_workload::plan::{Dataset, PromptForm, WorkloadPlan};

/// Bytes of a frame, about.
const FRAME: usize = 32 * 1024;

/// Records in frames, without the first byte that says what they are.
pub(crate) fn frames(records: &[RequestRecord]) -> Vec<Vec<u8>> {
    let mut writer = RecordWriter::default();
    let mut frames = Vec::new();
    for record in records {
        writer.add(record);
        if writer.len() >= FRAME {
            frames.push(writer.take().0);
        }
    }
    if !writer.is_empty() {
        frames.push(writer.take().0);
    }
    frames
}

/// The first word.
pub(crate) fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        processors: 1,
        connections: 1_000_000,
    }
}

/// Does what it is told, but has sent everything before.
pub(crate) fn serve(link: &Link, records: Vec<Vec<u8>>, count: u64) -> anyhow::Result<()> {
    let say = |report: &Report| link.to.send(Frame::of(report));
    say(&Report::Hello(hello()))?;
    let mut records = Some(records);
    while let Ok(Ok(frame)) = link.from.recv() {
        match Frame::read_order(&frame)? {
            Order::Open(_) => say(&Report::Opened)?,
            Order::Ping { number } => say(&Report::Pong {
                number,
                at: monotonic(),
            })?,
            Order::Apply { .. } => say(&Report::Ready)?,
            Order::Begin { .. } => {
                let mut receipt = Receipt::default();
                for records in records.take().into_iter().flatten() {
                    let frame = Frame::of_records(&records);
                    receipt.add(0, &frame);
                    link.to.send(frame)?;
                }
                receipt.records = count;
                say(&Report::Done {
                    health: Box::new(ClientHealth::default()),
                    receipt,
                })?;
            }
            Order::Leave => return Ok(()),
            Order::Beat => {}
            other => bail!("not expected: {other:?}"),
        }
    }
    Ok(())
}

/// A closed loop of so many requests.
pub(crate) fn plan(folder: &Path, requests: u64, text: usize) -> Plan {
    let target = Target {
        url: "http://127.0.0.1:9/v1/completions".to_owned(),
        headers: Vec::new(),
        api_key: None,
        connect_timeout: None,
        read_timeout: None,
        total_timeout: Nanos::from_secs(60),
        certificates: Certificates::Checked,
    };
    Plan {
        model: "m".to_owned(),
        adapters: None,
        name: "bench".to_owned(),
        subject: SubjectPlan::Live(target),
        endpoint: Endpoint::OpenAiCompletions,
        own_api: None,
        workload: WorkloadPlan {
            dataset: Dataset::Fixed("Hi".to_owned()),
            tokenizer: None,
            form: PromptForm::Text,
            min_prompt_length: 0,
            max_prompt_length: u32::MAX,
            prefix_length: 0,
            max_tokens: None,
            offset: 0,
            seed: 0,
        },
        generation: Generation::default(),
        points: vec![LoadPoint {
            load: Load::closed(NonZeroU32::MIN),
            requests,
            warmup: 0,
            duration: None,
        }],
        search: None,
        pause: Nanos::ZERO,
        test_connection: false,
        ready_within: Nanos::ZERO,
        probe_rate: None,
        server_metrics: ServerMetrics {
            read: ReadMetrics::Never,
            url: None,
        },
        client: ClientPlan {
            workers: None,
            preparers: None,
            grace: Nanos::ZERO,
            request_ids: None,
            part: None,
        },
        output: OutputPlan {
            folder: folder.to_owned(),
            commit_rows: NonZeroUsize::new(1000).expect("not zero"),
            keep_text: text > 0,
            tallies: Tallies::default(),
            command: None,
        },
    }
}
