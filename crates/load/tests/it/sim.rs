//! The simulated server on a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use crestline_load::client::endpoint::Endpoint;
use crestline_load::engine::Setup;
use crestline_sim::profile::Profile;
use crestline_sim::server::{self, Options, ServeError};
use crestline_workload::Workload;
use crestline_workload::plan::PromptForm;
use tokio::sync::oneshot;

use crate::script::{plan, setup};

/// A simulated server that stops when it is dropped.
pub(crate) struct Sim {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), ServeError>>>,
}

impl Sim {
    pub(crate) fn start(profile: &str) -> Self {
        Self::serve(Options::new(Profile::load(profile).unwrap()))
    }

    /// Every request has this fault.
    pub(crate) fn faulty(fault: &str) -> Self {
        Self::serve(Options {
            faults: vec![fault.parse().unwrap()],
            ..Options::new(Profile::load("full-speed").unwrap())
        })
    }

    fn serve(options: Options) -> Self {
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn setup(&self, endpoint: Endpoint, path: &str) -> Setup {
        let mut plan = plan();
        plan.form = PromptForm::Text;
        Setup {
            endpoint,
            workload: Arc::new(Workload::open(&plan).unwrap()),
            ..setup(&self.url(path))
        }
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
