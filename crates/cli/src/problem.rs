//! What the user reads when something is wrong: what could not be done, why, and what to do.
//!
//! Holds texts only. The library crates have errors of their own; this is the shape they are shown in.

use std::error::Error;
use std::fmt;

use crate::exit::Exit;

/// Letters of an error's own text that are shown: a service may answer with a whole page.
const LONGEST_CAUSE: usize = 600;

/// A failure as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    title: String,
    cause: Option<String>,
    hint: Option<String>,
    exit: Exit,
}

impl Problem {
    /// Wrong arguments or set-up; ends with exit code 2.
    pub(crate) fn usage(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            cause: None,
            hint: None,
            exit: Exit::Usage,
        }
    }

    /// Something that went wrong during the work; ends with exit code 1.
    pub(crate) fn failed(title: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            ..Self::usage(title)
        }
    }

    /// The same when something has been measured already: exit code 1, whatever went wrong.
    pub(crate) fn after_a_load(self) -> Self {
        Self {
            exit: Exit::Failed,
            ..self
        }
    }

    /// Says what the wrong arguments are a part of.
    pub(crate) fn within(self, whole: &str) -> Self {
        Self {
            title: format!("{whole}: {}", self.title),
            ..self
        }
    }

    /// Adds why, as a fragment without a final stop.
    pub(crate) fn cause(self, cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// Adds why: an error and all that it came from.
    pub(crate) fn because(self, error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(deeper) = source {
            text.push_str(": ");
            text.push_str(&deeper.to_string());
            source = deeper.source();
        }
        if text.chars().count() > LONGEST_CAUSE {
            text = crate::console::brief(&text, LONGEST_CAUSE);
        }
        self.cause(text)
    }

    /// Adds what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// Adds what to do about it, where that is known.
    pub(crate) fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// What could not be done.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Why, where that is known.
    pub fn cause_text(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What to do about it, where that is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The exit code it ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "error: {}", self.title)?;
        for (label, text) in [("cause", &self.cause), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(out, "\n  {label}: {}", text.replace('\n', "\n    "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_problem_says_what_why_and_what_to_do() {
        let problem = Problem::usage("cannot start the run")
            .because(&std::io::Error::other("disk full"))
            .hint("free some space\nor choose another folder");
        expect![[r"
            error: cannot start the run
              cause: disk full
              hint: free some space
                or choose another folder"]]
        .assert_eq(&problem.to_string());
        assert_eq!(problem.exit(), Exit::Usage);
    }
}
