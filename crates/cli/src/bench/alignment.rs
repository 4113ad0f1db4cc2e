//! Random prompts of the length that the service itself counts, and what the user is told of it.

use crestline_experiment::plan::{Plan, SubjectPlan};
use crestline_load::alignment::{Alignment, Counted, Counter, Text, align};
use crestline_load::aside::AsideError;
use crestline_load::engine::Stop;
use crestline_workload::Workload;

use super::beside;
use crate::console;

/// Compares random prompts with what a live service counts in them, and corrects those that are too long. `prefix` stands
/// before the service's paths.
pub(super) fn correct(plan: &Plan, prefix: &str, workload: &Workload, stop: &Stop) {
    let SubjectPlan::Live(target) = &plan.subject else {
        return;
    };
    let texts = plan.points.iter();
    let texts = texts.map(|point| point.warmup + point.requests).sum();
    let counter = Counter {
        // A service that has the adapters may not have the model alone.
        model: match &plan.adapters {
            Some(adapters) => adapters.of(0),
            None => &plan.model,
        },
        prefix,
    };
    let text = |index| {
        let (text, tokens) = workload.random_text(index)?;
        Some(Text { text, tokens })
    };
    let compared =
        beside::way_to(target).and_then(|mut aside| align(&mut aside, counter, texts, &text, stop));
    let name = plan.workload.tokenizer.as_deref().unwrap_or_default();
    match compared {
        Ok(Alignment::Nothing | Alignment::Same) => {}
        Ok(Alignment::Counted(seen)) => {
            console::tell(&format!("note: {}", told(&seen, name)));
            workload.correct(seen.cut);
        }
        Err(error) => console::tell(&format!("note: {}", unknown(&error, name))),
    }
}

fn told(counted: &Counted, tokenizer: &str) -> String {
    format!(
        "the service counts other tokens in random prompts than tokenizer `{tokenizer}`: of {} prompts {} were too long, by {} \
         tokens at most, and are cut; {} are shorter and stay",
        counted.texts,
        counted.cut.len(),
        counted.longest_by,
        counted.shorter
    )
}

fn unknown(error: &AsideError, tokenizer: &str) -> String {
    format!(
        "whether the service counts the same tokens in random prompts as tokenizer `{tokenizer}` is not known: {error}"
    )
}
