//! The report of runs, searches and sweeps: which tabs and blocks it has, and what they say.
//!
//! Computes no figure and judges no run: what is said is what [`Facts`] hold. How blocks look is [`super::document`]'s.

mod about;
mod advice;
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
use crate::number::counted;

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
        subject: subject(facts),
        tabs,
    }
}

/// Where, what and when it was measured.
fn subject(facts: &Facts) -> String {
    let what = match (facts.searches.len(), facts.loads.len()) {
        (0, 0) => String::new(),
        (0, runs) => counted(runs as u64, "run"),
        (1, _) => "SLA search".to_owned(),
        (searches, _) => format!("{searches} SLA searches"),
    };
    let sessions = facts
        .searches
        .iter()
        .filter_map(|search| search.session.as_deref());
    let began = facts.loads.iter().chain(sessions);
    let began = began
        .filter_map(|load| load.origin.began_s)
        .filter(|began| *began > 0.0);
    let when = began.reduce(f64::min).and_then(about::moment);
    let parts = [facts.subject.clone(), what, when.unwrap_or_default()];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" · ")
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
