//! How long prompts and answers were, and how long answers were asked to be.
//!
//! Which requests count is the digest's to say.

use crestline_core::digest::{LengthCounts, Lengths};
use crestline_core::serving::Bins;

use super::Picture;
use super::axes::Heading;
use super::bars::{Histogram, histogram};
use super::curves::core;
use super::drawing::{Anchor, Drawing, Frame, point};
use super::plots::Core;
use super::theme::TEXT;
use super::titles::{EDGE, Titles};
use crate::number::{counted, grouped};

/// Bars of a part at most.
const BINS: usize = 40;
/// Width and height of a part.
const PART: [f64; 2] = [400.0, 280.0];
const GAP: f64 = 24.0;

/// A part for prompts and one for answers; where it is known how long answers were asked to be, one for that too, in the same
/// bins.
pub fn lengths(subject: &str, it: &Lengths) -> Picture {
    let [asked, output] = LengthCounts::bins_together([&it.asked, &it.output], BINS);
    let input = it.input.bins(BINS);
    let mut parts = vec![("Prompt tokens", &it.input, input, "fill-0")];
    let is_asked = it.asked.count() > 0;
    if is_asked {
        parts.push(("Output tokens asked for", &it.asked, asked, "fill-4"));
    }
    let got = if is_asked {
        "Output tokens got"
    } else {
        "Output tokens"
    };
    parts.push((got, &it.output, output, "fill-1"));
    let width = parts.len() as f64 * (PART[0] + GAP) - GAP;
    let title = "Lengths";
    let words = words(subject, it);
    let titles = Titles::of(title, &words, width);
    let size = point(width + 2.0 * EDGE, titles.bottom() + PART[1] + EDGE);
    let mut drawing = Drawing::new(size, title, &description(it));
    titles.draw(&mut drawing);
    drawing.marks.core = Some(Core {
        frame: core(point(EDGE, titles.bottom()), [width, PART[1]]),
        subject: words,
    });
    for (place, (label, counts, bins, class)) in parts.iter().enumerate() {
        let left = EDGE + place as f64 * (PART[0] + GAP);
        let room = Frame {
            left,
            top: titles.bottom(),
            right: left + PART[0],
            bottom: titles.bottom() + PART[1],
        };
        part(&mut drawing, room, (label, class), (counts, bins));
    }
    Picture(drawing)
}

fn part(
    drawing: &mut Drawing,
    room: Frame,
    (label, class): (&str, &str),
    (counts, bins): (&LengthCounts, &Bins),
) {
    let part = Histogram {
        heading: Heading {
            title: label,
            note: &range(counts),
        },
        label: "Tokens",
        counted: "Requests",
        bins,
        class,
    };
    histogram(drawing, room, &part);
    if counts.count() == 0 {
        let middle = point(
            f64::midpoint(room.left, room.right),
            f64::midpoint(room.top, room.bottom) - TEXT.size,
        );
        drawing.text("quiet", middle, Anchor::Middle, "not known");
    }
}

fn range(counts: &LengthCounts) -> String {
    match counts.ends() {
        Some([low, high]) if low < high => format!("{} to {}", grouped(low), grouped(high)),
        Some([only, _]) => format!("all {}", grouped(only)),
        None => String::new(),
    }
}

/// What was measured, and whether answers are as long as they were asked to be.
fn words(subject: &str, it: &Lengths) -> String {
    let held = it.held;
    let both = held.fewer + held.equal + held.more;
    if both == 0 {
        return subject.to_owned();
    }
    let mut found = Vec::new();
    for (count, than) in [
        (held.equal, "as long as asked for"),
        (held.fewer, "shorter"),
        (held.more, "longer"),
    ] {
        if count > 0 {
            found.push(format!("{} {than}", grouped(count)));
        }
    }
    let found = format!("{}: {}", counted(both, "answer"), found.join(", "));
    if subject.is_empty() {
        found
    } else {
        format!("{subject} · {found}")
    }
}

fn description(it: &Lengths) -> String {
    format!(
        "Prompts of {} and answers of {} by their length in tokens.",
        counted(it.input.count(), "request"),
        grouped(it.output.count())
    )
}

#[cfg(test)]
mod tests {
    use crestline_core::digest::{Digest, Limits, Window};
    use crestline_core::record::{Phase, RequestRecord, TokenCount, TokenSource};
    use crestline_core::units::Nanos;

    use super::*;
    use crate::figures::within::check;

    fn of(lengths: impl Iterator<Item = (u32, u32)>) -> Lengths {
        let window = Window::of(Nanos::ZERO, Nanos::from_secs(1), 1);
        let mut digest = Digest::new(window, Limits::default());
        let tokens = |count| {
            Some(TokenCount {
                count,
                source: TokenSource::Usage,
            })
        };
        for (index, (input, output)) in (0..).zip(lengths) {
            digest.add(&RequestRecord {
                prompt_tokens: tokens(input),
                output_tokens: tokens(output),
                ..RequestRecord::new(index, Phase::Measured)
            });
        }
        digest.lengths
    }

    #[test]
    fn prompts_and_answers_have_their_bars() {
        let svg = lengths("m", &of((1..=60).map(|it| (it, 7)))).svg();
        check(&svg);
        // Sixty lengths in bins of two.
        assert_eq!(svg.matches(r#"<rect class="fill-0""#).count(), 30);
        assert_eq!(svg.matches(r#"<rect class="fill-1""#).count(), 1);
        for words in [">1 to 60<", ">all 7<", ">Output tokens<", ">mean 30.5<"] {
            assert!(svg.contains(words), "{words}");
        }
        assert!(!svg.contains("asked for"));
    }

    #[test]
    fn what_was_asked_for_stands_beside_what_was_got_in_the_same_bins() {
        let mut them = of([(5, 10), (5, 20), (5, 30)].into_iter());
        let asked = of([(5, 40), (5, 20), (5, 30)].into_iter());
        them.asked = asked.output;
        them.held.fewer = 1;
        them.held.equal = 2;
        let svg = lengths("m", &them).svg();
        check(&svg);
        for words in [
            ">Output tokens asked for<",
            ">Output tokens got<",
            "m · 3 answers: 2 as long as asked for, 1 shorter<",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        // Both axes go from the least of all lengths to the greatest.
        for bars in ["fill-4", "fill-1"] {
            assert_eq!(svg.matches(&format!(r#"<rect class="{bars}""#)).count(), 3);
        }
        assert_eq!(svg.matches(">40<").count(), 2, "{svg}");
    }

    #[test]
    fn no_text_leaves_the_figure_whatever_the_lengths() {
        for them in [vec![], vec![(0, 0)], vec![(u32::MAX, 1), (1, u32::MAX)]] {
            check(&lengths("", &of(them.into_iter())).svg());
        }
    }
}
