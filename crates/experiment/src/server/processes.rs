//! Processes and who started them, by the system's own list (`/proc`).
//!
//! Only reads. Where there is no such list, as on other systems than Linux, it is empty.

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::Pid;

/// All processes, each with its parent.
#[derive(Debug, Default)]
pub(super) struct Processes(BTreeMap<i32, i32>);

impl Processes {
    pub(super) fn now() -> Self {
        let known = all().filter_map(|pid| Some((pid, parent(pid)?)));
        Self(known.collect())
    }

    /// Those that this process started itself or adopted.
    pub(super) fn children(&self) -> Vec<Pid> {
        let own = std::process::id().cast_signed();
        self.of(own).map(Pid::from_raw).collect()
    }

    /// Those, theirs, and so on.
    pub(super) fn descendants(&self) -> Vec<Pid> {
        let mut found = Vec::new();
        let mut open = vec![std::process::id().cast_signed()];
        while let Some(parent) = open.pop() {
            for child in self.of(parent) {
                found.push(Pid::from_raw(child));
                open.push(child);
            }
        }
        found
    }

    fn of(&self, parent: i32) -> impl Iterator<Item = i32> {
        let all = self.0.iter();
        all.filter(move |(_, theirs)| **theirs == parent)
            .map(|(pid, _)| *pid)
    }
}

/// Those that were started with this variable, `NAME=value`, or by one of them.
pub(super) fn with_variable(variable: &str) -> Vec<Pid> {
    let has = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
    };
    all().filter(has).map(Pid::from_raw).collect()
}

fn all() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The fourth field; the second, the program's name, may have blanks and brackets.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_known_by_its_parent_and_by_its_variable() {
        let value = format!("CRESTLINE_TEST={}", std::process::id());
        let (name, number) = value.split_once('=').unwrap();
        let mut child = Command::new("sleep")
            .arg("60")
            .env(name, number)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let now = Processes::now();
        assert!(now.children().contains(&pid));
        assert!(now.descendants().contains(&pid));
        assert_eq!(with_variable(&value), [pid]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!Processes::now().children().contains(&pid));
        assert!(with_variable(&value).is_empty());
    }
}
