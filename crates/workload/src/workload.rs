//! The items of a run: any of them at any time, from any thread.

use std::sync::Arc;

use crestline_core::request::Item;
use rand::RngExt as _;

use crate::WorkloadError;
use crate::dataset::random::Random;
use crate::draw::{Purpose, stream};
use crate::plan::{Dataset, PromptForm, WorkloadPlan};
use crate::presentation::{Content, Presentation};
use crate::template::{ChatTemplate, Origin};
use crate::tokenizer::Tokenizer;

/// What a run sends.
///
/// Item `i` depends on the plan and on `i` alone, not on which items were made before or on which thread.
#[derive(Debug)]
pub struct Workload {
    items: Items,
    presentation: Presentation,
    max_tokens: Option<(u32, u32)>,
    seed: u64,
    offset: u64,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Items {
    Random(Box<Random>),
    Prompts(Vec<Content>),
}

impl Workload {
    /// Loads the tokenizer, reads the data set's files and checks that every item can be made.
    pub fn open(plan: &WorkloadPlan) -> Result<Self, WorkloadError> {
        let mut notes = Vec::new();
        let presentation = present(plan, &mut notes)?;
        let items = match &plan.dataset {
            Dataset::Random(lengths) => {
                let random = Random::open(plan, lengths, &presentation, &mut notes)?;
                Items::Random(Box::new(random))
            }
            Dataset::Fixed(text) => Items::Prompts(vec![Content::Text(text.clone())]),
            other => return Err(WorkloadError::NotYet(format!("{other:?}"))),
        };
        Ok(Self {
            items,
            presentation,
            max_tokens: plan.max_tokens,
            seed: plan.seed,
            offset: plan.offset,
            notes,
        })
    }

    /// The item at an index. Prompts read from files start again at the first when all have been used.
    pub fn item(&self, index: u64) -> Item {
        let position = index.wrapping_add(self.offset);
        let max_tokens = self.draw_max_tokens(position);
        match &self.items {
            Items::Random(random) => random.item(index, &self.presentation, max_tokens),
            Items::Prompts(prompts) => {
                let content = &prompts[(position % prompts.len() as u64) as usize];
                let (prompt, prompt_tokens) = self.presentation.put(content);
                Item {
                    index,
                    prompt,
                    prompt_tokens,
                    max_tokens,
                }
            }
        }
    }

    fn draw_max_tokens(&self, position: u64) -> Option<u32> {
        let (min, max) = self.max_tokens?;
        let mut random = stream(self.seed, position, Purpose::OutputLength);
        Some(random.random_range(min..=max))
    }

    /// Number of different prompts; `None` where there is no end of them.
    pub fn len(&self) -> Option<u64> {
        match &self.items {
            Items::Random(_) => None,
            Items::Prompts(prompts) => Some(prompts.len() as u64),
        }
    }

    /// A workload that opens has items.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The tokenizer that lengths are counted with.
    pub fn tokenizer(&self) -> Option<&Arc<Tokenizer>> {
        self.presentation.tokenizer.as_ref()
    }

    /// The chat template that prompts are counted with, or go through.
    pub fn template(&self) -> Option<&ChatTemplate> {
        self.presentation.template.as_ref()
    }

    /// What a user should know: prompts that were left out, lengths that could not be met, assumptions.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

fn present(plan: &WorkloadPlan, notes: &mut Vec<String>) -> Result<Presentation, WorkloadError> {
    let tokenizer = match plan.tokenizer.as_deref() {
        None => None,
        Some("builtin") => Some(crate::tokenizer::builtin()),
        Some(name) => Some(Arc::new(Tokenizer::load(name)?)),
    };
    if tokenizer.is_none() && matches!(plan.form, PromptForm::TokenIds { .. }) {
        return Err(WorkloadError::NeedsTokenizer {
            what: "sending prompts as token ids",
        });
    }
    let mut presentation = Presentation {
        form: plan.form,
        tokenizer,
        template: None,
    };
    if let (true, Some(tokenizer)) = (presentation.is_chat(), &presentation.tokenizer) {
        notes.extend_from_slice(tokenizer.notes());
        let template = ChatTemplate::of(tokenizer)?;
        if template.origin() == Origin::Default {
            notes.push(format!(
                "tokenizer `{}` has no chat template: prompts are counted with a common one (ChatML), which may be off by some \
                 tokens",
                tokenizer.name()
            ));
        }
        presentation.template = Some(template);
    }
    Ok(presentation)
}
