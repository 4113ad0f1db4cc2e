//! Writes a page with every kind of block to the file that is named, for the browser's test and for whoever changes how
//! blocks look: `cargo run -p crestline-report --example page -- page.html`.
//!
//! What it shows was never measured.

use std::path::PathBuf;

use crestline_core::serving::{
    Counting, GapClass, LengthStatistics, Segment, SegmentKind, TimelineRow,
};
use crestline_report::figures::{
    Curve, CurveAxis, CurvePart, Curves, DatasetStatistics, Frontier, Key, Kind as ScaleKind,
    PART_INCHES, Picture, Range, curves, dataset_statistics, frontier,
};
use crestline_report::html::{
    Block, Callout, Cell, Choice, ChoicePage, Code, Column, Details, Document, Download, Figure,
    FirstWait, Property, Tab, Table, Text, Tile, Tone, Waterfall,
};

fn main() -> std::io::Result<()> {
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let path = path.ok_or_else(|| std::io::Error::other("name the file to write"))?;
    std::fs::write(path, document().html())
}

fn document() -> Document {
    let tab = |id: &str, title: &str, blocks| Tab {
        id: id.to_owned(),
        title: title.to_owned(),
        blocks,
    };
    Document {
        title: "Every kind of block".to_owned(),
        subject: "a-model-with-a-long-name/and-a-path · http://127.0.0.1:8000/v1/chat/completions · nothing was measured".to_owned(),
        tabs: vec![
            tab("summary", "Summary", summary()),
            tab("loads", "Loads", loads()),
            tab("figures", "Figures", figures()),
            tab("requests", "Requests", requests()),
            tab("about", "About", about()),
        ],
    }
}

fn summary() -> Vec<Block> {
    let callout = |tone, title: &str, lines: &[&str]| {
        Block::Callout(Callout {
            tone,
            title: title.into(),
            lines: lines.iter().map(|line| Text::plain(*line)).collect(),
        })
    };
    let tile = |label: &str, value: &str, unit: &str, note: &str, tone| Tile {
        label: label.to_owned(),
        value: value.to_owned(),
        unit: unit.to_owned(),
        note: note.to_owned(),
        tone,
    };
    vec![
        callout(
            Tone::Answer,
            "103 users meet p99_ttft <= 200 ms and p99_tpot <= 20 ms",
            &["90 % sure: at least 101; p99_tpot binds."],
        ),
        callout(
            Tone::Warning,
            "2 of 1,204 requests failed",
            &["connection reset: 2"],
        ),
        Block::Tiles(vec![
            tile("Highest load", "103", "users", "101 to 108", Tone::Answer),
            tile("Output", "12,345.6", "tok/s", "±0.4 %", Tone::Note),
            tile("p99 TTFT", "187", "ms", "limit 200 ms", Tone::Good),
            tile("p99 TPOT", "21.3", "ms", "limit 20 ms", Tone::Bad),
            tile("Failed", "2", "requests", "of 1,204", Tone::Warning),
        ]),
        Block::Paragraph(
            Text::plain("The figures of each load are ")
                .link("in the second view", "loads")
                .and(", those of ")
                .link("load 16", "load-16")
                .and(" alone below it. ")
                .strong("Nothing was measured")
                .and(" with ")
                .code("--example page")
                .quiet(" (of course)"),
        ),
        Block::List(vec!["One thing".into(), "Another thing".into()]),
        callout(Tone::Good, "The client kept up", &[]),
        callout(
            Tone::Bad,
            "The client was the bottleneck",
            &["Send lag 12 ms."],
        ),
        callout(Tone::Note, "", &["A note without a title."]),
    ]
}

/// A number that looks as if it had been measured.
fn value(place: usize) -> f64 {
    let place = place as f64;
    (place * 12.9898).sin().abs() * 3.0 + place.sqrt()
}

fn loads() -> Vec<Block> {
    let row = |place: usize| -> Vec<Cell> {
        let load = 1_u64 << place;
        let ttft = 20.0 + value(place) * 30.0;
        let (tone, verdict) = if ttft < 120.0 {
            (Tone::Good, "meets")
        } else {
            (Tone::Bad, "misses")
        };
        vec![
            Text::default()
                .link(format!("load {load}"), format!("load-{load}"))
                .into(),
            load.into(),
            (load as f64 * 12_345.678 / (1.0 + load as f64 / 40.0)).into(),
            ttft.into(),
            if place == 3 {
                Cell::None
            } else {
                Cell::Judged(tone, ttft * 1.7)
            },
            (1.0 - value(place) / 400.0).into(),
            Cell::Verdict(tone, verdict.to_owned()),
        ]
    };
    let columns = vec![
        Column::text("load", "Load"),
        Column::number("users", "Users", 0),
        Column::number("output_tok_per_s", "Output", 1).unit("tok/s"),
        Column::number("ttft_mean_ms", "TTFT mean", 2)
            .unit("ms")
            .note("from when a request was due"),
        Column::number("ttft_p99_ms", "TTFT p99", 2).unit("ms"),
        Column::share("success", "Success", 1),
        Column::text("verdict", "SLA"),
    ];
    let page = |load: u64| ChoicePage {
        id: format!("load-{load}"),
        title: format!("load {load}"),
        blocks: vec![
            Block::Subheading(format!("Load {load}")),
            Block::Figures(vec![percentiles(&format!("percentiles-{load}"))]),
        ],
    };
    vec![
        Block::Heading("All loads".to_owned()),
        Block::Table(Table {
            name: "loads".to_owned(),
            caption: "Each load in turn".into(),
            columns,
            rows: (0..8).map(row).collect(),
        }),
        Block::Heading("One load".to_owned()),
        Block::Choice(Choice {
            label: "Load".to_owned(),
            pages: [1, 4, 16, 64].map(page).into(),
        }),
    ]
}

fn requests() -> Vec<Block> {
    let columns = vec![
        Column::number("request", "Request", 0),
        Column::number("prompt_tokens", "Prompt", 0).unit("tokens"),
        Column::number("latency_s", "Latency", 3).unit("s"),
        Column::text("failure", "Failure"),
    ];
    let row = |place: usize| -> Vec<Cell> {
        let failure = if place % 50 == 49 {
            "HTTP 503, \"try again\""
        } else {
            ""
        };
        vec![
            (place as u64).into(),
            ((value(place) * 90.0) as u64).into(),
            value(place).into(),
            failure.into(),
        ]
    };
    let rows: Vec<TimelineRow> = (0..60).map(timeline_row).collect();
    let waterfall = Waterfall {
        subject: "m",
        rows: &rows,
        failures: &vec![None; rows.len()],
        thresholds_ms: [10.0, 20.0],
        counting: Counting::Tokens,
        first: FirstWait::Token,
        most_segments: 10_000,
    };
    vec![
        Block::Heading("Course of the requests".to_owned()),
        Block::Part(waterfall.part()),
        Block::Heading("All requests".to_owned()),
        Block::Table(Table {
            name: "requests".to_owned(),
            caption: "Requests".into(),
            columns,
            rows: (0..300).map(row).collect(),
        }),
    ]
}

fn timeline_row(place: usize) -> TimelineRow {
    let start_s = (place / 8) as f64 * 0.6 + (place % 8) as f64 * 0.02;
    let mut to_s = start_s + 0.05 + value(place) / 60.0;
    let mut segments = vec![Segment {
        kind: SegmentKind::FirstToken,
        from_s: start_s,
        to_s,
        tokens: 1,
    }];
    for token in 0..30 {
        let gap_s = 0.006 + value(place + token) / 800.0;
        let class = match gap_s {
            gap if gap < 0.010 => GapClass::Short,
            gap if gap < 0.020 => GapClass::Middle,
            _ => GapClass::Long,
        };
        segments.push(Segment {
            kind: SegmentKind::Next(class),
            from_s: to_s,
            to_s: to_s + gap_s,
            tokens: 1,
        });
        to_s += gap_s;
    }
    TimelineRow {
        request: place,
        served_s: to_s,
        due_s: start_s,
        admitted_s: start_s,
        start_s,
        end_s: to_s,
        prompt_tokens: 100,
        output_tokens: 31,
        succeeded: place != 17,
        segments,
    }
}

fn about() -> Vec<Block> {
    let property = |name: &str, value: Text| Property {
        name: name.to_owned(),
        value,
    };
    vec![
        Block::Properties(vec![
            property("Model", "m".into()),
            property("Endpoint", Text::default().code("http://127.0.0.1:8000/v1/chat/completions")),
            property("Seed", "0".into()),
        ]),
        Block::Code(Code {
            title: "The command".to_owned(),
            text: "crestline perf --url http://127.0.0.1:8000/v1/chat/completions --model m \\\n  --parallel 1 8".to_owned(),
        }),
        Block::Details(Details {
            summary: "More".into(),
            blocks: vec![Block::Paragraph("What is seldom asked for.".into())],
        }),
        Block::Choice(Choice {
            label: "Attempt".to_owned(),
            pages: (1..=12).map(attempt).collect(),
        }),
        Block::Downloads(vec![Download {
            label: "All values (JSON)".to_owned(),
            file: "values.json".to_owned(),
            media_type: "application/json".to_owned(),
            text: "{\"text\":\"</script> é\"}\n".to_owned(),
        }]),
    ]
}

fn attempt(number: u64) -> ChoicePage {
    ChoicePage {
        id: format!("attempt-{number}"),
        title: format!("attempt {number}"),
        blocks: vec![Block::Subheading(format!("Attempt {number}"))],
    }
}

fn figures() -> Vec<Block> {
    let figure = |name: &str, caption: &str, picture| Figure {
        name: name.to_owned(),
        picture,
        caption: caption.into(),
    };
    let lengths = LengthStatistics::of(
        (0..500)
            .map(|place| (100 + place % 77, 20 + place % 31))
            .collect(),
        30,
    );
    let lengths = dataset_statistics(&DatasetStatistics {
        subject: "m",
        lengths: &lengths,
        left_out: 0,
    });
    vec![
        Block::Heading("Beside each other".to_owned()),
        Block::Figures(vec![
            figure(
                "throughput",
                "Means, with the interval of three runs each.",
                against_load(),
            ),
            figure("over-time", "Two curves over time.", over_time()),
            percentiles("percentiles"),
            figure(
                "frontier",
                "Which configurations no other one beats.",
                pareto(),
            ),
        ]),
        Block::Heading("Alone".to_owned()),
        Block::Figures(vec![figure("lengths", "", lengths)]),
    ]
}

fn axis(label: &str, kind: ScaleKind) -> CurveAxis {
    CurveAxis {
        label: label.to_owned(),
        kind,
        ..CurveAxis::default()
    }
}

fn one_part(title: &str, part: CurvePart) -> Picture {
    curves(&Curves {
        title: title.to_owned(),
        subject: "nothing was measured".to_owned(),
        columns: 1,
        part_inches: PART_INCHES,
        parts: vec![Some(part)],
        range: Range::Own,
        key: Key::Names,
    })
}

fn against_load() -> Picture {
    let curve = |name: &str, most: f64| {
        let at = |place: i32| {
            let load = 2f64.powi(place);
            [load, most * load / (load + 20.0)]
        };
        let points: Vec<[f64; 2]> = (0..9).map(at).collect();
        Curve {
            name: name.to_owned(),
            band: points.iter().map(|[x, y]| [*x, y * 0.9, y * 1.1]).collect(),
            dots: points
                .iter()
                .flat_map(|[x, y]| [[*x, y * 0.95], [*x, y * 1.04]])
                .collect(),
            points,
            ..Curve::default()
        }
    };
    let part = CurvePart {
        title: String::new(),
        x: axis("Users in flight", ScaleKind::Log2),
        y: axis("Output tokens a second", ScaleKind::Linear),
        curves: vec![
            curve("tensor_parallel_size=1", 4000.0),
            curve("tensor_parallel_size=2", 7000.0),
        ],
        limits: vec![(5000.0, "wanted".to_owned())],
        limits_x: vec![(103.0, "answer".to_owned())],
    };
    one_part("Throughput against load", part)
}

fn over_time() -> Picture {
    let curve = |name: &str, from: usize| Curve {
        name: name.to_owned(),
        points: (0..240)
            .map(|place| [place as f64, value(place % 37 + from)])
            .collect(),
        ..Curve::default()
    };
    let part = CurvePart {
        title: String::new(),
        x: axis("Time", ScaleKind::Time),
        y: axis("TTFT in ms", ScaleKind::Sqrt),
        curves: vec![curve("p50", 3), curve("p99", 40)],
        limits: Vec::new(),
        limits_x: Vec::new(),
    };
    one_part("TTFT over time", part)
}

fn percentiles(name: &str) -> Figure {
    let curve = |name: &str, scale: f64| {
        let at = |place: i32| {
            let percent = 100.0 - 100.0 * 0.93f64.powi(place);
            [
                percent,
                scale * (1.0 + 0.06 * f64::from(place * place) / 9.0),
            ]
        };
        Curve {
            name: name.to_owned(),
            points: (0..96).map(at).collect(),
            ..Curve::default()
        }
    };
    let part = CurvePart {
        title: String::new(),
        x: axis("Percentile", ScaleKind::Percentile),
        y: axis("Milliseconds", ScaleKind::Log),
        curves: vec![curve("TTFT", 40.0), curve("E2E latency", 300.0)],
        limits: vec![(200.0, "p99_ttft <= 200 ms".to_owned())],
        limits_x: Vec::new(),
    };
    Figure {
        name: name.to_owned(),
        picture: one_part("Percentiles", part),
        caption: Text::plain("Each request counts once."),
    }
}

fn pareto() -> Picture {
    let point = |place: usize| {
        [
            20.0 + value(place) * 9.0,
            300.0 + value(place * 7 + 1) * 200.0,
        ]
    };
    frontier(&Frontier {
        title: "Throughput a GPU against speed a user".to_owned(),
        subject: "nothing was measured".to_owned(),
        labels: ["Tokens/s/user".to_owned(), "Tokens/s/GPU".to_owned()],
        inches: [5.4, 3.8],
        points: (0..30).map(point).collect(),
        voids: vec![[30.0, 400.0]],
        frontier: vec![
            ([110.0, 500.0], "max_concurrency=1".to_owned()),
            ([90.0, 1500.0], "max_concurrency=8".to_owned()),
            ([60.0, 2400.0], "max_concurrency=32".to_owned()),
        ],
    })
}
