//! Tests of the table styles: how each looks, and that every line of a table is equally wide.

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use unicode_width::UnicodeWidthStr;

use super::{Align, Style, Table};

fn check(table: &Table, expected: &Expect) {
    expected.assert_eq(&table.render());
}

fn sample(style: Style) -> Table {
    let mut table = Table::new(style)
        .column("Key", Align::Left)
        .column("Value", Align::Decimal)
        .column("Note", Align::Centre);
    table.row(["Time (s)", "62.9998", "ok"]);
    table.row(["Concurrency", "200", "fine"]);
    table.row(["吞吐量", "6501.6", "-"]);
    table
}

#[test]
fn grid_has_a_rule_after_each_row() {
    check(
        &sample(Style::Grid),
        &expect![[r"
        +-------------+-----------+------+
        | Key         |     Value | Note |
        +=============+===========+======+
        | Time (s)    |   62.9998 |  ok  |
        +-------------+-----------+------+
        | Concurrency |  200      | fine |
        +-------------+-----------+------+
        | 吞吐量      | 6501.6    |  -   |
        +-------------+-----------+------+
    "]],
    );
}

#[test]
fn compact_has_rules_around_the_head_only() {
    check(
        &sample(Style::Compact),
        &expect![[r"
        +-------------+-----------+------+
        | Key         |     Value | Note |
        +-------------+-----------+------+
        | Time (s)    |   62.9998 |  ok  |
        | Concurrency |  200      | fine |
        | 吞吐量      | 6501.6    |  -   |
        +-------------+-----------+------+
    "]],
    );
}

#[test]
fn heavy_has_no_blanks_along_the_outer_edges() {
    check(
        &sample(Style::Heavy),
        &expect![[r"
        ┏━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━┓
        ┃Key         ┃     Value ┃ Note┃
        ┡━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━┩
        │Time (s)    │   62.9998 │  ok │
        │Concurrency │  200      │ fine│
        │吞吐量      │ 6501.6    │  -  │
        └────────────┴───────────┴─────┘
    "]],
    );
}

#[test]
fn a_rule_separates_rows_and_a_title_stands_in_the_middle() {
    let mut table = Table::new(Style::Heavy)
        .column("Conc.", Align::Right)
        .column("Metric", Align::Left)
        .column("avg", Align::Right);
    table.row(["1", "Latency (s)", "0.969"]);
    table.row(["", "Output Tokens", "24"]);
    table.rule();
    table.row(["2", "Latency (s)", "2.012"]);
    expect![[r"
              Per-Request Metrics
        ┏━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━┓
        ┃Conc. ┃ Metric        ┃   avg┃
        ┡━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━┩
        │    1 │ Latency (s)   │ 0.969│
        │      │ Output Tokens │    24│
        ├──────┼───────────────┼──────┤
        │    2 │ Latency (s)   │ 2.012│
        └──────┴───────────────┴──────┘
    "]]
    .assert_eq(&table.render_with_title("Per-Request Metrics"));
}

#[test]
fn missing_cells_stay_blank_and_a_table_without_rows_has_its_head() {
    let mut table = Table::new(Style::Compact)
        .column("A", Align::Left)
        .column("B", Align::Left);
    check(
        &table,
        &expect![[r"
        +---+---+
        | A | B |
        +---+---+
        +---+---+
    "]],
    );
    table.row(["only one"]);
    check(
        &table,
        &expect![[r"
        +----------+---+
        | A        | B |
        +----------+---+
        | only one |   |
        +----------+---+
    "]],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn all_lines_are_equally_wide(
        rows in vec(vec("[a-z0-9.é漢\u{301}-]{0,9}", 3), 0..5), columns in 1..4_usize, place in 0..3_usize
    ) {
        let styles = [Style::Grid, Style::Compact, Style::Heavy];
        let aligns = [Align::Left, Align::Right, Align::Centre, Align::Decimal];
        let mut table = Table::new(styles[place]);
        for column in 0..columns {
            table = table.column("head", aligns[(column + place) % 4]);
        }
        for row in &rows {
            table.row(row);
        }
        let widths: Vec<_> = table.render().lines().map(UnicodeWidthStr::width).collect();
        prop_assert_eq!(&widths, &vec![table.width(); widths.len()]);
    }
}
