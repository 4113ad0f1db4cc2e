//! Blocks as markup, with the style sheets and scripts that they need.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::names::{file, id};
use super::{Block, Callout, Choice, Code, Document, Download, Figure, Property, Tab, Tile, Tone};
use crate::figures::{escaped, page_style};
use crate::html::page::{Page, Part, embedded};

/// Choices of more pages are lists to choose from.
const TABS: usize = 8;
/// So are those whose titles have more letters together.
const LETTERS: usize = 90;

impl Document {
    /// The whole file.
    pub fn html(&self) -> String {
        let mut writing = Writing::default();
        writing.need(include_str!("document.css"), SAVE);
        writing.need("", VIEWS);
        writing.tabs(&self.tabs);
        let mut parts = vec![Part {
            style: String::new(),
            markup: writing.markup,
            script: "",
        }];
        parts.extend(writing.needed);
        let page = Page {
            title: &self.title,
            subject: &self.subject,
            parts,
        };
        page.html()
    }
}

const SAVE: &str = include_str!("save.js");
const VIEWS: &str = include_str!("views.js");
const TABLE: &str = include_str!("table.js");
const SCALE: &str = include_str!("scale.js");
const VALUES: &str = include_str!("values.js");
const PLOTS: &str = include_str!("plots.js");
const ZOOM: &str = include_str!("zoom.js");

/// A page that is being written.
#[derive(Debug, Default)]
struct Writing {
    markup: String,
    /// Styles and scripts of what was written; those that are the same are there once in a page.
    needed: Vec<Part>,
    ids: BTreeSet<String>,
}

impl Writing {
    /// Adds a style sheet or a script, where it is not there yet.
    fn need(&mut self, style: &str, script: &'static str) {
        let part = Part {
            style: style.to_owned(),
            markup: String::new(),
            script,
        };
        if !self.needed.contains(&part) {
            self.needed.push(part);
        }
    }

    /// An id that nothing else has.
    fn unique(&mut self, name: &str) -> String {
        let wanted = id(name);
        let numbered = (2..).map(|number| format!("{wanted}-{number}"));
        let mut candidates = std::iter::once(wanted.clone()).chain(numbered);
        let free = candidates.find(|id| !self.ids.contains(id));
        let free = free.expect("there are more numbers than elements");
        self.ids.insert(free.clone());
        free
    }

    fn tabs(&mut self, tabs: &[Tab]) {
        let pages: Vec<View<'_>> = tabs
            .iter()
            .map(|tab| (tab.id.as_str(), tab.title.as_str(), tab.blocks.as_slice()))
            .collect();
        if let [(_, _, blocks)] = pages[..] {
            self.markup.push_str("<main>\n");
            self.blocks(blocks);
        } else {
            self.markup.push_str("<main class=\"views main\">\n");
            self.views("Views", Picker::Tabs, &pages);
        }
        self.markup.push_str("</main>\n");
    }

    fn choice(&mut self, choice: &Choice) {
        let pages: Vec<View<'_>> = choice
            .pages
            .iter()
            .map(|page| {
                (
                    page.id.as_str(),
                    page.title.as_str(),
                    page.blocks.as_slice(),
                )
            })
            .collect();
        let letters = |(_, title, _): &View<'_>| title.chars().count() + 4;
        let is_short = pages.len() <= TABS && pages.iter().map(letters).sum::<usize>() <= LETTERS;
        let picker = if is_short { Picker::Tabs } else { Picker::List };
        self.markup.push_str("<div class=\"views choice\">\n");
        self.views(&choice.label, picker, &pages);
        self.markup.push_str("</div>\n");
    }

    fn views(&mut self, label: &str, picker: Picker, pages: &[View<'_>]) {
        let ids: Vec<String> = pages.iter().map(|(id, ..)| self.unique(id)).collect();
        let named = || {
            ids.iter()
                .zip(pages)
                .map(|(id, (_, title, _))| (id, escaped(title)))
        };
        let label = escaped(label);
        let _ = match picker {
            Picker::Tabs => {
                let tabs = named().map(|(id, title)| {
                    format!("<button type=\"button\" role=\"tab\" id=\"tab-{id}\" aria-controls=\"{id}\">{title}</button>")
                });
                writeln!(
                    self.markup,
                    "<div class=\"picker\"><span class=\"label\">{label}</span><div role=\"tablist\" aria-label=\"{label}\">{}</div></div>",
                    tabs.collect::<String>()
                )
            }
            Picker::List => {
                let options =
                    named().map(|(id, title)| format!("<option value=\"{id}\">{title}</option>"));
                writeln!(
                    self.markup,
                    "<div class=\"picker\"><label>{label} <select autocomplete=\"off\">{}</select></label>\
                     <button type=\"button\" data-step=\"-1\" aria-label=\"previous\">‹</button>\
                     <button type=\"button\" data-step=\"1\" aria-label=\"next\">›</button></div>",
                    options.collect::<String>()
                )
            }
        };
        for (id, (_, title, blocks)) in ids.iter().zip(pages) {
            let role = match picker {
                Picker::Tabs => format!("role=\"tabpanel\" aria-labelledby=\"tab-{id}\""),
                Picker::List => format!("role=\"group\" aria-label=\"{}\"", escaped(title)),
            };
            let title = escaped(title);
            let _ = writeln!(
                self.markup,
                "<section class=\"view\" id=\"{id}\" data-title=\"{title}\" {role}>"
            );
            self.blocks(blocks);
            self.markup.push_str("</section>\n");
        }
    }

    fn blocks(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        let markup = match block {
            Block::Heading(words) => format!("<h2>{}</h2>\n", escaped(words)),
            Block::Subheading(words) => format!("<h3>{}</h3>\n", escaped(words)),
            Block::Paragraph(text) => format!("<p class=\"text\">{}</p>\n", text.markup()),
            Block::List(lines) => {
                let lines = lines
                    .iter()
                    .map(|line| format!("<li>{}</li>", line.markup()));
                format!("<ul class=\"text\">{}</ul>\n", lines.collect::<String>())
            }
            Block::Callout(callout) => callout.markup(),
            Block::Tiles(tiles) => {
                let tiles = tiles.iter().map(Tile::markup);
                format!(
                    "<div class=\"tiles\">\n{}</div>\n",
                    tiles.collect::<String>()
                )
            }
            Block::Properties(all) => {
                let all = all.iter().map(Property::markup);
                format!(
                    "<dl class=\"properties\">\n{}</dl>\n",
                    all.collect::<String>()
                )
            }
            Block::Table(table) => {
                self.need("", TABLE);
                table.markup()
            }
            Block::Figures(figures) => {
                self.need(&(page_style() + include_str!("figure.css")), SCALE);
                for script in [VALUES, PLOTS, ZOOM] {
                    self.need("", script);
                }
                let figures = figures.iter().map(Figure::markup);
                format!(
                    "<div class=\"figures\">\n{}</div>\n",
                    figures.collect::<String>()
                )
            }
            Block::Code(code) => code.markup(),
            Block::Downloads(all) => {
                let all = all.iter().map(Download::markup);
                format!("<p class=\"downloads\">{}</p>\n", all.collect::<String>())
            }
            Block::Choice(_) | Block::Details(_) | Block::Part(_) => return self.nested(block),
        };
        self.markup.push_str(&markup);
    }

    fn nested(&mut self, block: &Block) {
        match block {
            Block::Choice(choice) => self.choice(choice),
            Block::Details(details) => {
                let summary = details.summary.markup();
                let _ = writeln!(self.markup, "<details><summary>{summary}</summary>");
                self.blocks(&details.blocks);
                self.markup.push_str("</details>\n");
            }
            Block::Part(part) => {
                self.markup.push_str(&part.markup);
                self.needed.push(Part {
                    markup: String::new(),
                    ..part.clone()
                });
            }
            _ => {}
        }
    }
}

/// Id, title and blocks of a view.
type View<'a> = (&'a str, &'a str, &'a [Block]);

/// How a view is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Picker {
    Tabs,
    List,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Answer => "answer",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warning => "warning",
        }
    }
}

/// A sign that can be told without its colour; none of what only informs.
pub(super) fn tone_sign(tone: Tone, note: &str) -> String {
    let sign = match tone {
        Tone::Note => note,
        Tone::Answer => "➜",
        Tone::Good => "✓",
        Tone::Bad => "✕",
        Tone::Warning => "!",
    };
    let class = tone.class();
    if sign.is_empty() {
        return String::new();
    }
    format!("<i class=\"sign {class}\" role=\"img\" aria-label=\"{class}\">{sign}</i>")
}

impl Callout {
    fn markup(&self) -> String {
        let title = match self.title.markup() {
            title if title.is_empty() => String::new(),
            title => format!("<p class=\"said\">{title}</p>"),
        };
        let lines = self
            .lines
            .iter()
            .map(|line| format!("<p>{}</p>", line.markup()));
        format!(
            "<div class=\"callout {}\" role=\"note\">{}<div>{title}{}</div></div>\n",
            self.tone.class(),
            tone_sign(self.tone, "i"),
            lines.collect::<String>()
        )
    }
}

impl Tile {
    fn markup(&self) -> String {
        let [label, value, unit, note] =
            [&self.label, &self.value, &self.unit, &self.note].map(|text| escaped(text));
        let optional = |class: &str, text: &str| match text {
            "" => String::new(),
            text => format!("<span class=\"{class}\">{text}</span>"),
        };
        format!(
            "<div class=\"tile {}\"><span class=\"label\">{}{label}</span><span class=\"number\"><b>{value}</b>{}</span>{}</div>\n",
            self.tone.class(),
            tone_sign(self.tone, ""),
            optional("unit", &unit),
            optional("quiet", &note),
        )
    }
}

impl Property {
    fn markup(&self) -> String {
        let (name, value) = (escaped(&self.name), self.value.markup());
        format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")
    }
}

impl Code {
    fn markup(&self) -> String {
        let title = escaped(&self.title);
        let lines: Vec<String> = self.text.lines().map(escaped).collect();
        let text = lines.join("\n");
        format!(
            "<div class=\"code\"><div class=\"bar\"><p>{title}</p><button type=\"button\" data-do=\"copy-code\">Copy</button></div>\
             <pre tabindex=\"0\"><code>{text}</code></pre></div>\n"
        )
    }
}

impl Download {
    /// A JSON string in the page, so that any text comes out of it as it went in.
    fn markup(&self) -> String {
        let text = serde_json::Value::from(self.text.as_str()).to_string();
        format!(
            "<span class=\"download\"><button type=\"button\" data-do=\"file\" data-file=\"{}\" data-type=\"{}\">{}</button>\
             <script type=\"application/json\">{}</script></span>",
            escaped(&file(&self.file)),
            escaped(&self.media_type),
            escaped(&self.label),
            embedded(&text)
        )
    }
}
