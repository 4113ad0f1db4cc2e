//! Commands for a front end in the same process, such as the Python package.
//!
//! What a command would print goes to an observer, together with what the text is about; who asks it to end early is the front
//! end, so that no signal is waited for. A command runs in a thread of its own, and the thread that starts it stays as it is.
//! Decides nothing about what is measured.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crestline_experiment::event::{Progress, SearchProgress};
use nix::sys::signal::{SigSet, Signal};
use serde_json::Value;

use crate::command;
use crate::exit::Exit;
use crate::launch::Launcher;
use crate::problem::Problem;

/// What is seen of a command, in the order in which it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// A result as text: what the program writes to its standard output. Whole lines without the last line end.
    Said(String),
    /// Anything else as text: what the program writes to its standard error.
    Told(String),
    /// A line that tells how far a load is, and stays.
    Passing(String),
    /// The same, in place of the one before it; an empty one clears that.
    Redrawn(String),
    /// How far a load is; a few times a second at most.
    Progress(Progress),
    /// How far a search is; a few times a second at most.
    Search(Box<SearchProgress>),
    /// Results go to this folder.
    Folder(PathBuf),
    /// The files of a load are in this folder.
    Load(PathBuf),
    /// What came of a benchmark, as it is written to its file, and the folder of its records.
    Benchmark(Value, PathBuf),
    /// A row for each run of a sweep, as its table has them.
    Rows(Vec<Value>),
}

/// Sees what comes of a command, in the thread that runs it: it should be quick.
pub trait Observer: Send + Sync {
    /// Takes what is seen.
    fn see(&self, seen: Seen);

    /// Whether lines can be redrawn where [`Seen::Redrawn`] goes.
    fn is_watched(&self) -> bool;
}

/// Who asks a command to end early.
#[derive(Clone, Default)]
struct Interruption(Arc<Mutex<Asked>>);

#[derive(Default)]
struct Asked {
    times: u32,
    /// What hears of it.
    ears: Vec<Box<dyn FnMut() + Send>>,
}

impl Interruption {
    fn ask(&self) {
        let mut asked = self.locked();
        asked.times += 1;
        for hear in &mut asked.ears {
            hear();
        }
    }

    fn heard_by(&self, mut hear: impl FnMut() + Send + 'static) {
        let mut asked = self.locked();
        for _ in 0..asked.times {
            hear();
        }
        asked.ears.push(Box::new(hear));
    }

    fn locked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For whom a thread works.
#[derive(Clone)]
pub(crate) struct FrontEnd {
    observer: Arc<dyn Observer>,
    interruption: Interruption,
}

impl fmt::Debug for FrontEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FrontEnd")
    }
}

thread_local! {
    static CURRENT: RefCell<Option<FrontEnd>> = const { RefCell::new(None) };
}

impl FrontEnd {
    /// For whom this thread works; the terminal where there is none.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// From now on this thread works for it, as the one that has started it does.
    pub(crate) fn inherit(front: Option<Self>) {
        CURRENT.set(front);
    }

    pub(crate) fn see(&self, seen: Seen) {
        self.observer.see(seen);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.observer.is_watched()
    }

    /// Calls `asked` each time that the front end asks for the end, also where it has asked before.
    pub(crate) fn on_interrupt(&self, asked: impl FnMut() + Send + 'static) {
        self.interruption.heard_by(asked);
    }
}

/// A command that runs.
pub struct Call {
    interruption: Interruption,
    thread: JoinHandle<Result<Exit, Problem>>,
}

impl fmt::Debug for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Call")
    }
}

impl Call {
    /// Starts a command line; `args[0]` is the program. The observer is dropped when the command has ended. The launcher starts
    /// workers on other machines, where the command asks for such.
    pub fn start(
        args: Vec<OsString>,
        observer: Arc<dyn Observer>,
        launcher: Option<Box<dyn Launcher>>,
    ) -> io::Result<Self> {
        let interruption = Interruption::default();
        let front = FrontEnd {
            observer,
            interruption: interruption.clone(),
        };
        let thread = thread::Builder::new()
            .name("crestline".to_owned())
            .spawn(move || {
                leave_signals_to_others();
                FrontEnd::inherit(Some(front));
                command::call(args, launcher.as_deref())
            })?;
        Ok(Self {
            interruption,
            thread,
        })
    }

    /// Asks for an orderly end: nothing more is sent, and what is in flight may end. Asked again, for a quick one.
    pub fn ask_to_end(&self) {
        self.interruption.ask();
    }

    /// Waits for the end. `None` after a panic, which is a fault of crestline.
    pub fn wait(self) -> Option<Result<Exit, Problem>> {
        self.thread.join().ok()
    }
}

/// Those that ask a process to end reach the threads of the front end alone, never this one nor those that it starts.
fn leave_signals_to_others() {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    // It cannot fail with signals that there are; and if it did, a call of the system would be begun again.
    let _ = signals.thread_block();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;

    struct Gathering(mpsc::Sender<Seen>);

    impl Observer for Gathering {
        fn see(&self, seen: Seen) {
            self.0.send(seen).unwrap();
        }

        fn is_watched(&self) -> bool {
            false
        }
    }

    fn call(line: &str) -> (Option<Result<Exit, Problem>>, Vec<Seen>) {
        let (send, seen) = mpsc::channel();
        let args = line.split_whitespace().map(Into::into).collect();
        let call = Call::start(args, Arc::new(Gathering(send)), None).unwrap();
        let ended = call.wait();
        (ended, seen.iter().collect())
    }

    #[test]
    fn a_load_is_seen_with_its_folder_and_its_tables() {
        let place = tempfile::tempdir().unwrap();
        let (ended, seen) = call(&format!(
            "crestline perf --url sim:constant-20ms --model m --tokenizer-path builtin --dataset random \
             --min-prompt-length 16 --max-prompt-length 16 --max-tokens 4 --parallel 2 --number 4 --outputs-dir {}",
            place.path().display()
        ));
        assert_eq!(ended, Some(Ok(Exit::Done)));
        let folder = seen.iter().find_map(|seen| match seen {
            Seen::Folder(folder) => Some(folder.clone()),
            _ => None,
        });
        let load = folder.unwrap().join("parallel_2_number_4");
        assert!(seen.contains(&Seen::Load(load)), "{seen:?}");
        let is_table =
            |seen: &Seen| matches!(seen, Seen::Said(text) if text.contains("Percentile results"));
        assert!(seen.iter().any(is_table), "{seen:?}");
    }

    #[test]
    fn a_problem_is_a_value_and_is_not_told() {
        let (ended, seen) = call("crestline perf --modle m");
        let problem = ended.unwrap().unwrap_err();
        assert_eq!(problem.title(), "unknown argument --modle");
        assert_eq!(problem.hint_text(), Some("did you mean --model?"));
        assert_eq!(seen, []);
    }

    #[test]
    fn whoever_listens_later_hears_of_each_time_too() {
        let interruption = Interruption::default();
        let heard = Arc::new(AtomicU32::new(0));
        interruption.ask();
        interruption.ask();
        let count = Arc::clone(&heard);
        interruption.heard_by(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(heard.load(Ordering::Relaxed), 2);
        interruption.ask();
        assert_eq!(heard.load(Ordering::Relaxed), 3);
    }
}
