//! Parameters put into a command: `{"max_num_seqs": 32}` makes `--max-num-seqs 32`, in place of what the command says of it.
//!
//! What vLLM's own sweep misses is found: `--key=value`, a `--no-key` that is to be `--key`, a flag that stands alone before a
//! value is set, a second occurrence that would win, and short names that the user tells of.

use serde_json::Value;

use super::params::Combination;
use super::python;

/// A short name and the parameter that it stands for, such as `tp` and `tensor_parallel_size`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) short: String,
    pub(crate) key: String,
}

/// The command with the parameters of a combination.
pub(crate) fn applied(
    command: &[String],
    parameters: &Combination,
    aliases: &[Alias],
) -> Vec<String> {
    let mut command = command.to_vec();
    for (key, value) in parameters.parameters() {
        Setting::of(key, value, aliases).put(&mut command);
    }
    command
}

/// One parameter.
struct Setting {
    /// The flag as it is written where the command does not have it: with dashes.
    flag: String,
    /// Its spellings in a command.
    known: Vec<String>,
    form: Form,
}

/// What is written.
enum Form {
    /// `--key`, or `--no-key` where it is not so.
    Switch(bool),
    /// `--a.b=true`, in one word.
    Joined(String),
    /// `--key value`.
    Valued(String),
}

/// Where a command has a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// `--no-key`.
    Negated,
    /// `--key=value`.
    Joined,
    /// `--key value`, or `--key` alone.
    Word,
}

impl Setting {
    fn of(key: &str, value: &Value, aliases: &[Alias]) -> Self {
        let short = aliases.iter().find(|alias| alias.short == key);
        let key = short.map_or(key, |alias| &alias.key);
        let (head, tail) = match key.split_once('.') {
            Some((head, tail)) => (head, format!(".{tail}")),
            None => (key, String::new()),
        };
        let spelt = |head: String| format!("--{head}{tail}");
        let dashed = spelt(head.replace('_', "-"));
        let mut known = vec![
            dashed.clone(),
            spelt(head.replace('-', "_")),
            spelt(head.to_owned()),
        ];
        for alias in aliases {
            if alias.key.replace('-', "_") == key.replace('-', "_") {
                known.push(format!("-{}", alias.short));
                known.push(format!("--{}", alias.short));
            }
        }
        let form = match value {
            Value::Bool(on) if tail.is_empty() => Form::Switch(*on),
            Value::Bool(on) => Form::Joined(on.to_string()),
            Value::Object(_) => Form::Valued(value.to_string()),
            other => Form::Valued(python::str(other)),
        };
        Self {
            flag: dashed,
            known,
            form,
        }
    }

    /// In place of the first occurrence; later ones, which would win, go. Behind all else where there is none.
    fn put(&self, command: &mut Vec<String>) {
        let mut place = None;
        let mut at = 0;
        while at < command.len() {
            let Some(found) = self.find(&command[at]) else {
                at += 1;
                continue;
            };
            let width = self.width(found, command.get(at + 1));
            command.drain(at..at + width);
            place.get_or_insert((at, found));
        }
        let (at, found) = place.unwrap_or((command.len(), Found::Word));
        command.splice(at..at, self.words(found));
    }

    fn find(&self, word: &str) -> Option<Found> {
        if self.known.iter().any(|known| known == word) {
            return Some(Found::Word);
        }
        let is_negated = |known: &String| {
            let name = known.strip_prefix("--");
            name.zip(word.strip_prefix("--no"))
                .is_some_and(|(name, rest)| rest.strip_prefix(['-', '_']) == Some(name))
        };
        if self.known.iter().any(is_negated) {
            return Some(Found::Negated);
        }
        let (name, _) = word.split_once('=')?;
        self.known
            .iter()
            .any(|known| known == name)
            .then_some(Found::Joined)
    }

    /// Words that an occurrence takes: a value behind the flag belongs to it.
    fn width(&self, found: Found, next: Option<&String>) -> usize {
        let is_value =
            next.is_some_and(|next| !next.starts_with('-') || next.parse::<f64>().is_ok());
        match (found, &self.form) {
            (Found::Word, Form::Valued(_)) if is_value => 2,
            (Found::Word, Form::Switch(_) | Form::Joined(_))
                if next.is_some_and(|next| is_truth(next)) =>
            {
                2
            }
            _ => 1,
        }
    }

    fn words(&self, found: Found) -> Vec<String> {
        let flag = &self.flag;
        match &self.form {
            Form::Switch(true) => vec![flag.clone()],
            Form::Switch(false) => vec![format!("--no-{}", &flag[2..])],
            Form::Joined(value) => vec![format!("{flag}={value}")],
            Form::Valued(value) if found == Found::Joined => vec![format!("{flag}={value}")],
            Form::Valued(value) => vec![flag.clone(), value.clone()],
        }
    }
}

fn is_truth(word: &str) -> bool {
    matches!(word, "true" | "false" | "True" | "False")
}

#[cfg(test)]
mod tests;
