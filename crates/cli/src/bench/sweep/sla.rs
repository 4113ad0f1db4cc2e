//! `crestline bench sweep serve_sla`: the highest load within an SLA, for each server, benchmark and SLA.
//!
//! One session on each server serves all SLAs of a benchmark (`crest`), or separate runs are made as vLLM made them
//! (`pchip`). [`combination::Combined`] is what is looked for on one server with one benchmark.

mod answers;
mod combination;
mod crest;
pub(crate) mod criteria;
pub(crate) mod detailed;
mod documents;
pub(crate) mod gpus;
mod pchip;
mod plan;
mod race;
mod replayed;
mod runs;

use serde_json::{Value, json};

use self::answers::Found;
use self::combination::Combined;
use self::plan::{Field, SlaSweep};
use super::args::SweepSlaArgs;
use super::course::{Course, Halt};
use super::layout;
use super::results;
use crate::console;
use crate::exit::Exit;
use crate::problem::Problem;

/// Version of the file of all answers. Fields may be added within a version; none changes its meaning.
const VERSION: u32 = 1;

/// Runs the command until it is done or interrupted.
pub(super) fn run(args: &SweepSlaArgs) -> Result<Exit, Problem> {
    let sla = plan::translate(args)?;
    let all = Combined::all(&sla)?;
    if args.serve.runs.dry_run {
        console::say(&shown(&all));
        return Ok(Exit::Done);
    }
    let mut course = Course::begin(&sla.sweep)?;
    for note in &sla.notes {
        console::tell(&format!("note: {note}"));
    }
    let mut gathered = Gathered::default();
    let done = match sla.field {
        Field::Each => all
            .iter()
            .try_for_each(|server| on_server(&mut course, server, &mut gathered)),
        Field::Race => race::run(&mut course, &sla, &all, &mut gathered),
    };
    let written = gathered.write(&sla);
    let shown = gathered.shown(&sla);
    let exit = course.finish(done);
    written?;
    if let Some(text) = shown {
        console::say(&text);
    }
    let exit = exit?;
    Ok(if exit == Exit::Done && gathered.lacks_an_answer() {
        Exit::SlaNotMet
    } else {
        exit
    })
}

/// Looks for what is missing, on a server that is started only where something is.
fn on_server(
    course: &mut Course<'_>,
    server: &[Combined<'_>],
    gathered: &mut Gathered,
) -> Result<(), Halt> {
    let Some(first) = server.first() else {
        return Ok(());
    };
    let mut missing = Vec::new();
    for combined in server {
        match combined.find()? {
            Some(found) => {
                combined.say_found(&found);
                gathered.add(found);
            }
            None => missing.push(combined),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    course.on_server(first.server, &mut |course, host| {
        for combined in &missing {
            if let Some(found) = combined.search(course, host)? {
                gathered.add(found);
            }
        }
        Ok(())
    })
}

/// All that was found.
#[derive(Debug, Default)]
struct Gathered {
    answers: Vec<Found>,
    /// The rows of all runs.
    rows: Vec<Value>,
}

impl Gathered {
    fn add(&mut self, found: combination::AllFound) {
        self.answers.extend(found.answers);
        self.rows.extend(found.rows);
    }

    fn write(&self, sla: &SlaSweep) -> Result<(), Problem> {
        let experiment = &sla.sweep.experiment;
        if !self.rows.is_empty() {
            results::write_table(&layout::table(experiment), &self.rows)?;
        }
        if self.answers.is_empty() {
            return Ok(());
        }
        let groups = answers::ranked(&self.answers);
        let groups = groups.iter().map(|group| {
            let ranked = group.iter().map(|found| answers::row(found, sla));
            json!({
                "sla": group[0].sla.shown(),
                "criteria": group[0].sla.label(),
                "bench": group[0].bench,
                "ranking": ranked.collect::<Vec<_>>(),
            })
        });
        let document = json!({
            "format": "crestline_sweep_sla",
            "version": VERSION,
            "variable": sla.variable.name(),
            "search": sla.method.name(),
            "slas": groups.collect::<Vec<_>>(),
        });
        results::write(&layout::answers(experiment), &document)
    }

    fn shown(&self, sla: &SlaSweep) -> Option<String> {
        let text = answers::tables(&self.answers, sla.counted_in());
        (!self.answers.is_empty()).then(|| text.trim_end().to_owned())
    }

    /// An SLA with a benchmark that no server has an answer for.
    fn lacks_an_answer(&self) -> bool {
        let groups = answers::ranked(&self.answers);
        groups
            .iter()
            .any(|group| !group.iter().any(|found| found.is_answered()))
    }
}

/// What would be done.
fn shown(all: &[Vec<Combined<'_>>]) -> String {
    let mut lines = Vec::new();
    for server in all {
        lines.extend(
            server
                .first()
                .map(|first| super::shown::server_begins(first.server)),
        );
        for combined in server {
            lines.push(combined.shown());
        }
        lines.push("[END SERVER]".to_owned());
    }
    lines.join("\n")
}
