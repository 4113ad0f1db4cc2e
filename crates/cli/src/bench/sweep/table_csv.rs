//! Rows as pandas writes them to CSV: the numbers of a column that holds no texts have one type.
//!
//! Reads nothing.

use serde_json::Value;

use super::python;

/// Writes one row a run, with all columns of all runs in the order in which they are first seen, behind their number.
pub(crate) fn text(runs: &[Value]) -> String {
    let columns = columns(runs);
    let mut out = csv::WriterBuilder::new().from_writer(Vec::new());
    let header = std::iter::once("").chain(columns.iter().map(|column| column.name));
    out.write_record(header).expect("memory can be written");
    for (number, run) in runs.iter().enumerate() {
        let number = std::iter::once(number.to_string());
        let cells = columns.iter().map(|column| column.cell(run));
        out.write_record(number.chain(cells))
            .expect("memory can be written");
    }
    let bytes = out.into_inner().expect("memory can be written");
    String::from_utf8(bytes).expect("texts are UTF-8")
}

/// A column and what all of its values have in common.
struct Column<'a> {
    name: &'a str,
    numbers: Numbers,
}

/// How numbers of a column are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// Each as it is: they are all whole, or texts are among them.
    AsTheyAre,
    /// With a fraction: some are, or values are missing.
    Fractions,
}

fn columns(runs: &[Value]) -> Vec<Column<'_>> {
    let mut names: Vec<&str> = Vec::new();
    for key in runs
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|run| run.keys())
    {
        if !names.contains(&key.as_str()) {
            names.push(key);
        }
    }
    let column = |name| Column {
        name,
        numbers: numbers(name, runs),
    };
    names.into_iter().map(column).collect()
}

fn numbers(name: &str, runs: &[Value]) -> Numbers {
    let missing = Value::Null;
    let mut values = runs.iter().map(|run| run.get(name).unwrap_or(&missing));
    let is_number = |value: &Value| value.is_number() || value.is_null();
    let is_whole = |value: &Value| value.is_i64() || value.is_u64();
    if values.clone().all(is_number) && !values.all(is_whole) {
        Numbers::Fractions
    } else {
        Numbers::AsTheyAre
    }
}

impl Column<'_> {
    fn cell(&self, run: &Value) -> String {
        match run.get(self.name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Number(number)) if self.numbers == Numbers::Fractions => {
                python::float(number.as_f64().unwrap_or(f64::NAN))
            }
            Some(value) => python::str(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_those_of_all_rows_and_numbers_have_one_type_in_each() {
        let runs = [
            json!({"name": "a", "whole": 1, "mixed": 1, "late": 2, "list": [0.5, 1], "none": null, "yes": true, "text": 1}),
            json!({"name": "b, \"c\"", "whole": 2, "mixed": 0.5, "list": [], "none": null, "yes": false, "text": "inf", "more": 1e-5}),
        ];
        expect![[r#"
            ,name,whole,mixed,late,list,none,yes,text,more
            0,a,1,1.0,2.0,"[0.5, 1]",,True,1,
            1,"b, ""c""",2,0.5,,[],,False,inf,1e-05
        "#]]
        .assert_eq(&text(&runs));
    }

    #[test]
    fn without_rows_there_is_a_header_of_nothing() {
        assert_eq!(text(&[]), "\"\"\n");
    }
}
