//! Where the Hugging Face and ModelScope tools keep what they have downloaded.
//!
//! Finds folders; opens no file of a model and downloads nothing.

use std::path::{Path, PathBuf};

/// Roots of the local hub caches, in the order in which they are searched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubCaches {
    /// Folders with `models--org--name` and `datasets--org--name` inside.
    pub hugging_face: Vec<PathBuf>,
    /// Folders with `hub/models/org/name` or `hub/org/name` inside.
    pub model_scope: Vec<PathBuf>,
}

/// What a hub holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubKind {
    /// Models, with their tokenizers.
    Model,
    /// Data sets.
    Dataset,
}

impl HubCaches {
    /// The caches that this process's environment points to.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The caches that a set of environment variables points to: `HF_HUB_CACHE`, `HF_HOME`, `MODELSCOPE_CACHE`,
    /// `XDG_CACHE_HOME` and `HOME`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| {
            variable(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let user_cache = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")));
        let user_folder = |name: &str| Some(user_cache.as_ref()?.join(name));
        let hugging_face = [
            path("HF_HUB_CACHE"),
            path("HF_HOME").map(|home| home.join("hub")),
            user_folder("huggingface/hub"),
        ];
        // The tool's own default is below the home folder whatever the cache variable says.
        let home_scope = path("HOME").map(|home| home.join(".cache/modelscope"));
        let model_scope = [
            path("MODELSCOPE_CACHE"),
            user_folder("modelscope"),
            home_scope,
        ];
        Self {
            hugging_face: distinct(hugging_face),
            model_scope: distinct(model_scope),
        }
    }

    /// Every folder where a repository `org/name` would lie, present or not; for Hugging Face the one with
    /// `refs` and `snapshots`.
    pub fn candidates(&self, kind: HubKind, name: &str) -> Vec<PathBuf> {
        let (prefix, sub) = match kind {
            HubKind::Model => ("models", "models"),
            HubKind::Dataset => ("datasets", "datasets"),
        };
        let flat = format!("{prefix}--{}", name.replace('/', "--"));
        let mut found: Vec<PathBuf> = self
            .hugging_face
            .iter()
            .map(|root| root.join(&flat))
            .collect();
        if kind == HubKind::Dataset {
            found.extend(self.prepared(name));
        }
        for root in &self.model_scope {
            for base in [
                root.join("hub").join(sub),
                root.join("hub"),
                root.join(sub),
                root.clone(),
            ] {
                found.push(base.join(name));
                if name.contains('.') {
                    found.push(base.join(name.replace('.', "___")));
                }
            }
        }
        found
    }

    /// Where the Hugging Face tools keep a data set that they have made Arrow files of: a folder beside the hub's cache, with the
    /// name in lower case and words set apart.
    fn prepared(&self, name: &str) -> Vec<PathBuf> {
        let folder = match name.split_once('/') {
            Some((owner, name)) => format!("{owner}___{}", snake_case(name)),
            None => snake_case(name),
        };
        let beside = self.hugging_face.iter().filter_map(|root| root.parent());
        beside
            .map(|parent| parent.join("datasets").join(&folder))
            .collect()
    }

    /// Folders of a repository's files that exist, best first.
    pub fn snapshots(&self, kind: HubKind, name: &str) -> Vec<PathBuf> {
        self.candidates(kind, name)
            .into_iter()
            .flat_map(|candidate| snapshot_folders(&candidate))
            .collect()
    }
}

/// `OneName` as `one_name`; a run of capitals is one word.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len());
    for (place, letter) in letters.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| letters[before]);
        let next = letters.get(place + 1);
        let begins_word = match before {
            Some(before) if letter.is_ascii_uppercase() => {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next.is_some_and(char::is_ascii_lowercase))
            }
            _ => false,
        };
        if begins_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn distinct<const N: usize>(paths: [Option<PathBuf>; N]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths.into_iter().flatten() {
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

/// The revision that `refs/main` names, then the other snapshots by name; the folder itself where it has none.
fn snapshot_folders(folder: &Path) -> Vec<PathBuf> {
    let snapshots = folder.join("snapshots");
    if !snapshots.is_dir() {
        return if folder.is_dir() {
            vec![folder.to_owned()]
        } else {
            Vec::new()
        };
    }
    let mut found = Vec::new();
    if let Ok(revision) = std::fs::read_to_string(folder.join("refs/main")) {
        let main = snapshots.join(revision.trim());
        if main.is_dir() {
            found.push(main);
        }
    }
    let entries = std::fs::read_dir(&snapshots)
        .into_iter()
        .flatten()
        .flatten();
    let mut others: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    others.sort();
    for other in others {
        if !found.contains(&other) {
            found.push(other);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn caches(variables: &[(&str, &str)]) -> HubCaches {
        HubCaches::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn explicit_variables_come_before_the_home_folder() {
        let caches = caches(&[
            ("HF_HUB_CACHE", "/a"),
            ("HF_HOME", "/b"),
            ("HOME", "/h"),
            ("MODELSCOPE_CACHE", "/m"),
        ]);
        let expected = ["/a", "/b/hub", "/h/.cache/huggingface/hub"];
        assert_eq!(caches.hugging_face, expected.map(PathBuf::from));
        let expected = ["/m", "/h/.cache/modelscope"];
        assert_eq!(caches.model_scope, expected.map(PathBuf::from));
    }

    #[test]
    fn an_empty_variable_is_as_none() {
        assert_eq!(caches(&[("HF_HOME", "")]), HubCaches::default());
    }

    #[test]
    fn the_main_revision_comes_first_and_others_after_it() {
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("hub/models--org--name");
        for revision in ["aaa", "bbb"] {
            fs::create_dir_all(model.join("snapshots").join(revision)).unwrap();
        }
        fs::create_dir_all(model.join("refs")).unwrap();
        fs::write(model.join("refs/main"), "bbb\n").unwrap();
        let caches = caches(&[("HF_HOME", root.path().to_str().unwrap())]);
        let found = caches.snapshots(HubKind::Model, "org/name");
        let expected = ["bbb", "aaa"].map(|revision| model.join("snapshots").join(revision));
        assert_eq!(found, expected);
        assert!(caches.snapshots(HubKind::Dataset, "org/name").is_empty());
    }

    #[test]
    fn data_sets_that_were_made_arrow_files_are_found_beside_the_hub() {
        let root = tempfile::tempdir().unwrap();
        let caches = caches(&[("HF_HOME", root.path().to_str().unwrap())]);
        for (name, folder) in [
            ("openai/gsm8k", "openai___gsm8k"),
            (
                "Aeala/ShareGPT_Vicuna_unfiltered",
                "Aeala___share_gpt_vicuna_unfiltered",
            ),
            ("Lin-Chen/MMStar", "Lin-Chen___mm_star"),
        ] {
            let folder = root.path().join("datasets").join(folder);
            fs::create_dir_all(&folder).unwrap();
            assert_eq!(caches.snapshots(HubKind::Dataset, name), [folder]);
            assert!(caches.snapshots(HubKind::Model, name).is_empty());
        }
    }

    #[test]
    fn model_scope_is_found_in_both_layouts_and_with_masked_dots() {
        for layout in [
            "hub/models/org/name-1___5",
            "hub/org/name-1.5",
            "models/org/name-1___5",
        ] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join(layout);
            fs::create_dir_all(&folder).unwrap();
            let caches = caches(&[("MODELSCOPE_CACHE", root.path().to_str().unwrap())]);
            let found = caches.snapshots(HubKind::Model, "org/name-1.5");
            assert_eq!(found, [folder], "{layout}");
        }
    }
}
