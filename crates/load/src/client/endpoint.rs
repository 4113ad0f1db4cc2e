//! The endpoints that crestline speaks: how an item and the settings become a request body.
//!
//! Each family of bodies has a file of its own. How answers are read stands in [`super::answer`].

mod completion;
mod fit;
mod form;
mod native;
mod pooled;
mod response;

use std::sync::Arc;

use crestline_core::request::{Audio, Generation, Item};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::AnswerForm;
pub use completion::body;
pub use fit::Misfit;

/// What is posted, and how the answer is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `/v1/chat/completions`. A plain text is one user's message, whose content is a list of parts.
    OpenAiChat,
    /// `/v1/completions`.
    OpenAiCompletions,
    /// `/v1/responses`.
    OpenAiResponses,
    /// `/v1/audio/transcriptions` or `/v1/audio/translations`: a form with a recording.
    OpenAiTranscription,
    /// `/v1/embeddings` of texts or token ids.
    OpenAiEmbeddings,
    /// `/v1/embeddings` of a conversation, as vLLM takes it for models that see pictures.
    ChatEmbeddings,
    /// The same for models that embed either a text or a picture: the text beside a picture is left out.
    ClipEmbeddings,
    /// The same for models of the `VLM2Vec` family: media come before the text, which is an instruction.
    Vlm2VecEmbeddings,
    /// `/pooling` of vLLM.
    Pooling,
    /// `/rerank`: the first of several texts is the query, the others are the documents.
    Rerank,
    /// `/embeddings` of an Infinity server: a text, or else the address of a picture or a sound.
    InfinityEmbeddings,
    /// The same for models that embed either: the text beside media is left out.
    InfinityClipEmbeddings,
    /// `/generate_stream` of Text Generation Inference.
    TgiGenerate,
    /// `/generate_stream` of TensorRT-LLM behind Triton.
    TensorRtGenerate,
    /// DeepSpeed-MII's server, which does not stream.
    DeepSpeedMii,
}

impl Endpoint {
    /// The end of the URL's path.
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAiChat => "chat/completions",
            Self::OpenAiCompletions | Self::DeepSpeedMii => "completions",
            Self::OpenAiResponses => "responses",
            Self::OpenAiTranscription => "transcriptions",
            Self::OpenAiEmbeddings
            | Self::ChatEmbeddings
            | Self::ClipEmbeddings
            | Self::Vlm2VecEmbeddings
            | Self::InfinityEmbeddings
            | Self::InfinityClipEmbeddings => "embeddings",
            Self::Pooling => "pooling",
            Self::Rerank => "rerank",
            Self::TgiGenerate | Self::TensorRtGenerate => "generate_stream",
        }
    }

    /// Whether a URL's path, without the query, is one of this endpoint.
    pub fn has_path(self, path: &str) -> bool {
        path.ends_with(self.path())
            || (self == Self::OpenAiTranscription && path.ends_with("translations"))
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenAiTranscription => form::CONTENT_TYPE,
            _ => "application/json",
        }
    }

    /// Its bodies are forms with a file, and no text.
    pub fn sends_form(self) -> bool {
        self == Self::OpenAiTranscription
    }

    /// How its answers are read.
    pub fn answer_form(self) -> AnswerForm {
        match self {
            Self::OpenAiChat | Self::OpenAiCompletions => AnswerForm::Completion,
            Self::OpenAiResponses => AnswerForm::Response,
            Self::OpenAiTranscription => AnswerForm::Transcript,
            Self::TgiGenerate | Self::TensorRtGenerate | Self::DeepSpeedMii => {
                AnswerForm::Generated
            }
            _ => AnswerForm::Pooled,
        }
    }

    /// It generates text; the others give one vector or score for what they are sent, and no tokens.
    pub fn generates(self) -> bool {
        self.answer_form() != AnswerForm::Pooled
    }

    /// Its bodies say which model is asked.
    pub fn names_model(self) -> bool {
        !matches!(
            self,
            Self::TgiGenerate | Self::TensorRtGenerate | Self::DeepSpeedMii
        )
    }

    /// The body of the request for an item: prompt, model and settings, then the user's extra fields, then the item's.
    ///
    /// Settings that an endpoint has no field for are left out. A body that comes from the data set wins over all
    /// settings; they only fill in what it leaves out. A `null` among the extra fields takes a field away.
    pub fn request(self, item: Item, model: &str, generation: &Generation) -> Body {
        let mut file = None;
        let fields = match self {
            Self::OpenAiChat => body(completion::as_chat(item), model, generation),
            Self::OpenAiCompletions => body(item, model, generation),
            Self::OpenAiResponses => response::body(item, model, generation),
            Self::OpenAiTranscription => {
                file = form::audio_of(&item);
                form::fields(item, model, generation)
            }
            Self::TgiGenerate => native::tgi(item, generation),
            Self::TensorRtGenerate => native::tensor_rt(item, generation),
            Self::DeepSpeedMii => native::mii(item, generation),
            _ => pooled::body(self, item, model, generation),
        };
        Body { fields, file }
    }
}

/// The body of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Its fields, in order.
    pub fields: Map<String, Value>,
    /// A file that goes with them; the body is a form then.
    pub file: Option<Arc<Audio>>,
}

impl Body {
    /// Adds the body's bytes to the end of `to`.
    pub fn write(&self, to: &mut Vec<u8>) {
        match &self.file {
            Some(file) => form::write(&self.fields, file, to),
            None => serde_json::to_writer(to, &self.fields).expect("a JSON map has a text"),
        }
    }
}

/// The longest answer that a body asks for, of each choice, in tokens.
pub(crate) fn asked_output(body: &Map<String, Value>) -> Option<u32> {
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    let lengths = ["max_completion_tokens", "max_output_tokens", "max_tokens"];
    let named = lengths.into_iter().find_map(|name| number(body.get(name)?));
    // Text Generation Inference has its settings in an object of their own.
    named.or_else(|| number(body.get("parameters")?.get("max_new_tokens")?))
}

/// Puts the user's extra field in its place; a `null` takes the field away.
fn set(body: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        body.shift_remove(name);
    } else {
        body.insert(name.to_owned(), value.clone());
    }
}

/// Where the fields of a body begin.
struct Base {
    body: Map<String, Value>,
    /// It comes from the data set: settings only fill it up.
    fill_only: bool,
}

impl Base {
    /// The fields of a body from the data set.
    fn given(body: Map<String, Value>) -> Self {
        Self {
            body,
            fill_only: true,
        }
    }

    /// One field that the prompt stands in.
    fn of(name: &str, value: Value) -> Self {
        Self {
            body: Map::from_iter([(name.to_owned(), value)]),
            fill_only: false,
        }
    }

    /// With settings, the extra fields of all requests and those of this one, each over what was there.
    fn with(
        self,
        settings: impl IntoIterator<Item = (&'static str, Value)>,
        extra: &Map<String, Value>,
        own: &Map<String, Value>,
    ) -> Map<String, Value> {
        let Self {
            mut body,
            fill_only,
        } = self;
        for (name, value) in settings {
            if !fill_only || !body.contains_key(name) {
                body.insert(name.to_owned(), value);
            }
        }
        for (name, value) in extra {
            if !fill_only || !body.contains_key(name) {
                set(&mut body, name, value);
            }
        }
        own.iter()
            .for_each(|(name, value)| set(&mut body, name, value));
        body
    }
}

#[cfg(test)]
mod samples {
    //! What the tests of all bodies use.

    use crestline_core::request::Prompt;
    use serde_json::json;

    use super::{Endpoint, Generation, Item, Map, Value};

    pub(super) fn item(prompt: Prompt) -> Item {
        Item {
            max_tokens: Some(16),
            ..Item::new(0, prompt)
        }
    }

    pub(super) fn object(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    pub(super) fn streamed() -> Generation {
        Generation {
            stream: true,
            temperature: Some(0.0),
            ..Generation::default()
        }
    }

    pub(super) fn text(body: &Map<String, Value>) -> String {
        serde_json::to_string(body).unwrap()
    }

    /// The JSON of a request without settings.
    pub(super) fn plain(endpoint: Endpoint, item: Item) -> String {
        text(&endpoint.request(item, "m", &Generation::default()).fields)
    }

    /// A question about a picture.
    pub(super) fn picture(question: &str) -> Prompt {
        let part = json!({"type": "image_url", "image_url": {"url": "data:x"}});
        Prompt::Media {
            text: question.to_owned(),
            parts: vec![part],
        }
    }
}

#[cfg(test)]
mod tests {
    use crestline_core::request::Prompt;

    use super::*;

    #[test]
    fn a_path_tells_whether_it_is_of_an_endpoint() {
        assert!(Endpoint::OpenAiChat.has_path("/v1/chat/completions"));
        assert!(!Endpoint::OpenAiChat.has_path("/v1/completions"));
        assert!(Endpoint::OpenAiTranscription.has_path("/v1/audio/transcriptions"));
        assert!(Endpoint::OpenAiTranscription.has_path("/v1/audio/translations"));
        assert!(Endpoint::Rerank.has_path("/v1/rerank"));
        assert!(!Endpoint::Pooling.has_path("/v1/embeddings"));
    }

    #[test]
    fn a_body_names_its_model_where_the_endpoint_says_so() {
        for (endpoint, expected) in [
            (Endpoint::OpenAiChat, true),
            (Endpoint::Rerank, true),
            (Endpoint::OpenAiTranscription, true),
            (Endpoint::TgiGenerate, false),
            (Endpoint::TensorRtGenerate, false),
            (Endpoint::DeepSpeedMii, false),
        ] {
            let item = samples::item(Prompt::Texts(vec!["a".to_owned(), "b".to_owned()]));
            let body = endpoint.request(item, "m", &Generation::default());
            assert_eq!(endpoint.names_model(), expected);
            assert_eq!(body.fields.contains_key("model"), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn what_only_reads_does_not_generate() {
        assert!(Endpoint::OpenAiTranscription.generates() && Endpoint::DeepSpeedMii.generates());
        assert!(!Endpoint::Rerank.generates() && !Endpoint::InfinityClipEmbeddings.generates());
    }
}
