//! How this program is started again, as the keeper of a server or as a command of a sweep.
//!
//! A process whose program is another, such as Python, says it once; the binary is found by itself.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use crestline_experiment::server::KeeperCommand;

/// What makes it a keeper.
const KEEP: &str = "keep-server";

/// Where the system has the program of any process, also when its file has been replaced since it was started.
#[cfg(target_os = "linux")]
const ITSELF: Option<&str> = Some("/proc/self/exe");
#[cfg(not(target_os = "linux"))]
const ITSELF: Option<&str> = None;

static STARTED_BY: OnceLock<Start> = OnceLock::new();

/// What a process whose program is another says of crestline.
#[derive(Debug)]
struct Start {
    words: Vec<String>,
    interpreter: Option<OsString>,
}

/// Says with which words crestline is started: a program, and arguments that go before all others; and the Python that this
/// process is. Said again, it has no effect.
pub fn started_by(words: Vec<String>, interpreter: Option<OsString>) {
    if !words.is_empty() {
        let _ = STARTED_BY.set(Start { words, interpreter });
    }
}

/// The Python that this process is, with the packages that it has.
pub(crate) fn interpreter() -> Option<OsString> {
    STARTED_BY.get()?.interpreter.clone()
}

/// The words that start this program.
pub(crate) fn words() -> Vec<String> {
    if let Some(start) = STARTED_BY.get() {
        return start.words.clone();
    }
    let found = env::current_exe().ok().filter(|path| path.exists());
    let program = found.or(ITSELF.map(PathBuf::from)).unwrap_or_default();
    vec![program.display().to_string()]
}

/// This program as the keeper of a process.
pub(crate) fn keeper() -> KeeperCommand {
    keeper_of(words())
}

/// What a keeper starts to become what it keeps: its own program, also where the file has been replaced since.
pub(crate) fn launcher() -> KeeperCommand {
    match (STARTED_BY.get(), ITSELF) {
        (None, Some(itself)) => keeper_of(vec![itself.to_owned()]),
        _ => keeper(),
    }
}

fn keeper_of(words: Vec<String>) -> KeeperCommand {
    let mut words = words.into_iter();
    KeeperCommand {
        program: words.next().unwrap_or_default().into(),
        arguments: words.chain([KEEP.to_owned()]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keeper_has_the_words_of_the_program_before_its_own() {
        let words = ["python", "-m", "crestline"].map(str::to_owned).to_vec();
        let keeper = keeper_of(words);
        assert_eq!(keeper.program, PathBuf::from("python"));
        assert_eq!(keeper.arguments, ["-m", "crestline", "keep-server"]);
    }

    #[test]
    fn a_binary_starts_itself() {
        let keeper = keeper();
        assert_eq!(keeper.program, env::current_exe().unwrap());
        assert_eq!(keeper.arguments, [KEEP]);
    }
}
