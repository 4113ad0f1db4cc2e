//! Commands without the secrets in them: the values of keys, of headers, of addresses.
//!
//! Prints nothing.

use crestline_load::target::{MASK, is_sensitive, masked_url};

use crate::bench::Program;

/// Names of flags whose value is a secret, with dashes.
const SECRET: [&str; 6] = [
    "--api-key",
    "--hf-token",
    "--password",
    "--auth-token",
    "--wandb-api-key",
    "--swanlab-api-key",
];
/// Letters of a secret that is looked for in what programs print.
const SHORTEST: usize = 4;

/// A command without its secrets.
pub(crate) fn masked(command: &[String]) -> Vec<String> {
    // vLLM takes several keys, one behind the other.
    let has_lists = Program::of(command) == Program::Vllm;
    let mut next = Next::Any;
    let masked = command.iter().map(|word| {
        let is_secret = match std::mem::replace(&mut next, Next::Any) {
            Next::Secret => true,
            Next::More => !word.starts_with('-'),
            Next::Script => return script(word),
            Next::Any => false,
        };
        if is_secret {
            next = if has_lists { Next::More } else { Next::Any };
            return MASK.to_owned();
        }
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value)),
            _ => (word.as_str(), None),
        };
        let is_secret = SECRET.contains(&flag.replace('_', "-").as_str());
        match value {
            Some(_) if is_secret => format!("{flag}={MASK}"),
            Some(value) => format!("{flag}={}", text(value)),
            None => {
                next = match flag {
                    "-c" | "-lc" => Next::Script,
                    _ if is_secret => Next::Secret,
                    _ => Next::Any,
                };
                text(word)
            }
        }
    });
    masked.collect()
}

/// What the word behind one is.
#[derive(Clone, Copy)]
enum Next {
    Any,
    Secret,
    /// A secret, unless it is a flag.
    More,
    /// A command of a shell.
    Script,
}

/// `NAME=VALUE`, as headers and variables are given, and addresses.
fn text(text: &str) -> String {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
    };
    match text.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_name(name) && is_sensitive(name) => {
            format!("{name}={MASK}")
        }
        _ if text.contains("://") => masked_url(text),
        _ => text.to_owned(),
    }
}

/// A command in a word. Without secrets it stays as it was written.
fn script(text: &str) -> String {
    let Some(words) = shlex::split(text) else {
        return MASK.to_owned();
    };
    let shown = masked(&words);
    if shown == words {
        return text.to_owned();
    }
    shown.join(" ")
}

/// What a program that was started with a command printed, without the secrets of the command.
#[derive(Debug, Clone)]
pub(crate) struct Redaction(Vec<String>);

impl Redaction {
    pub(crate) fn of(command: &[String]) -> Self {
        let pairs = command.iter().zip(masked(command));
        let secrets = pairs.filter_map(|(word, shown)| {
            let start = shown.strip_suffix(MASK)?;
            let secret = word.strip_prefix(start)?;
            // Shorter ones would be found in words.
            (word != &shown && secret.len() >= SHORTEST).then(|| secret.to_owned())
        });
        Self(secrets.collect())
    }

    pub(crate) fn redacted(&self, text: &str) -> String {
        let all = self.0.iter();
        all.fold(text.to_owned(), |text, secret| text.replace(secret, MASK))
    }
}

/// A command as it is typed into a shell, without its secrets.
pub(crate) fn line(command: &[String]) -> String {
    let shown = masked(command);
    shlex::try_join(shown.iter().map(String::as_str)).unwrap_or_else(|_| shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan_lines::words;

    fn typed(line: &str) -> Vec<String> {
        words(line).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn secrets_are_masked_and_all_else_is_shown() {
        for (line, expected) in [
            (
                "s --api-key a --api_key=b --header Authorization=c X-A=d --tokenizer t",
                "s --api-key *** --api_key=*** --header Authorization=*** X-A=d --tokenizer t",
            ),
            ("s --header=X-Api-Key=a", "s --header=X-Api-Key=***"),
            ("env HF_TOKEN=a s key", "env HF_TOKEN=*** s key"),
            (
                "s --base-url https://me:a@h --base-url=https://h/?sig=a&b=c",
                "s --base-url https://***@h --base-url=https://h/?sig=***&b=c",
            ),
            (
                "s --url sim:key/a=b.toml --x={\"token=\":1} --max-num-batched-tokens=5",
                "s --url sim:key/a=b.toml --x={\"token=\":1} --max-num-batched-tokens=5",
            ),
            ("s --api-key a b", "s --api-key *** b"),
            (
                "vllm serve m --api-key a b --port 1",
                "vllm serve m --api-key *** *** --port 1",
            ),
        ] {
            assert_eq!(masked(&typed(line)).join(" "), expected);
        }
    }

    #[test]
    fn secrets_in_the_command_of_a_shell_are_masked() {
        let of = |script: &str| masked(&["sh", "-c", script].map(str::to_owned))[2].clone();
        assert_eq!(
            of("HF_TOKEN=a exec 'vllm' serve m --api-key b c"),
            "HF_TOKEN=*** exec vllm serve m --api-key *** ***"
        );
        assert_eq!(of("exec 'vllm' serve m"), "exec 'vllm' serve m");
        assert_eq!(of("echo 'a"), MASK);
    }

    #[test]
    fn what_a_program_prints_is_shown_without_the_keys_it_was_given() {
        let command = typed("vllm bench serve --header Authorization=one1 --api-key=two2 -p abc");
        let redaction = Redaction::of(&command);
        assert_eq!(
            redaction.redacted("{'Authorization': 'one1'} two2 abc"),
            "{'Authorization': '***'} *** abc"
        );
    }
}
