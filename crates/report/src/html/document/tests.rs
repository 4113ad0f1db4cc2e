//! What a document comes to as a page.

use super::*;
use crate::figures::{Curve, CurveAxis, CurvePart, Curves, Key, Range, curves};

fn picture() -> Picture {
    curves(&Curves {
        title: "t".to_owned(),
        subject: String::new(),
        columns: 1,
        part_inches: [4.0, 3.0],
        parts: vec![Some(CurvePart {
            title: String::new(),
            x: CurveAxis::default(),
            y: CurveAxis::default(),
            curves: vec![Curve {
                points: vec![[0.0, 1.0], [1.0, 2.0]],
                ..Curve::default()
            }],
            limits: Vec::new(),
            limits_x: Vec::new(),
        })],
        range: Range::Own,
        key: Key::Names,
    })
}

fn tab(id: &str, blocks: Vec<Block>) -> Tab {
    Tab {
        id: id.to_owned(),
        title: id.to_owned(),
        blocks,
    }
}

fn document(tabs: Vec<Tab>) -> String {
    let document = Document {
        title: "t".to_owned(),
        subject: "s".to_owned(),
        tabs,
    };
    document.html()
}

fn choice(pages: usize) -> Block {
    let page = |place: usize| ChoicePage {
        id: "load".to_owned(),
        title: format!("{place}"),
        blocks: vec![Block::Heading(format!("page {place}"))],
    };
    Block::Choice(Choice {
        label: "Load".to_owned(),
        pages: (0..pages).map(page).collect(),
    })
}

#[test]
fn one_tab_has_no_row_of_tabs() {
    let one = document(vec![tab("a", vec![Block::Heading("h".to_owned())])]);
    assert!(one.contains("<h2>h</h2>") && !one.contains("role=\"tab\""));
    let two = document(vec![tab("a", vec![]), tab("b", vec![])]);
    assert_eq!(two.matches("role=\"tab\"").count(), 2);
    assert_eq!(two.matches("role=\"tabpanel\"").count(), 2);
}

#[test]
fn ids_are_unique_whatever_they_are_called() {
    let html = document(vec![tab("load", vec![choice(3)]), tab("Load", vec![])]);
    for id in ["load", "load-2", "load-3", "load-4", "load-5"] {
        assert_eq!(html.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
    }
}

#[test]
fn many_pages_are_chosen_from_a_list() {
    let few = document(vec![tab("a", vec![choice(8)])]);
    assert!(few.contains("role=\"tablist\"") && !few.contains("<select"));
    let many = document(vec![tab("a", vec![choice(9)])]);
    assert!(many.contains("<select") && !many.contains("role=\"tablist\""));
    assert_eq!(many.matches("<option ").count(), 9);
}

#[test]
fn styles_and_scripts_are_there_once_and_only_where_they_are_needed() {
    let figure = || {
        Block::Figures(vec![Figure {
            name: "f".to_owned(),
            picture: picture(),
            caption: "c".into(),
        }])
    };
    let html = document(vec![tab("a", vec![figure(), figure()])]);
    assert_eq!(html.matches("<figcaption>c</figcaption>").count(), 2);
    assert_eq!(html.matches("\n.crestline-figure .quiet{").count(), 1);
    assert!(!html.contains("// Tables:"));
}

#[test]
fn lines_of_code_stay_lines() {
    let code = Block::Code(Code {
        title: String::new(),
        text: "a \\\n  <b>\n".to_owned(),
    });
    let html = document(vec![tab("a", vec![code])]);
    assert!(html.contains("<code>a \\\n  &lt;b&gt;</code>"), "{html}");
}

#[test]
fn texts_and_files_cannot_leave_their_element() {
    let evil = "</script><script>alert(1)</script>";
    let html = document(vec![tab(
        evil,
        vec![
            Block::Heading(evil.to_owned()),
            Block::Paragraph(Text::plain(evil).strong(evil).code(evil).link(evil, evil)),
            Block::Callout(Callout {
                title: evil.into(),
                ..Callout::default()
            }),
            Block::Tiles(vec![Tile {
                label: evil.to_owned(),
                value: evil.to_owned(),
                ..Tile::default()
            }]),
            Block::Code(Code {
                title: evil.to_owned(),
                text: evil.to_owned(),
            }),
            Block::Downloads(vec![Download {
                label: evil.to_owned(),
                file: evil.to_owned(),
                media_type: evil.to_owned(),
                text: evil.to_owned(),
            }]),
            Block::Table(Table {
                name: evil.to_owned(),
                caption: evil.into(),
                columns: vec![Column::text(evil, evil).unit(evil).note(evil)],
                rows: vec![vec![evil.into()]],
            }),
        ],
    )]);
    assert!(!html.contains("<script>alert"));
    assert!(html.contains("\\u003c/script>\\u003cscript>alert(1)"));
}
