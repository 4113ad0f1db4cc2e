//! The clients that understand the flags of `vllm bench serve`: crestline, and vLLM's two where they are installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::CORE;
use crate::service::{BINARY, Service};

/// The variable that names a virtual environment with vLLM.
const VLLM: &str = "CRESTLINE_PEER_VLLM";

/// The tokenizer of the service and of all clients.
pub(super) const TOKENIZER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tokenizer");

/// A client that takes the flags of `vllm bench serve`.
pub(super) struct Peer {
    /// As tables call it.
    pub(super) name: &'static str,
    program: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    /// Beside those that all clients get.
    flags: &'static [&'static str],
}

/// What a client wrote of a run.
pub(super) struct Report {
    pub(super) json: Value,
}

impl Peer {
    /// crestline, and those that are installed.
    pub(super) fn all() -> anyhow::Result<Vec<Self>> {
        let mut peers = vec![Self {
            name: "crestline",
            program: BINARY.into(),
            environment: Vec::new(),
            flags: &[],
        }];
        let Some(place) = env::var_os(VLLM).map(PathBuf::from) else {
            return Ok(peers);
        };
        let python = place.join("bin/vllm");
        ensure!(
            python.is_file(),
            "{VLLM} names {}, where there is no bin/vllm",
            place.display()
        );
        peers.push(Self {
            name: "vLLM, Python",
            program: python,
            environment: vec![("VLLM_USE_RUST_BENCH", "0".into())],
            flags: &[],
        });
        peers.extend(native(&place)?.map(|program| Self {
            name: "vLLM, Rust",
            program,
            environment: Vec::new(),
            // It refuses to start where a prompt of this small tokenizer's tokens is a token longer as text.
            flags: &["--prompt-token-ids"],
        }));
        Ok(peers)
    }

    /// Runs it to its end on the clients' core, with these flags of load.
    pub(super) fn run(&self, service: &Service, load: &[(&str, String)]) -> anyhow::Result<Report> {
        let folder = TempDir::new()?;
        let mut command = Command::new("taskset");
        command
            .args(["-c", CORE])
            .arg(&self.program)
            .args([
                "bench",
                "serve",
                "--backend",
                "vllm",
                "--model",
                "crestline-sim",
            ])
            .args(["--base-url", &format!("http://{}", service.address)])
            .args(["--tokenizer", TOKENIZER])
            .args(["--dataset-name", "random", "--random-input-len", "32"])
            .args([
                "--ignore-eos",
                "--disable-tqdm",
                "--save-result",
                "--save-detailed",
            ])
            .args(["--percentile-metrics", "ttft,tpot,itl,e2el"])
            .args(["--metric-percentiles", "99", "--result-filename", "r.json"])
            .arg("--result-dir")
            .arg(folder.path())
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command.args(self.flags);
        for (flag, value) in load {
            command.args([flag, value.as_str()]);
        }
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {said}", self.name);
        let text = fs::read(folder.path().join("r.json"))
            .with_context(|| format!("{} wrote no report: {said}", self.name))?;
        Ok(Report {
            json: serde_json::from_slice(&text)?,
        })
    }
}

/// vLLM's packaged Rust client, which newer releases carry.
fn native(place: &Path) -> anyhow::Result<Option<PathBuf>> {
    for entry in fs::read_dir(place.join("lib"))? {
        let program = entry?.path().join("site-packages/vllm/vllm-rs");
        if program.is_file() {
            return Ok(Some(program));
        }
    }
    Ok(None)
}
