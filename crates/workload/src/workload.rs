//! The items of a run: any of them at any time, from any thread.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crestline_core::request::{Conversation, Item, Prompt};
use crestline_core::units::Nanos;
use rand::RngExt as _;

use crate::dataset::random::Random;
use crate::dataset::sampled::Sampled;
use crate::dataset::{self, Entry, Prompts};
use crate::draw::{Purpose, stream};
use crate::hub::HubCaches;
use crate::own::ItemSource;
use crate::plan::{Dataset, PromptForm, WorkloadPlan};
use crate::presentation::{Content, Presentation};
use crate::template::{ChatTemplate, DEFAULT_DATE, Origin, TemplateError};
use crate::tokenizer::Tokenizer;
use crate::{LengthsError, WorkloadError};

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
    /// Texts in place of some items' own, by index.
    corrections: OnceLock<BTreeMap<u64, String>>,
    /// Why the first item that could not be made was not.
    fault: OnceLock<String>,
    own_name: Option<String>,
}

#[derive(Debug)]
enum Items {
    Random(Box<Random>),
    Prompts(Vec<Entry>),
    Sampled(Box<Sampled>),
    Own(Arc<dyn ItemSource>),
}

impl Workload {
    /// Loads the tokenizer, reads the data set's files and checks that every item can be made.
    pub fn open(plan: &WorkloadPlan) -> Result<Self, WorkloadError> {
        Self::open_with(plan, &HubCaches::from_environment())
    }

    /// As [`Workload::open`], with the hub caches given.
    pub fn open_with(plan: &WorkloadPlan, caches: &HubCaches) -> Result<Self, WorkloadError> {
        check_max_tokens(plan.max_tokens)?;
        let mut notes = Vec::new();
        let presentation = present(plan, caches, &mut notes)?;
        let items = match dataset::open(plan, &presentation, caches, &mut notes)? {
            Prompts::Listed(entries) => Items::Prompts(entries),
            Prompts::Own(source) => Items::Own(source),
            Prompts::Random(lengths) => {
                let random = Random::open(plan, lengths, &presentation, &mut notes)?;
                Items::Random(Box::new(random))
            }
            Prompts::Sampled(sampling) => {
                let sampled = Sampled::open(plan, sampling, &presentation, caches, &mut notes)?;
                Items::Sampled(Box::new(sampled))
            }
        };
        check_template(&items, &presentation, &mut notes)?;
        Ok(Self {
            items,
            presentation,
            max_tokens: plan.max_tokens,
            seed: plan.seed,
            offset: plan.offset,
            notes,
            corrections: OnceLock::new(),
            fault: OnceLock::new(),
            own_name: match &plan.dataset {
                Dataset::Own(own) => Some(own.name().to_owned()),
                _ => None,
            },
        })
    }

    /// The item at an index; of conversations, the first turn. Prompts read from files start again at the first when all have been used; samples repeat in a drawn
    /// order. An item of the user's own that cannot be made is empty: see [`Workload::fault`].
    pub fn item(&self, index: u64) -> Item {
        let empty = || Item::new(index, self.presentation.put_text(String::new()));
        let item = self.made_item(index).unwrap_or_else(|_| empty());
        match self.corrections.get().and_then(|texts| texts.get(&index)) {
            Some(text) => Item {
                prompt: self.presentation.put_text(text.clone()),
                ..item
            },
            None => item,
        }
    }

    /// The same, or why it cannot be made.
    pub fn try_item(&self, index: u64) -> Result<Item, String> {
        match &self.items {
            Items::Own(_) => self.made_item(index),
            _ => Ok(self.item(index)),
        }
    }

    /// Why the first item that could not be made was not. Only items of the user's own can fail.
    pub fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// Items come from outside.
    pub fn is_own(&self) -> bool {
        matches!(self.items, Items::Own(_))
    }

    /// What the data set is called whose items come from outside.
    pub fn own_name(&self) -> Option<&str> {
        self.own_name.as_deref()
    }

    fn own_item(
        &self,
        source: &dyn ItemSource,
        index: u64,
        max_tokens: Option<u32>,
    ) -> Result<Item, String> {
        let item = source.item(index).inspect_err(|why| {
            // The first one is told.
            let _ = self.fault.set(why.clone());
        })?;
        let content = match item.prompt {
            Prompt::Text(text) => Content::Text(text),
            Prompt::Messages(messages) => Content::Messages(messages),
            Prompt::Body(body) => Content::Body(body),
            prompt => return Ok(Item { prompt, ..item }),
        };
        Ok(Item {
            prompt_tokens: self.presentation.count(&content),
            prompt: self.presentation.put(&content),
            max_tokens: item.max_tokens.or(max_tokens),
            ..item
        })
    }

    /// The item at an index, without a correction.
    fn made_item(&self, index: u64) -> Result<Item, String> {
        let position = index.wrapping_add(self.offset);
        let max_tokens = self.draw_max_tokens(position);
        Ok(match &self.items {
            Items::Own(source) => return self.own_item(source.as_ref(), position, max_tokens),
            Items::Random(random) => random.item(index, &self.presentation, max_tokens),
            Items::Sampled(sampled) => sampled.item(index, max_tokens, &self.presentation),
            Items::Prompts(prompts) => {
                let entry = &prompts[(position % prompts.len() as u64) as usize];
                let prompt = self.presentation.put(&entry.content);
                let prompt_tokens = match &prompt {
                    Prompt::TokenIds(ids) => Some(ids.len() as u32),
                    _ => entry.tokens(&self.presentation),
                };
                Item {
                    prompt_tokens,
                    max_tokens,
                    ..Item::new(index, prompt)
                }
            }
        })
    }

    /// The conversation at an index; `None` where items are requests that stand alone.
    pub fn conversation(&self, index: u64) -> Option<Conversation> {
        match &self.items {
            Items::Sampled(sampled) => sampled.conversation(index, &self.presentation),
            Items::Random(_) | Items::Prompts(_) | Items::Own(_) => None,
        }
    }

    /// Turns of the longest conversation; `None` where items are requests that stand alone.
    pub fn most_turns(&self) -> Option<u32> {
        match &self.items {
            Items::Sampled(sampled) => sampled.most_turns(),
            Items::Random(_) | Items::Prompts(_) | Items::Own(_) => None,
        }
    }

    /// Requests that the items with these indices come to: all turns of conversations, one each of others.
    pub fn requests_of(&self, indices: Range<u64>) -> u64 {
        let turns = match &self.items {
            Items::Sampled(sampled) => sampled.turns(indices.clone()),
            Items::Random(_) | Items::Prompts(_) | Items::Own(_) => None,
        };
        turns.unwrap_or_else(|| indices.end.saturating_sub(indices.start))
    }

    /// Input tokens of a request by its body, for one whose item did not say: a later turn of a conversation. `None` without a
    /// tokenizer, and where the body is not what the APIs for prompts and chats take.
    pub fn tokens_of_body(&self, body: &str) -> Option<u32> {
        let body = serde_json::from_str(body).ok()?;
        self.presentation.count(&Content::Body(body))
    }

    /// The text that an item is made of, where that is one text of random words, with the tokens that the tokenizer
    /// counts in it, without those that stand around a prompt. A server may count others.
    pub fn random_text(&self, index: u64) -> Option<(String, u32)> {
        let Items::Sampled(sampled) = &self.items else {
            return None;
        };
        let tokenizer = self.presentation.tokenizer.as_ref()?;
        let text = match sampled
            .has_random_text()
            .then(|| self.made_item(index).ok())??
            .prompt
        {
            Prompt::Text(text) => text,
            Prompt::Messages(messages) => messages.first()?.content.as_str()?.to_owned(),
            _ => return None,
        };
        let tokens = u32::try_from(tokenizer.count(&text)).ok()?;
        Some((text, tokens))
    }

    /// Puts texts in place of those of [`Workload::random_text`], by index: a server counted too many tokens in them. The
    /// lengths that items have stay as they are. Only the first call has an effect.
    pub fn correct(&self, texts: BTreeMap<u64, String>) {
        drop(self.corrections.set(texts));
    }

    /// What `judge` finds in the prompts: in all of those that are samples of a file, else in the first, which the others are
    /// like.
    pub fn find_prompt<T>(&self, judge: impl Fn(&Prompt) -> Option<T>) -> Option<T> {
        if let Items::Sampled(sampled) = &self.items
            && let Some(samples) = sampled.listed()
        {
            return samples.iter().find_map(|sample| judge(&sample.prompt));
        }
        judge(&self.item(0).prompt)
    }

    fn draw_max_tokens(&self, position: u64) -> Option<u32> {
        let (min, max) = self.max_tokens?;
        let mut random = stream(self.seed, position, Purpose::OutputLength);
        Some(random.random_range(min..=max))
    }

    /// Number of different prompts or conversations; `None` where there is no end of them.
    pub fn len(&self) -> Option<u64> {
        match &self.items {
            Items::Random(_) => None,
            Items::Prompts(prompts) => Some(prompts.len() as u64),
            Items::Own(source) => source.number(),
            Items::Sampled(sampled) => sampled.len(),
        }
    }

    /// When the items are due, counted from the first of the data set, where that is a trace which says so: ascending, one for each
    /// item from index 0 to the trace's end.
    pub fn due_times(&self) -> Option<&[Nanos]> {
        match &self.items {
            Items::Sampled(sampled) => sampled.due_times(),
            Items::Random(_) | Items::Prompts(_) | Items::Own(_) => None,
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

fn check_max_tokens(range: Option<(u32, u32)>) -> Result<(), WorkloadError> {
    match range {
        Some((min, max)) if min > max => Err(LengthsError::Reversed { min, max }.into()),
        _ => Ok(()),
    }
}

/// Makes sure that conversations go through the template where they must; where they are only counted with it, the user is told.
fn check_template(
    items: &Items,
    presentation: &Presentation,
    notes: &mut Vec<String>,
) -> Result<(), TemplateError> {
    let (Items::Prompts(entries), Some(template)) = (items, &presentation.template) else {
        return Ok(());
    };
    for entry in entries {
        let Content::Messages(messages) = &entry.content else {
            continue;
        };
        match (template.render(messages), presentation.form) {
            (Ok(_), _) => {}
            (Err(error), PromptForm::TokenIds { .. }) => return Err(error),
            (Err(error), _) => {
                notes.push(format!("{error}; such prompts are sent, but not counted"));
                return Ok(());
            }
        }
    }
    Ok(())
}

fn present(
    plan: &WorkloadPlan,
    caches: &HubCaches,
    notes: &mut Vec<String>,
) -> Result<Presentation, WorkloadError> {
    let tokenizer = match plan.tokenizer.as_deref() {
        None => None,
        Some("builtin") => Some(crate::tokenizer::builtin()),
        Some(name) => Some(Arc::new(Tokenizer::load_with(name, caches)?)),
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
        if template.writes_date() {
            notes.push(format!(
                "the chat template of tokenizer `{}` writes the date of today: prompts are counted with {DEFAULT_DATE}",
                tokenizer.name()
            ));
        }
        presentation.template = Some(template);
    }
    Ok(presentation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_can_be_used_from_any_thread() {
        fn shared<T: Send + Sync>() {}
        shared::<Workload>();
    }
}
