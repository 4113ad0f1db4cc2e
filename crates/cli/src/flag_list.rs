//! The flags of a sub-command as a front end needs them to make a command line out of named values.
//!
//! Read from the parser itself, so that there is one list of flags and no other.

use std::any::TypeId;

use clap::{Arg, ArgAction, CommandFactory};
use crestline_core::nearest::nearest;

use crate::command::Cli;

/// One flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without dashes before it and with dashes in it.
    pub name: String,
    /// Other names that are read too.
    pub aliases: Vec<String>,
    /// How many values it has.
    pub values: Values,
    /// What each value is.
    pub kind: Kind,
    /// What stands for the value in its help: `NAME=VALUE`, `JSON`.
    pub shown: String,
    /// What the flag is without being given; empty where nothing.
    pub default: Vec<String>,
    /// Its help on one line.
    pub help: String,
}

/// How many values a flag has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// None: it is given or not.
    Switch,
    /// One.
    One,
    /// One or none.
    Optional,
    /// One or more behind one name.
    Many,
    /// One each time that it is given, as often as one likes.
    Repeated,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// Any number.
    Number,
    /// A truth value in words.
    Truth,
    /// One of these words.
    Choice(Vec<String>),
    /// A text.
    Text,
}

/// The flags of the sub-command with this path (`["bench", "serve"]`), in the order of its help; `None` where there is none.
pub fn flags(path: &[&str]) -> Option<Vec<Flag>> {
    let mut command = Cli::command();
    command.build();
    let mut inner = &command;
    for name in path {
        inner = inner.find_subcommand(name)?;
    }
    let named = inner
        .get_arguments()
        .filter(|argument| !matches!(argument.get_action(), ArgAction::Help | ArgAction::Version));
    Some(named.filter_map(flag).collect())
}

/// The name that is meant by one that is not there, where one is near.
pub fn meant<'a>(unknown: &str, names: &[&'a str]) -> Option<&'a str> {
    nearest(unknown, names.iter().copied())
}

fn flag(argument: &Arg) -> Option<Flag> {
    let name = argument.get_long()?.to_owned();
    let mut aliases: Vec<String> = argument
        .get_all_aliases()
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    aliases.sort_unstable();
    let shown = argument.get_value_names().unwrap_or_default();
    let shown: Vec<&str> = shown.iter().map(clap::builder::Str::as_str).collect();
    let default = argument.get_default_values().iter();
    let help = argument.get_help().map(ToString::to_string);
    Some(Flag {
        name,
        aliases,
        values: values(argument),
        kind: kind(argument),
        shown: shown.join(" "),
        default: default
            .map(|value| value.to_string_lossy().into_owned())
            .collect(),
        help: help.unwrap_or_default().replace('\n', " "),
    })
}

fn values(argument: &Arg) -> Values {
    match argument.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count => Values::Switch,
        ArgAction::Append => Values::Repeated,
        _ => {
            let range = argument.get_num_args().unwrap_or(1.into());
            match (range.min_values(), range.max_values()) {
                (0, 1) => Values::Optional,
                (_, most) if most > 1 => Values::Many,
                _ => Values::One,
            }
        }
    }
}

fn kind(argument: &Arg) -> Kind {
    let parser = argument.get_value_parser();
    let choices: Vec<String> = parser
        .possible_values()
        .into_iter()
        .flatten()
        .map(|value| value.get_name().to_owned())
        .collect();
    let id = parser.type_id();
    let whole = [
        TypeId::of::<i64>(),
        TypeId::of::<u64>(),
        TypeId::of::<u32>(),
        TypeId::of::<u16>(),
        TypeId::of::<u8>(),
    ];
    if choices == ["true", "false"] {
        Kind::Truth
    } else if !choices.is_empty() {
        Kind::Choice(choices)
    } else if whole.iter().any(|known| id == *known) {
        Kind::Whole
    } else if id == TypeId::of::<f64>() {
        Kind::Number
    } else {
        Kind::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(flags: &'a [Flag], name: &str) -> &'a Flag {
        flags.iter().find(|flag| flag.name == name).unwrap()
    }

    #[test]
    fn each_flag_has_what_a_command_line_needs() {
        let flags = flags(&["perf"]).unwrap();
        let seen = |name| {
            let flag = of(&flags, name);
            (flag.values, flag.kind.clone())
        };
        assert_eq!(seen("parallel"), (Values::Many, Kind::Whole));
        assert_eq!(seen("rate"), (Values::Many, Kind::Number));
        assert_eq!(seen("headers"), (Values::Many, Kind::Text));
        assert_eq!(seen("stream"), (Values::Switch, Kind::Truth));
        assert_eq!(seen("duration"), (Values::One, Kind::Number));
        assert_eq!(seen("resume"), (Values::Optional, Kind::Text));
        let arrival = Kind::Choice(["poisson", "constant"].map(str::to_owned).to_vec());
        assert_eq!(seen("arrival"), (Values::One, arrival));
        assert_eq!(of(&flags, "extra-args").shown, "JSON");
        assert_eq!(of(&flags, "api").default, ["openai"]);
        assert!(flags.iter().all(|flag| !flag.help.is_empty()));
    }

    #[test]
    fn every_flag_of_the_commands_for_scripts_is_listed() {
        let paths: [&[&str]; 6] = [
            &["bench", "serve"],
            &["bench", "sweep", "serve"],
            &["bench", "sweep", "serve_sla"],
            &["bench", "sweep", "serve_workload"],
            &["bench", "sweep", "startup"],
            &["sim"],
        ];
        for path in paths {
            assert!(flags(path).is_some_and(|flags| flags.len() > 5), "{path:?}");
        }
        assert_eq!(flags(&["nonsense"]), None);
    }
}
