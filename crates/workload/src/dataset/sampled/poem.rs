//! Prompts of lines of a poem: its first lines are the same in all of them, the others are drawn.

use rand::RngExt as _;

use super::Sample;
use super::listing::Listing;
use crate::WorkloadError;
use crate::dataset::DatasetError;
use crate::dataset::file::{existing, for_each_line};
use crate::draw::{Purpose, stream};
use crate::plan::PoemSamples;

const NAME: &str = "sonnet";
/// What stands in front of the lines.
const TASK: &str = "Repeat as many of the following lines of verse as you can:\n";
/// Draws for one prompt after which the input is taken to be too short.
const MOST_DRAWS: u64 = 1000;

/// Makes as many prompts as are asked for.
pub(super) fn list(listing: &mut Listing<'_>, samples: &PoemSamples) -> Result<(), WorkloadError> {
    let tokenizer = listing.tokenizer("counting the lines of a poem")?;
    let path = existing(NAME, &samples.path)?;
    listing.read_from(&path);
    let mut lines: Vec<String> = Vec::new();
    for_each_line(&path, |_, line| {
        if !line.trim().is_empty() {
            lines.push(format!("{line}\n"));
        }
        Ok(())
    })?;
    if lines.is_empty() {
        return Err(DatasetError::Empty { path }.into());
    }
    let all: usize = lines.iter().map(|line| tokenizer.count(line)).sum();
    let (_, around) = listing.question(TASK)?;
    let around = around.unwrap_or(0);
    let shares = Shares::of(samples, around, all as f64 / lines.len() as f64)?;
    if shares.same > lines.len() {
        return Err(refused(format!(
            "a prefix of {} tokens is {} lines, but {} has {}",
            samples.prefix_length,
            shares.same,
            path.display(),
            lines.len()
        )));
    }
    for position in 0..listing.opening().sampling.requests {
        let before = listing.len();
        draw(listing, &lines, shares, (position, samples))?;
        if listing.len() == before {
            // Longer than the limit on input and output together, as all of them will be.
            break;
        }
    }
    Ok(())
}

fn refused(reason: String) -> WorkloadError {
    DatasetError::Unusable { name: NAME, reason }.into()
}

/// Lines of a prompt.
#[derive(Debug, Clone, Copy)]
struct Shares {
    /// The poem's first, the same in all prompts.
    same: usize,
    /// Drawn.
    drawn: usize,
}

impl Shares {
    fn of(samples: &PoemSamples, around: u32, a_line: f64) -> Result<Self, WorkloadError> {
        if samples.input_length <= around {
            return Err(refused(format!(
                "an input of {} tokens leaves no room for lines: the task alone has {around}",
                samples.input_length
            )));
        }
        let lines = |tokens: u32| {
            let own = (f64::from(tokens) - f64::from(around)) / a_line;
            own.round_ties_even().max(0.0) as usize
        };
        let (all, same) = (lines(samples.input_length), lines(samples.prefix_length));
        if same > all {
            return Err(refused(format!(
                "a prefix of {} tokens is longer than an input of {}",
                samples.prefix_length, samples.input_length
            )));
        }
        Ok(Self {
            same,
            drawn: all - same,
        })
    }
}

/// Draws lines until the prompt is not longer than asked.
fn draw(
    listing: &mut Listing<'_>,
    lines: &[String],
    shares: Shares,
    (position, samples): (u64, &PoemSamples),
) -> Result<(), WorkloadError> {
    let mut random = stream(listing.seed(), position, Purpose::Lines);
    for _ in 0..MOST_DRAWS {
        let mut text = TASK.to_owned();
        text.extend(lines[..shares.same].iter().map(String::as_str));
        for _ in 0..shares.drawn {
            text.push_str(&lines[random.random_range(0..lines.len())]);
        }
        let (prompt, tokens) = listing.question(&text)?;
        if tokens.is_some_and(|tokens| tokens <= samples.input_length) {
            listing.take(Sample::new(prompt, tokens, Some(samples.output_length)));
            return Ok(());
        }
    }
    Err(refused(format!(
        "no prompt of {} lines has at most {} tokens",
        shares.same + shares.drawn,
        samples.input_length
    )))
}
