//! Conversations to text, by the model's own chat template.
//!
//! Templates are Jinja as the model's files have it. A template may ask for today's date: it always gets the same one, since
//! a prompt must not change with the day on which it is made.

mod functions;

use std::sync::Arc;

use crestline_core::request::Message;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde_json::Map;

use crate::tokenizer::Tokenizer;

pub use functions::{DEFAULT_DATE, Date};

/// For chats with models whose files hold no template.
pub const DEFAULT_TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + \
    message['content'] + '<|im_end|>' + '\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const NAME: &str = "chat";

/// A model's chat template with its tokenizer.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    tokenizer: Arc<Tokenizer>,
    bos_token: Option<String>,
    eos_token: Option<String>,
    origin: Origin,
    takes_parts: bool,
    writes_date: bool,
    variables: Map<String, serde_json::Value>,
}

/// Where a template comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The model's files.
    Model,
    /// The files hold none: [`DEFAULT_TEMPLATE`] is used.
    Default,
}

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not Jinja as far as it is supported.
    #[error("the chat template of tokenizer `{tokenizer}` cannot be read: {reason}")]
    Syntax {
        /// Name of the tokenizer.
        tokenizer: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// It fails for a conversation, or refuses it.
    #[error("the chat template of tokenizer `{tokenizer}` refuses the messages: {reason}")]
    Render {
        /// Name of the tokenizer.
        tokenizer: String,
        /// What is wrong, in the template's own words where it has some.
        reason: String,
    },
}

impl ChatTemplate {
    /// The template of a tokenizer's files, or [`DEFAULT_TEMPLATE`] where they hold none.
    pub fn of(tokenizer: &Arc<Tokenizer>) -> Result<Self, TemplateError> {
        match own_source(tokenizer) {
            Some(source) => Self::with_origin(&source, tokenizer, Origin::Model),
            None => Self::with_origin(DEFAULT_TEMPLATE, tokenizer, Origin::Default),
        }
    }

    /// A template given as text.
    pub fn new(source: &str, tokenizer: &Arc<Tokenizer>) -> Result<Self, TemplateError> {
        Self::with_origin(source, tokenizer, Origin::Model)
    }

    fn with_origin(
        source: &str,
        tokenizer: &Arc<Tokenizer>,
        origin: Origin,
    ) -> Result<Self, TemplateError> {
        let writes_date = source.contains("strftime_now");
        let takes_parts = loops_over_content(source);
        let mut environment = environment();
        environment
            .add_template_owned(NAME, without_training_marks(source))
            .map_err(|error| TemplateError::Syntax {
                tokenizer: tokenizer.name().to_owned(),
                reason: explain(&error),
            })?;
        let settings = tokenizer.settings();
        Ok(Self {
            environment,
            bos_token: settings.special_text("bos_token").map(str::to_owned),
            eos_token: settings.special_text("eos_token").map(str::to_owned),
            tokenizer: Arc::clone(tokenizer),
            origin,
            takes_parts,
            writes_date,
            variables: Map::new(),
        })
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether it writes the date, which is always [`DEFAULT_DATE`] where no other is set.
    pub fn writes_date(&self) -> bool {
        self.writes_date
    }

    /// The date that `strftime_now` sees from now on, in place of [`DEFAULT_DATE`].
    pub fn set_date(&mut self, date: Date) {
        functions::add_date(&mut self.environment, date);
    }

    /// Further variables that the template sees from now on; those that it always has stay as they are.
    pub fn set_variables(&mut self, variables: Map<String, serde_json::Value>) {
        self.variables = variables;
    }

    /// The text of a conversation, with the begin of the answer that is asked for.
    pub fn render(&self, messages: &[Message]) -> Result<String, TemplateError> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| self.message_value(message))
            .collect();
        let context = context! {
            messages,
            add_generation_prompt => true,
            bos_token => self.bos_token.as_deref().unwrap_or_default(),
            eos_token => self.eos_token.as_deref().unwrap_or_default(),
            tools => Value::from(()),
            documents => Value::from(()),
            ..Value::from(Serde(&self.variables))
        };
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context))
            .map_err(|error| TemplateError::Render {
                tokenizer: self.tokenizer.name().to_owned(),
                reason: explain(&error),
            })
    }

    /// The tokens of a conversation: special tokens that the template writes count as such, none are added.
    pub fn encode(&self, messages: &[Message]) -> Result<Vec<u32>, TemplateError> {
        Ok(self.tokenizer.encode(&self.render(messages)?))
    }

    /// Number of tokens of a conversation.
    pub fn count(&self, messages: &[Message]) -> Result<usize, TemplateError> {
        Ok(self.tokenizer.count(&self.render(messages)?))
    }

    /// Most templates take content as text only: a list of text parts becomes one text for them.
    fn message_value(&self, message: &Message) -> Value {
        if let (false, Some(parts)) = (self.takes_parts, message.content.as_array()) {
            let texts: Vec<&str> = parts
                .iter()
                .filter_map(|part| part.get("text")?.as_str())
                .collect();
            let mut flat = message.clone();
            flat.content = serde_json::Value::String(texts.join("\n"));
            return Value::from(Serde(&flat));
        }
        Value::from(Serde(message))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the default delimiters are valid");
    environment.set_syntax(syntax);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    functions::add(&mut environment);
    environment
}

/// The template of a tokenizer's files: `chat_template.jinja`, or `chat_template` of the configuration, which is a
/// text or a list of named texts.
fn own_source(tokenizer: &Tokenizer) -> Option<String> {
    let settings = tokenizer.settings();
    if let Some(source) = &settings.chat_template {
        return Some(source.clone());
    }
    let value = settings.config.get("chat_template")?;
    if let Some(source) = value.as_str() {
        return Some(source.to_owned());
    }
    let named = value.as_array()?;
    let is_default =
        |entry: &&serde_json::Value| entry.get("name").is_some_and(|name| name == "default");
    let entry = named.iter().find(is_default).or_else(|| named.first())?;
    Some(entry.get("template")?.as_str()?.to_owned())
}

/// Whether a template goes through the parts of a message's content itself: one of its loops is over something called `content`.
fn loops_over_content(source: &str) -> bool {
    let tags = source.split("{%").skip(1);
    tags.filter_map(|tag| {
        let tag = tag.trim_start_matches(['-', '+']).trim_start();
        let (head, _) = tag.strip_prefix("for ")?.split_once("%}")?;
        head.split_once(" in ")
    })
    .any(|(_, list)| list.contains("content"))
}

/// Some templates mark what a model is trained on with a tag of their own. It writes nothing.
fn without_training_marks(source: &str) -> String {
    let mut source = source.to_owned();
    for open in ["{% ", "{%- "] {
        source = source.replace(&format!("{open}generation "), &format!("{open}if true "));
        source = source.replace(&format!("{open}endgeneration "), &format!("{open}endif "));
    }
    source
}

/// The error with its causes, in one line: a template's own words come first.
fn explain(error: &minijinja::Error) -> String {
    let text = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{text} (line {line})"),
        None => text,
    }
}

#[cfg(test)]
mod tests;
