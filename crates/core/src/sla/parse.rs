//! Reads groups of criteria from JSON, and refuses what no search can answer.
//!
//! Everything is checked here, so that nothing is sent before the question is sound. Opens no file and knows no flag.

use super::condition::{self, Condition};
use super::error::{CriteriaError, CriterionFault};
use super::json::Node;
use super::{Aim, Criterion, Goal, Group, Measure, Relation, Slo};
use crate::nearest::nearest;

/// Reads a list of objects, or a single object, of metric to condition: `[{"p99_ttft": "<=2s", "tps": "max"}]`.
///
/// A bare number is in the base unit: seconds, requests or tokens a second, a share; a share above 1 is a percentage.
/// A metric may stand twice in a group with two comparisons. `slo` is what a good request keeps to, which `goodput`
/// needs.
pub fn parse_groups(text: &str, slo: Option<&Slo>) -> Result<Vec<Group>, CriteriaError> {
    if text.trim().is_empty() {
        return Err(CriteriaError::NoGroups);
    }
    let groups = match read(text)? {
        Node::List(groups) => groups,
        single @ Node::Object(_) => vec![single],
        other => return Err(CriteriaError::NotGroups { kind: other.kind() }),
    };
    if groups.is_empty() {
        return Err(CriteriaError::NoGroups);
    }
    let has_slo = slo.is_some_and(|slo| !slo.limits.is_empty());
    let numbered = (1..).zip(groups);
    numbered
        .map(|(number, node)| {
            let place = Place { number, has_slo };
            place.group(node)
        })
        .collect()
}

fn read(text: &str) -> Result<Node, CriteriaError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let message = error.to_string();
        let place = format!(" at line {line} column {column}");
        CriteriaError::NotJson {
            reason: message.strip_suffix(&place).unwrap_or(&message).to_owned(),
            line,
            column,
            near: before(text, line, column),
        }
    })
}

/// Up to 20 letters before a place, for an error; the column counts bytes.
fn before(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let mut end = column.min(line.len());
    while !line.is_char_boundary(end) {
        end += 1;
    }
    let letters = line[..end].chars().count();
    let tail: String = line[..end]
        .chars()
        .skip(letters.saturating_sub(20))
        .collect();
    if tail.is_empty() {
        return String::new();
    }
    let cut = if letters > 20 { "…" } else { "" };
    format!(", after `{cut}{tail}`")
}

/// The group that is read.
struct Place {
    number: usize,
    has_slo: bool,
}

impl Place {
    fn group(&self, node: Node) -> Result<Group, CriteriaError> {
        let Node::Object(members) = node else {
            return Err(CriteriaError::NotAGroup {
                group: self.number,
                kind: node.kind(),
            });
        };
        if members.is_empty() {
            return Err(CriteriaError::EmptyGroup { group: self.number });
        }
        let mut group = Group::default();
        for (name, node) in members {
            let measure = self.measure(name.trim())?;
            let at = |fault| self.fault(measure, fault);
            match condition_of(measure, node).map_err(at)? {
                Condition::Aim(goal) => self.add_aim(&mut group, Aim { measure, goal })?,
                Condition::Limit(relation, threshold) => {
                    let criterion = Criterion {
                        measure,
                        relation,
                        threshold,
                    };
                    fits(&group.criteria, &criterion).map_err(at)?;
                    group.criteria.push(criterion);
                }
            }
        }
        self.check(group)
    }

    fn measure(&self, name: &str) -> Result<Measure, CriteriaError> {
        Measure::named(name).ok_or_else(|| {
            let known: Vec<_> = Measure::all().map(|measure| measure.to_string()).collect();
            // Nobody mistypes that much, and the comparison takes time by the letter.
            let short: String = name.chars().take(40).collect();
            let nearest = nearest(&short, known.iter().map(String::as_str));
            CriteriaError::UnknownMetric {
                group: self.number,
                name: short.clone(),
                nearest: nearest.map(str::to_owned),
            }
        })
    }

    fn add_aim(&self, group: &mut Group, aim: Aim) -> Result<(), CriteriaError> {
        match group.aim.replace(aim) {
            None => Ok(()),
            Some(first) => Err(CriteriaError::TwoAims {
                group: self.number,
                first: first.to_string(),
                second: aim.to_string(),
            }),
        }
    }

    /// What is wrong with a single criterion comes after what is wrong between two, which explains more.
    fn check(&self, group: Group) -> Result<Group, CriteriaError> {
        for criterion in &group.criteria {
            let checked = answerable(criterion);
            checked.map_err(|fault| self.fault(criterion.measure, fault))?;
        }
        if let Some(Aim { measure, goal }) = group.aim
            && goal != measure.better()
        {
            return Err(self.fault(measure, CriterionFault::WrongGoal { goal }));
        }
        let limited = group.criteria.iter().map(|criterion| criterion.measure);
        let mut measures = limited.chain(group.aim.map(|aim| aim.measure));
        if !self.has_slo && measures.any(|measure| measure == Measure::Goodput) {
            return Err(self.fault(Measure::Goodput, CriterionFault::NoSlo));
        }
        Ok(group)
    }

    fn fault(&self, measure: Measure, fault: CriterionFault) -> CriteriaError {
        CriteriaError::Criterion {
            group: self.number,
            metric: measure.to_string(),
            fault,
        }
    }
}

fn condition_of(measure: Measure, node: Node) -> Result<Condition, CriterionFault> {
    match node {
        Node::Text(text) => condition::parse(measure, &text),
        Node::Number(number) => {
            let number = super::text::plain(number);
            let relation = match measure.better() {
                Goal::Min => Relation::AtMost,
                Goal::Max => Relation::AtLeast,
            };
            let suggestion = format!("{}{number}", relation.symbol());
            Err(CriterionFault::BareNumber { number, suggestion })
        }
        other => Err(CriterionFault::NotText {
            kind: other.kind(),
            measure,
        }),
    }
}

/// Whether a criterion can stand beside those before it.
fn fits(before: &[Criterion], new: &Criterion) -> Result<(), CriterionFault> {
    let same = before.iter().filter(|old| old.measure == new.measure);
    for old in same {
        if old.relation == new.relation {
            return Err(CriterionFault::Repeated {
                relation: new.relation,
            });
        }
        if contradicts(old, new) {
            let condition = |criterion: &Criterion| {
                let threshold = criterion.measure.with_unit(criterion.threshold);
                format!("{} {threshold}", criterion.relation.symbol())
            };
            return Err(CriterionFault::Contradiction {
                first: condition(old),
                second: condition(new),
            });
        }
    }
    Ok(())
}

/// No value lies within both.
fn contradicts(one: &Criterion, other: &Criterion) -> bool {
    let (upper, lower) = match (one.relation.is_upper(), other.relation.is_upper()) {
        (true, false) => (one, other),
        (false, true) => (other, one),
        _ => return false,
    };
    let touches = upper.relation == Relation::AtMost && lower.relation == Relation::AtLeast;
    upper.threshold < lower.threshold || (!touches && upper.threshold <= lower.threshold)
}

/// Whether a highest load follows from a criterion.
fn answerable(criterion: &Criterion) -> Result<(), CriterionFault> {
    let relation = criterion.relation;
    if relation.is_upper() != (criterion.measure.better() == Goal::Min) {
        return Err(CriterionFault::WrongSide { relation });
    }
    let share = matches!(criterion.measure, Measure::SuccessRate | Measure::Goodput);
    if share && relation == Relation::Above && criterion.threshold >= 1.0 {
        return Err(CriterionFault::AboveAll);
    }
    Ok(())
}
