//! What has been read so far, and what it comes to as a whole: an order, repetitions, and what tells runs apart.
//!
//! Reads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crestline_report::facts::{Facts, LoadFacts, PlainTable, SearchFacts};

use super::Wanted;

/// Names that a title has one by one.
const NAMED: usize = 3;

/// The parameter that tells runs apart which differ in nothing else.
const RUN: &str = "run";
/// The same where they are of different models.
const MODEL: &str = "model";

/// Runs and searches as they are found.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    pub(super) wanted: &'a Wanted,
    /// Each with the folder or file of the run that it is a part of.
    loads: Vec<(PathBuf, LoadFacts)>,
    searches: Vec<(PathBuf, SearchFacts)>,
    tables: Vec<PlainTable>,
    parameters: Vec<String>,
    /// Names of experiments.
    names: Vec<String>,
    left_out: Vec<String>,
    /// Files and folders that need not be looked at again.
    read: BTreeSet<PathBuf>,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        Self {
            wanted,
            loads: Vec::new(),
            searches: Vec::new(),
            tables: Vec::new(),
            parameters: Vec::new(),
            names: Vec::new(),
            left_out: Vec::new(),
            read: BTreeSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.loads.is_empty() && self.searches.is_empty() && self.tables.is_empty()
    }

    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Says that a file is not drawn, and why.
    pub(super) fn leave_out(&mut self, path: &Path, why: impl AsRef<str>) {
        let line = format!("{}: {}", path.display(), why.as_ref());
        if !self.left_out.contains(&line) {
            self.left_out.push(line);
        }
    }

    /// Whether another run may be kept with each of its requests.
    pub(super) fn has_room(&self) -> bool {
        let loads = self.loads.iter().map(|(_, load)| load);
        let sessions = self.searches.iter();
        let sessions = sessions.filter_map(|(_, search)| search.session.as_deref());
        loads
            .chain(sessions)
            .filter(|load| load.detail.is_some())
            .count()
            < self.wanted.details
    }

    pub(super) fn add_load(&mut self, group: &Path, load: LoadFacts) {
        self.loads.push((group.to_owned(), load));
    }

    pub(super) fn add_search(&mut self, group: &Path, search: SearchFacts) {
        self.searches.push((group.to_owned(), search));
    }

    pub(super) fn add_table(&mut self, table: PlainTable) {
        self.tables.push(table);
    }

    /// Parameters in which runs differ, in the order of the user.
    pub(super) fn add_parameters(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if !self.parameters.contains(&name) {
                self.parameters.push(name);
            }
        }
    }

    /// Runs in a folder and its folders.
    pub(super) fn loads_in(&self, folder: &Path) -> impl Iterator<Item = &LoadFacts> {
        let loads = self.loads.iter().map(|(_, load)| load);
        loads.filter(move |load| {
            let mut files = load.origin.files.iter();
            files.any(|file| Path::new(file).starts_with(folder))
        })
    }

    /// What was measured, where no run says it.
    pub(super) fn add_name(&mut self, name: Option<&str>) {
        self.names.extend(name.map(str::to_owned));
    }

    /// A path that is a part of something that has been read.
    pub(super) fn put_aside(&mut self, path: PathBuf) {
        self.read.insert(path);
    }

    pub(super) fn is_read(&self, path: &Path) -> bool {
        self.read.contains(path)
    }

    /// The values of a report.
    pub(super) fn facts(mut self, paths: &[PathBuf]) -> Facts {
        self.tell_apart();
        let loads = self.loads.into_iter().map(|(_, load)| load).collect();
        let loads = in_order(loads);
        let searches = self.searches.into_iter().map(|(_, search)| search);
        let searches: Vec<SearchFacts> = searches.collect();
        let sessions = searches.iter().filter_map(|it| it.session.as_deref());
        let origins: Vec<_> = loads
            .iter()
            .chain(sessions)
            .map(|load| &load.origin)
            .collect();
        let models = origins.iter().filter_map(|origin| origin.model.clone());
        self.names.extend(models);
        let urls = origins.iter().filter_map(|origin| origin.url.clone());
        Facts {
            title: joined(self.names.into_iter())
                .or_else(|| joined(paths.iter().map(|path| name(path))))
                .unwrap_or_default(),
            subject: joined(urls)
                .or_else(|| joined(paths.iter().map(|path| path.display().to_string())))
                .unwrap_or_default(),
            loads,
            searches,
            tables: self.tables,
            parameters: self.parameters,
            left_out: self.left_out,
        }
    }

    /// Gives runs of different folders that would look the same a parameter in which they differ.
    fn tell_apart(&mut self) {
        let models = self
            .loads
            .iter()
            .filter_map(|(_, load)| load.origin.model.as_ref());
        if distinct(models).len() > 1 {
            for (_, load) in &mut self.loads {
                let model = load.origin.model.as_deref().unwrap_or("unknown");
                load.parameters.insert(MODEL.to_owned(), model.to_owned());
            }
            self.parameters.push(MODEL.to_owned());
        }
        if !self.are_alike() {
            return;
        }
        let groups = self.groups();
        let names: BTreeMap<&PathBuf, String> = groups.iter().zip(short(&groups)).collect();
        let name = |group: &PathBuf| (RUN.to_owned(), names[group].clone());
        for (group, load) in &mut self.loads {
            load.parameters.extend([name(group)]);
        }
        for (group, search) in &mut self.searches {
            search.parameters.extend([name(group)]);
        }
        self.parameters.push(RUN.to_owned());
    }

    /// In the order in which they were found.
    fn groups(&self) -> Vec<PathBuf> {
        let loads = self.loads.iter().map(|(group, _)| group);
        let all = loads.chain(self.searches.iter().map(|(group, _)| group));
        distinct(all.cloned())
    }

    /// Whether runs of two folders have the same parameters and the same load.
    fn are_alike(&self) -> bool {
        let loads = self.loads.iter().map(|(group, load)| {
            let key = format!("load {:?} {:?}", load.parameters, load.applied);
            (key, group)
        });
        let searches = self.searches.iter().map(|(group, search)| {
            let criteria = search.answers.iter().map(|answer| answer.criteria.as_str());
            let criteria: Vec<&str> = criteria.collect();
            let key = format!(
                "search {:?} {criteria:?} {}",
                search.parameters, search.unit
            );
            (key, group)
        });
        let mut seen: BTreeMap<String, &PathBuf> = BTreeMap::new();
        let mut all = loads.chain(searches);
        all.any(|(key, group)| *seen.entry(key).or_insert(group) != group)
    }
}

/// By parameters as they came, then by rising load; the same ones are repetitions.
fn in_order(mut loads: Vec<LoadFacts>) -> Vec<LoadFacts> {
    let order = distinct(loads.iter().map(|load| load.parameters.clone()));
    loads.sort_by(|one, other| {
        let place = |load: &LoadFacts| order.iter().position(|known| *known == load.parameters);
        let number = |load: &LoadFacts| {
            let applied = [load.applied.concurrency, load.applied.rate];
            applied.map(|value| value.unwrap_or(f64::INFINITY))
        };
        let ([users, rate], [others, other_rate]) = (number(one), number(other));
        let by_place = place(one).cmp(&place(other));
        by_place
            .then(users.total_cmp(&others))
            .then(rate.total_cmp(&other_rate))
    });
    for place in 1..loads.len() {
        let [before, load] = [&loads[place - 1], &loads[place]];
        let is_same = before.parameters == load.parameters && before.applied == load.applied;
        loads[place].repeat = if is_same { before.repeat + 1 } else { 0 };
    }
    loads
}

/// Each once, in the order of the first.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut known, one| {
        if !known.contains(&one) {
            known.push(one);
        }
        known
    })
}

/// All that differ, of many the first and how many more there are.
fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts = distinct(texts);
    match &texts[..] {
        [] => None,
        [first, rest @ ..] if texts.len() > NAMED => {
            Some(format!("{first} and {} more", rest.len()))
        }
        few => Some(few.join(", ")),
    }
}

/// The last part of a path that has a name.
fn name(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match whole.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

/// Paths without what all begin and end with.
fn short(paths: &[PathBuf]) -> Vec<String> {
    let part = |part: std::path::Component<'_>| part.as_os_str().to_string_lossy().into_owned();
    let parts: Vec<Vec<String>> = paths
        .iter()
        .map(|path| path.components().map(part).collect())
        .collect();
    let shortest = parts.iter().map(Vec::len).min().unwrap_or_default();
    let begin = (0..shortest)
        .take_while(|place| distinct(parts.iter().map(|path| &path[*place])).len() == 1)
        .count();
    let from_end = |path: &Vec<String>, place: usize| path[path.len() - 1 - place].clone();
    let end = (0..shortest - begin)
        .take_while(|place| distinct(parts.iter().map(|path| from_end(path, *place))).len() == 1)
        .count();
    let names = parts
        .iter()
        .map(|path| path[begin..path.len() - end].join("/"));
    names
        .map(|name| {
            if name.is_empty() {
                ".".to_owned()
            } else {
                name
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_by_what_differs() {
        let check = |paths: &[&str], expected: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            assert_eq!(short(&paths), expected);
        };
        check(&["out/1/m", "out/2/m"], &["1", "2"]);
        check(&["a.json", "b.json"], &["a.json", "b.json"]);
        check(&["x", "x/y"], &[".", "y"]);
        check(&["x/a/m", "x/b/c/m"], &["a", "b/c"]);
        check(&["x/m", "x/y/m"], &[".", "y"]);
    }
}
