//! Data sets of the hub: which there are, and what a row of each becomes.
//!
//! Reads local files only; where there are none, the error says which to get.

mod files;
mod functions;
mod rows;

use std::path::{Path, PathBuf};

use crestline_core::nearest::nearest;

use super::listing::Listing;
use super::table::{self, Cell};
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::plan::HubSamples;
use rows::Maker;

/// A data set that is known.
#[derive(Debug)]
struct Known {
    /// Its names on the hub; forks with the same columns are read alike.
    names: &'static [&'static str],
    /// Part that is taken where none is asked for.
    subset: Option<&'static str>,
    /// Split that is taken where none is asked for.
    split: Option<&'static str>,
    /// What is read of a row.
    columns: &'static [&'static str],
    maker: Maker,
}

const KNOWN: &[Known] = &[
    Known {
        names: &["Aeala/ShareGPT_Vicuna_unfiltered"],
        subset: None,
        split: None,
        columns: &["conversations"],
        maker: Maker::Conversation,
    },
    Known {
        names: &["lmms-lab/LLaVA-OneVision-Data"],
        subset: None,
        split: Some("train"),
        columns: &["conversations", "image"],
        maker: Maker::Conversation,
    },
    Known {
        names: &["lmarena-ai/VisionArena-Chat"],
        subset: None,
        split: Some("train"),
        columns: &["conversation", "images"],
        maker: Maker::Picture(rows::vision_arena),
    },
    Known {
        names: &["lmarena-ai/vision-arena-bench-v0.1"],
        subset: None,
        split: Some("train"),
        columns: &["turns", "images"],
        maker: Maker::Picture(rows::vision_arena_bench),
    },
    Known {
        names: &["Lin-Chen/MMStar"],
        subset: None,
        split: Some("val"),
        columns: &["question", "image"],
        maker: Maker::Picture(rows::mm_star),
    },
    Known {
        names: &["yale-nlp/MMVU"],
        subset: None,
        split: Some("validation"),
        columns: &["question", "choices", "video"],
        maker: Maker::Film(rows::mmvu),
    },
    Known {
        names: &["likaixin/InstructCoder"],
        subset: None,
        split: Some("train"),
        columns: &["input", "instruction"],
        maker: Maker::Question(rows::instruct_coder, 200),
    },
    Known {
        names: &["philschmid/mt-bench"],
        subset: None,
        split: Some("train"),
        columns: &["turns"],
        maker: Maker::Question(rows::first_turn, 256),
    },
    Known {
        names: &["openai/openai_humaneval"],
        subset: None,
        split: Some("test"),
        columns: &["prompt"],
        maker: Maker::Question(rows::prompt, 256),
    },
    Known {
        names: &["openai/gsm8k"],
        subset: Some("main"),
        split: Some("test"),
        columns: &["question"],
        maker: Maker::Question(rows::question, 256),
    },
    Known {
        names: &[
            "AI-MO/aimo-validation-aime",
            "AI-MO/NuminaMath-1.5",
            "AI-MO/NuminaMath-CoT",
        ],
        subset: None,
        split: Some("train"),
        columns: &["problem", "solution"],
        maker: Maker::Problem,
    },
    Known {
        names: &["zed-industries/zeta"],
        subset: None,
        split: Some("train"),
        columns: &["events", "input", "output"],
        maker: Maker::NextEdit,
    },
    Known {
        names: &["vdaita/edit_5k_char", "vdaita/edit_10k_char"],
        subset: None,
        split: Some("train"),
        columns: &["code", "change_request", "norm_distance"],
        maker: Maker::Edit,
    },
    Known {
        names: &[
            "mgoin/mlperf-inference-llama2-data",
            "mgoin/mlperf-inference-llama3.1-data",
        ],
        subset: None,
        split: Some("train"),
        columns: &["system_prompt", "question", "output"],
        maker: Maker::Reference,
    },
    Known {
        names: &[
            "openslr/librispeech_asr",
            "facebook/voxpopuli",
            "LIUM/tedlium",
            "edinburghcstr/ami",
            "speechcolab/gigaspeech",
            "kensho/spgispeech",
            "sanchit-gandhi/earnings22_split",
            "sanchit-gandhi/earnings22_robust_split",
        ],
        subset: None,
        split: Some("train"),
        columns: &["audio"],
        maker: Maker::Recording,
    },
    Known {
        names: &["gorilla-llm/Berkeley-Function-Calling-Leaderboard"],
        subset: None,
        split: None,
        columns: &["question", "function"],
        maker: Maker::Functions,
    },
];

/// Rows that are looked at even for few requests.
const FEWEST_ROWS: usize = 100_000;
/// The same where rows hold pictures or recordings.
const FEWEST_HEAVY_ROWS: usize = 1000;

/// A row with the file it is from and its number there, from 1.
struct Row {
    file: usize,
    number: usize,
    cells: Cell,
}

/// Reads rows until there are enough samples.
pub(super) fn list(listing: &mut Listing<'_>, samples: &HubSamples) -> Result<(), WorkloadError> {
    let known = Known::find(&samples.name)?;
    let found = known.files(listing, samples)?;
    listing.read_from(found.first().map_or(Path::new(""), |file| file.as_path()));
    let most = known.most_rows(listing.opening().sampling.requests);
    let mut rows: Vec<Row> = Vec::new();
    for (file, path) in found.iter().enumerate() {
        let cells = table::read(path, known.columns, most - rows.len())?;
        let numbered = cells.into_iter().zip(1..);
        rows.extend(numbered.map(|(cells, number)| Row {
            file,
            number,
            cells,
        }));
        if rows.len() >= most {
            listing.tell(format!(
                "samples are taken from the first {most} rows of `{}`",
                samples.name
            ));
            break;
        }
    }
    for row in listing.ordered(rows) {
        if listing.is_full() {
            break;
        }
        rows::take(listing, known, &row.cells, samples).map_err(|error| match error {
            rows::RowError::Row(reason) => WorkloadError::from(DatasetError::Malformed {
                path: found[row.file].clone(),
                line: None,
                reason: format!("row {} {reason}", row.number),
            }),
            rows::RowError::Other(error) => error,
        })?;
    }
    Ok(())
}

/// What rows of a data set of the hub hold, as far as samples are chosen by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowContent {
    /// Recordings of known length.
    Recordings,
    /// Texts and how much they are to be changed.
    Edits,
    /// Functions to call, by category.
    Functions,
    /// Something that no sample is chosen by.
    Other,
}

/// What rows of a data set hold; `None` where the data set is not known.
pub fn row_content(name: &str) -> Option<RowContent> {
    Some(match Known::find(name).ok()?.maker {
        Maker::Recording => RowContent::Recordings,
        Maker::Edit => RowContent::Edits,
        Maker::Functions => RowContent::Functions,
        _ => RowContent::Other,
    })
}

impl Known {
    fn find(name: &str) -> Result<&'static Self, DatasetError> {
        let found = KNOWN.iter().find(|known| known.names.contains(&name));
        found.ok_or_else(|| {
            let names = KNOWN.iter().flat_map(|known| known.names).copied();
            let help = match nearest(name, names.clone()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there are `{}`", names.collect::<Vec<_>>().join("`, `")),
            };
            DatasetError::Unusable {
                name: "hf",
                reason: format!("how rows of `{name}` are read is not known; {help}"),
            }
        })
    }

    /// Rows that samples are taken from: of a large data set not all. Pictures, films and recordings take much memory.
    fn most_rows(&self, requests: u64) -> usize {
        let requests = usize::try_from(requests).unwrap_or(usize::MAX);
        let is_heavy =
            |column: &&str| column.starts_with("image") || ["audio", "video"].contains(column);
        if self.columns.iter().any(is_heavy) {
            requests.saturating_mul(2).saturating_add(FEWEST_HEAVY_ROWS)
        } else {
            requests.saturating_mul(4).max(FEWEST_ROWS)
        }
    }

    fn files(
        &self,
        listing: &Listing<'_>,
        samples: &HubSamples,
    ) -> Result<Vec<PathBuf>, DatasetError> {
        let folder = files::Stored {
            name: self
                .names
                .iter()
                .find(|name| **name == samples.name)
                .unwrap_or(&"hf"),
            path: samples.path.as_deref(),
            caches: listing.opening().caches,
        };
        if let Maker::Functions = self.maker {
            return folder.named(&functions::files(&samples.categories));
        }
        folder.tables(
            files::Part::of(samples.subset.as_deref(), self.subset),
            files::Part::of(samples.split.as_deref(), self.split),
        )
    }
}
