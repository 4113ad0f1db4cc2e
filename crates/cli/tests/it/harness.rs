//! Starts the binary in a folder of its own, with no variable of the machine that it could listen to.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// A folder in which the binary runs.
pub(crate) struct Place(TempDir);

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The binary with these arguments, parted at blanks.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crestline"));
        command
            .args(line.split_whitespace())
            .current_dir(self.0.path());
        for variable in [
            "OPENAI_API_KEY",
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "all_proxy",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "MLFLOW_TRACKING_URI",
            "MLFLOW_EXPERIMENT_NAME",
            "MLFLOW_EXPERIMENT_ID",
        ] {
            command.env_remove(variable);
        }
        command
            .env("HF_HOME", self.path("no-hub"))
            .env("MODELSCOPE_CACHE", self.path("no-hub"))
            .env("HOME", self.0.path());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        self.command(line).output().unwrap().into()
    }

    /// A JSON file in the results.
    pub(crate) fn json(&self, name: &str) -> Value {
        let path = self.path(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap()
    }

    /// Names of what is in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        names(&self.path(folder))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The same, with the assertion that all went well.
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A simulated engine in a process of its own, stopped when this is dropped.
pub(crate) struct Sim {
    child: Child,
    base: String,
}

impl Sim {
    /// `crestline sim` on a free port, with these further arguments.
    pub(crate) fn start(place: &Place, line: &str) -> Self {
        let mut child = place
            .command(&format!("sim --port 0 {line}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let Some((_, rest)) = said.split_once("http://") else {
            let output = child.wait_with_output().unwrap();
            panic!(
                "sim does not listen: {said}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let host = rest.split('/').next().unwrap();
        Self {
            child,
            base: format!("http://{host}/v1"),
        }
    }

    /// The URL of chat completions.
    pub(crate) fn chat(&self) -> String {
        format!("{}/chat/completions", self.base)
    }

    /// The URL up to `/v1`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The URL without a path.
    pub(crate) fn root(&self) -> &str {
        self.base.strip_suffix("/v1").unwrap()
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.end().code
    }

    /// Asks it to stop, and gives its exit code and what it wrote to stderr.
    pub(crate) fn end(mut self) -> Ran {
        signal(&self.child, Signal::SIGTERM);
        let code = self.child.wait().unwrap().code();
        let mut err = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut err).unwrap();
        Ran {
            code,
            out: String::new(),
            err,
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends a signal to a process that was started here.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
}

/// A port that nobody has now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Processes whose environment has this entry, `NAME=value`.
pub(crate) fn marked(entry: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut entries = environment.split(|byte| *byte == 0);
        entries.any(|known| known == entry.as_bytes())
    };
    numbers.filter(has).collect()
}

/// Waits until something is so, for a minute at most.
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if so() {
            return;
        }
        crestline_load::clock::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come to be within a minute");
}

/// Counted rows of a database, also of one that is being written.
pub(crate) fn rows(path: &Path) -> i64 {
    // A file that is not there yet must not be made by looking for it: the run would take it for another's.
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let Ok(database) = rusqlite::Connection::open_with_flags(path, flags) else {
        return 0;
    };
    database
        .query_row("SELECT count(*) FROM result", [], |row| row.get(0))
        .unwrap_or(0)
}
