//! What can be wrong with criteria and limits as they are written, and what to do about it.
//!
//! Front ends print the message as the cause and [`CriteriaError::hint`] below it.

use super::names::KNOWN;
use super::{Goal, Measure, Relation, condition};

/// Criteria that cannot be searched for. Groups are numbered from 1.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CriteriaError {
    /// Not JSON at all.
    #[error("the criteria are not JSON: {reason} at line {line}, column {column}{near}")]
    NotJson {
        /// What the parser says.
        reason: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What stands before that place, quoted.
        near: String,
    },
    /// JSON of another kind.
    #[error("the criteria are {kind}, not a list of groups")]
    NotGroups {
        /// What they are.
        kind: &'static str,
    },
    /// An empty list.
    #[error("the list of criteria is empty")]
    NoGroups,
    /// An element of the list is no object.
    #[error("group {group} is {kind}, not an object of metrics and conditions")]
    NotAGroup {
        /// Which.
        group: usize,
        /// What it is.
        kind: &'static str,
    },
    /// An object without members.
    #[error("group {group} is empty")]
    EmptyGroup {
        /// Which.
        group: usize,
    },
    /// A name that is no metric.
    #[error("unknown metric `{name}` in group {group}")]
    UnknownMetric {
        /// Where.
        group: usize,
        /// As written.
        name: String,
        /// A metric with a similar name.
        nearest: Option<String>,
    },
    /// A group with two aims.
    #[error("group {group} has two aims: `{first}` and `{second}`")]
    TwoAims {
        /// Which.
        group: usize,
        /// The first aim.
        first: String,
        /// The second aim.
        second: String,
    },
    /// Something wrong with one metric.
    #[error("`{metric}` in group {group}: {fault}")]
    Criterion {
        /// Where.
        group: usize,
        /// Its name.
        metric: String,
        /// What is wrong.
        fault: CriterionFault,
    },
}

/// What can be wrong with the condition on one metric.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CriterionFault {
    /// Neither comparison nor aim.
    #[error("`{text}` has no comparison")]
    NoRelation {
        /// As written.
        text: String,
        /// Of what.
        measure: Measure,
    },
    /// A number without a comparison.
    #[error("the number {number} has no comparison")]
    BareNumber {
        /// As written.
        number: String,
        /// The same with a comparison.
        suggestion: String,
    },
    /// Neither text nor a number.
    #[error("the condition is {kind}, not a string")]
    NotText {
        /// What it is.
        kind: &'static str,
        /// Of what.
        measure: Measure,
    },
    /// Nothing after the comparison.
    #[error("no threshold follows")]
    NoNumber,
    /// No number after the comparison.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// Too large a number.
    #[error("`{0}` is too large")]
    NotFinite(String),
    /// A unit that the metric does not have.
    #[error("`{unit}` is not a unit of it")]
    Unit {
        /// As written.
        unit: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Zero or less.
    #[error("the threshold `{0}` is not above 0")]
    NotPositive(String),
    /// A share above 1.
    #[error("the threshold `{0}` is more than 100 %")]
    MoreThanAll(String),
    /// More than everything is asked for.
    #[error("no share is above 100 %")]
    AboveAll,
    /// A lower limit on a time, or an upper limit on work or a share.
    #[error("`{}` gives no highest load: {}", relation.symbol(), wrong_side(*relation))]
    WrongSide {
        /// As written.
        relation: Relation,
    },
    /// The worst is sought.
    #[error("`{}` seeks the load at which the service is worst", goal.name())]
    WrongGoal {
        /// As written.
        goal: Goal,
    },
    /// The same comparison twice.
    #[error("`{}` is given twice", relation.symbol())]
    Repeated {
        /// The comparison.
        relation: Relation,
    },
    /// Limits that no value keeps to.
    #[error("no value is both `{first}` and `{second}`")]
    Contradiction {
        /// The first condition.
        first: String,
        /// The second condition.
        second: String,
    },
    /// Goodput without limits for single requests.
    #[error("there are no limits that a good request keeps to")]
    NoSlo,
}

fn wrong_side(relation: Relation) -> &'static str {
    if relation.is_upper() {
        "a service that does little or fails much keeps to it at any load"
    } else {
        "a service that is overloaded keeps to it ever better"
    }
}

impl CriteriaError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotJson { .. } => {
                "write a list of groups such as [{\"p99_ttft\": \"<=2s\"}], in a shell between single quotes"
                    .to_owned()
            }
            Self::NotGroups { .. } | Self::NotAGroup { .. } => {
                "write a list of groups such as [{\"p99_ttft\": \"<=2s\"}]".to_owned()
            }
            Self::NoGroups | Self::EmptyGroup { .. } => {
                "name at least one metric in each group, such as {\"p99_ttft\": \"<=2s\"}".to_owned()
            }
            Self::UnknownMetric { nearest, .. } => match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? Metrics: {KNOWN}"),
                None => format!("metrics: {KNOWN}"),
            },
            Self::TwoAims { .. } => {
                "give each aim a group of its own, or turn one into a limit".to_owned()
            }
            Self::Criterion { fault, .. } => fault.hint(),
        }
    }
}

impl CriterionFault {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoRelation { measure, .. } | Self::NotText { measure, .. } => {
                let example = condition::example(*measure);
                let goal = measure.better().name();
                format!("write a limit such as \"{example}\", or \"{goal}\"")
            }
            Self::BareNumber { suggestion, .. } => format!("write \"{suggestion}\""),
            Self::NoNumber | Self::NotANumber(_) => {
                "write a number with a decimal point, and its unit behind it".to_owned()
            }
            Self::NotFinite(_) => "leave out a limit that nothing can exceed".to_owned(),
            Self::Unit { expected, .. } => format!("units: {expected}"),
            Self::NotPositive(_) => "write a threshold above 0, or leave the metric out".to_owned(),
            Self::MoreThanAll(_) => "write a share such as 99.5% or 0.995".to_owned(),
            Self::AboveAll => "write \">=100%\"".to_owned(),
            Self::WrongSide { relation } if relation.is_upper() => {
                "limit it from below with `>=`, or leave it out".to_owned()
            }
            Self::WrongSide { .. } => "limit it from above with `<=`".to_owned(),
            Self::WrongGoal { goal: Goal::Max } => "write \"min\", or a limit".to_owned(),
            Self::WrongGoal { goal: Goal::Min } => "write \"max\", or a limit".to_owned(),
            Self::Repeated { .. } => "keep the stricter of the two".to_owned(),
            Self::Contradiction { .. } => "keep one of the two".to_owned(),
            Self::NoSlo => "say what a good request is, such as ttft:500ms tpot:50ms".to_owned(),
        }
    }
}

/// Limits for single requests that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SloError {
    /// No limit at all.
    #[error("there is no limit that a good request keeps to")]
    Nothing,
    /// No colon between name and limit.
    #[error("the limit `{0}` has no colon")]
    NoColon(String),
    /// Not a time of a request.
    #[error("unknown time `{name}` in the limit `{text}`")]
    UnknownTime {
        /// The name.
        name: String,
        /// The whole limit.
        text: String,
        /// A time with a similar name.
        nearest: Option<&'static str>,
    },
    /// The same time twice.
    #[error("{0} has two limits")]
    Repeated(&'static str),
    /// Not a limit.
    #[error("the limit `{text}`: {fault}")]
    Limit {
        /// As written.
        text: String,
        /// What is wrong.
        fault: CriterionFault,
    },
}

impl SloError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const KNOWN: &str = "times: ttft, tpot, itl, latency, e2el (the same as latency)";
        match self {
            Self::Nothing | Self::NoColon(_) => {
                "write a time, a colon and a limit, such as ttft:500ms tpot:50ms".to_owned()
            }
            Self::UnknownTime { nearest, .. } => match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? {KNOWN}"),
                None => KNOWN.to_owned(),
            },
            Self::Repeated(_) => "keep the stricter of the two".to_owned(),
            Self::Limit { fault, .. } => fault.hint(),
        }
    }
}
