//! Which flags were typed, as apart from those that have their default.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// Names of the typed flags, as the fields of the arguments are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed {
    fields: Vec<String>,
}

impl Typed {
    /// Whether a field's flag was typed.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|typed| typed == field)
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let ids = matches.ids().map(clap::Id::as_str);
        Ok(Self {
            fields: ids.filter(is_typed).map(str::to_owned).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// It has no flag of its own.
impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
