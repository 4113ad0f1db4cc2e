//! A service, a plan for it, and workers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::thread::JoinHandle;

use crestline_core::record::RequestRecord;
use crestline_core::request::{Arrivals, Generation, Load, LoadPoint};
use crestline_core::units::{Nanos, Rate};
use crestline_experiment::distributed::{Link, WorkError, serve};
use crestline_experiment::plan::{
    ClientPlan, OutputPlan, Plan, ReadMetrics, ServerMetrics, SubjectPlan, Tallies,
};
use crestline_experiment::run::DATABASE;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::target::{Certificates, Target};
use crestline_sim::profile::Profile;
use crestline_sim::server::{self, Options, ServeError};
use crestline_store::runs::RunReader;
use crestline_workload::plan::{Dataset, PromptForm, RandomLengths, WorkloadPlan};
use tokio::sync::oneshot;

/// A simulated server that stops when it is dropped.
pub(super) struct Sim {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Sim {
    pub(super) fn start(profile: &str) -> Self {
        let options = Options::new(Profile::load(profile).unwrap());
        let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            server::serve(listener, options, async {
                // A dropped sender stops it too.
                let _ = stopped.await;
            })
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// A plan of these loads for it.
    pub(super) fn plan(&self, folder: &Path, points: Vec<LoadPoint>) -> Plan {
        let target = Target {
            url: format!("http://{}/v1/completions", self.address),
            headers: Vec::new(),
            api_key: None,
            connect_timeout: None,
            read_timeout: None,
            total_timeout: Nanos::from_secs(60),
            certificates: Certificates::Checked,
        };
        plan(SubjectPlan::Live(target), folder, points)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap().unwrap();
        }
    }
}

pub(super) fn plan(subject: SubjectPlan, folder: &Path, points: Vec<LoadPoint>) -> Plan {
    Plan {
        model: "m".to_owned(),
        adapters: None,
        name: "test".to_owned(),
        subject,
        own_api: None,
        endpoint: Endpoint::OpenAiCompletions,
        workload: WorkloadPlan {
            dataset: Dataset::Random(RandomLengths::default()),
            tokenizer: Some("builtin".to_owned()),
            form: PromptForm::Text,
            min_prompt_length: 10,
            max_prompt_length: 60,
            prefix_length: 0,
            max_tokens: Some((2, 9)),
            offset: 0,
            seed: 7,
        },
        generation: Generation {
            stream: true,
            ..Generation::default()
        },
        points,
        search: None,
        pause: Nanos::ZERO,
        test_connection: true,
        ready_within: Nanos::ZERO,
        probe_rate: None,
        server_metrics: ServerMetrics {
            read: ReadMetrics::Never,
            url: None,
        },
        client: ClientPlan {
            workers: NonZeroUsize::new(2),
            preparers: None,
            grace: Nanos::from_secs(5),
            request_ids: Some("r-".to_owned()),
            part: None,
        },
        output: OutputPlan {
            folder: folder.to_owned(),
            commit_rows: NonZeroUsize::new(100).unwrap(),
            keep_text: true,
            command: None,
            tallies: Tallies::default(),
        },
    }
}

pub(super) fn closed(users: u32, requests: u64, warmup: u64) -> LoadPoint {
    LoadPoint {
        load: Load::closed(NonZeroU32::new(users).unwrap()),
        requests,
        warmup,
        duration: None,
    }
}

pub(super) fn open(rate: f64, requests: u64) -> LoadPoint {
    LoadPoint {
        load: Load {
            arrivals: Arrivals::Poisson(Rate::per_second(rate).unwrap()),
            concurrency: None,
        },
        requests,
        warmup: 0,
        duration: None,
    }
}

/// Workers that are threads.
pub(super) struct Workers(Vec<JoinHandle<Result<(), WorkError>>>);

impl Workers {
    /// So many, and the coordinator's ends of their links.
    pub(super) fn start(count: usize) -> (Self, Vec<Link>) {
        let (links, ends): (Vec<_>, Vec<_>) = (0..count)
            .map(|number| Link::joined(&format!("node-{number}")))
            .unzip();
        (Self::serve(ends), links)
    }

    pub(super) fn serve(ends: Vec<Link>) -> Self {
        let serve = |end| std::thread::spawn(move || serve(end));
        Self(ends.into_iter().map(serve).collect())
    }

    /// Waits until all have ended.
    pub(super) fn ended(self) -> Vec<Result<(), WorkError>> {
        self.0
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    }
}

/// The records of the only load in a folder, by index.
pub(super) fn stored(folder: &Path) -> BTreeMap<u64, RequestRecord> {
    let loads = std::fs::read_dir(folder).unwrap();
    let mut databases = loads
        .map(|load| load.unwrap().path().join(DATABASE))
        .filter(|path| path.exists());
    let records = read(&databases.next().unwrap());
    assert_eq!(databases.next(), None, "one load");
    records
}

/// The records of a database, by index.
pub(super) fn read(database: &Path) -> BTreeMap<u64, RequestRecord> {
    let mut records = BTreeMap::new();
    for record in RunReader::open(database).unwrap().records() {
        let record = record.unwrap();
        let twin = records.insert(record.index, record);
        assert!(twin.is_none(), "{twin:?} is stored twice");
    }
    records
}
