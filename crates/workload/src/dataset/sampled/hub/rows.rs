//! What a row of each data set becomes: a question, or a sample with more to it.

use std::path::Path;

use crestline_core::request::{Message, Prompt};
use serde_json::Value;

use super::{Known, functions};
use crate::WorkloadError;
use crate::dataset::sampled::Sample;
use crate::dataset::sampled::listing::Listing;
use crate::dataset::sampled::media;
use crate::dataset::sampled::recordings;
use crate::dataset::sampled::share_gpt::{self, Conversation, Lengths, Turn};
use crate::dataset::sampled::table::Cell;
use crate::plan::{HubSamples, RecordingForm};

/// Longest answer where a data set has none of its own and pictures or films are asked about.
const PICTURE_ANSWER: u32 = 128;
const EDIT_ANSWER: u32 = 4000;
const FUNCTIONS_ANSWER: u32 = 512;
const TRANSCRIPT: u32 = 1024;
/// Where the part of a text that is to be edited begins.
const REGION: &str = "<|editable_region_start|>";

/// How rows become samples.
#[derive(Debug, Clone, Copy)]
pub(super) enum Maker {
    /// A question and the longest answer.
    Question(fn(&Cell) -> Result<String, String>, u32),
    /// The first turn of a conversation; the second tells the length.
    Conversation,
    /// A text with a picture.
    Picture(fn(&Cell) -> Result<(String, &Cell), String>),
    /// A text with a film.
    Film(fn(&Cell) -> Result<(String, &Cell), String>),
    /// A problem whose solution tells the length.
    Problem,
    /// A text with what was done to it; the edited region tells the length.
    NextEdit,
    /// A text and how it is to be changed.
    Edit,
    /// A system's and a user's message; a reference answer tells the length.
    Reference,
    /// A recording.
    Recording,
    /// Messages with functions to call.
    Functions,
}

/// Why a row cannot be used.
#[derive(Debug)]
pub(super) enum RowError {
    /// The row itself: what is wrong follows its number.
    Row(String),
    Other(WorkloadError),
}

impl From<String> for RowError {
    fn from(reason: String) -> Self {
        Self::Row(reason)
    }
}

impl From<&str> for RowError {
    fn from(reason: &str) -> Self {
        Self::Row(reason.to_owned())
    }
}

impl From<WorkloadError> for RowError {
    fn from(error: WorkloadError) -> Self {
        Self::Other(error)
    }
}

/// Takes a row as a sample, where the data set's rule does not leave it out.
pub(super) fn take(
    listing: &mut Listing<'_>,
    known: &Known,
    row: &Cell,
    samples: &HubSamples,
) -> Result<(), RowError> {
    let asked = samples.output_length;
    match known.maker {
        Maker::Question(question, usual) => {
            let (prompt, tokens) = listing.question(&question(row)?)?;
            listing.take(Sample::new(prompt, tokens, asked.or(Some(usual))));
            Ok(())
        }
        Maker::Conversation => conversation(listing, row, asked),
        Maker::Picture(parts) => {
            let (text, picture) = parts(row)?;
            let part = picture_part(picture)?;
            let output = asked.or(Some(PICTURE_ANSWER));
            let sample = listing.with_media(&text, vec![part], output);
            listing.take(sample);
            Ok(())
        }
        Maker::Film(parts) => {
            let (text, film) = parts(row)?;
            let part = film_part(film, samples)?;
            let output = asked.or(Some(PICTURE_ANSWER));
            let sample = listing.with_media(&text, vec![part], output);
            listing.take(sample);
            Ok(())
        }
        Maker::Problem => problem(listing, row, asked),
        Maker::NextEdit => next_edit(listing, row, asked),
        Maker::Edit => edit(listing, row, samples),
        Maker::Reference => reference(listing, row, asked),
        Maker::Recording => recording(listing, row, samples),
        Maker::Functions => functions::take(listing, row, asked.unwrap_or(FUNCTIONS_ANSWER)),
    }
}

fn text<'a>(row: &'a Cell, name: &str) -> Result<&'a str, String> {
    let found = row.field(name).and_then(Cell::text);
    found.ok_or_else(|| format!("has no text `{name}`"))
}

pub(super) fn question(row: &Cell) -> Result<String, String> {
    Ok(text(row, "question")?.to_owned())
}

pub(super) fn prompt(row: &Cell) -> Result<String, String> {
    Ok(text(row, "prompt")?.to_owned())
}

pub(super) fn first_turn(row: &Cell) -> Result<String, String> {
    let first = row.field("turns").and_then(|turns| turns.at(0)?.text());
    Ok(first
        .ok_or("has no `turns` that begin with a text")?
        .to_owned())
}

pub(super) fn instruct_coder(row: &Cell) -> Result<String, String> {
    let (input, instruction) = (text(row, "input")?, text(row, "instruction")?);
    Ok(format!(
        "{input}\n\n{instruction} Answer with the code alone and explain nothing."
    ))
}

pub(super) fn vision_arena(row: &Cell) -> Result<(String, &Cell), String> {
    let said = row
        .field("conversation")
        .and_then(|turns| turns.at(0)?.at(0)?.field("content")?.text());
    let said = said.ok_or("has no `conversation` that begins with a text")?;
    Ok((said.to_owned(), first_image(row)?))
}

pub(super) fn vision_arena_bench(row: &Cell) -> Result<(String, &Cell), String> {
    let said = row
        .field("turns")
        .and_then(|turns| turns.at(0)?.at(0)?.field("content")?.text());
    let said = said.ok_or("has no `turns` that begin with a text")?;
    Ok((said.to_owned(), first_image(row)?))
}

fn first_image(row: &Cell) -> Result<&Cell, String> {
    let first = row.field("images").and_then(|images| images.at(0));
    first.ok_or_else(|| "has no picture in `images`".to_owned())
}

pub(super) fn mm_star(row: &Cell) -> Result<(String, &Cell), String> {
    let question = text(row, "question")?;
    let question = question.split("Options:").next().unwrap_or(question);
    let image = row.field("image").ok_or("has no picture `image`")?;
    Ok((question.trim().to_owned(), image))
}

pub(super) fn mmvu(row: &Cell) -> Result<(String, &Cell), String> {
    let mut asked = text(row, "question")?.to_owned();
    if let Some(Cell::Record(choices)) = row.field("choices") {
        for (letter, choice) in choices {
            if let Some(choice) = choice.text().filter(|choice| !choice.is_empty()) {
                asked.extend([" ", letter, ". ", choice]);
            }
        }
    }
    let film = row.field("video").ok_or("has no film `video`")?;
    Ok((asked, film))
}

/// The picture itself, or where it is.
fn picture_part(picture: &Cell) -> Result<Value, String> {
    match picture.field("bytes").unwrap_or(picture) {
        Cell::Bytes(bytes) => media::inlined_image(bytes),
        other => {
            let place = other.field("path").unwrap_or(other);
            media::image_part(&place.to_json())
        }
    }
}

/// The film itself, or where it is.
fn film_part(film: &Cell, samples: &HubSamples) -> Result<Value, String> {
    match film.field("bytes").unwrap_or(film) {
        Cell::Bytes(bytes) => media::inlined_film(bytes),
        other => {
            let place = film.field("path").unwrap_or(other);
            media::video_part(&film_place(place, samples).to_json())
        }
    }
}

/// A film that lies in the data set's folder is named by its path there.
fn film_place(film: &Cell, samples: &HubSamples) -> Cell {
    let (Some(address), Some(folder)) = (film.text(), &samples.path) else {
        return film.clone();
    };
    let below = address.split("/resolve/main/").last().unwrap_or(address);
    let local = folder.join(below.trim_start_matches('/'));
    if local.is_file() {
        return Cell::Text(local.display().to_string());
    }
    film.clone()
}

fn conversation(listing: &mut Listing<'_>, row: &Cell, asked: Option<u32>) -> Result<(), RowError> {
    let Some(Cell::List(turns)) = row.field("conversations") else {
        return Err("has no list `conversations`".into());
    };
    let turn = |turn: &Cell| Turn {
        from: None,
        value: turn
            .field("value")
            .and_then(Cell::text)
            .unwrap_or_default()
            .to_owned(),
    };
    let picture = row.field("image");
    let mut conversation = Conversation {
        conversations: turns.iter().take(2).map(turn).collect(),
        image: None,
        video: None,
    };
    if let Some(picture) = picture {
        // As an address, which pictures of conversations are.
        let part = picture_part(picture)?;
        conversation.image = part.pointer("/image_url/url").cloned();
    }
    Ok(share_gpt::take(listing, &conversation, asked)?)
}

fn problem(listing: &mut Listing<'_>, row: &Cell, asked: Option<u32>) -> Result<(), RowError> {
    const LONGEST_PROMPT: u32 = 2048;
    const LONGEST: u32 = 32_000;
    let (problem, solution) = (text(row, "problem")?, text(row, "solution")?);
    listing.tokenizer("the length of a solution")?;
    let counted = |text: &str| listing.plain_count(text).unwrap_or(0);
    let lengths = Lengths {
        prompt: counted(problem),
        answer: asked.unwrap_or_else(|| counted(solution)),
        forced: asked.is_some(),
    };
    // A length that is asked for is asked for of all.
    if !lengths.forced && !lengths.are_within(LONGEST_PROMPT, LONGEST) {
        listing.leave_out();
        return Ok(());
    }
    let (prompt, tokens) = listing.as_it_is(problem)?;
    listing.take(Sample::new(prompt, tokens, Some(lengths.answer)));
    Ok(())
}

fn next_edit(listing: &mut Listing<'_>, row: &Cell, asked: Option<u32>) -> Result<(), RowError> {
    let (events, input) = (text(row, "events")?, text(row, "input")?);
    let edited = text(row, "output")?;
    let region = edited.find(REGION).map_or(edited, |start| &edited[start..]);
    listing.tokenizer("the length of an edit")?;
    let output = asked.or_else(|| listing.plain_count(region));
    let asked = format!(
        "You complete code. Look at what the user has changed, then write the excerpt anew as the user would change it next; mind \
         where the cursor is.\n\n### Changes\n\n{events}\n\n### Excerpt\n\n{input}\n\n### Answer\n"
    );
    let (prompt, tokens) = listing.as_it_is(&asked)?;
    listing.take(Sample::new(prompt, tokens, output));
    Ok(())
}

fn edit(listing: &mut Listing<'_>, row: &Cell, samples: &HubSamples) -> Result<(), RowError> {
    let (code, change) = (text(row, "code")?, text(row, "change_request")?);
    let distance = row.field("norm_distance").and_then(Cell::number);
    let distance = distance.ok_or("has no number `norm_distance`")?;
    let (least, most) = samples.distance;
    if !(least..=most).contains(&distance) {
        listing.leave_out();
        return Ok(());
    }
    let asked = format!(
        "Change the file below as asked and write the whole new file.\n\nFile:\n```\n{code}\n```\n\nWhat to change:\n{change}\n\nNew \
         file:"
    );
    let (prompt, tokens) = listing.question(&asked)?;
    let output = samples.output_length.unwrap_or(EDIT_ANSWER);
    listing.take(Sample::new(prompt, tokens, Some(output)));
    Ok(())
}

fn reference(listing: &mut Listing<'_>, row: &Cell, asked: Option<u32>) -> Result<(), RowError> {
    let (system, user) = (text(row, "system_prompt")?, text(row, "question")?);
    let answer = text(row, "output")?;
    let tokenizer = listing.tokenizer("the length of a reference answer")?;
    let first = Message {
        role: "system".to_owned(),
        ..Message::user(system)
    };
    let (prompt, tokens): (Prompt, Option<u32>) =
        listing.conversation(vec![first, Message::user(user)])?;
    let lengths = Lengths {
        prompt: tokens.unwrap_or(0),
        answer: asked.unwrap_or_else(|| tokenizer.count(answer) as u32),
        forced: asked.is_some(),
    };
    if !lengths.are_usable() {
        listing.leave_out();
        return Ok(());
    }
    listing.take(Sample::new(prompt, tokens, Some(lengths.answer)));
    Ok(())
}

fn recording(listing: &mut Listing<'_>, row: &Cell, samples: &HubSamples) -> Result<(), RowError> {
    let sound = row.field("audio").ok_or("has no recording `audio`")?;
    let name = sound
        .field("path")
        .and_then(Cell::text)
        .unwrap_or("recording");
    let name = Path::new(name)
        .file_name()
        .map(|name| name.to_string_lossy());
    let Some(Cell::Bytes(bytes)) = sound.field("bytes") else {
        return Err("names a recording that is not in the table".into());
    };
    let recording = recordings::named(name.unwrap_or_default().into_owned(), bytes.clone())
        .map_err(|reason| format!("has a recording that cannot be used: {reason}"))?;
    let (least, most) = samples.seconds;
    let seconds = recording.length.as_secs_f64();
    if seconds < least || most.is_some_and(|most| seconds > most) {
        listing.leave_out();
        return Ok(());
    }
    let output = samples.output_length.unwrap_or(TRANSCRIPT);
    let sample = recordings::put(listing, recording, "", (RecordingForm::File, output));
    listing.take(sample);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_sent_itself_where_the_row_holds_it_and_else_named() {
        let samples = HubSamples {
            name: "yale-nlp/MMVU".to_owned(),
            path: None,
            subset: None,
            split: None,
            output_length: None,
            categories: Vec::new(),
            distance: (0.0, 1.0),
            seconds: (0.0, None),
        };
        let url = |film: &Cell| {
            let part = film_part(film, &samples)?;
            let url = part.pointer("/video_url/url").and_then(Value::as_str);
            Ok::<_, String>(url.unwrap().to_owned())
        };
        let bytes = Cell::Bytes(b"\0\0\0\x08ftyp".to_vec());
        let of = |name: &str, cell: &Cell| {
            let path = ("path".to_owned(), Cell::Text("a.mp4".to_owned()));
            Cell::Record(vec![(name.to_owned(), cell.clone()), path])
        };
        let data = "data:video/mp4;base64,AAAACGZ0eXA=";
        assert_eq!(url(&bytes).unwrap(), data);
        assert_eq!(url(&of("bytes", &bytes)).unwrap(), data);
        assert_eq!(url(&of("bytes", &Cell::Null)).unwrap(), "file://a.mp4");
        let address = Cell::Text("https://films/a.mp4".to_owned());
        assert_eq!(url(&address).unwrap(), "https://films/a.mp4");
        let text = Cell::Bytes(b"text".to_vec());
        assert_eq!(url(&text).unwrap_err(), "it is no MP4, WebM or AVI film");
    }
}
