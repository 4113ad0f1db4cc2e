//! MLflow, told over its REST API: no Python is needed.
//!
//! [`settings`] is where the server is, by MLflow's own variables; [`server`] what is asked of it; [`book`] what becomes of
//! each piece of news; [`names`] how figures are called there. Everything that can be wrong about the server is found out
//! before any load.

mod book;
mod names;
mod server;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crestline_load::aside::AsideError;
use crestline_load::clock;
use crestline_load::engine::Stop;

use super::told::Begin;
use super::tracker::Opened;
use crate::problem::Problem;
use book::Book;
use server::{Run, Server, ServerError};
use settings::Settings;

/// What it is called.
pub(super) const NAME: &str = "mlflow";

const RUNNING: &str = "start one with `mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000` and set MLFLOW_TRACKING_URI=http://127.0.0.1:5000";

/// Finds the server and begins a run there. `None` where someone asks to stop meanwhile.
pub(crate) fn open(begin: &Begin, stop: &Stop) -> Result<Option<Opened>, Problem> {
    let settings = Settings::read(|name| std::env::var(name).ok())?;
    let is_left = Arc::new(AtomicBool::new(false));
    let uri = settings.shown();
    let outcome = Server::connect(&settings, Arc::clone(&is_left))
        .and_then(|server| begin_run(server, &settings, begin, stop));
    let (server, run) = match outcome {
        Ok(server_and_run) => server_and_run,
        Err(ServerError::Aside(AsideError::GivenUp { .. })) => return Ok(None),
        Err(error) => return Err(problem(&uri, &error)),
    };
    let mut notes = vec![format!("the run is at {}", server.page(&run))];
    if server.artifacts(&run).is_none() {
        notes.push(format!(
            "files are not sent, because the server keeps them at {}, which it does not write for its clients: start it with --serve-artifacts",
            run.artifact_uri
        ));
    }
    notes.extend(settings.notes.iter().cloned());
    let sink = Book::new(server, run);
    Ok(Some(Opened {
        name: NAME,
        sink: Box::new(sink),
        abandon: Box::new(move || is_left.store(true, Ordering::Relaxed)),
        notes,
    }))
}

fn begin_run(
    mut server: Server,
    settings: &Settings,
    begin: &Begin,
    stop: &Stop,
) -> Result<(Server, Run), ServerError> {
    server.heed(stop);
    let experiment = if let Some(id) = &settings.experiment_id {
        server.experiment_of_id(id)?
    } else {
        let name = settings.experiment_name.as_deref();
        server.experiment(name.unwrap_or(&begin.project))?
    };
    let run = server.begin(&experiment, &begin.name, &book::tags(begin), clock::wall())?;
    server.params(&run, &names::params(&begin.config))?;
    server.heed_no_more();
    Ok((server, run))
}

/// What the user reads of it.
fn problem(uri: &str, error: &ServerError) -> Problem {
    let problem = Problem::usage(format!(
        "--visualizer mlflow: the MLflow server at {uri} takes no run"
    ))
    .because(error);
    let hint = match error {
        ServerError::Aside(AsideError::Status {
            status: 401 | 403, ..
        }) => {
            "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, to what the server knows; an allowed host is named with `mlflow server --allowed-hosts`".to_owned()
        }
        ServerError::Aside(AsideError::Status { status: 404, .. }) => {
            "MLFLOW_TRACKING_URI is the address of the server's page, without /api or #".to_owned()
        }
        ServerError::Aside(AsideError::Connect { .. } | AsideError::Timeout { .. }) => {
            format!("is a server running there? {RUNNING}")
        }
        ServerError::Deleted { .. } => {
            "restore it with `mlflow experiments restore`, or set MLFLOW_EXPERIMENT_NAME to another name"
                .to_owned()
        }
        _ => "leave out --visualizer to measure without it".to_owned(),
    };
    problem.hint(hint)
}
