//! Which command the server of a result was started with, kept beside the server's log.
//!
//! vLLM's results do not say it, so that a number of GPUs that is in the command alone would be lost. Secrets are masked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::layout;
use super::plan::ServerCells;
use super::results;
use crate::problem::Problem;
use crate::secrets;

/// Puts down the command of a server and the folders of what is run on it.
pub(crate) fn write(experiment: &Path, server: &ServerCells) -> Result<(), Problem> {
    let folders = server
        .cells
        .iter()
        .map(|cell| relative(experiment, &cell.folder));
    let document = json!({
        "command": secrets::masked(&server.command),
        "folders": folders.collect::<Vec<_>>(),
    });
    results::write(
        &layout::server_record(experiment, &server.parameters),
        &document,
    )
}

/// The command of the server that a result was measured on; `None` where no file says it.
pub(crate) fn command(result: &Path) -> Option<Vec<String>> {
    let folder = result.parent()?;
    let mut above = folder.ancestors();
    let experiment = above.find(|folder| layout::server_records(folder).is_dir())?;
    let own = relative(experiment, folder);
    let mut best: Option<(usize, Vec<String>)> = None;
    for (folders, command) in records(&layout::server_records(experiment)) {
        let fits = folders.iter().filter(|folder| holds(folder, &own));
        let Some(length) = fits.map(String::len).max() else {
            continue;
        };
        if best.as_ref().is_none_or(|(known, _)| length > *known) {
            best = Some((length, command));
        }
    }
    best.map(|(_, command)| command)
}

/// Whether results in `own` belong to the combination of `folder`: a load of it has a folder in it, or beside it with more behind
/// its name.
fn holds(folder: &str, own: &str) -> bool {
    let rest = own.strip_prefix(folder);
    rest.is_some_and(|rest| folder.is_empty() || rest.is_empty() || rest.starts_with(['/', '-']))
}

fn relative(experiment: &Path, folder: &Path) -> String {
    let inner = folder.strip_prefix(experiment).unwrap_or(folder);
    inner.to_string_lossy().into_owned()
}

/// Folders and command of each file that can be read.
fn records(folder: &Path) -> Vec<(Vec<String>, Vec<String>)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let texts = |value: &Value| -> Option<Vec<String>> {
        let items = value.as_array()?.iter();
        items.map(|item| item.as_str().map(str::to_owned)).collect()
    };
    files
        .iter()
        .filter_map(|file| {
            let document: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
            Some((texts(&document["folders"])?, texts(&document["command"])?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sweep::params::Combination;
    use crate::bench::sweep::plan::Cell;

    fn server(experiment: &Path, value: u32) -> ServerCells {
        let parameters = json!({ "a": value }).as_object().unwrap().clone();
        let parameters = Combination(parameters);
        let cell = Cell {
            parameters: Combination::default(),
            command: Vec::new(),
            folder: layout::folder(experiment, &parameters, &Combination::default()),
        };
        let command = ["s", "--api-key", "secret", "-tp", &value.to_string()];
        ServerCells {
            log: layout::log(experiment, &parameters),
            parameters,
            command: command.map(str::to_owned).into(),
            cells: vec![cell],
            simulated: None,
        }
    }

    #[test]
    fn a_result_finds_the_command_of_its_own_server_without_secrets() {
        let folder = tempfile::tempdir().unwrap();
        for value in [1, 16] {
            write(folder.path(), &server(folder.path(), value)).unwrap();
        }
        let of = |name: &str| command(&folder.path().join(name).join("summary.json"));
        for (name, expected) in [
            ("SERVE--a=1", "1"),
            ("SERVE--a=16", "16"),
            ("SERVE--a=16/max_concurrency=4", "16"),
            ("SERVE--a=16-WL--request_rate=4", "16"),
        ] {
            let found = of(name).unwrap();
            assert_eq!(found[..4], ["s", "--api-key", "***", "-tp"], "{name}");
            assert_eq!(found[4], expected, "{name}");
        }
        assert_eq!(of("SERVE--a=160"), None);
        assert_eq!(command(Path::new("elsewhere/summary.json")), None);
    }
}
