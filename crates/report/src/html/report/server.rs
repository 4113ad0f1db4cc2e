//! The tab of the service: what it said of itself while the load was on.
//!
//! Draws only runs that have it.

use super::words::run;
use crate::facts::Facts;
use crate::html::document::{Block, Choice, ChoicePage};

/// The blocks of the tab; none where no service was asked.
pub(super) fn blocks(facts: &Facts) -> Vec<Block> {
    let sessions = facts
        .searches
        .iter()
        .filter_map(|search| search.session.as_deref());
    let pages: Vec<ChoicePage> = facts
        .loads
        .iter()
        .chain(sessions)
        .enumerate()
        .filter_map(|(place, load)| {
            let figures = super::load_figures::server(load.detail.as_deref()?);
            (!figures.is_empty()).then(|| ChoicePage {
                id: format!("server-{}", place + 1),
                title: run(load, &facts.parameters),
                blocks: vec![Block::Figures(figures)],
            })
        })
        .collect();
    match pages.len() {
        0 => Vec::new(),
        1 => pages.into_iter().flat_map(|page| page.blocks).collect(),
        _ => vec![Block::Choice(Choice {
            label: "Run".to_owned(),
            pages,
        })],
    }
}
