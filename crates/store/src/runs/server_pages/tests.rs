//! What pages say comes back, however they change, and only changes take room.

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::schema;

fn file() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(schema::CREATE_SERVER).unwrap();
    connection
}

fn reading(name: &str, value: f64) -> Reading {
    Reading {
        name: name.to_owned(),
        labels: vec![("engine".to_owned(), "0\"é".to_owned())],
        kind: SeriesKind::Gauge,
        value,
    }
}

fn page(at: u64, readings: &[(&str, f64)]) -> PageRead {
    let readings = readings.iter().map(|(name, value)| reading(name, *value));
    PageRead {
        at: Nanos(at),
        content: Ok(readings.collect()),
    }
}

fn missed(at: u64, why: &str) -> PageRead {
    PageRead {
        at: Nanos(at),
        content: Err(why.to_owned()),
    }
}

fn write(to: &Connection, pages: Vec<PageRead>) {
    let mut coder = PageCoder::open(to).unwrap();
    for page in pages {
        coder.write(to, page).unwrap();
    }
}

fn samples(connection: &Connection) -> u64 {
    let count = connection.query_row("SELECT count(*) FROM server_sample", [], |row| row.get(0));
    i64::cast_unsigned(count.unwrap())
}

fn changes(series: &Series) -> Vec<(u64, Option<f64>)> {
    let pairs = series
        .changes
        .iter()
        .map(|change| (change.at.0, change.value));
    pairs.collect()
}

#[test]
fn only_changes_are_written_and_what_goes_away_is_told_from_what_stays() {
    let file = file();
    let pages = vec![
        page(10, &[("a", 1.0), ("b", 0.5)]),
        page(20, &[("a", 1.0), ("b", 0.75)]),
        missed(25, "slow"),
        page(30, &[("a", 1.0), ("a", 9.0), ("c", f64::INFINITY)]),
        page(40, &[("a", f64::NAN), ("b", 0.75), ("c", f64::INFINITY)]),
    ];
    write(&file, pages);
    let all = read(&file).unwrap();
    assert_eq!(all.read_at, [10, 20, 30, 40].map(Nanos));
    assert_eq!(
        all.missed,
        [Missed {
            at: Nanos(25),
            why: "slow".to_owned()
        }]
    );
    let names: Vec<&str> = all.series.iter().map(|series| &*series.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(all.series[0].labels, reading("a", 0.0).labels);
    assert_eq!(all.series[0].kind, SeriesKind::Gauge);
    assert_eq!(changes(&all.series[0]), [(10, Some(1.0)), (40, None)]);
    assert_eq!(
        changes(&all.series[1]),
        [
            (10, Some(0.5)),
            (20, Some(0.75)),
            (30, None),
            (40, Some(0.75))
        ]
    );
    assert_eq!(changes(&all.series[2]), [(30, Some(f64::INFINITY))]);
    assert_eq!(samples(&file), 7);
}

#[test]
fn another_command_goes_on_with_the_same_series_after_a_break() {
    let file = file();
    write(&file, vec![page(10, &[("a", 1.0), ("b", 2.0)])]);
    write(
        &file,
        vec![page(20, &[("a", 1.0)]), page(30, &[("a", 1.0)])],
    );
    let all = read(&file).unwrap();
    assert_eq!(all.series.len(), 2);
    let course = |series| -> Vec<Option<f64>> {
        let course = all.course_of(series);
        course.iter().map(|point| point.value).collect()
    };
    assert_eq!(
        course(&all.series[0]),
        [Some(1.0), None, Some(1.0), Some(1.0)]
    );
    assert_eq!(course(&all.series[1]), [Some(2.0), None, None, None]);
    assert_eq!(all.missed[0].at, Nanos(19));
}

#[test]
fn a_damaged_row_is_named_by_its_table() {
    for (damage, table) in [
        (
            "INSERT INTO server_sample VALUES (9, 1, 1.0)",
            "server_sample",
        ),
        (
            "INSERT INTO server_series VALUES (1, 'a', '{', 'gauge')",
            "server_series",
        ),
        (
            "INSERT INTO server_series VALUES (1, 'a', '[]', 'odd')",
            "server_series",
        ),
    ] {
        let file = file();
        file.execute_batch(damage).unwrap();
        match read(&file) {
            Err(PagesError::Damaged(named)) => assert_eq!(named, table),
            other => panic!("{damage}: {other:?}"),
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

/// A page: the value of each series, where it is there; or none at all.
fn any_page() -> impl Strategy<Value = Option<[Option<u8>; 3]>> {
    proptest::option::weighted(0.8, proptest::array::uniform3(any::<Option<u8>>()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_page_comes_back(pages in proptest::collection::vec(any_page(), 0..20)) {
        let file = file();
        let written = pages.iter().zip(1..).map(|(values, at)| match values {
            None => missed(at, "gone"),
            Some(values) => {
                let there = NAMES.iter().zip(values);
                let there = there.filter_map(|(name, value)| Some((*name, f64::from((*value)? % 3))));
                page(at, &there.collect::<Vec<_>>())
            }
        });
        write(&file, written.collect());
        let all = read(&file).unwrap();
        for (position, name) in NAMES.iter().enumerate() {
            let expected: Vec<Option<f64>> = pages
                .iter()
                .map(|values| values.and_then(|values| values[position]))
                .map(|value| value.map(|value| f64::from(value % 3)))
                .collect();
            let series = all.series.iter().find(|series| series.name == *name);
            let found: Vec<Option<f64>> = match series {
                Some(series) => all.course_of(series).iter().map(|point| point.value).collect(),
                None => vec![None; pages.len()],
            };
            prop_assert_eq!(found, expected);
        }
    }
}
