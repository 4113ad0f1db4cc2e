//! Habits of Python's argparse that scripts rely on, brought to the argument list before clap reads it.
//!
//! `--max_tokens` is read as `--max-tokens`, and a unique beginning (`--para`) as the whole name (`--parallel`); what is
//! behind a dot (`--extra-body.top_k`) stays as it is. `-tp` is read as `--tp` where there is such a name. Only names are touched, never values, and it reads no flag's meaning. A text with blanks is a value, also where it begins
//! with a dash.

use std::ffi::OsString;

use clap::Command;

use crate::problem::Problem;

/// The argument list with whole option names, for the sub-command it names; `args[0]` is the program.
pub(crate) fn normalise(args: Vec<OsString>, root: &Command) -> Result<Vec<OsString>, Problem> {
    let mut args = args.into_iter();
    let mut out: Vec<OsString> = args.next().into_iter().collect();
    let mut command = root;
    let mut verbatim = false;
    for arg in args {
        if verbatim {
            out.push(arg);
            continue;
        }
        if let Some(inner) = arg.to_str().and_then(|name| command.find_subcommand(name)) {
            command = inner;
            out.push(arg);
            continue;
        }
        verbatim = arg == "--";
        match arg.to_str() {
            Some(text) if is_dashed_value(text, command) => add_value(&mut out, &arg),
            Some(text) if text.len() > 2 && text.starts_with("--") => {
                out.push(whole_name(text, command)?.into());
            }
            Some(text) if is_short_word(text, command) => out.push(format!("-{text}").into()),
            _ => out.push(arg),
        }
    }
    Ok(out)
}

/// A text such as `-x y`, which is no option of any name.
fn is_dashed_value(text: &str, command: &Command) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let known = |name: &str| {
        let dashed = name.replace('_', "-");
        long_names(command)
            .iter()
            .any(|known| known.starts_with(&dashed))
    };
    text.starts_with('-')
        && text.contains(' ')
        && !name.strip_prefix("--").is_some_and(known)
        && text.parse::<f64>().is_err()
}

/// An alias of several letters behind one dash, such as `-tp`.
fn is_short_word(text: &str, command: &Command) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    let Some(name) = name.strip_prefix('-').filter(|name| name.len() > 1) else {
        return false;
    };
    command
        .get_arguments()
        .flat_map(|arg| arg.get_all_aliases().unwrap_or_default())
        .any(|alias| alias == name)
}

/// Joins a value to the option before it, where there is one, so that its dash cannot be taken for another option's.
fn add_value(out: &mut Vec<OsString>, value: &OsString) {
    match out.last_mut() {
        Some(last)
            if last
                .to_str()
                .is_some_and(|last| last.starts_with("--") && !last.contains('=')) =>
        {
            last.push("=");
            last.push(value);
        }
        _ => out.push(value.clone()),
    }
}

/// `--name` or `--name=value` with the name dashed and completed; an unknown name is left for clap to refuse.
fn whole_name(text: &str, command: &Command) -> Result<String, Problem> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let (name, part) = name
        .split_once('.')
        .map_or((name, None), |(name, part)| (name, Some(part)));
    let dashed = name[2..].replace('_', "-");
    let known = long_names(command);
    let full = if known.contains(&dashed.as_str()) {
        dashed
    } else {
        let candidates: Vec<&str> = known
            .into_iter()
            .filter(|known| known.starts_with(&dashed))
            .collect();
        match candidates[..] {
            [] => dashed,
            [only] => only.to_owned(),
            _ => return Err(ambiguous(name, &candidates)),
        }
    };
    let part = part.map_or_else(String::new, |part| format!(".{part}"));
    Ok(match value {
        Some(value) => format!("--{full}{part}={value}"),
        None => format!("--{full}{part}"),
    })
}

fn long_names(command: &Command) -> Vec<&str> {
    let mut names: Vec<&str> = command
        .get_arguments()
        .flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default())
        .collect();
    names.push("help");
    names.sort_unstable();
    names.dedup();
    names
}

fn ambiguous(name: &str, candidates: &[&str]) -> Problem {
    let list: Vec<String> = candidates.iter().map(|name| format!("--{name}")).collect();
    Problem::usage(format!("{name} is not one flag"))
        .cause(format!("it is the beginning of {}", list.join(", ")))
        .hint("write the name in full")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn command() -> Command {
        Command::new("crestline").subcommand(
            Command::new("perf").args(
                [
                    "parallel",
                    "max-tokens",
                    "min-tokens",
                    "min-turns",
                    "rate",
                    "outputs-dir",
                ]
                .map(|name| Arg::new(name).long(name).num_args(1..)),
            ),
        )
    }

    fn check(args: &[&str], expected: &Expect) {
        let args = args.iter().map(OsString::from).collect();
        let text = match normalise(args, &command()) {
            Ok(args) => args
                .iter()
                .map(|arg| arg.to_str().unwrap())
                .collect::<Vec<_>>()
                .join(" "),
            Err(problem) => problem.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn aliases_of_several_letters_may_have_one_dash() {
        let root = Command::new("crestline")
            .subcommand(Command::new("sim").arg(Arg::new("t").long("tensor-size").alias("tp")));
        let words = ["crestline", "sim", "-tp", "2", "-tp=2", "-p", "-5", "-xy"];
        let read = normalise(words.map(OsString::from).to_vec(), &root).unwrap();
        assert_eq!(
            read,
            ["crestline", "sim", "--tp", "2", "--tp=2", "-p", "-5", "-xy"].map(OsString::from)
        );
    }

    #[test]
    fn underscores_become_dashes_in_names_only() {
        check(
            &[
                "crestline",
                "perf",
                "--max_tokens",
                "a_b",
                "--outputs_dir=my_dir",
            ],
            &expect!["crestline perf --max-tokens a_b --outputs-dir=my_dir"],
        );
    }

    #[test]
    fn a_unique_beginning_is_completed() {
        check(
            &[
                "crestline",
                "perf",
                "--para",
                "1",
                "10",
                "--output=x",
                "--min_to",
                "3",
            ],
            &expect!["crestline perf --parallel 1 10 --outputs-dir=x --min-tokens 3"],
        );
    }

    #[test]
    fn an_ambiguous_beginning_lists_the_candidates() {
        check(
            &["crestline", "perf", "--min", "3"],
            &expect![[r"
                error: --min is not one flag
                  cause: it is the beginning of --min-tokens, --min-turns
                  hint: write the name in full"]],
        );
    }

    #[test]
    fn values_numbers_and_unknown_names_are_left_alone() {
        check(
            &[
                "crestline",
                "perf",
                "--rate",
                "-1",
                "-n",
                "5",
                "--nope_x",
                "1",
            ],
            &expect!["crestline perf --rate -1 -n 5 --nope-x 1"],
        );
    }

    #[test]
    fn a_text_with_blanks_is_a_value_also_behind_a_dash() {
        check(
            &["crestline", "perf", "--outputs_dir", "-x y", "--rate", "1"],
            &expect!["crestline perf --outputs-dir=-x y --rate 1"],
        );
        check(
            &[
                "crestline",
                "perf",
                "--max-tokens=1 2",
                "--rate",
                "a",
                "-- b",
            ],
            &expect!["crestline perf --max-tokens=1 2 --rate a -- b"],
        );
    }

    #[test]
    fn nothing_is_touched_after_a_lone_double_dash() {
        check(
            &["crestline", "perf", "--", "--max_tokens"],
            &expect!["crestline perf -- --max_tokens"],
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_list_of_texts_is_read_without_a_panic_and_never_grows(
            args in proptest::collection::vec("[-a-z_=é ]{0,12}", 0..8)
        ) {
            let list: Vec<OsString> = args.iter().map(OsString::from).collect();
            let count = list.len();
            if let Ok(out) = normalise(list, &command()) {
                prop_assert!(out.len() <= count && (count == 0) == out.is_empty());
            }
        }
    }
}
