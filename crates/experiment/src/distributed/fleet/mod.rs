//! All workers of a run, as the coordinator has them: opened together, told the same, heard one word at a time.
//!
//! Measures nothing and stores nothing: records are the caller's. A worker that is lost stays lost.

mod clocks;
mod listener;
mod load;
mod session;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use crestline_core::health::ClockFit;
use crestline_core::record::{Failure, FailureKind};
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::engine::{CheckError, Part, Stop};
use crestline_workload::plan::Dataset;

use super::link::{FRAMES_ON_THE_WAY, Link};
use super::wire::{Frame, Heard, Hello, Opening, Order, PROTOCOL, Report, WirePlan};
use crate::plan::{Plan, SubjectPlan};
use listener::{Listener, Word};
pub(crate) use session::FleetSession;

/// How long a worker may take to say its first word.
const FIRST_WORD: Nanos = Nanos::from_secs(60);
/// How long to wait at most before it is looked up whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why several machines cannot do what they should, or did not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FleetError {
    /// Nobody is there.
    #[error("there is no worker to send from")]
    Nobody,
    /// Virtual time has no machines.
    #[error("the simulated engine in virtual time cannot be put under load by several machines")]
    Virtual,
    /// Something of the plan is done by one machine only.
    #[error("small requests beside the load are not sent where several machines apply it")]
    Probes,
    /// Code of the user's own, which is in this process alone.
    #[error("`{name}` is code of this process, which the workers do not have")]
    Code {
        /// What the user calls it.
        name: String,
    },
    /// Another version.
    #[error(
        "{node} runs crestline {theirs} (protocol {their_protocol}), this is {ours} (protocol {PROTOCOL})"
    )]
    Version {
        /// Which worker.
        node: String,
        /// Its version.
        theirs: String,
        /// Its protocol.
        their_protocol: u32,
        /// The version of the coordinator.
        ours: &'static str,
    },
    /// A worker cannot do what all were told, or is gone, before a load.
    #[error("{node}: {why}")]
    Worker {
        /// Which one.
        node: String,
        /// Why, in words.
        why: String,
    },
    /// A worker was lost in a load.
    #[error("{node} was lost at {:.1} s: {why}", after.as_secs_f64())]
    Lost {
        /// Which one.
        node: String,
        /// From the start of the counted requests.
        after: Nanos,
        /// Why, in words.
        why: String,
    },
}

/// One worker.
struct Node {
    /// As the user is told it.
    name: String,
    to: SyncSender<Vec<u8>>,
    hello: Hello,
    clock: ClockFit,
    /// Why it is gone, where it is.
    gone: Option<String>,
}

/// All workers of a run.
pub(crate) struct Fleet {
    nodes: Vec<Node>,
    words: Receiver<(usize, Word)>,
    clock: Clock,
    /// What the run's times are more than the clock's: what an earlier command of a search has used.
    from: Nanos,
    /// The usual round trip to the worker that is furthest.
    round_trip: Nanos,
    /// Ends the threads that listen.
    over: Arc<AtomicBool>,
    lost: Option<FleetError>,
}

impl Fleet {
    /// Greets all workers and lets them open what they need.
    pub(crate) fn open(plan: &Plan, links: Vec<Link>, run_id: &str) -> Result<Self, FleetError> {
        check(plan)?;
        let mut fleet = Self::listen_to(links);
        let of = NonZeroUsize::new(fleet.nodes.len()).ok_or(FleetError::Nobody)?;
        fleet.greet()?;
        let processors = fleet.nodes.iter().map(|node| node.hello.processors).min();
        for number in 0..of.get() {
            let opening = Opening {
                plan: WirePlan::of(plan),
                part: Part {
                    number,
                    of,
                    processors: processors
                        .and_then(NonZeroUsize::new)
                        .unwrap_or(NonZeroUsize::MIN),
                },
                run_id: run_id.to_owned(),
            };
            fleet.tell(number, &Order::Open(Box::new(opening)));
        }
        fleet.gather(Nanos::MAX, |word| match word {
            Word::Heard(Heard::Report(Report::Opened)) => Some(()),
            _ => None,
        })?;
        Ok(fleet)
    }

    /// A thread for each link.
    fn listen_to(links: Vec<Link>) -> Self {
        let (sender, words) = sync_channel(FRAMES_ON_THE_WAY);
        let over = Arc::new(AtomicBool::new(false));
        let nodes = links.into_iter().enumerate().map(|(number, link)| {
            let node = Node {
                name: format!("worker {} ({})", number + 1, link.name),
                to: link.to.clone(),
                hello: Hello::unknown(),
                clock: ClockFit::default(),
                gone: None,
            };
            Listener::new(number, link, sender.clone(), Arc::clone(&over)).start();
            node
        });
        Self {
            nodes: nodes.collect(),
            words,
            clock: Clock::start(),
            from: Nanos::ZERO,
            round_trip: Nanos::ZERO,
            over,
            lost: None,
        }
    }

    /// Waits for the first word of each, and sees that all are of this version.
    fn greet(&mut self) -> Result<(), FleetError> {
        let hellos = self.gather(FIRST_WORD, |word| match word {
            Word::Heard(Heard::Report(Report::Hello(hello))) => Some(hello),
            _ => None,
        })?;
        let ours = env!("CARGO_PKG_VERSION");
        for (node, hello) in self.nodes.iter_mut().zip(hellos) {
            if hello.protocol != PROTOCOL || hello.version != ours {
                return Err(FleetError::Version {
                    node: node.name.clone(),
                    theirs: hello.version,
                    their_protocol: hello.protocol,
                    ours,
                });
            }
            node.hello = hello;
        }
        Ok(())
    }

    /// The run's time.
    pub(crate) fn now(&self) -> Nanos {
        self.clock.now().saturating_add(self.from)
    }

    /// The clock of the run, whose times are moved by what [`Self::start_from`] was told.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// The run's time begins there.
    pub(crate) fn start_from(&mut self, from: Nanos) {
        self.from = from;
    }

    /// Connections that all workers together may have at once, where each has an equal part of them.
    pub(crate) fn most_connections(&self) -> u64 {
        let least = self.nodes.iter().map(|node| node.hello.connections).min();
        let parts = self.nodes.len() as u64;
        least.unwrap_or_default().saturating_mul(parts)
    }

    /// The worker that was lost, once one was.
    pub(crate) fn lost(&self) -> Option<&FleetError> {
        self.lost.as_ref()
    }

    /// Lets each worker send one request, to see that it reaches the service.
    pub(crate) fn check(&mut self, stop: &Stop) -> Result<(), CheckError> {
        self.tell_all(&Order::Check);
        let mut waited = vec![true; self.nodes.len()];
        let failed = |text| Failure {
            kind: FailureKind::Connect,
            text,
        };
        while waited.contains(&true) {
            if stop.is_asked() {
                return Err(CheckError::Stopped);
            }
            let Some((number, word)) = self.next(LOOK_EVERY) else {
                continue;
            };
            let name = &self.nodes[number].name;
            match word {
                Word::Heard(Heard::Report(Report::Answered)) => waited[number] = false,
                Word::Heard(Heard::Report(Report::Unanswered { kind, text })) => {
                    let text = format!("{name}: {text}");
                    return Err(Failure { kind, text }.into());
                }
                Word::Heard(Heard::Report(Report::Failed { why })) | Word::Gone(why) => {
                    return Err(failed(format!("{name}: {why}")).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until each worker has said what is picked, as long as that may take all together.
    fn gather<T>(
        &mut self,
        patience: Nanos,
        mut pick: impl FnMut(Word) -> Option<T>,
    ) -> Result<Vec<T>, FleetError> {
        let mut answers: Vec<Option<T>> = self.nodes.iter().map(|_| None).collect();
        let deadline = self.clock.now().saturating_add(patience);
        while let Some(missing) = answers.iter().position(Option::is_none) {
            if self.clock.now() >= deadline {
                let seconds = patience.as_secs_f64();
                let why = format!("it said nothing for {seconds:.0} s");
                return Err(self.about(missing, why));
            }
            match self.next(LOOK_EVERY) {
                None => {}
                Some((number, Word::Heard(Heard::Report(Report::Failed { why })))) => {
                    return Err(self.about(number, why));
                }
                Some((number, Word::Gone(why))) => return Err(self.about(number, why)),
                Some((number, word)) => {
                    if let Some(answer) = pick(word) {
                        answers[number] = Some(answer);
                    }
                }
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn about(&self, number: usize, why: String) -> FleetError {
        FleetError::Worker {
            node: self.nodes[number].name.clone(),
            why,
        }
    }

    /// The next word of any worker; `None` where none came.
    fn next(&mut self, patience: Duration) -> Option<(usize, Word)> {
        let (number, word) = self.words.recv_timeout(patience).ok()?;
        if let Word::Gone(why) = &word {
            self.nodes[number].gone = Some(why.clone());
        }
        Some((number, word))
    }

    fn tell_all(&mut self, order: &Order) {
        for number in 0..self.nodes.len() {
            self.tell(number, order);
        }
    }

    /// A link that takes nothing is as good as gone; whoever listens to it will say so.
    fn tell(&mut self, number: usize, order: &Order) {
        let node = &self.nodes[number];
        if node.gone.is_some() {
            return;
        }
        match node.to.try_send(Frame::of(order)) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(frame)) => {
                // Only one that has stopped taking frames: a few at a time are on the way.
                drop(node.to.send(frame));
            }
        }
    }

    /// A worker is lost from now on. The first one is remembered.
    fn lose(&mut self, number: usize, after: Nanos, why: String) {
        let node = &mut self.nodes[number];
        node.gone.get_or_insert_with(|| why.clone());
        self.lost.get_or_insert_with(|| FleetError::Lost {
            node: node.name.clone(),
            after,
            why,
        });
    }
}

/// Finds what cannot be done by several machines.
fn check(plan: &Plan) -> Result<(), FleetError> {
    if matches!(plan.subject, SubjectPlan::Virtual(_)) {
        return Err(FleetError::Virtual);
    }
    if plan.probe_rate.is_some() {
        return Err(FleetError::Probes);
    }
    let code = match (&plan.workload.dataset, &plan.own_api) {
        (Dataset::Own(own), _) => own.name(),
        (_, Some(own)) => own.name(),
        _ => return Ok(()),
    };
    Err(FleetError::Code {
        name: code.to_owned(),
    })
}

impl Drop for Fleet {
    /// Workers are let go; the threads that listen end soon, and nobody waits for them.
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for node in &self.nodes {
            drop(node.to.try_send(Frame::of(&Order::Leave)));
        }
    }
}

impl Hello {
    /// Of a worker that has not said it yet.
    fn unknown() -> Self {
        Self {
            protocol: 0,
            version: String::new(),
            processors: 0,
            connections: 0,
        }
    }
}
