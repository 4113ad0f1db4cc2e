//! The seam where a real service is exchanged for the simulated engine in virtual time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crestline_core::health::ClientHealth;
use crestline_core::record::{Exchange, Failure, RequestRecord};
use crestline_core::request::LoadPoint;
use crestline_core::units::Nanos;
use crestline_load::client::endpoint;
use crestline_load::clock;
use crestline_load::engine::{CheckError, Engine, EngineError, Happening, Live, Setup, Stop};
use crestline_load::target::Target;
use crestline_sim::profile::Profile;
use crestline_workload::Workload;
use crestline_workload::tokenizer::Tokenizer;

use crate::error::RunError;
use crate::plan::{Plan, SubjectPlan};
use crate::probe::{Probe, Probing};
use crate::recorder::Recorder;
use crate::virtual_subject::{EngineView, SessionSettings, Until, VirtualRequest, VirtualSession};

/// What is put under load.
pub(crate) enum Subject {
    Live {
        engine: Box<Engine>,
        probe: Option<Box<Probe>>,
        target: Box<Target>,
        wall: Nanos,
        tokenizer: Option<Arc<Tokenizer>>,
    },
    Virtual {
        session: Box<VirtualSession>,
        tokenizer: Option<Arc<Tokenizer>>,
    },
}

/// How a load was applied.
pub(crate) struct Applied {
    pub(crate) health: ClientHealth,
    pub(crate) interrupted: bool,
    pub(crate) probes: Vec<RequestRecord>,
}

impl Subject {
    pub(crate) fn open(plan: &Plan, workload: &Arc<Workload>) -> Result<Self, RunError> {
        Self::open_at(plan, workload, 0)
    }

    /// The same for a subject whose earlier requests were the items before `first_item`. It matters in virtual time only,
    /// where the session itself counts.
    pub(crate) fn open_at(
        plan: &Plan,
        workload: &Arc<Workload>,
        first_item: u64,
    ) -> Result<Self, RunError> {
        let tokenizer = workload.tokenizer().cloned();
        match &plan.subject {
            SubjectPlan::Live(target) => {
                let setup = Setup {
                    target: target.clone(),
                    endpoint: plan.endpoint,
                    model: plan.model.clone(),
                    generation: plan.generation.clone(),
                    workload: Arc::clone(workload),
                    workers: plan.client.workers,
                    preparers: plan.client.preparers.unwrap_or(std::num::NonZeroUsize::MIN),
                    grace: plan.client.grace,
                    seed: plan.workload.seed,
                    due_times: workload.due_times().unwrap_or_default().into(),
                    keep_text: plan.output.keep_text,
                };
                let wall = clock::wall();
                let run_id = format!("crestline-{:08x}", wall.0 as u32);
                let engine = Engine::new(setup, &run_id, &[], |name| std::env::var(name).ok())?;
                let engine = match &plan.client.request_ids {
                    Some(prefix) => engine.with_id_prefix(prefix),
                    None => engine,
                };
                let probe = plan.probe_rate.map(|rate| Probe::open(plan, target, rate));
                Ok(Self::Live {
                    engine: Box::new(engine),
                    probe: probe.transpose()?.map(Box::new),
                    target: Box::new(target.clone()),
                    wall,
                    tokenizer,
                })
            }
            SubjectPlan::Virtual(name) => {
                let profile = Profile::load(name)?;
                let settings = SessionSettings {
                    seed: plan.workload.seed,
                    streamed: plan.generation.stream,
                };
                let source = source(plan, workload, &profile, first_item);
                let due_times = workload.due_times().unwrap_or_default().into();
                let session =
                    VirtualSession::new(&profile, settings, source).with_due_times(due_times);
                Ok(Self::Virtual {
                    session: Box::new(session),
                    tokenizer,
                })
            }
        }
    }

    /// The run's epoch on the wall clock. Virtual time begins in 1970, so that the same run gives the same files.
    pub(crate) fn epoch_wall(&self) -> Nanos {
        match self {
            Self::Live { wall, .. } => *wall,
            Self::Virtual { .. } => Nanos::ZERO,
        }
    }

    /// Counts output tokens where the service does not.
    pub(crate) fn tokenizer(&self) -> Option<Arc<Tokenizer>> {
        match self {
            Self::Live { tokenizer, .. } | Self::Virtual { tokenizer, .. } => tokenizer.clone(),
        }
    }

    /// One short request, to see that the service is there.
    pub(crate) fn check(&self, stop: &Stop) -> Result<(), CheckError> {
        match self {
            Self::Live { engine, target, .. } => engine.check(stop).map_err(|error| match error {
                CheckError::Failed(failure) => CheckError::Failed(redacted(failure, target)),
                other => other,
            }),
            Self::Virtual { .. } => Ok(()),
        }
    }

    /// Lets time pass without load.
    pub(crate) fn pause(&mut self, time: Nanos, stop: impl Fn() -> bool) {
        match self {
            Self::Live { .. } => wait(time, stop),
            Self::Virtual { session, .. } => {
                let until = session.now().saturating_add(time);
                drop(session.run_until(Until::Time(until)));
            }
        }
    }

    pub(crate) fn apply(
        &mut self,
        point: &LoadPoint,
        first_item: u64,
        stop: &Stop,
        to: &mut Recorder<'_>,
    ) -> Result<Applied, EngineError> {
        match self {
            Self::Live {
                engine,
                target,
                probe,
                ..
            } => {
                let now = engine.clock();
                thread::scope(|scope| {
                    let mut probing = Probing::of(probe.as_deref());
                    let applied =
                        engine.apply(point, first_item, stop, &mut |happening| match happening {
                            Happening::Counting => {
                                probing.begin(scope);
                                to.begin_counting();
                            }
                            Happening::Record(mut record) => {
                                record.failure =
                                    record.failure.map(|failure| redacted(failure, target));
                                to.record(*record);
                            }
                            Happening::Tick(live) => {
                                probing.follow(stop);
                                to.tick(now.now(), live);
                            }
                        });
                    let probes = probing.end(stop);
                    let applied = applied?;
                    Ok(Applied {
                        health: applied.health,
                        interrupted: applied.interrupted,
                        probes: probes?,
                    })
                })
            }
            Self::Virtual { session, .. } => Ok(apply_virtual(session, point, stop, to)),
        }
    }
}

/// A failure whose text repeats no secret.
pub(crate) fn redacted(mut failure: Failure, target: &Target) -> Failure {
    failure.text = target.redacted(&failure.text);
    failure
}

fn apply_virtual(
    session: &mut VirtualSession,
    point: &LoadPoint,
    stop: &Stop,
    to: &mut Recorder<'_>,
) -> Applied {
    let mut health = ClientHealth::default();
    let mut live = Live::default();
    let clock = clock::Clock::start();
    let measured = session.measure_each(point, |record| {
        health.add(&record);
        live.sent += 1;
        live.ended += 1;
        live.failed += u64::from(!record.succeeded());
        live.chunks += u64::from(record.chunks);
        to.record(record);
        to.tick(clock.now(), live);
        if stop.is_asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    Applied {
        health,
        interrupted: measured.interrupted,
        probes: Vec::new(),
    }
}

/// Items of the workload as the simulated engine sees them, with the bodies that a live service would be sent.
fn source(
    plan: &Plan,
    workload: &Arc<Workload>,
    profile: &Profile,
    first_item: u64,
) -> crate::virtual_subject::Source {
    let view = EngineView::new(
        profile,
        &plan.generation,
        workload.tokenizer().cloned(),
        plan.workload.seed,
    );
    let workload = Arc::clone(workload);
    let texts = plan
        .output
        .keep_text
        .then(|| (plan.model.clone(), plan.generation.clone()));
    Box::new(move |index| {
        let item = workload.item(first_item + index);
        let mut request: VirtualRequest = view.request(&item);
        if let Some((model, generation)) = &texts {
            let body = endpoint::body(item, model, generation);
            let body = serde_json::to_string(&body).expect("a JSON map has a text");
            request.exchange = Some(Box::new(Exchange {
                request: body,
                ..Exchange::default()
            }));
        }
        request
    })
}

/// Waits, but looks up each 50 ms whether it should go on.
pub(crate) fn wait(time: Nanos, stop: impl Fn() -> bool) {
    let clock = clock::Clock::start();
    while clock.now() < time && !stop() {
        let left = time.saturating_sub(clock.now()).to_duration();
        clock::sleep(left.min(Duration::from_millis(50)));
    }
}
