//! A page made of blocks: what a block says, without how it looks.
//!
//! Which blocks a report has is decided by those who compose it; [`mod@write`] turns them into markup, and the style sheets and
//! scripts beside it make them look and move. Nothing in a block is taken for markup.

mod figure;
mod names;
mod table;
mod text;
mod write;

use super::page::Part;
use crate::figures::Picture;

pub use table::{Cell, Column, Kind, Table};
pub use text::Text;

/// A page of tabs. With one tab alone there is no row of tabs.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it shows, in a few words.
    pub title: String,
    /// What was measured.
    pub subject: String,
    /// From the left; the first one is seen first.
    pub tabs: Vec<Tab>,
}

/// One of several views of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Tab {
    /// What links to it say, such as `loads`; also behind the `#` of an address.
    pub id: String,
    /// What stands on it: a word or two.
    pub title: String,
    /// From above.
    pub blocks: Vec<Block>,
}

/// A part of a view.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading of what follows.
    Heading(String),
    /// A lesser one.
    Subheading(String),
    /// Running text.
    Paragraph(Text),
    /// Lines of which each says one thing.
    List(Vec<Text>),
    /// What must not be missed.
    Callout(Callout),
    /// Numbers that say most, beside each other.
    Tiles(Vec<Tile>),
    /// Names with what they are.
    Properties(Vec<Property>),
    /// Rows that can be sorted, searched and taken away.
    Table(Table),
    /// Pictures, beside each other where there is room.
    Figures(Vec<Figure>),
    /// One of several sub-pages at a time.
    Choice(Choice),
    /// Text to be copied as it is, such as a command.
    Code(Code),
    /// What is seen on demand.
    Details(Details),
    /// Files that the page holds.
    Downloads(Vec<Download>),
    /// A part that draws itself, such as a [`super::Waterfall`].
    Part(Part),
}

/// What a thing means for the reader; each has a sign of its own beside its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// It informs.
    #[default]
    Note,
    /// It answers what was asked.
    Answer,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// It may mislead, or deserves a look.
    Warning,
}

/// What must not be missed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Callout {
    /// What it means.
    pub tone: Tone,
    /// In one sentence; may be empty.
    pub title: Text,
    /// More, each a line of its own.
    pub lines: Vec<Text>,
}

/// A number that says much.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// The number as it is read.
    pub value: String,
    /// Behind the number; may be empty.
    pub unit: String,
    /// Below it, such as an interval; may be empty.
    pub note: String,
    /// What it means.
    pub tone: Tone,
}

/// A name with what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// The name.
    pub name: String,
    /// What it is.
    pub value: Text,
}

/// A picture that can be enlarged, with what it holds as files.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its files, without ending.
    pub name: String,
    /// What it shows.
    pub picture: Picture,
    /// Below it; may be empty.
    pub caption: Text,
}

/// Sub-pages of which one is seen: as a row of tabs, or as a list to choose from where they are many.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What is chosen, such as `Load`.
    pub label: String,
    /// In their order; the first one is seen first.
    pub pages: Vec<ChoicePage>,
}

/// A sub-page.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoicePage {
    /// What links to it say; differs from that of all tabs and other sub-pages.
    pub id: String,
    /// What stands on it: a few letters.
    pub title: String,
    /// From above.
    pub blocks: Vec<Block>,
}

/// Text to be copied as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What it is; may be empty.
    pub title: String,
    /// The text, in as many lines as it has.
    pub text: String,
}

/// Blocks that are folded until someone wants to see them.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// What is always seen.
    pub summary: Text,
    /// What is folded.
    pub blocks: Vec<Block>,
}

/// A file that the page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// What it is.
    pub label: String,
    /// Its name with its ending.
    pub file: String,
    /// Such as `application/json`.
    pub media_type: String,
    /// What is in it.
    pub text: String,
}

#[cfg(test)]
mod tests;
