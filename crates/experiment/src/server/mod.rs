//! A server under test as a process of its own: started, waited for until it is healthy, stopped until nothing of it is left.
//!
//! It is not started here but by its [keeper](keeper), a small process that ends it with all its children when this program
//! ends, however that happens. Knows no flags of any server: which command, which address and which page are told.

pub mod keeper;
mod port;
mod tail;

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_load::aside::Aside;
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::Target;

use keeper::{Ending, Task, Word};
pub use port::Address;

/// Between two looks at a server that is not ready yet.
const LOOK: Duration = Duration::from_millis(250);
/// Longest time for one answer of its health page.
const HEALTH_PATIENCE: Nanos = Nanos::from_secs(5);
/// How long a keeper may take beyond the grace of its server.
const KEEPER_PATIENCE: Duration = Duration::from_secs(10);
/// How long a port may stay taken after its server has gone.
const PORT_PATIENCE: Nanos = Nanos::from_secs(10);
/// Lines of the log that an error shows.
const TAIL: usize = 20;

/// A server that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPlan {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables in addition to this program's own.
    pub environment: Vec<(String, String)>,
    /// Where it will listen.
    pub address: Address,
    /// The page that answers 200 when it is ready.
    pub health: String,
    /// Longest time until it is ready.
    pub ready_within: Nanos,
    /// Time between the request to end and the end by force.
    pub grace: Nanos,
    /// File for all that it prints; written anew.
    pub log: PathBuf,
}

/// How the keeper is started: this program again, with the argument that makes it one.
#[derive(Debug, Clone)]
pub struct KeeperCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why there is no server, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else would be measured.
    #[error("something listens at {0} already")]
    PortTaken(Address),
    /// The keeper cannot be started or spoken to.
    #[error("the server's keeper cannot be started")]
    Keeper(#[source] io::Error),
    /// The command cannot be run.
    #[error("{program} cannot be started: {why}")]
    Start {
        /// First word of the command.
        program: String,
        /// The system's error.
        why: String,
    },
    /// It ended by itself.
    #[error("the server ended {ending}{}", shown(tail))]
    Ended {
        /// How.
        ending: Ending,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// It never answered as it should.
    #[error("the server was not ready within {within}: {why}{}", shown(tail))]
    NotReady {
        /// The limit.
        within: Nanos,
        /// What its health page said last.
        why: String,
        /// The last lines of its log.
        tail: Vec<String>,
    },
    /// Someone asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The server has gone, and its port is still taken.
    #[error("{0} is still taken after the server has ended")]
    PortHeld(Address),
}

fn shown(tail: &[String]) -> String {
    if tail.is_empty() {
        return String::new();
    }
    format!("; it last printed:\n    {}", tail.join("\n    "))
}

/// A server that runs. Dropped, it is ended.
#[derive(Debug)]
pub struct Server {
    plan: ServerPlan,
    keeper: Child,
    /// Closed, it tells the keeper to end.
    wish: Option<ChildStdin>,
    words: Receiver<Word>,
    pid: u32,
    ending: Option<Ending>,
    is_gone: bool,
}

impl Server {
    /// Starts it, where nothing listens at its address yet.
    pub fn start(plan: ServerPlan, keeper: &KeeperCommand) -> Result<Self, ServerError> {
        if plan.address.answers() {
            return Err(ServerError::PortTaken(plan.address));
        }
        let mut child = Command::new(&keeper.program)
            .args(&keeper.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(ServerError::Keeper)?;
        let wish = child.stdin.take();
        let words = listen(&mut child);
        let mut server = Self {
            keeper: child,
            wish,
            words,
            pid: 0,
            ending: None,
            is_gone: false,
            plan,
        };
        server.send_task().map_err(ServerError::Keeper)?;
        match server.words.recv() {
            Ok(Word::Started(pid)) => {
                server.pid = pid;
                Ok(server)
            }
            Ok(Word::Failed(why)) => Err(ServerError::Start {
                program: server.plan.command.first().cloned().unwrap_or_default(),
                why,
            }),
            _ => Err(ServerError::Keeper(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn send_task(&mut self) -> io::Result<()> {
        let task = Task {
            command: self.plan.command.clone(),
            environment: self.plan.environment.clone(),
            log: self.plan.log.clone(),
            grace: self.plan.grace,
        };
        let Some(wish) = &mut self.wish else {
            return Ok(());
        };
        serde_json::to_writer(&mut *wish, &task)?;
        wish.write_all(b"\n")?;
        wish.flush()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it is healthy.
    pub fn ready(&mut self, target: &Target, stop: &Stop) -> Result<(), ServerError> {
        let began = clock::monotonic();
        loop {
            self.alive()?;
            let Err(why) = health(target, &self.plan.health) else {
                return Ok(());
            };
            if stop.is_asked() {
                return Err(ServerError::Interrupted);
            }
            if clock::monotonic().saturating_sub(began) > self.plan.ready_within {
                return Err(ServerError::NotReady {
                    within: self.plan.ready_within,
                    why,
                    tail: self.tail(),
                });
            }
            clock::sleep(LOOK);
        }
    }

    /// An error where it has ended by itself.
    pub fn alive(&mut self) -> Result<(), ServerError> {
        loop {
            match self.words.try_recv() {
                Ok(word) => self.hear(&word),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.ending.get_or_insert(Ending::Unknown);
                    break;
                }
            }
        }
        match self.ending {
            None => Ok(()),
            Some(ending) => Err(ServerError::Ended {
                ending,
                tail: self.tail(),
            }),
        }
    }

    /// The last lines that it printed.
    pub fn tail(&self) -> Vec<String> {
        tail::lines(&self.plan.log, TAIL)
    }

    /// Where all that it prints goes.
    pub fn log(&self) -> &Path {
        &self.plan.log
    }

    /// Ends it, and waits until none of its processes is left and its port is free.
    pub fn stop(mut self) -> Result<(), ServerError> {
        self.end();
        let began = clock::monotonic();
        while self.plan.address.answers() {
            if clock::monotonic().saturating_sub(began) > PORT_PATIENCE {
                return Err(ServerError::PortHeld(self.plan.address.clone()));
            }
            clock::sleep(LOOK);
        }
        Ok(())
    }

    fn hear(&mut self, word: &Word) {
        match word {
            Word::Ended(ending) => self.ending = Some(*ending),
            Word::Gone => self.is_gone = true,
            Word::Started(_) | Word::Failed(_) => {}
        }
    }

    /// The keeper does it; where that has been killed itself, what is known of the server is.
    fn end(&mut self) {
        drop(self.wish.take());
        let patience = self.plan.grace.to_duration() + KEEPER_PATIENCE;
        while !self.is_gone {
            match self.words.recv_timeout(patience) {
                Ok(word) => self.hear(&word),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if !self.is_gone {
            drop(self.keeper.kill());
            keeper::kill_group(self.pid);
        }
        drop(self.keeper.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.wish.is_some() {
            self.end();
        }
    }
}

/// What the keeper says, from a thread of its own.
fn listen(keeper: &mut Child) -> Receiver<Word> {
    let (sender, receiver) = channel();
    if let Some(said) = keeper.stdout.take() {
        thread::spawn(move || {
            let lines = BufReader::new(said).lines().map_while(Result::ok);
            for word in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(word).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Nothing where the page answers with 200, else what it says.
fn health(target: &Target, page: &str) -> Result<(), String> {
    let mut aside =
        Aside::new(target, HEALTH_PATIENCE, &[], |_| None).map_err(|error| error.to_string())?;
    aside.get(page).map(drop).map_err(|error| error.to_string())
}
