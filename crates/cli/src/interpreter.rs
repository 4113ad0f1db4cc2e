//! Which Python runs what the program alone cannot. Starts none.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::own_program;

/// What the choice depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// `CRESTLINE_PYTHON`, else the Python that this process is.
    pub(crate) named: Option<OsString>,
    /// The folder of this program: in a wheel's environment a Python is beside it.
    pub(crate) program_folder: Option<PathBuf>,
    /// `VIRTUAL_ENV`.
    pub(crate) environment: Option<PathBuf>,
    /// The folders of `PATH`.
    pub(crate) path: Vec<PathBuf>,
}

impl Surroundings {
    pub(crate) fn of_this_process() -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let program = env::current_exe().ok();
        Self {
            named: set("CRESTLINE_PYTHON").or_else(own_program::interpreter),
            program_folder: program.and_then(|program| Some(program.parent()?.to_owned())),
            environment: set("VIRTUAL_ENV").map(PathBuf::from),
            path: set("PATH").map_or_else(Vec::new, |path| env::split_paths(&path).collect()),
        }
    }
}

/// The Pythons to try, in this order: the one that the user names or that this process is, and no other; else the one beside this program, that of the
/// virtual environment, that on the path.
pub(crate) fn candidates(around: &Surroundings) -> Vec<OsString> {
    if let Some(named) = &around.named {
        return vec![named.clone()];
    }
    let environment = around.environment.iter().map(|folder| folder.join("bin"));
    let folders = around.program_folder.iter().cloned().chain(environment);
    let mut found: Vec<PathBuf> = folders.filter_map(|folder| in_folder(&folder)).collect();
    found.extend(around.path.iter().find_map(|folder| in_folder(folder)));
    let mut once: Vec<OsString> = Vec::new();
    for python in found {
        if !once.iter().any(|known| *known == python) {
            once.push(python.into());
        }
    }
    once
}

fn in_folder(folder: &Path) -> Option<PathBuf> {
    let names = ["python3", "python"];
    let mut files = names.into_iter().map(|name| folder.join(name));
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn folder_with(names: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        for name in names {
            fs::write(folder.path().join("bin").join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn the_nearest_python_comes_first_and_none_twice() {
        let [beside, environment, path] = [
            folder_with(&["python"]),
            folder_with(&["python", "python3"]),
            folder_with(&["python3"]),
        ];
        let bin = |folder: &TempDir| folder.path().join("bin");
        let around = Surroundings {
            named: None,
            program_folder: Some(bin(&beside)),
            environment: Some(environment.path().to_owned()),
            path: vec![PathBuf::from("/no/such/folder"), bin(&path), bin(&beside)],
        };
        assert_eq!(
            candidates(&around),
            [
                bin(&beside).join("python"),
                bin(&environment).join("python3"),
                bin(&path).join("python3")
            ]
        );
        let in_environment = Surroundings {
            path: vec![bin(&environment)],
            ..around
        };
        assert_eq!(candidates(&in_environment).len(), 2);
    }

    #[test]
    fn a_python_that_is_named_is_the_only_one() {
        let beside = folder_with(&["python3"]);
        let around = Surroundings {
            named: Some("my-python".into()),
            program_folder: Some(beside.path().join("bin")),
            ..Surroundings::default()
        };
        assert_eq!(candidates(&around), ["my-python"]);
    }
}
