//! The seam where a real service is exchanged for the simulated engine in virtual time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crestline_core::health::ClientHealth;
use crestline_core::record::{Exchange, Failure, RequestRecord};
use crestline_core::request::{Adapters, Generation, Item, LoadPoint};
use crestline_core::units::Nanos;
use crestline_load::client::endpoint;
use crestline_load::clock;
use crestline_load::engine::{CheckError, Engine, EngineError, Happening, Live, Part, Setup, Stop};
use crestline_load::own::Own;
use crestline_load::server_metrics::{MetricsSource, Timing};
use crestline_load::target::Target;
use crestline_sim::profile::Profile;
use crestline_workload::Workload;

use crate::distributed::{Fleet, FleetError, Senders};
use crate::error::RunError;
use crate::plan::{Plan, SubjectPlan};
use crate::probe::{Probe, Probing};
use crate::recorder::Recorder;
use crate::server_metrics::{self, Reading};
use crate::virtual_subject::{
    ConversationView, EngineView, SessionSettings, Source, Until, VirtualConversations,
    VirtualRequest, VirtualSession,
};

/// What is put under load.
pub(crate) enum Subject {
    Live {
        engine: Box<Engine>,
        probe: Option<Box<Probe>>,
        /// Where it says something of itself, once that is found out.
        metrics: Option<Box<MetricsSource>>,
        target: Box<Target>,
        wall: Nanos,
        workload: Arc<Workload>,
    },
    /// The same service, by several machines.
    Remote {
        fleet: Box<Fleet>,
        /// What the service says of itself is read here.
        metrics: Option<Box<MetricsSource>>,
        target: Box<Target>,
        wall: Nanos,
        workload: Arc<Workload>,
    },
    Virtual {
        session: Box<VirtualSession>,
        workload: Arc<Workload>,
    },
}

/// How a load was applied.
pub(crate) struct Applied {
    pub(crate) health: ClientHealth,
    pub(crate) interrupted: bool,
    pub(crate) probes: Vec<RequestRecord>,
}

impl Subject {
    /// Who sends what the plan asks for, and to whom.
    pub(crate) fn open(
        plan: &Plan,
        workload: &Arc<Workload>,
        senders: Senders,
    ) -> Result<Self, RunError> {
        Self::open_at(plan, workload, senders, 0)
    }

    /// The same for a subject whose earlier requests were the items before `first_item`. It matters in virtual time only,
    /// where the session itself counts.
    pub(crate) fn open_at(
        plan: &Plan,
        workload: &Arc<Workload>,
        senders: Senders,
        first_item: u64,
    ) -> Result<Self, RunError> {
        let wall = clock::wall();
        let run_id = format!("crestline-{:08x}", wall.0 as u32);
        match (&plan.subject, senders) {
            (SubjectPlan::Live(target), Senders::Here) => {
                let engine = live_engine(plan, target, workload, &run_id)?;
                let part = plan.client.part.unwrap_or_else(Part::whole);
                let probe = plan.probe_rate.map(|rate| Probe::open(plan, target, rate));
                Ok(Self::Live {
                    engine: Box::new(engine.as_part(part)),
                    probe: probe.transpose()?.map(Box::new),
                    metrics: None,
                    target: Box::new(target.clone()),
                    wall,
                    workload: Arc::clone(workload),
                })
            }
            (SubjectPlan::Live(target), Senders::Workers(links)) => Ok(Self::Remote {
                fleet: Box::new(Fleet::open(plan, links, &run_id)?),
                metrics: None,
                target: Box::new(target.clone()),
                wall,
                workload: Arc::clone(workload),
            }),
            (SubjectPlan::Virtual(_), Senders::Workers(_)) => Err(FleetError::Virtual.into()),
            (SubjectPlan::Virtual(name), Senders::Here) => {
                Self::open_virtual(name, plan, workload, first_item)
            }
        }
    }

    fn open_virtual(
        name: &str,
        plan: &Plan,
        workload: &Arc<Workload>,
        first_item: u64,
    ) -> Result<Self, RunError> {
        if plan.client.part.is_some() {
            return Err(FleetError::Virtual.into());
        }
        let profile = Profile::load(name)?;
        let settings = SessionSettings {
            seed: plan.workload.seed,
            streamed: plan.generation.stream,
        };
        let source = source(plan, workload, &profile, first_item);
        let due_times = workload.due_times().unwrap_or_default().into();
        let mut session = VirtualSession::new(&profile, settings, source).with_due_times(due_times);
        if let Some(conversations) = conversations(plan, workload, &profile, first_item) {
            session = session.with_conversations(conversations);
        }
        Ok(Self::Virtual {
            session: Box::new(session),
            workload: Arc::clone(workload),
        })
    }

    /// The run's epoch on the wall clock. Virtual time begins in 1970, so that the same run gives the same files.
    pub(crate) fn epoch_wall(&self) -> Nanos {
        match self {
            Self::Live { wall, .. } | Self::Remote { wall, .. } => *wall,
            Self::Virtual { .. } => Nanos::ZERO,
        }
    }

    /// What is sent.
    pub(crate) fn workload(&self) -> &Arc<Workload> {
        match self {
            Self::Live { workload, .. }
            | Self::Remote { workload, .. }
            | Self::Virtual { workload, .. } => workload,
        }
    }

    /// Looks whether the service says something of itself, where the plan wants to know. It should be up by now.
    pub(crate) fn find_metrics(&mut self, plan: &Plan) -> Result<(), RunError> {
        if let Self::Live {
            metrics, target, ..
        }
        | Self::Remote {
            metrics, target, ..
        } = self
        {
            *metrics = server_metrics::find(&plan.server_metrics, target)?.map(Box::new);
        }
        Ok(())
    }

    /// One short request, to see that the service is there: of each machine that sends.
    pub(crate) fn check(&mut self, stop: &Stop) -> Result<(), CheckError> {
        match self {
            Self::Live { engine, target, .. } => engine.check(stop).map_err(|error| match error {
                CheckError::Failed(failure) => CheckError::Failed(redacted(failure, target)),
                other => other,
            }),
            Self::Remote { fleet, .. } => fleet.check(stop),
            Self::Virtual { .. } => Ok(()),
        }
    }

    /// Lets time pass without load.
    pub(crate) fn pause(&mut self, time: Nanos, stop: impl Fn() -> bool) {
        match self {
            Self::Live { .. } | Self::Remote { .. } => wait(time, stop),
            Self::Virtual { session, .. } => {
                let until = session.now().saturating_add(time);
                drop(session.run_until(Until::Time(until)));
            }
        }
    }

    /// Why no further load can be applied, where that is so: a machine was lost in the last one.
    pub(crate) fn lost(&self) -> Option<&FleetError> {
        match self {
            Self::Remote { fleet, .. } => fleet.lost(),
            Self::Live { .. } | Self::Virtual { .. } => None,
        }
    }

    pub(crate) fn apply(
        &mut self,
        point: &LoadPoint,
        first_item: u64,
        stop: &Stop,
        to: &mut Recorder<'_>,
    ) -> Result<Applied, RunError> {
        match self {
            Self::Live {
                engine,
                target,
                probe,
                metrics,
                ..
            } => {
                let now = engine.clock();
                let timing = Timing {
                    clock: now,
                    offset: Nanos::ZERO,
                };
                let reading = Reading::begin(metrics.as_deref(), timing, to.pages());
                let applied = thread::scope(|scope| {
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
                    Ok::<_, EngineError>(Applied {
                        health: applied.health,
                        interrupted: applied.interrupted,
                        probes: probes?,
                    })
                });
                if let Some(note) = reading.end() {
                    to.note(note);
                }
                Ok(applied?)
            }
            Self::Remote { fleet, metrics, .. } => {
                let timing = Timing {
                    clock: fleet.clock(),
                    offset: Nanos::ZERO,
                };
                let reading = Reading::begin(metrics.as_deref(), timing, to.pages());
                let applied = fleet.apply(point, first_item, stop, to);
                if let Some(note) = reading.end() {
                    to.note(note);
                }
                Ok(applied?)
            }
            Self::Virtual { session, .. } => apply_virtual(session, point, stop, to),
        }
    }
}

/// What sends to a live service. Ids of requests begin with `run_id`, unless the plan says otherwise.
pub(crate) fn live_engine(
    plan: &Plan,
    target: &Target,
    workload: &Arc<Workload>,
    run_id: &str,
) -> Result<Engine, EngineError> {
    let setup = Setup {
        target: target.clone(),
        endpoint: plan.endpoint,
        model: plan.model.clone(),
        adapters: plan.adapters.clone(),
        generation: plan.generation.clone(),
        workload: Arc::clone(workload),
        workers: plan.client.workers,
        preparers: plan.client.preparers.unwrap_or(std::num::NonZeroUsize::MIN),
        grace: plan.client.grace,
        seed: plan.workload.seed,
        due_times: workload.due_times().unwrap_or_default().into(),
        own: Arc::new(Own::with(plan.own_api.clone())),
        keep_text: plan.output.keep_text,
    };
    let engine = Engine::new(setup, run_id, &[], |name| std::env::var(name).ok())?;
    Ok(match &plan.client.request_ids {
        Some(prefix) => engine.with_id_prefix(prefix),
        None => engine,
    })
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
) -> Result<Applied, RunError> {
    let mut health = ClientHealth::default();
    let mut live = Live::default();
    let clock = clock::Clock::start();
    let workload = Arc::clone(to.workload());
    let measured = session.measure_each(point, |record| {
        health.add(&record);
        live.sent += 1;
        live.ended += 1;
        live.failed += u64::from(!record.succeeded());
        live.chunks += u64::from(record.chunks);
        if live.ended == 1 {
            to.pulse(record.sent, Live::default());
        }
        let end = record.end;
        to.record(record);
        to.pulse(end, live);
        to.show(clock.now(), live);
        if stop.is_asked() || workload.fault().is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    if let Some(why) = workload.fault() {
        return Err(RunError::OwnItem {
            why: why.to_owned(),
        });
    }
    Ok(Applied {
        health,
        interrupted: measured.interrupted,
        probes: Vec::new(),
    })
}

fn view(plan: &Plan, workload: &Workload, profile: &Profile) -> EngineView {
    EngineView::new(
        profile,
        &plan.generation,
        workload.tokenizer().cloned(),
        plan.workload.seed,
    )
}

/// Items of the workload as the simulated engine sees them, with the bodies that a live service would be sent.
fn source(plan: &Plan, workload: &Arc<Workload>, profile: &Profile, first_item: u64) -> Source {
    let view = view(plan, workload, profile);
    let workload = Arc::clone(workload);
    let texts = Texts::of(plan);
    Box::new(move |index| {
        let item = workload.item(first_item + index);
        let mut request: VirtualRequest = view.request(&item);
        request.exchange = texts
            .as_ref()
            .map(|texts| texts.exchange(item, index).into());
        request
    })
}

/// The same of conversations, where the workload has such.
fn conversations(
    plan: &Plan,
    workload: &Arc<Workload>,
    profile: &Profile,
    first_item: u64,
) -> Option<VirtualConversations> {
    let view = view(plan, workload, profile);
    let mut view = ConversationView::of(view, workload, first_item)?;
    let texts = Texts::of(plan);
    Some(VirtualConversations {
        most_turns: view.most_turns(),
        turn: Box::new(move |conversation, number| {
            let (mut turn, item) = view.turn(conversation, number);
            turn.request.exchange = texts
                .as_ref()
                .map(|texts| texts.exchange(item, conversation).into());
            turn
        }),
    })
}

/// What bodies are made of, where they are kept.
struct Texts {
    model: String,
    adapters: Option<Adapters>,
    generation: Generation,
}

impl Texts {
    fn of(plan: &Plan) -> Option<Self> {
        plan.output.keep_text.then(|| Self {
            model: plan.model.clone(),
            adapters: plan.adapters.clone(),
            generation: plan.generation.clone(),
        })
    }

    /// The body of an item at a position of the load.
    fn exchange(&self, item: Item, position: u64) -> Exchange {
        let model = match &self.adapters {
            Some(adapters) => adapters.of(position),
            None => &self.model,
        };
        let body = endpoint::body(item, model, &self.generation);
        Exchange {
            request: serde_json::to_string(&body).expect("a JSON map has a text"),
            ..Exchange::default()
        }
    }
}

/// Waits, but looks up each 50 ms whether it should go on.
pub(crate) fn wait(time: Nanos, stop: impl Fn() -> bool) {
    let clock = clock::Clock::start();
    while clock.now() < time && !stop() {
        let left = time.saturating_sub(clock.now()).to_duration();
        clock::sleep(left.min(Duration::from_millis(50)));
    }
}
