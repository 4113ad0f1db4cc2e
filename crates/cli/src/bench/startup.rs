//! `crestline bench startup`: how long a server takes from its start to its health and to its first token, with an empty cache
//! and with a full one.
//!
//! What happens inside of the server, such as how long it compiles, cannot be seen from here and is in no figure. [`run`] is the
//! command; [`measure`] is the same for a sweep.

mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crestline_core::units::Nanos;
use crestline_experiment::server::{Server, ServerError, ServerPlan};
use crestline_load::aside::{Aside, AsideError};
use crestline_load::clock;
use crestline_load::engine::Stop;
use crestline_load::target::Target;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::figures::{Start, Starts};
use super::args::StartupArgs;
use super::sweep::follow::Follower;
use super::sweep::kept;
use super::sweep::program;
use super::sweep::results;
use super::sweep::server_command::{Program, Site};
use crate::exit::Exit;
use crate::problem::Problem;
use crate::{console, own_program, signals, values};

/// What stands for the cache folder in a command.
const PLACE: &str = "{cache_dir}";
/// How often, and how long apart, it is asked whether a server that gives no token has ended.
const NEWS: u32 = 25;
const NEWS_LOOK: Duration = Duration::from_millis(20);
/// Letters of an answer without a token that are shown.
const TOLD: usize = 300;
/// What the first token follows on.
const PROMPT: &str = "Hi";

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &StartupArgs) -> Result<Exit, Problem> {
    let plan = plan(args)?;
    if let Some(path) = &args.output_json {
        check_place(path)?;
    }
    let stop = Stop::default();
    let asked = stop.clone();
    signals::on_interrupt(move || asked.ask())
        .map_err(|error| Problem::failed("cannot wait for signals").because(&error))?;
    match measure(&plan, &stop)? {
        Some(document) => {
            if let Some(path) = &args.output_json {
                results::write(path, &document)?;
                console::say(&format!("The result is in {}", path.display()));
            }
            Ok(Exit::Done)
        }
        None => Ok(Exit::Interrupted),
    }
}

/// Refuses a result that could not be written, before hours of starts.
fn check_place(path: &Path) -> Result<(), Problem> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let made = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    made.map(drop).map_err(|error| {
        Problem::usage(format!(
            "--output-json {}: cannot be written",
            path.display()
        ))
        .because(&error)
        .hint("name a file in a folder that may be written to")
    })
}

/// What is done.
#[derive(Debug)]
pub(super) struct StartupPlan {
    /// With [`PLACE`] where the cache folder belongs.
    command: Vec<String>,
    site: Site,
    starts: [u32; 3],
    cache: Cache,
    model: Option<String>,
    endpoint: String,
    patience: Nanos,
    health: String,
    ready_within: Nanos,
    grace: Nanos,
    log: Option<PathBuf>,
    is_shown: bool,
}

/// Where servers keep their caches.
#[derive(Debug)]
struct Cache {
    variables: Vec<String>,
    /// Of the warm starts.
    warm: Option<PathBuf>,
}

/// Translates the flags; starts nothing.
pub(super) fn plan(args: &StartupArgs) -> Result<StartupPlan, Problem> {
    let command = shlex::split(&args.serve_cmd).filter(|words| !words.is_empty());
    let command = command.ok_or_else(|| {
        Problem::usage("--serve-cmd is no command")
            .hint("write it in quotes, each of which is closed")
    })?;
    if command[0] != "crestline" && program::find(&command[0]).is_none() {
        return Err(
            Problem::usage(format!("--serve-cmd: there is no program {}", command[0]))
                .hint("check its name and PATH; no shell runs it"),
        );
    }
    let (starts, request, server) = (&args.starts, &args.request, &args.server);
    let counts = [
        values::count("--num-iters-cold", starts.cold)?,
        values::count("--num-iters-warmup", starts.warmup)?,
        values::count("--num-iters-warm", starts.warm)?,
    ];
    if (counts[0], counts[2]) == (0, 0) {
        return Err(
            Problem::usage("no start is counted").hint("give --num-iters-cold or --num-iters-warm")
        );
    }
    for (flag, path) in [
        ("--endpoint", &request.endpoint),
        ("--server-health-path", &server.health_path),
    ] {
        if !path.starts_with('/') {
            return Err(Problem::usage(format!("{flag} {path} is no path"))
                .hint("write it with a slash in front"));
        }
    }
    if !request.endpoint.ends_with("completions") {
        return Err(
            Problem::usage(format!("--endpoint {} gives no token", request.endpoint))
                .hint("write /v1/completions or /v1/chat/completions"),
        );
    }
    Ok(StartupPlan {
        site: Site::of(&command, server.address.as_deref())?,
        command,
        starts: counts,
        cache: Cache {
            variables: starts.cache_env.clone(),
            warm: starts.cache_dir.clone(),
        },
        model: request.model.clone(),
        endpoint: request.endpoint.clone(),
        patience: values::span("--first-token-timeout", request.first_token_timeout)?,
        health: server.health_path.clone(),
        ready_within: values::span("--server-ready-timeout", server.ready_timeout)?,
        grace: values::pause("--server-stop-timeout", server.stop_timeout)?,
        log: server.log.clone(),
        is_shown: server.show_stdout,
    })
}

/// Starts the server as often as is asked for, and gives the result; nothing where it was stopped before its end.
pub(super) fn measure(plan: &StartupPlan, stop: &Stop) -> Result<Option<Value>, Problem> {
    let is_told = plan.command.iter().any(|word| word.contains(PLACE));
    let known = Program::of(&plan.command) == Program::Vllm;
    if !is_told && !known {
        console::tell(&format!(
            "note: starts are cold only where the server keeps its cache in ${}, or where {PLACE} stands in --serve-cmd",
            plan.cache.variables.join(" or $")
        ));
    }
    let scratch = TempDir::new()
        .map_err(|error| Problem::failed("a folder for caches cannot be made").because(&error))?;
    let mut bench = Bench {
        plan,
        stop,
        log: plan
            .log
            .clone()
            .unwrap_or_else(|| scratch.path().join("server.log")),
        model: plan.model.clone(),
    };
    match bench.measure(scratch.path()) {
        Ok(starts) => {
            console::say(starts.table().trim_end());
            Ok(Some(starts.document()))
        }
        Err(Halt::Interrupted) => Ok(None),
        Err(Halt::Failed(problem)) => Err(problem),
    }
}

/// Why no more starts follow.
enum Halt {
    Interrupted,
    Failed(Problem),
}

/// Starts under way.
struct Bench<'a> {
    plan: &'a StartupPlan,
    stop: &'a Stop,
    log: PathBuf,
    /// What is asked, once that is known.
    model: Option<String>,
}

impl Bench<'_> {
    fn measure(&mut self, scratch: &Path) -> Result<Starts, Halt> {
        let mut starts = Starts::default();
        let [cold, warmup, warm] = self.plan.starts;
        for number in 0..cold {
            let cache = scratch.join(format!("cold-{number}"));
            let start = self.start("cold", (number, cold), &cache)?;
            starts.cold.push(start);
            // The disk may not hold many of them; the one that is left goes with all else.
            drop(fs::remove_dir_all(&cache));
        }
        let cache = self.plan.cache.warm.clone();
        let cache = cache.unwrap_or_else(|| scratch.join("warm"));
        if warm > 0 {
            for number in 0..warmup {
                self.start("warm-up", (number, warmup), &cache)?;
            }
        }
        for number in 0..warm {
            starts
                .warm
                .push(self.start("warm", (number, warm), &cache)?);
        }
        Ok(starts)
    }

    /// One start, its first token, and its end.
    fn start(&mut self, kind: &str, (number, of): (u32, u32), cache: &Path) -> Result<Start, Halt> {
        let name = format!("{kind} start {} of {of}", number + 1);
        let failed = |problem: Problem| Halt::Failed(problem.within(&name));
        fs::create_dir_all(cache).map_err(|error| {
            let problem = Problem::failed(format!("{} cannot be made", cache.display()));
            failed(problem.because(&error))
        })?;
        let target = &self.plan.site.target;
        let halt = |error: ServerError| halt(&error, target, &name);
        let mut server =
            Server::start(self.server(cache), &own_program::keeper(), self.stop).map_err(halt)?;
        let shown = self.plan.is_shown.then(|| {
            let (log, from) = server.log();
            let target = target.clone();
            Follower::start(log.to_owned(), from, move |line| target.redacted(line))
        });
        let healthy = server.ready(target, self.stop).map_err(halt)?;
        let first_token = match self.first_token(&mut server) {
            Err(AsideError::GivenUp { .. }) => {
                server.alive().map_err(halt)?;
                return Err(Halt::Interrupted);
            }
            Err(error) => {
                // That it has ended may be known a little later than that it does not answer.
                for _ in 0..NEWS {
                    server.alive().map_err(halt)?;
                    clock::sleep(NEWS_LOOK);
                }
                let problem = Problem::failed("the server gives no first token").because(&error);
                return Err(failed(problem.hint("check --endpoint and --model")));
            }
            Ok(taken) => healthy + taken,
        };
        server.stop(self.stop).map_err(halt)?;
        drop(shown);
        let start = Start {
            healthy: healthy.as_secs_f64(),
            first_token: first_token.as_secs_f64(),
        };
        console::say(&format!(
            "{name}: healthy after {:.2} s, first token after {:.2} s",
            start.healthy, start.first_token
        ));
        Ok(start)
    }

    fn server(&self, cache: &Path) -> ServerPlan {
        let plan = self.plan;
        let cache = cache.display().to_string();
        let words = plan.command.iter().map(|word| word.replace(PLACE, &cache));
        let variables = plan.cache.variables.iter();
        ServerPlan {
            command: kept::resolved(&words.collect::<Vec<_>>()),
            environment: variables
                .map(|name| (name.clone(), cache.clone()))
                .collect(),
            address: plan.site.address.clone(),
            health: plan.health.clone(),
            ready_within: plan.ready_within,
            grace: plan.grace,
            lock: self.log.with_extension("lock"),
            log: self.log.clone(),
        }
    }

    /// Asks for one token and tells how long it takes. It is the whole answer, so that nothing has to be streamed.
    fn first_token(&mut self, server: &mut Server) -> Result<Nanos, AsideError> {
        let target = &self.plan.site.target;
        let mut aside = Aside::new(target, self.plan.patience, &[], |_| None)?;
        let mut goes_on = || server.alive().is_ok() && !self.stop.is_asked();
        let model = if let Some(model) = self.model.take() {
            model
        } else {
            let models: Value = aside.get_json("/v1/models")?;
            models["data"][0]["id"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let mut body = json!({"model": model, "max_tokens": 1, "temperature": 0});
        if self.plan.endpoint.ends_with("chat/completions") {
            body["messages"] = json!([{"role": "user", "content": PROMPT}]);
        } else {
            body["prompt"] = PROMPT.into();
        }
        self.model = Some(model);
        let asked = clock::monotonic();
        let answer: Value = aside.post_json_while(&self.plan.endpoint, &body, &mut goes_on)?;
        let taken = clock::monotonic().saturating_sub(asked);
        if answer["choices"].get(0).is_none() {
            let text = target.redacted(&answer.to_string());
            return Err(AsideError::Status {
                path: self.plan.endpoint.clone(),
                status: 200,
                text: console::brief(&text, TOLD),
            });
        }
        Ok(taken)
    }
}

fn halt(error: &ServerError, target: &Target, name: &str) -> Halt {
    if matches!(error, ServerError::Interrupted) {
        return Halt::Interrupted;
    }
    let text = target.redacted(&error.to_string());
    Halt::Failed(
        Problem::failed("the server failed")
            .cause(text)
            .within(name),
    )
}
