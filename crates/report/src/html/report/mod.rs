//! The report of runs, searches and sweeps: which tabs and blocks it has, and what they say.
//!
//! Computes no figure and judges no run: what is said is what [`Facts`] hold. How blocks look is [`super::document`]'s.

mod about;
mod against_load;
mod answer;
mod load;
mod load_figures;
mod requests;
mod search;
mod search_figures;
mod server;
mod summary;
mod words;

use super::document::{Document, Tab};
use crate::facts::Facts;

/// A report as a page.
pub fn report(facts: &Facts) -> Document {
    let mut tabs = vec![tab("summary", "Summary", summary::blocks(facts))];
    if !facts.searches.is_empty() {
        tabs.push(tab("search", "SLA search", search::blocks(facts)));
    }
    let details = load::blocks(facts);
    if !details.is_empty() {
        let title = if facts.loads.len() == 1 {
            "Run"
        } else {
            "Runs"
        };
        tabs.push(tab("runs", title, details));
    }
    let server = server::blocks(facts);
    if !server.is_empty() {
        tabs.push(tab("server", "Server", server));
    }
    tabs.push(tab("about", "About", about::blocks(facts)));
    Document {
        title: facts.title.clone(),
        subject: facts.subject.clone(),
        tabs,
    }
}

fn tab(id: &str, title: &str, blocks: Vec<super::document::Block>) -> Tab {
    Tab {
        id: id.to_owned(),
        title: title.to_owned(),
        blocks,
    }
}

#[cfg(test)]
mod tests;
