//! The lengths of a data set: how prompts, answers and both together are spread, and what each request had.
//!
//! Chooses no lengths: which requests count is the caller's.

use std::fmt::Write as _;

use crestline_core::serving::{Bins, LengthStatistics};

use super::Picture;
use super::axes::Heading;
use super::bars::{Histogram, Stack, histogram, stack};
use super::drawing::{Anchor, Drawing, Frame, point};
use super::plots::{Core, Part};
use super::theme::{TEXT, TITLE};
use crate::number::{counted, grouped, significant};

/// What the figure shows.
#[derive(Debug, Clone, Copy)]
pub struct DatasetStatistics<'a> {
    /// What was asked, such as a model and a data set.
    pub subject: &'a str,
    /// The lengths; those of a request are in the order of the run.
    pub lengths: &'a LengthStatistics,
    /// Requests of the run that have no lengths, such as failed ones.
    pub left_out: u64,
}

/// Fourteen by ten inches.
const SIZE: [f64; 2] = [1344.0, 960.0];
const EDGE: f64 = 24.0;
/// Where the parts begin.
const TOP: f64 = 76.0;
/// Between parts.
const GAP: f64 = 28.0;
/// Bars that stand beside each other at most.
const BARS: usize = 140;

/// The figure: 14 by 10 inches.
pub fn dataset_statistics(it: &DatasetStatistics<'_>) -> Picture {
    let LengthStatistics {
        lengths,
        prompt,
        output,
        total,
    } = it.lengths;
    let mut drawing = Drawing::new(
        point(SIZE[0], SIZE[1]),
        "Tokens of prompts and answers",
        &description(it),
    );
    head(&mut drawing, it);
    let spread = |part: fn(&(u64, u64)) -> u64| range(lengths.iter().map(part));
    let parts = [
        ("Prompt tokens", prompt, "fill-0", spread(|it| it.0)),
        ("Output tokens", output, "fill-1", spread(|it| it.1)),
        ("Total tokens", total, "fill-2", spread(|it| it.0 + it.1)),
    ];
    for (place, (title, bins, class, note)) in parts.iter().enumerate() {
        let part = Histogram {
            heading: Heading { title, note },
            label: title,
            counted: "Requests",
            bins,
            class,
        };
        if is_zero(bins) {
            let bins = &Bins::of(&[], 1);
            let empty = Histogram { bins, ..part };
            histogram(&mut drawing, quarter(place), &empty);
            none(&mut drawing, quarter(place), title);
        } else {
            histogram(&mut drawing, quarter(place), &part);
        }
    }
    each_request(&mut drawing, quarter(3), lengths);
    Picture(drawing)
}

fn head(drawing: &mut Drawing, it: &DatasetStatistics<'_>) {
    let from = drawing.shapes.len();
    let room = SIZE[0] - 2.0 * EDGE;
    let place = |line: f64| point(EDGE, EDGE + line);
    drawing.text(
        "title",
        place(TITLE.size),
        Anchor::Start,
        "Tokens of prompts and answers",
    );
    let line = words(it);
    let words = TEXT.fitted(&line, room);
    drawing.text("quiet", place(TITLE.size + 20.0), Anchor::Start, &words);
    drawing.mark(Part::Words, from);
    drawing.marks.core = Some(Core {
        frame: Frame {
            left: EDGE / 2.0,
            top: TOP - 6.0,
            right: SIZE[0] - EDGE / 2.0,
            bottom: SIZE[1] - EDGE / 2.0,
        },
        subject: line,
    });
}

/// What is shown, in one line.
fn words(it: &DatasetStatistics<'_>) -> String {
    let mut out = format!(
        "{} · {}",
        it.subject,
        counted(it.lengths.lengths.len() as u64, "request")
    );
    if it.left_out > 0 {
        let failed = grouped(it.left_out);
        let _ = write!(out, ", without {failed} that failed or have no token count");
    }
    out
}

fn description(it: &DatasetStatistics<'_>) -> String {
    let mean = |bins: &Bins| significant(bins.mean, 4);
    format!(
        "{}. Prompts have {} tokens in the mean, answers {}.",
        words(it),
        mean(&it.lengths.prompt),
        mean(&it.lengths.output)
    )
}

fn range(lengths: impl Iterator<Item = u64> + Clone) -> String {
    match (lengths.clone().min(), lengths.max()) {
        (Some(low), Some(high)) if low < high => format!("{} to {}", grouped(low), grouped(high)),
        (Some(only), _) => format!("all {}", grouped(only)),
        _ => String::new(),
    }
}

/// All of them are 0.
fn is_zero(bins: &Bins) -> bool {
    bins.mean <= 0.0
}

fn none(drawing: &mut Drawing, room: Frame, what: &str) {
    let middle = point(
        f64::midpoint(room.left, room.right),
        f64::midpoint(room.top, room.bottom),
    );
    let words = format!("no request has {}", what.to_lowercase());
    drawing.text("", middle, Anchor::Middle, &words);
}

/// One of four parts, by rows.
fn quarter(place: usize) -> Frame {
    let [width, height] = [
        (SIZE[0] - 2.0 * EDGE - GAP) / 2.0,
        (SIZE[1] - TOP - EDGE - GAP) / 2.0,
    ];
    let left = EDGE + (place % 2) as f64 * (width + GAP);
    let top = TOP + (place / 2) as f64 * (height + GAP);
    Frame {
        left,
        top,
        right: left + width,
        bottom: top + height,
    }
}

/// Prompt and answer of each request, or their means over so many as have room.
fn each_request(drawing: &mut Drawing, room: Frame, lengths: &[(u64, u64)]) {
    let together = together(lengths.len());
    let label = match together {
        1 => "Request".to_owned(),
        several => format!(
            "Request (each bar is the mean of {})",
            grouped(several as u64)
        ),
    };
    let groups = || lengths.chunks(together);
    let places: Vec<[f64; 2]> = groups()
        .enumerate()
        .map(|(group, members)| {
            let from = group * together;
            [from as f64, (from + members.len()) as f64]
        })
        .collect();
    let mean = |members: &[(u64, u64)], part: fn(&(u64, u64)) -> u64| {
        members.iter().map(part).sum::<u64>() as f64 / members.len() as f64
    };
    let heights: Vec<Vec<f64>> = groups()
        .map(|members| vec![mean(members, |it| it.0), mean(members, |it| it.1)])
        .collect();
    let part = Stack {
        heading: Heading {
            title: "Tokens of each request",
            note: "in the order of the run",
        },
        label: &label,
        amount: "Tokens",
        places: &places,
        parts: &["prompt", "output"],
        heights: &heights,
    };
    stack(drawing, room, &part);
}

/// How many requests share a bar: 1, 2 or 5 times a power of ten.
fn together(requests: usize) -> usize {
    (0..usize::MAX.ilog10())
        .flat_map(|power| [1, 2, 5].map(|factor| factor * 10usize.pow(power)))
        .find(|together| requests.div_ceil(*together) <= BARS)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Theme;

    fn picture(lengths: Vec<(u64, u64)>, left_out: u64) -> Picture {
        let lengths = LengthStatistics::of(lengths, 30);
        dataset_statistics(&DatasetStatistics {
            subject: "m on random",
            lengths: &lengths,
            left_out,
        })
    }

    fn bars(svg: &str, class: &str) -> usize {
        svg.matches(&format!(r#"<rect class="{class}""#)).count()
    }

    #[test]
    fn every_bin_with_a_request_has_a_bar_and_every_request_its_own() {
        // Lengths 1, 2, ..., 60: two in each of 30 bins. A bar and a sign of the key are more.
        let svg = picture((1..=60).map(|it| (it, 7)).collect(), 0).svg();
        assert_eq!(bars(&svg, "fill-0"), 30 + 60 + 1);
        assert_eq!(bars(&svg, "fill-1"), 1 + 60 + 1);
        assert_eq!(bars(&svg, "fill-2"), 30);
        assert!(svg.contains(">1 to 60</text>") && svg.contains(">all 7</text>"));
        assert!(svg.contains(">mean 30.5</text>") && svg.contains(">Request</text>"));
        assert!(svg.contains("m on random · 60 requests<"), "{svg}");
    }

    #[test]
    fn many_requests_share_bars_and_the_axis_says_so() {
        assert_eq!([1, 140, 141, 281, 10_000].map(together), [1, 1, 2, 5, 100]);
        let svg = picture(vec![(10, 5); 1405], 3).svg();
        assert!(
            svg.contains("Request (each bar is the mean of 20)"),
            "{svg}"
        );
        // 1405 in groups of 20.
        assert_eq!(bars(&svg, "fill-1"), 1 + 71 + 1);
        assert!(svg.contains("1,405 requests, without 3 that failed"));
    }

    #[test]
    fn answers_without_tokens_are_told() {
        let svg = picture(vec![(10, 0), (12, 0)], 0).svg();
        assert_eq!(svg.matches("no request has output tokens").count(), 1);
        // What is left is the sign in the key.
        assert_eq!(bars(&svg, "fill-1"), 1);
    }

    #[test]
    fn it_is_fourteen_by_ten_inches_of_opaque_pixels() {
        let picture = picture(vec![(10, 5), (400, 1)], 0);
        assert_eq!(picture.inches().map(|side| side.to_string()), ["14", "10"]);
        let file = picture.png(150.0, Theme::Light);
        let reader = png::Decoder::new(std::io::Cursor::new(&file))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().size(), (2100, 1500));
        assert!(file.len() < 300_000, "{}", file.len());
    }

    #[test]
    fn no_text_leaves_the_figure_whatever_the_lengths() {
        for lengths in [
            Vec::new(),
            vec![(0, 0)],
            vec![(u64::from(u32::MAX), 1), (1, 2)],
        ] {
            let picture = picture(lengths, 0);
            crate::figures::within::check(&picture.svg());
            crate::figures::within::check_page(&picture);
        }
    }
}
