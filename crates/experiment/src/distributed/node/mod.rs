//! A worker: does what a coordinator orders over a link, until it is let go.
//!
//! Decides nothing. It applies its part of each load by the engine that a single machine uses, finishes records (secrets out,
//! tokens counted, times on the coordinator's clock) and hands them over.

mod load;
mod outgoing;
mod reception;
mod session;

use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crestline_load::engine::{CheckError, Engine, Stop};
use crestline_load::files::most_connections;
use crestline_load::target::Target;
use crestline_workload::Workload;

use super::link::Link;
use super::wire::{FrameError, Hello, Opening, Order, PROTOCOL, Report};
use crate::error::RunError;
use crate::plan::{Plan, SubjectPlan};
use crate::run::check_prompts;
use crate::subject::{live_engine, redacted};
use outgoing::Outgoing;
use reception::{Given, Reception};

/// Why a worker ended without having been let go.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The link is gone, and the coordinator with it.
    #[error("the coordinator is gone: {0}")]
    Gone(String),
    /// The coordinator says what a worker of this version does not understand.
    #[error("the coordinator sent {0}")]
    Unreadable(#[from] FrameError),
}

/// Works for the coordinator at the other end of the link until it is let go. A load that is applied when the coordinator goes
/// ends at once: nobody is left who would want it.
pub fn serve(link: Link) -> Result<(), WorkError> {
    let out = Outgoing::new(link.to);
    out.say(&Report::Hello(Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        processors: thread::available_parallelism().map_or(1, NonZeroUsize::get),
        connections: most_connections().unwrap_or_default(),
    }));
    let (orders, inbox) = channel();
    let over = AtomicBool::new(false);
    let reception = Reception::new(link.from, out.clone(), orders);
    thread::scope(|scope| {
        let reception = scope.spawn(|| reception.receive(&over));
        let ended = Ended(&over);
        Node { out, inbox }.work();
        drop(ended);
        reception.join().unwrap_or_else(|_| {
            let why = "the thread that listens has ended".to_owned();
            Err(WorkError::Gone(why))
        })
    })
}

/// Lets the reception end with the work, however that ends.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An error and all that is behind it, in one line.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// The thread that works.
struct Node {
    out: Outgoing,
    inbox: Receiver<Given>,
}

/// What all loads need.
struct Post {
    plan: Plan,
    target: Target,
    workload: Arc<Workload>,
    engine: Engine,
    /// How many parts there are.
    parts: u64,
}

impl Node {
    fn work(&self) {
        let mut post = None;
        // An inbox that is closed is no error here: the reception knows why.
        while let Ok(Given { order, stop }) = self.inbox.recv() {
            match (order, &post) {
                (Order::Leave, _) => return,
                (Order::Open(opening), _) => post = self.open(*opening),
                (Order::Check, Some(post)) => self.check(post, &stop),
                (
                    Order::Apply {
                        point,
                        first_item,
                        shift_ns,
                    },
                    Some(post),
                ) => {
                    let applied = self.apply(post, (&point, first_item), shift_ns, &stop);
                    self.tell_failure(applied);
                }
                (
                    Order::OpenSession {
                        most,
                        first_item,
                        shift_ns,
                    },
                    Some(post),
                ) => {
                    let applied = self.hold_session(post, (most, first_item), shift_ns, &stop);
                    self.tell_failure(applied);
                }
                // What was said before it was known that a load had ended.
                _ => {}
            }
        }
    }

    fn tell_failure(&self, applied: Result<(), RunError>) {
        if let Err(error) = applied {
            self.out.say(&Report::Failed {
                why: in_words(&error),
            });
        }
    }

    fn open(&self, opening: Opening) -> Option<Post> {
        match Post::open(opening) {
            Ok(post) => {
                self.out.say(&Report::Opened);
                Some(post)
            }
            Err(error) => {
                self.tell_failure(Err(error));
                None
            }
        }
    }

    fn check(&self, post: &Post, stop: &Stop) {
        let report = match post.engine.check(stop) {
            Ok(()) => Report::Answered,
            Err(CheckError::Failed(failure)) => {
                let failure = redacted(failure, &post.target);
                Report::Unanswered {
                    kind: failure.kind,
                    text: failure.text,
                }
            }
            Err(error) => Report::Unanswered {
                kind: crestline_core::record::FailureKind::Connect,
                text: in_words(&error),
            },
        };
        self.out.say(&report);
    }
}

impl Post {
    fn open(opening: Opening) -> Result<Self, RunError> {
        let plan = opening.plan.restore();
        let SubjectPlan::Live(target) = &plan.subject else {
            return Err(super::FleetError::Virtual.into());
        };
        let target = target.clone();
        let workload = Arc::new(Workload::open(&plan.workload)?);
        check_prompts(&plan, &workload)?;
        let engine = live_engine(&plan, &target, &workload, &opening.run_id)?;
        Ok(Self {
            engine: engine.as_part(opening.part),
            parts: opening.part.of.get() as u64,
            plan,
            target,
            workload,
        })
    }
}
