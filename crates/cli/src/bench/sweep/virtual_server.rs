//! The simulated engine in virtual time in place of a server: `--virtual-time`.
//!
//! The serve command is read as `crestline sim` reads it, and becomes a profile file that the benchmark runs on. Starts nothing
//! and measures nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crestline_sim::profile::Profile;
use serde_json::{Map, Value};

use super::args::CommandArgs;
use super::bench_command::{Bench, Client};
use super::layout;
use super::overrides;
use super::params::Combination;
use super::results;
use crate::command::{self, Parsed, Sub};
use crate::problem::Problem;
use crate::sim;

/// Without `--virtual-time` a server is started, and nothing stands for it.
pub(crate) fn of(
    args: &CommandArgs,
    experiment: &Path,
    parameters: &Combination,
    command: &[String],
) -> Result<Option<VirtualServer>, Problem> {
    if !args.virtual_time {
        return Ok(None);
    }
    VirtualServer::of(experiment, parameters, command).map(Some)
}

/// Refuses a benchmark that would look for a service to connect to.
pub(crate) fn check_client(bench: &Bench) -> Result<(), Problem> {
    match bench.client {
        Client::Own => Ok(()),
        Client::Program => Err(Problem::usage(format!(
            "--virtual-time needs a benchmark of crestline's own, and not {}",
            bench.command[0]
        ))
        .hint("give --bench-cmd 'crestline bench serve ...': in virtual time there is nothing to connect to")),
    }
}

/// The engine that stands for the server of a combination.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VirtualServer {
    profile: Profile,
    /// Where it is put down: in crestline's own folder of the experiment.
    file: PathBuf,
    /// What the user must know of the command, in words.
    pub(crate) notes: Vec<String>,
}

impl VirtualServer {
    /// From a serve command with the parameters of its combination. Refuses what is not `crestline sim`.
    pub(crate) fn of(
        experiment: &Path,
        parameters: &Combination,
        command: &[String],
    ) -> Result<Self, Problem> {
        let engine = sim::engine(&simulator(command)?)?;
        let note = |flag: &&str| {
            let why = match *flag {
                "--seed" => "what is drawn has the --seed of the benchmark",
                "--tokenizer-path" => "prompts are counted as the benchmark counts them",
                _ => "nothing listens",
            };
            format!("{flag} of the serve command has no effect in virtual time: {why}")
        };
        Ok(Self {
            notes: engine.idle.iter().map(note).collect(),
            profile: engine.profile,
            file: layout::profile(experiment, parameters),
        })
    }

    /// Writes the profile, whole or not at all.
    pub(crate) fn put_down(&self) -> Result<(), Problem> {
        results::write_whole(&self.file, self.profile.to_toml().as_bytes())
    }

    /// The benchmark's command with this engine as its service.
    pub(crate) fn as_service_of(&self, bench: &[String]) -> Vec<String> {
        let url = Value::String(format!("sim:{}", self.file.display()));
        let service = Combination(Map::from_iter([("base_url".to_owned(), url)]));
        overrides::applied(bench, &service, &[])
    }
}

/// The flags of `crestline sim`, read as that command reads them.
fn simulator(command: &[String]) -> Result<sim::SimArgs, Problem> {
    let program = command.first().map(|word| Path::new(word).file_stem());
    let is_ours = program.flatten().is_some_and(|name| name == "crestline");
    if !is_ours || command.get(1).is_none_or(|word| word != "sim") {
        return Err(Problem::usage(
            "--virtual-time needs a serve command that begins with `crestline sim`",
        )
        .cause(match command {
            [program, word, ..] => format!("it begins with `{program} {word}`"),
            _ => "it is a single word".to_owned(),
        })
        .hint("only the simulated engine has virtual time: --serve-cmd 'crestline sim --profile gpu-small'"));
    }
    let words = command.iter().map(OsString::from).collect();
    match command::parse(words).map_err(|problem| problem.within("--serve-cmd"))? {
        Parsed::Command(Sub::Sim(args)) => Ok(*args),
        _ => Err(
            Problem::usage("--serve-cmd asks for help, not for a server")
                .hint("leave out --help and --version"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn words(command: &str) -> Vec<String> {
        shlex::split(command).unwrap()
    }

    fn server(command: &str) -> Result<VirtualServer, Problem> {
        let Value::Object(parameters) = json!({"max_num_seqs": 8}) else {
            unreachable!("an object")
        };
        VirtualServer::of(Path::new("e"), &Combination(parameters), &words(command))
    }

    #[test]
    fn engine_flags_make_a_profile_that_reads_back_the_same() {
        let command = "/bin/crestline sim --profile gpu-large --max_num_seqs 8 --port 9";
        let server = server(command).unwrap();
        let named = Profile::load("gpu-large").unwrap();
        let expected = Profile {
            max_num_seqs: 8,
            ..named
        };
        assert_eq!(server.profile, expected);
        assert!(server.notes.is_empty());
        let text = server.profile.to_toml();
        assert_eq!(Profile::from_toml("again", &text).unwrap(), expected);
        assert_eq!(
            server.file,
            Path::new("e/crestline/profiles/SERVE-max_num_seqs=8.toml")
        );
    }

    #[test]
    fn the_benchmark_runs_on_the_profile_whatever_service_it_names() {
        let server = server("crestline sim").unwrap();
        let bench =
            "crestline bench serve --base-url http://h:1 --num-prompts 5 --base_url=http://i";
        let url = "sim:e/crestline/profiles/SERVE-max_num_seqs=8.toml";
        assert_eq!(
            server.as_service_of(&words(bench)).join(" "),
            format!("crestline bench serve --base-url {url} --num-prompts 5")
        );
        assert_eq!(
            server.as_service_of(&words("vllm bench serve")).join(" "),
            format!("vllm bench serve --base-url {url}")
        );
    }

    #[test]
    fn what_virtual_time_has_no_use_for_is_told() {
        let notes = server("crestline sim --seed 3 --api-key k").unwrap().notes;
        assert_eq!(
            notes,
            [
                "--seed of the serve command has no effect in virtual time: what is drawn has the --seed of the benchmark",
                "--api-key of the serve command has no effect in virtual time: nothing listens",
            ]
        );
    }

    #[test]
    fn what_cannot_be_simulated_is_refused() {
        let refused = |command: &str, expected: Expect| {
            expected.assert_eq(&server(command).unwrap_err().to_string());
        };
        refused(
            "vllm serve m",
            expect![[r"
            error: --virtual-time needs a serve command that begins with `crestline sim`
              cause: it begins with `vllm serve`
              hint: only the simulated engine has virtual time: --serve-cmd 'crestline sim --profile gpu-small'"]],
        );
        refused(
            "crestline demo",
            expect![[r"
            error: --virtual-time needs a serve command that begins with `crestline sim`
              cause: it begins with `crestline demo`
              hint: only the simulated engine has virtual time: --serve-cmd 'crestline sim --profile gpu-small'"]],
        );
        refused(
            "crestline sim --max-num-sequences 3",
            expect![[r"
            error: --serve-cmd: unknown argument --max-num-sequences
              hint: did you mean --max-num-seqs?"]],
        );
        refused(
            "crestline sim --profile nope",
            expect![[r"
            error: the simulated engine cannot be used
              cause: no profile `nope`; built-in profiles: a100-qwen2.5-0.5b, gpu-large, gpu-small, cpu, kv-bound, noisy, cold-start, speculative, prefix-cache, reject-429, natural-eos, demo, constant-10ms, constant-20ms, full-speed; or give the path of a TOML file
              hint: `crestline sim --list` shows the built-in profiles"]],
        );
        refused(
            "crestline sim --max-num-seqs 0",
            expect![[r"
            error: the simulated engine cannot be used
              cause: max_num_seqs must be at least 1
              hint: `crestline sim --list` shows the built-in profiles"]],
        );
        refused(
            "crestline sim --fault http-500=1",
            expect![[r"
            error: --fault is not possible in virtual time
              hint: only a server that really listens has it: leave it out, or --virtual-time"]],
        );
        refused(
            "crestline sim --help",
            expect![[r"
            error: --serve-cmd asks for help, not for a server
              hint: leave out --help and --version"]],
        );
    }
}
