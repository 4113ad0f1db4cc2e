//! A query and documents of random words. The query is the same in all requests, each document is new.

use crestline_core::request::Prompt;
use rand::RngExt as _;

use super::words::{Words, range_around};
use super::{Opening, Sample};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::random_text::Wanted;
use crate::draw::{Purpose, stream};
use crate::plan::{AroundLength, Pairing, PromptForm, RerankSamples};

const NAME: &str = "random-rerank";
/// The query's place among the texts: no document has it.
const QUERY: u64 = u64::MAX;

/// A source of queries with documents.
#[derive(Debug)]
pub(super) struct Rerank {
    words: Words,
    seed: u64,
    pairing: Pairing,
    /// Documents in a request.
    documents: u64,
    query: String,
    query_tokens: u32,
    /// Least and most of a document's own tokens.
    document: (u32, u32),
}

impl Rerank {
    pub(super) fn open(
        opening: Opening<'_>,
        samples: RerankSamples,
        notes: &mut Vec<String>,
    ) -> Result<Self, WorkloadError> {
        let refuse = |reason: &str| {
            WorkloadError::from(DatasetError::Unusable {
                name: NAME,
                reason: reason.to_owned(),
            })
        };
        if matches!(opening.presentation.form, PromptForm::TokenIds { .. }) {
            return Err(refuse("a query and its documents cannot be token ids"));
        }
        let words = Words::open(opening, notes)?;
        let joined = samples.pairing == Pairing::Joined;
        let around = |tokens| AroundLength {
            tokens,
            ..samples.input
        };
        // A separator stands between the halves of a pair.
        let asked = if joined {
            (samples.input.tokens / 2).saturating_sub(1)
        } else {
            samples.input.tokens
        };
        let (least, most) = range_around(around(asked), words.around(), NAME)?;
        let seed = opening.plan.seed;
        let own = stream(seed, QUERY, Purpose::InputLength).random_range(least..=most);
        let room = if joined {
            samples.input.tokens.saturating_sub(own + 1)
        } else {
            samples.input.tokens
        };
        let document = range_around(around(room), words.around(), NAME)?;
        let documents = u64::from(samples.texts) - u64::from(!joined && samples.texts > 0);
        if own == 0 || document.0 == 0 {
            return Err(refuse(
                "the input is too short for a query and a document of at least one token",
            ));
        }
        if documents == 0 {
            return Err(refuse("a request needs a query and at least one document"));
        }
        let (query, query_tokens) = words.text(Wanted::own(QUERY, own));
        Ok(Self {
            words,
            seed,
            pairing: samples.pairing,
            documents,
            query,
            query_tokens,
            document,
        })
    }

    /// The query, then documents that no other request has.
    pub(super) fn sample(&self, position: u64) -> Sample {
        let first = position.wrapping_mul(self.documents);
        let mut texts = vec![self.query.clone()];
        // The tokens around a text stand once around a pair, and there is a separator in it.
        let (mut tokens, for_each) = match self.pairing {
            Pairing::Separate => (self.query_tokens, 0),
            Pairing::Joined => (0, self.query_tokens + 1 - self.words.around()),
        };
        for place in (0..self.documents).map(|document| first.wrapping_add(document)) {
            let (least, most) = self.document;
            let own = stream(self.seed, place, Purpose::InputLength).random_range(least..=most);
            let (text, counted) = self.words.text(Wanted::own(place, own));
            texts.push(text);
            tokens += counted + for_each;
        }
        Sample::new(Prompt::Texts(texts), Some(tokens), None)
    }
}
