//! Which curve has which colour, dashes and width, and the key that says so.
//!
//! Up to three keys have a property each; where there are more, or more values than there are colours, each curve has a look and a
//! label of its own.

use crestline_report::figures::{KeyEntry, KeyGroup, Sign, Stroke};

use super::super::groups::{Group, Keys, lines, rank};
use super::super::records::Record;

/// Values that each property tells apart: colours, dashes, widths.
const PROPERTIES: [usize; 3] = [Stroke::COLOURS, Stroke::DASHES, Stroke::WEIGHTS];

/// Lines of a list in which each value has its key beside it.
const LINES: usize = 24;

/// Looks of all curves of a figure.
#[derive(Debug)]
pub(super) struct Strokes {
    /// All curves, in order.
    groups: Vec<Group>,
    /// Values of each key, in order; where none are here, each curve has its own look.
    values: Vec<(String, Vec<String>)>,
}

impl Strokes {
    pub(super) fn of(keys: &Keys, records: &[Record]) -> Self {
        let parted = keys.parted(records.iter());
        let mut groups: Vec<Group> = parted.into_iter().map(|(group, _)| group).collect();
        groups.sort_by_cached_key(|group| {
            let values = group.iter().map(|(_, value)| rank(value));
            values.collect::<Vec<_>>()
        });
        let of_key = |(place, key): (usize, &String)| {
            let mut values: Vec<String> = groups.iter().map(|it| it[place].1.clone()).collect();
            values.sort_by_cached_key(|value| rank(value));
            values.dedup();
            (key.clone(), values)
        };
        let values: Vec<(String, Vec<String>)> = keys.0.iter().enumerate().map(of_key).collect();
        let has_room = values.len() <= PROPERTIES.len()
            && values.len() > 1
            && values
                .iter()
                .zip(PROPERTIES)
                .all(|((_, values), most)| values.len() <= most);
        Self {
            values: if has_room { values } else { Vec::new() },
            groups,
        }
    }

    /// The place of a curve among all.
    pub(super) fn place(&self, group: &Group) -> usize {
        let place = self.groups.iter().position(|known| known == group);
        place.unwrap_or_default()
    }

    pub(super) fn stroke(&self, group: &Group) -> Stroke {
        if self.values.is_empty() {
            return Stroke::nth(self.place(group));
        }
        let mut places = group
            .iter()
            .zip(&self.values)
            .map(|((_, own), (_, values))| {
                let place = values.iter().position(|value| value == own);
                place.unwrap_or_default()
            });
        let mut next = || places.next().unwrap_or_default();
        Stroke {
            colour: next(),
            dashes: next(),
            weight: next(),
        }
    }

    /// A group of entries for each property, or one for all curves.
    pub(super) fn key(&self) -> Vec<KeyGroup> {
        if self.groups.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        if self.values.is_empty() {
            return vec![self.of_curves()];
        }
        let groups = self.values.iter().enumerate();
        let groups = groups.map(|(property, (key, values))| {
            let entry = |(place, value): (usize, &String)| KeyEntry {
                sign: match property {
                    0 => Sign::Curve(Stroke::nth(place)),
                    1 => Sign::Form(Stroke {
                        dashes: place,
                        ..Stroke::default()
                    }),
                    _ => Sign::Form(Stroke {
                        weight: place,
                        ..Stroke::default()
                    }),
                },
                words: value.clone(),
            };
            KeyGroup {
                title: key.clone(),
                entries: values.iter().enumerate().map(entry).collect(),
            }
        });
        groups.collect()
    }

    /// Each curve with its values; the keys stand beside these, or above all where that would make a long list.
    fn of_curves(&self) -> KeyGroup {
        let keys = self.groups.first().map_or(0, Vec::len);
        let is_short = keys > 1 && self.groups.len() * keys <= LINES;
        let entry = |(place, group): (usize, &Group)| KeyEntry {
            sign: Sign::Curve(Stroke::nth(place)),
            words: if is_short {
                lines(group)
            } else {
                values(group)
            },
        };
        let names = self.groups.iter().take(1).flatten();
        let names: Vec<&str> = names.map(|(key, _)| key.as_str()).collect();
        KeyGroup {
            title: if is_short {
                String::new()
            } else {
                names.join(", ")
            },
            entries: self.groups.iter().enumerate().map(entry).collect(),
        }
    }
}

fn values(group: &Group) -> String {
    let values: Vec<&str> = group.iter().map(|(_, value)| value.as_str()).collect();
    values.join(", ")
}
