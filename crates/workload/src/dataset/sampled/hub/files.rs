//! From the name of a data set to its files: plain files and folders, and the layout of the hub's cache.

use std::path::{Path, PathBuf};

use crate::dataset::DatasetError;
use crate::dataset::sampled::table::Format;
use crate::hub::{HubCaches, HubKind};

/// Deepest folder that is looked into.
const DEEPEST: usize = 6;
/// Words that tell a split in a file's name or its folder's.
const SPLITS: [&str; 6] = ["train", "test", "validation", "valid", "val", "dev"];
/// Files that lie beside tables and are none.
const NO_TABLES: [&str; 4] = [
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
];

/// Where a data set may be stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) name: &'static str,
    pub(super) path: Option<&'a Path>,
    pub(super) caches: &'a HubCaches,
}

/// A part of a data set that is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// There must be such a part.
    Asked(&'a str),
    /// Taken where there is one.
    Usual(&'a str),
    Any,
}

impl<'a> Part<'a> {
    pub(super) fn of(asked: Option<&'a str>, usual: Option<&'a str>) -> Self {
        match (asked, usual) {
            (Some(part), _) => Self::Asked(part),
            (None, Some(part)) => Self::Usual(part),
            (None, None) => Self::Any,
        }
    }
}

/// A file, and its path below the data set's folder.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    below: String,
}

impl Stored<'_> {
    /// The tables of a subset and a split, all of one format.
    pub(super) fn tables(
        self,
        subset: Part<'_>,
        split: Part<'_>,
    ) -> Result<Vec<PathBuf>, DatasetError> {
        if let Some(path) = self.path.filter(|path| path.is_file()) {
            return match Format::of(path) {
                Some(_) => Ok(vec![path.to_owned()]),
                None => Err(DatasetError::Unusable {
                    name: self.name,
                    reason: format!(
                        "{} is no Parquet, Arrow, JSON or JSONL file by its name",
                        path.display()
                    ),
                }),
            };
        }
        let mut found = Vec::new();
        for folder in self.folders() {
            collect(&folder, &folder, 0, &mut found);
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            return Err(self.not_found());
        }
        found.sort_by(|one, other| one.below.cmp(&other.below));
        let found = self.part(found, subset, &[])?;
        let mut found = self.part(found, split, &SPLITS)?;
        let best = found.iter().filter_map(|file| Format::of(&file.path)).min();
        found.retain(|file| Format::of(&file.path) == best);
        Ok(found.into_iter().map(|file| file.path).collect())
    }

    /// Files of these names.
    pub(super) fn named(self, names: &[String]) -> Result<Vec<PathBuf>, DatasetError> {
        if let Some(path) = self.path.filter(|path| path.is_file()) {
            return Ok(vec![path.to_owned()]);
        }
        let folders = self.folders();
        let has_all = |folder: &&PathBuf| names.iter().all(|name| folder.join(name).is_file());
        if let Some(folder) = folders.iter().find(has_all) {
            return Ok(names.iter().map(|name| folder.join(name)).collect());
        }
        let looked = self.looked();
        let missing = |folder: &PathBuf| {
            names
                .iter()
                .map(|name| folder.join(name))
                .collect::<Vec<_>>()
        };
        Err(DatasetError::NotFound {
            name: self.name,
            looked: looked
                .iter()
                .flat_map(missing)
                .filter(|file| !file.is_file())
                .collect(),
            source_hint: Some(self.how_to_get()),
        })
    }

    fn folders(self) -> Vec<PathBuf> {
        match self.path {
            Some(path) => vec![path.to_owned()],
            None => self.caches.snapshots(HubKind::Dataset, self.name),
        }
    }

    fn looked(self) -> Vec<PathBuf> {
        match self.path {
            Some(path) => vec![path.to_owned()],
            None => self.caches.candidates(HubKind::Dataset, self.name),
        }
    }

    fn not_found(self) -> DatasetError {
        DatasetError::NotFound {
            name: self.name,
            looked: self.looked(),
            source_hint: Some(self.how_to_get()),
        }
    }

    fn how_to_get(self) -> String {
        let name = self.name;
        format!(
            "fetch it once with `hf download --repo-type dataset {name} --local-dir FOLDER` and give `--dataset-path FOLDER` with \
             `--hf-name {name}`"
        )
    }

    /// Keeps the files of a part. Where no file's name tells any of the `words`, all of them are of every part.
    fn part(
        self,
        found: Vec<Found>,
        part: Part<'_>,
        words: &[&str],
    ) -> Result<Vec<Found>, DatasetError> {
        let (Part::Asked(wanted) | Part::Usual(wanted)) = part else {
            return Ok(found);
        };
        let of_part: Vec<Found> = found
            .iter()
            .filter(|file| mentions(&file.below, wanted))
            .cloned()
            .collect();
        if !of_part.is_empty() {
            return Ok(of_part);
        }
        // The user may have named the part's own folder.
        let is_folder = |path: &Path| path.file_name().is_some_and(|name| name == wanted);
        if self.path.is_some_and(is_folder) {
            return Ok(found);
        }
        let is_told = words.is_empty()
            || found
                .iter()
                .any(|file| words.iter().any(|word| mentions(&file.below, word)));
        if is_told && matches!(part, Part::Asked(_)) {
            let files: Vec<&str> = found.iter().map(|file| file.below.as_str()).collect();
            return Err(DatasetError::Unusable {
                name: self.name,
                reason: format!("no file is of `{wanted}`: there are {}", files.join(", ")),
            });
        }
        Ok(found)
    }
}

/// All tables below a folder, hidden folders left out.
fn collect(root: &Path, folder: &Path, depth: usize, found: &mut Vec<Found>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| !name.starts_with('.')) else {
            continue;
        };
        if path.is_dir() && depth < DEEPEST {
            collect(root, &path, depth + 1, found);
        } else if path.is_file() && Format::of(&path).is_some() && !NO_TABLES.contains(&name) {
            let below = path.strip_prefix(root).unwrap_or(&path);
            let below = below.to_string_lossy().into_owned();
            found.push(Found { path, below });
        }
    }
}

/// Whether a path has a word that stands by itself.
fn mentions(path: &str, word: &str) -> bool {
    let is_inside = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    path.match_indices(word).any(|(at, _)| {
        let before = path[..at].chars().next_back();
        let behind = path[at + word.len()..].chars().next();
        !is_inside(before) && !is_inside(behind)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn select(files: &[&str], subset: Part<'_>, split: Part<'_>) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let stored = Stored {
            name: "org/name",
            path: Some(folder.path()),
            caches: &HubCaches::default(),
        };
        let below = |path: PathBuf| {
            let below = path.strip_prefix(folder.path()).unwrap();
            below.to_str().unwrap().to_owned()
        };
        let found = stored.tables(subset, split);
        found
            .map(|found| found.into_iter().map(below).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_files_of_a_subset_and_a_split_are_taken_and_one_format_of_them() {
        let files = [
            "README.md",
            "dataset_infos.json",
            ".cache/x/test.parquet",
            "main/test-00000-of-00001.parquet",
            "main/train-00000-of-00001.parquet",
            "socratic/test-00000-of-00001.parquet",
            "main/test.jsonl",
        ];
        let found = select(&files, Part::Usual("main"), Part::Usual("test"));
        assert_eq!(found.unwrap(), ["main/test-00000-of-00001.parquet"]);
        let found = select(&files, Part::Asked("socratic"), Part::Asked("test"));
        assert_eq!(found.unwrap(), ["socratic/test-00000-of-00001.parquet"]);
        let found = select(&files, Part::Asked("socratic"), Part::Asked("train"));
        assert_eq!(
            found.unwrap_err(),
            "data set `org/name`: no file is of `train`: there are socratic/test-00000-of-00001.parquet"
        );
    }

    #[test]
    fn files_whose_names_tell_no_split_are_of_every_split() {
        let found = select(
            &["question.jsonl", "b.jsonl"],
            Part::Any,
            Part::Asked("train"),
        );
        assert_eq!(found.unwrap(), ["b.jsonl", "question.jsonl"]);
        let found = select(&["data/training.json"], Part::Any, Part::Usual("train"));
        assert_eq!(found.unwrap(), ["data/training.json"]);
    }

    #[test]
    fn without_a_table_the_error_says_what_to_get() {
        let stored = Stored {
            name: "org/name",
            path: None,
            caches: &HubCaches {
                hugging_face: vec!["/caches/hub".into()],
                model_scope: vec![],
            },
        };
        let error = stored.tables(Part::Any, Part::Any).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no file of data set `org/name` on this machine; looked for /caches/hub/datasets--org--name, \
             /caches/datasets/org___name"
        );
        let hint = error.hint().unwrap();
        assert!(
            hint.contains("hf download --repo-type dataset org/name"),
            "{hint}"
        );
    }
}
