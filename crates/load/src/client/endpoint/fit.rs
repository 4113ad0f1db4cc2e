//! Which prompts an endpoint can be sent: not each has a place for pictures, films and recordings.
//!
//! Looks at kinds only. Whether a server's model sees or hears is not known here.

use std::fmt;

use crestline_core::request::Prompt;
use serde_json::Value;

use super::Endpoint;

/// Why a prompt cannot be sent to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Misfit {
    /// There is no place for pictures.
    Picture,
    /// There is no place for films.
    Film,
    /// There is no place for sound in a message.
    Sound,
    /// There is a place for one picture or film alone.
    Several,
    /// There is no place for a recording as a file.
    Recording,
    /// A recording is needed, and there is none.
    NoRecording,
    /// A query with documents is needed, and there is none.
    NoDocuments,
}

impl fmt::Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Picture => "pictures",
            Self::Film => "films",
            Self::Sound => "sound in messages",
            Self::Several => "several pictures or films in one request",
            Self::Recording => "recordings as files",
            Self::NoRecording => "prompts without a recording",
            Self::NoDocuments => "texts that are no query with documents",
        })
    }
}

/// How a content part stands in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// Alone.
    Nothing,
    /// With a text.
    Text,
    /// In a message of its own making.
    Message,
}

impl Endpoint {
    /// Why it cannot be sent a prompt; `None` where it can. Whole bodies from a data set are taken for what they are.
    pub fn misfit(self, prompt: &Prompt) -> Option<Misfit> {
        match (self, prompt) {
            (_, Prompt::Body(_)) | (Self::OpenAiTranscription, Prompt::Audio(_)) => None,
            (Self::OpenAiTranscription, _) => Some(Misfit::NoRecording),
            (_, Prompt::Audio(_)) => Some(Misfit::Recording),
            (Self::Rerank, Prompt::Texts(texts)) if texts.len() > 1 => None,
            (Self::Rerank, _) => Some(Misfit::NoDocuments),
            (
                Self::InfinityEmbeddings | Self::InfinityClipEmbeddings,
                Prompt::Media { parts, .. },
            ) if parts.len() > 1 => Some(Misfit::Several),
            (_, Prompt::Media { text, parts }) => {
                let beside = if text.is_empty() {
                    Beside::Nothing
                } else {
                    Beside::Text
                };
                self.part_misfit(parts.iter(), beside)
            }
            (_, Prompt::Messages(messages)) => {
                let contents = messages.iter().map(|message| &message.content);
                let parts = contents.filter_map(Value::as_array).flatten();
                self.part_misfit(parts, Beside::Message)
            }
            (_, Prompt::Text(_) | Prompt::TokenIds(_) | Prompt::Texts(_)) => None,
        }
    }

    fn part_misfit<'a>(
        self,
        parts: impl Iterator<Item = &'a Value>,
        beside: Beside,
    ) -> Option<Misfit> {
        parts
            .filter_map(kind)
            .find(|kind| !self.takes(*kind, beside))
    }

    fn takes(self, kind: Misfit, beside: Beside) -> bool {
        match self {
            Self::OpenAiChat
            | Self::ChatEmbeddings
            | Self::ClipEmbeddings
            | Self::Vlm2VecEmbeddings => true,
            Self::OpenAiResponses => kind == Misfit::Picture,
            // One address in place of the text.
            Self::InfinityEmbeddings => kind != Misfit::Sound && beside == Beside::Nothing,
            // The same; a text beside it is left out.
            Self::InfinityClipEmbeddings => kind != Misfit::Sound && beside != Beside::Message,
            _ => false,
        }
    }
}

/// What a content part is; `None` for text.
fn kind(part: &Value) -> Option<Misfit> {
    match part["type"].as_str()? {
        "image_url" | "input_image" => Some(Misfit::Picture),
        "video_url" => Some(Misfit::Film),
        "input_audio" | "audio_url" => Some(Misfit::Sound),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crestline_core::request::{Audio, Message};
    use crestline_core::units::Nanos;
    use serde_json::json;

    use super::*;

    fn parts(kinds: &[&str]) -> Vec<Value> {
        kinds.iter().map(|kind| json!({"type": kind})).collect()
    }

    fn media(text: &str, kinds: &[&str]) -> Prompt {
        Prompt::Media {
            text: text.to_owned(),
            parts: parts(kinds),
        }
    }

    fn message(kinds: &[&str]) -> Prompt {
        Prompt::Messages(vec![Message {
            content: Value::Array(parts(kinds)),
            ..Message::user("")
        }])
    }

    /// Checks what each endpoint says of a prompt, text completions first.
    fn check(prompt: &Prompt, expected: [Option<Misfit>; 6]) {
        let endpoints = [
            Endpoint::OpenAiCompletions,
            Endpoint::OpenAiChat,
            Endpoint::OpenAiResponses,
            Endpoint::ClipEmbeddings,
            Endpoint::InfinityEmbeddings,
            Endpoint::InfinityClipEmbeddings,
        ];
        assert_eq!(
            endpoints.map(|endpoint| endpoint.misfit(prompt)),
            expected,
            "{prompt:?}"
        );
    }

    #[test]
    fn parts_go_where_there_is_a_place_for_them() {
        use Misfit::{Film, Picture, Several, Sound};
        let none = None;
        check(&Prompt::Text("a".to_owned()), [none; 6]);
        check(&message(&["text"]), [none; 6]);
        let (picture, film, sound) = (Some(Picture), Some(Film), Some(Sound));
        let several = Some(Several);
        check(
            &media("what?", &["image_url"]),
            [picture, none, none, none, picture, none],
        );
        check(
            &media("", &["image_url"]),
            [picture, none, none, none, none, none],
        );
        check(
            &media("", &["image_url", "image_url"]),
            [picture, none, none, none, several, several],
        );
        check(
            &media("what?", &["video_url"]),
            [film, none, film, none, film, none],
        );
        check(
            &media("what?", &["input_audio"]),
            [sound, none, sound, none, sound, sound],
        );
        check(
            &message(&["text", "image_url"]),
            [picture, none, none, none, picture, picture],
        );
    }

    #[test]
    fn recordings_and_documents_go_where_nothing_else_goes() {
        let recording = Prompt::Audio(Arc::new(Audio {
            file_name: "a.wav".to_owned(),
            bytes: Vec::new(),
            length: Nanos::ZERO,
        }));
        let speech = Endpoint::OpenAiTranscription;
        assert_eq!(speech.misfit(&recording), None);
        assert_eq!(
            Endpoint::OpenAiChat.misfit(&recording),
            Some(Misfit::Recording)
        );
        let text = Prompt::Text("a".to_owned());
        assert_eq!(speech.misfit(&text), Some(Misfit::NoRecording));
        assert_eq!(Endpoint::Rerank.misfit(&text), Some(Misfit::NoDocuments));
        let texts = |many: usize| Prompt::Texts(vec!["a".to_owned(); many]);
        assert_eq!(
            Endpoint::Rerank.misfit(&texts(1)),
            Some(Misfit::NoDocuments)
        );
        assert_eq!(Endpoint::Rerank.misfit(&texts(2)), None);
    }
}
