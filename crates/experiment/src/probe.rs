//! Small requests beside a load: what does a user feel who asks for one word while it goes on?
//!
//! They are due at even intervals whatever became of those before, over connections of their own, so that they wait for no slot
//! of the load. They are in no summary and no database, and the load does not wait for them.

use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use crestline_core::record::RequestRecord;
use crestline_core::request::{Arrivals, Load, LoadPoint};
use crestline_core::units::Rate;
use crestline_load::client::endpoint::Endpoint;
use crestline_load::clock;
use crestline_load::engine::{Engine, EngineError, Happening, Setup, Stop};
use crestline_load::own::Own;
use crestline_load::target::Target;
use crestline_workload::Workload;
use crestline_workload::plan::{Dataset, PromptForm, WorkloadPlan};

use crate::error::RunError;
use crate::plan::Plan;
use crate::subject::redacted;

/// Between two looks at whether all has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What is asked.
const PROMPT: &str = "Hi";
/// Fields of a body that would make its answer longer than the one token.
const LENGTHS: [&str; 5] = [
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "min_tokens",
    "n",
];

/// Whether an endpoint takes a text alone.
pub fn can_probe(endpoint: Endpoint) -> bool {
    !matches!(
        endpoint,
        Endpoint::OpenAiTranscription
            | Endpoint::Rerank
            | Endpoint::ClipEmbeddings
            | Endpoint::Vlm2VecEmbeddings
            | Endpoint::InfinityClipEmbeddings
    )
}

/// The way to the service for such requests.
#[derive(Debug)]
pub(crate) struct Probe {
    engine: Engine,
    target: Target,
    point: LoadPoint,
}

impl Probe {
    /// Ready to ask for one token `rate` times a second.
    pub(crate) fn open(plan: &Plan, target: &Target, rate: Rate) -> Result<Self, RunError> {
        let mut generation = plan.generation.clone();
        generation.min_tokens = None;
        for field in LENGTHS {
            generation.extra.remove(field);
        }
        let setup = Setup {
            target: target.clone(),
            endpoint: plan.endpoint,
            model: plan.model.clone(),
            adapters: plan.adapters.clone(),
            generation,
            workload: Workload::open(&workload(plan))?.into(),
            workers: Some(std::num::NonZeroUsize::MIN),
            preparers: std::num::NonZeroUsize::MIN,
            grace: plan.client.grace,
            seed: plan.workload.seed,
            due_times: [].into(),
            own: std::sync::Arc::new(Own::with(plan.own_api.clone())),
            keep_text: false,
        };
        let prefix = plan.client.request_ids.clone().unwrap_or_default();
        let engine = Engine::new(setup, "probe", &[], |name| std::env::var(name).ok())?;
        Ok(Self {
            engine: engine.with_id_prefix(&format!("{prefix}probe-")),
            target: target.clone(),
            point: LoadPoint {
                load: Load {
                    arrivals: Arrivals::Constant(rate),
                    concurrency: None,
                },
                requests: u64::MAX,
                warmup: 0,
                duration: None,
            },
        })
    }

    /// Asks until it is told to stop; what is in flight then is waited for as long as the plan allows.
    fn run(&self, ended: &Stop) -> Result<Vec<RequestRecord>, EngineError> {
        let mut records = Vec::new();
        self.engine.apply(&self.point, 0, ended, &mut |happening| {
            if let Happening::Record(mut record) = happening {
                record.failure = record
                    .failure
                    .map(|failure| redacted(failure, &self.target));
                records.push(*record);
            }
        })?;
        Ok(records)
    }
}

fn workload(plan: &Plan) -> WorkloadPlan {
    let form = match plan.endpoint {
        Endpoint::OpenAiChat | Endpoint::OpenAiResponses | Endpoint::ChatEmbeddings => {
            PromptForm::Chat
        }
        _ => PromptForm::Text,
    };
    WorkloadPlan {
        dataset: Dataset::Fixed(PROMPT.to_owned()),
        tokenizer: None,
        form,
        min_prompt_length: 0,
        max_prompt_length: u32::MAX,
        prefix_length: 0,
        max_tokens: plan.endpoint.generates().then_some((1, 1)),
        offset: 0,
        seed: plan.workload.seed,
    }
}

/// The probe of one load, where the plan has one.
#[derive(Debug)]
pub(crate) struct Probing<'scope, 'a> {
    probe: Option<&'a Probe>,
    ended: Stop,
    thread: Option<ScopedJoinHandle<'scope, Result<Vec<RequestRecord>, EngineError>>>,
}

impl<'scope, 'a: 'scope> Probing<'scope, 'a> {
    pub(crate) fn of(probe: Option<&'a Probe>) -> Self {
        Self {
            probe,
            ended: Stop::default(),
            thread: None,
        }
    }

    /// The load's counted requests begin.
    pub(crate) fn begin(&mut self, scope: &'scope Scope<'scope, '_>) {
        let ended = self.ended.clone();
        self.thread = self
            .probe
            .map(|probe| scope.spawn(move || probe.run(&ended)));
    }

    /// Someone may have asked to stop the load, or not even to wait for what is in flight.
    pub(crate) fn follow(&self, stop: &Stop) {
        if stop.is_asked() && !self.ended.is_asked() {
            self.ended.ask();
        }
        if stop.is_urgent() && !self.ended.is_urgent() {
            self.ended.ask();
        }
    }

    /// The load has ended: so does this.
    pub(crate) fn end(self, stop: &Stop) -> Result<Vec<RequestRecord>, EngineError> {
        if !self.ended.is_asked() {
            self.ended.ask();
        }
        while self
            .thread
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
        {
            self.follow(stop);
            clock::sleep(LOOK_EVERY);
        }
        match self.thread.map(ScopedJoinHandle::join) {
            None => Ok(Vec::new()),
            Some(Ok(records)) => records,
            Some(Err(_)) => Err(EngineError::WorkerLost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_a_text_alone_can_be_probed() {
        for endpoint in [
            Endpoint::OpenAiChat,
            Endpoint::OpenAiEmbeddings,
            Endpoint::TgiGenerate,
            Endpoint::Pooling,
        ] {
            assert!(can_probe(endpoint), "{endpoint:?}");
        }
        for endpoint in [
            Endpoint::OpenAiTranscription,
            Endpoint::Rerank,
            Endpoint::Vlm2VecEmbeddings,
        ] {
            assert!(!can_probe(endpoint), "{endpoint:?}");
        }
    }

    #[test]
    fn a_stop_of_the_load_is_one_of_the_probe_and_asked_again_is_urgent() {
        let probing = Probing::of(None);
        let stop = Stop::default();
        probing.follow(&stop);
        assert!(!probing.ended.is_asked());
        stop.ask();
        probing.follow(&stop);
        probing.follow(&stop);
        assert!(probing.ended.is_asked() && !probing.ended.is_urgent());
        stop.ask();
        probing.follow(&stop);
        assert!(probing.ended.is_urgent());
        assert_eq!(probing.end(&stop).unwrap(), []);
    }
}
