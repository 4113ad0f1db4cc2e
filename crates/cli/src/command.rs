//! The sub-commands, and how wrong arguments are told.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use crestline_core::nearest::nearest;

use crate::bench::{
    self,
    args::{BenchArgs, BenchCommand},
};
use crate::compare::{self, args::CompareArgs};
use crate::demo::{self, DemoArgs};
use crate::exit::Exit;
use crate::launch::Launcher;
use crate::perf::{self, args::PerfArgs};
use crate::problem::Problem;
use crate::report::{self, ReportArgs};
use crate::sim::{self, SimArgs};
use crate::{argv, console, secrets, wheel};

/// Finds the highest load an LLM service sustains, with numbers that can be trusted.
#[derive(Debug, Parser)]
#[command(name = "crestline", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Sub,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sub {
    Bench(Box<BenchArgs>),
    Compare(CompareArgs),
    Demo(DemoArgs),
    Perf(Box<PerfArgs>),
    Report(ReportArgs),
    Sim(Box<SimArgs>),
    /// Starts a server and ends it with all its children when the standard input is closed.
    #[command(hide = true)]
    KeepServer,
}

/// Runs what the arguments ask for; `args[0]` is the program.
pub(crate) fn run(args: Vec<OsString>, launcher: Option<&dyn Launcher>) -> Exit {
    match call(args, launcher) {
        Ok(exit) => exit,
        Err(problem) => {
            console::tell(&problem.to_string());
            problem.exit()
        }
    }
}

/// The same, for whoever shows problems himself.
pub(crate) fn call(args: Vec<OsString>, launcher: Option<&dyn Launcher>) -> Result<Exit, Problem> {
    let typed = args.clone();
    match parse(args)? {
        Parsed::Text(text) => {
            console::say(text.trim_end());
            Ok(Exit::Done)
        }
        Parsed::Command(sub) => dispatch(sub, &typed, launcher),
    }
}

fn dispatch(
    sub: Sub,
    typed: &[OsString],
    launcher: Option<&dyn Launcher>,
) -> Result<Exit, Problem> {
    match sub {
        Sub::Bench(args) => bench::run(&args),
        Sub::Compare(args) => compare::run(&args),
        Sub::Demo(args) => demo::run(&args),
        Sub::Perf(args) if args.machines.ray.is_some() && launcher.is_none() => {
            perf::check(&args)?;
            Err(wheel::start_again("--ray", typed))
        }
        Sub::Perf(args) => perf::run(&args, launcher),
        Sub::Report(args) => report::run(&args),
        Sub::Sim(args) => sim::run(*args),
        Sub::KeepServer => bench::keep_server(),
    }
}

/// What an argument list asks for.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// Help or version text.
    Text(String),
    /// Work.
    Command(Sub),
}

/// Reads an argument list; `args[0]` is the program.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Parsed, Problem> {
    let mut command = Cli::command();
    command.build();
    let args = argv::normalise(args, &command)?;
    let args = match args.get(1) {
        Some(sub) if sub == "bench" => bench::dotted::merged(args),
        _ => args,
    };
    let typed: Vec<String> = args
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let outcome = command
        .try_get_matches_from_mut(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match outcome {
        Ok(cli) => {
            let mut sub = cli.command;
            remember(&mut sub, &typed);
            Ok(Parsed::Command(sub))
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Parsed::Text(error.render().to_string()))
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
                Err(Problem::usage("no sub-command is given").hint(
                    "`crestline demo` shows it at work; `crestline --help` lists what there is",
                ))
            }
            _ => Err(wrong_arguments(&error)),
        },
    }
}

/// Puts the command itself beside its flags, where runs are to say how they were made.
fn remember(sub: &mut Sub, typed: &[String]) {
    let command = match sub {
        Sub::Perf(args) => &mut args.command,
        Sub::Bench(args) => match &mut args.command {
            BenchCommand::Serve(args) => &mut args.command,
            BenchCommand::Startup(_) | BenchCommand::Sweep(_) => return,
        },
        Sub::Compare(_) | Sub::Demo(_) | Sub::Report(_) | Sub::Sim(_) | Sub::KeepServer => return,
    };
    let program = std::iter::once("crestline".to_owned());
    let words: Vec<String> = program.chain(typed.iter().skip(1).cloned()).collect();
    *command = Some(secrets::line(&words));
}

/// clap's findings in crestline's words: which flag, what is wrong with it, what was probably meant.
fn wrong_arguments(error: &clap::Error) -> Problem {
    let flag = context(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = context(error, ContextKind::InvalidValue);
    let name = flag.split(' ').next().unwrap_or_default().to_owned();
    let help = "`--help` lists all flags".to_owned();
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let suggested = context(error, ContextKind::SuggestedArg)
                .filter(|known| nearest(&name, [known.as_str()]).is_some());
            Problem::usage(format!("unknown argument {name}"))
                .hint(suggested.map_or(help, |nearest| format!("did you mean {nearest}?")))
        }
        ErrorKind::InvalidSubcommand => {
            let unknown = context(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let suggested = context(error, ContextKind::SuggestedSubcommand);
            Problem::usage(format!("unknown sub-command {unknown}")).hint(suggested.map_or_else(
                || "`crestline --help` lists what there is".to_owned(),
                |nearest| format!("did you mean {nearest}?"),
            ))
        }
        ErrorKind::InvalidValue if value.as_deref().is_none_or(str::is_empty) => {
            Problem::usage(format!("{name} needs a value")).hint(format!("write {flag}"))
        }
        ErrorKind::InvalidValue => Problem::usage(format!(
            "{name} does not know the value {}",
            value.unwrap_or_default()
        ))
        .hint(
            context(error, ContextKind::ValidValue).map_or(help, |valid| format!("one of {valid}")),
        ),
        ErrorKind::ValueValidation => {
            let value = value.unwrap_or_default();
            let problem = Problem::usage(format!("{name} cannot be {value}"));
            let problem = match std::error::Error::source(error) {
                Some(source) => problem.because(source),
                None => problem,
            };
            if value.contains(',') {
                let apart = value.replace(',', " ");
                return problem.hint(format!("write several values with blanks: {name} {apart}"));
            }
            problem
        }
        ErrorKind::TooManyValues => Problem::usage(format!(
            "{name} takes no value, but was given {}",
            value.unwrap_or_default()
        )),
        ErrorKind::MissingRequiredArgument => Problem::usage(format!("{name} is required")),
        _ => Problem::usage(first_line(&error.render())).hint(help),
    }
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        ContextValue::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn first_line(text: &StyledStr) -> String {
    let text = text.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
