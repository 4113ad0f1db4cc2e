//! What a run was made with, so that a command that goes on uses it only where it would make the same.
//!
//! Holds no secrets: commands are in it as numbers, without the values of keys.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::bench_command::Client;
use super::layout::fnv;
use super::program;
use crate::secrets;

/// The key of a run that holds it.
pub(crate) const KEY: &str = "crestline_fingerprint";

/// Flags of files that a benchmark takes its data from.
const DATA: [&str; 1] = ["--dataset-path"];
/// Flags of files that a server takes its settings from: those of `crestline sim`, vLLM and TensorRT-LLM.
const SETTINGS: [&str; 4] = [
    "--profile",
    "--config",
    "--chat-template",
    "--extra-llm-api-options",
];

/// What a run was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    client: Client,
    parts: [Part; 6],
}

/// One thing that makes a run what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    key: &'static str,
    name: &'static str,
    value: String,
}

impl Fingerprint {
    /// Of commands with the parameters of their combination.
    pub(crate) fn of(serve: &[String], bench: &[String], client: Client) -> Self {
        let part = |key, name, value| Part { key, name, value };
        let version = match client {
            Client::Own => concat!("crestline-", env!("CARGO_PKG_VERSION")).to_owned(),
            Client::Program => program_file(&bench[0]),
        };
        Self {
            client,
            parts: [
                part("server", "server command", command(serve)),
                part("program", "server program", program_file(&serve[0])),
                part("settings", "settings file", named(serve, &SETTINGS)),
                part("bench", "benchmark command", command(bench)),
                part("client", "client", version),
                part("data", "data file", named(bench, &DATA)),
            ],
        }
    }

    /// Why a run with such a fingerprint is not this one. Runs without one are of vLLM's own sweep.
    pub(crate) fn misfit(&self, found: Option<&Value>) -> Option<String> {
        let Some(found) = found else {
            return (self.client == Client::Own)
                .then(|| "another tool measured it, and now crestline does".to_owned());
        };
        let found = found.as_str().unwrap_or_default();
        let own = self.parts.iter();
        let other: Vec<&str> = own
            .filter(|part| !found.split(' ').any(|word| word == part.to_string()))
            .map(|part| part.name)
            .collect();
        (!other.is_empty()).then(|| format!("it was made with another {}", other.join(" and ")))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            let gap = if number == 0 { "" } else { " " };
            write!(out, "{gap}{part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.key, self.value)
    }
}

fn command(words: &[String]) -> String {
    hexadecimal(&secrets::masked(words).join("\0"))
}

/// A program by its file: another build has another length or another time.
fn program_file(name: &str) -> String {
    match program::find(name) {
        Some(path) => file(&path),
        None => "none".to_owned(),
    }
}

/// The files that some flags of a command name.
fn named(words: &[String], flags: &[&str]) -> String {
    let named = words.iter().enumerate().filter_map(|(at, word)| {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.as_str(), words.get(at + 1).map(String::as_str)),
        };
        let flag = flag.replace('_', "-");
        flags.contains(&flag.as_str()).then_some(value).flatten()
    });
    let files: Vec<String> = named.map(|path| file(Path::new(path))).collect();
    if files.is_empty() {
        return "none".to_owned();
    }
    files.join("+")
}

fn file(path: &Path) -> String {
    let Ok(meta) = fs::metadata(path) else {
        return "none".to_owned();
    };
    let changed = meta.modified().ok();
    let changed = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    hexadecimal(&format!(
        "{} {} {}",
        path.display(),
        meta.len(),
        changed.unwrap_or_default().as_nanos()
    ))
}

fn hexadecimal(text: &str) -> String {
    format!("{:016x}", fnv(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan_lines::words;

    fn of(serve: &str, bench: &str) -> Fingerprint {
        let words = |line| {
            words(line)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        Fingerprint::of(&words(serve), &words(bench), Client::Own)
    }

    #[test]
    fn what_differs_is_named() {
        let was = of("s --a 1", "crestline bench serve --num-prompts 5");
        let found = Value::String(was.to_string());
        assert_eq!(was.misfit(Some(&found)), None);
        let is = of("s --a 2", "crestline bench serve --num-prompts 5");
        let why = is.misfit(Some(&found)).unwrap();
        assert_eq!(why, "it was made with another server command");
        let is = of("s --a 2", "crestline bench serve --num-prompts 6");
        let why = is.misfit(Some(&found)).unwrap();
        assert_eq!(
            why,
            "it was made with another server command and benchmark command"
        );
    }

    #[test]
    fn a_key_of_a_service_makes_no_difference_and_is_not_in_it() {
        let one = of("s --api-key a", "b");
        assert_eq!(one, of("s --api-key b", "b"));
        assert_ne!(one, of("s --api b", "b"));
    }

    #[test]
    fn a_data_file_that_has_changed_makes_another_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        fs::write(&path, "a").unwrap();
        let command = format!("b --dataset-path {}", path.display());
        let was = Value::String(of("s", &command).to_string());
        fs::write(&path, "ab").unwrap();
        let why = of("s", &command).misfit(Some(&was)).unwrap();
        assert_eq!(why, "it was made with another data file");
    }

    #[test]
    fn a_profile_of_the_server_that_has_changed_makes_another_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        fs::write(&path, "a").unwrap();
        for flag in ["--profile ", "--config="] {
            let command = format!("crestline sim {flag}{}", path.display());
            let was = Value::String(of(&command, "b").to_string());
            assert_eq!(of(&command, "b").misfit(Some(&was)), None);
            fs::write(&path, format!("{was}b")).unwrap();
            let why = of(&command, "b").misfit(Some(&was)).unwrap();
            assert_eq!(why, "it was made with another settings file");
        }
    }

    #[test]
    fn runs_of_another_tool_are_its_own() {
        let words = |text: &str| vec![text.to_owned()];
        let of = |client| Fingerprint::of(&words("s"), &words("b"), client);
        assert_eq!(of(Client::Program).misfit(None), None);
        let why = of(Client::Own).misfit(None).unwrap();
        assert!(why.starts_with("another tool"), "{why}");
    }
}
