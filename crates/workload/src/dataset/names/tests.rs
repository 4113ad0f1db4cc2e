//! Tests of names and arguments of data sets.

use serde_json::json;

use super::*;

fn parse(name: &str, path: Option<&str>, arguments: Value) -> Result<Dataset, DatasetError> {
    let Value::Object(arguments) = arguments else {
        panic!("arguments are an object")
    };
    Dataset::from_name(name, path.map(Path::new), &arguments)
}

/// The message and the hint.
fn refusal(name: &str, path: Option<&str>, arguments: Value) -> (String, String) {
    let error = parse(name, path, arguments).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

fn fixture(name: &str) -> String {
    format!(
        "{}/../../fixtures/datasets/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn every_name_makes_its_data_set() {
    let source = |path: Option<&str>| Source {
        path: path.map(PathBuf::from),
        fit: None,
    };
    let none = json!({});
    for (name, path, expected) in [
        ("openqa", None, Dataset::OpenQa(source(None))),
        (
            "longalpaca",
            Some("f"),
            Dataset::LongAlpaca(source(Some("f"))),
        ),
        (
            "line_by_line",
            Some("f"),
            Dataset::LineByLine(source(Some("f"))),
        ),
        ("custom", Some("f"), Dataset::Custom(source(Some("f")))),
        ("share_gpt_zh", None, Dataset::ShareGptZh(source(None))),
        ("share_gpt_en", None, Dataset::ShareGptEn(source(None))),
        ("random", None, Dataset::Random(RandomLengths::default())),
        ("speed_benchmark", None, Dataset::SpeedBenchmark),
        ("speed_benchmark_long", None, Dataset::SpeedBenchmarkLong),
    ] {
        assert!(DATASET_NAMES.contains(&name));
        assert_eq!(parse(name, path, none.clone()).unwrap(), expected);
    }
}

#[test]
fn names_of_later_are_told_from_names_that_are_wrong() {
    for name in LATER {
        let (message, _) = refusal(name, None, json!({}));
        assert_eq!(message, format!("data set `{name}` is not supported yet"));
    }
    for (name, nearest) in [
        ("radnom", "random"),
        ("open_qa", "openqa"),
        ("sharegpt_en", "share_gpt_en"),
        ("LongAlpaca", "longalpaca"),
        ("linebyline", "line_by_line"),
    ] {
        let (message, hint) = refusal(name, None, json!({}));
        assert_eq!(message, format!("no data set is called `{name}`"));
        assert_eq!(hint, format!("did you mean `{nearest}`?"));
    }
    let (_, hint) = refusal("foo", None, json!({}));
    assert!(
        hint.starts_with("there are `openqa`, `longalpaca`"),
        "{hint}"
    );
}

#[test]
fn a_length_of_random_may_be_a_number() {
    let of = |arguments| parse("random", None, arguments).unwrap();
    assert_eq!(
        of(json!({"input": 50})),
        of(json!({"input": {"distribution": "fixed", "value": 50}}))
    );
    for (value, expected) in [
        (
            json!("50"),
            "it must be a number of tokens or an object with a `distribution`",
        ),
        (json!(-1), "cannot be -1"),
        (json!({"value": 50}), "missing field `distribution`"),
    ] {
        let (message, _) = refusal("random", None, json!({"output": value}));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn unknown_arguments_are_named_with_those_that_there_are() {
    let check = |name, path, message: &str, hint: &str| {
        let found = refusal(name, path, json!({"target_len": 1}));
        assert_eq!(found, (message.to_owned(), hint.to_owned()));
    };
    check(
        "openqa",
        None,
        "data set `openqa` has no argument `target_len`",
        "it has `target_input_len`, `input_len_mode`, `prefix_file`, `prefix_role`",
    );
    check(
        "random",
        None,
        "data set `random` has no argument `target_len`",
        "it has `input`, `output`, `pairs`",
    );
    check(
        "custom",
        Some("f"),
        "data set `custom` has no argument `target_len`",
        "it takes none: leave out `--dataset-args`",
    );
}

#[test]
fn arguments_of_text_data_sets_say_how_prompts_are_fitted() {
    let fit = |arguments| match parse("openqa", None, arguments).unwrap() {
        Dataset::OpenQa(source) => source.fit.unwrap(),
        other => panic!("{other:?}"),
    };
    let plain = Fit {
        target_input_len: 100,
        mode: FitMode::Cap,
        prefix_file: None,
        prefix_role: PrefixRole::System,
    };
    assert_eq!(fit(json!({"target_input_len": 100})), plain);
    let dropped = Fit {
        mode: FitMode::Drop,
        ..plain.clone()
    };
    assert_eq!(
        fit(json!({"target_input_len": 100, "input_len_mode": "drop"})),
        dropped
    );
    let path = fixture("prefix.txt");
    let filled = Fit {
        prefix_file: Some(path.clone().into()),
        prefix_role: PrefixRole::User,
        ..plain
    };
    assert_eq!(
        fit(
            json!({"target_input_len": 100, "prefix_file": path, "prefix_role": "user", "input_len_mode": null})
        ),
        filled
    );
}

#[test]
fn wrong_values_and_combinations_are_refused_with_the_argument() {
    let prefix = fixture("prefix.txt");
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty_path = empty.path().to_str().unwrap();
    for (arguments, expected) in [
        (
            json!({"target_input_len": 0}),
            "cannot be 0: it must be a whole number above 0",
        ),
        (
            json!({"target_input_len": -5}),
            "cannot be -5: it must be a whole number above 0",
        ),
        (
            json!({"target_input_len": "many"}),
            "cannot be \"many\": it must be a whole number above 0",
        ),
        (
            json!({"target_input_len": 9, "input_len_mode": "cut"}),
            "`input_len_mode` of data set `openqa` cannot be \"cut\"",
        ),
        (
            json!({"target_input_len": 9, "prefix_role": "user"}),
            "`prefix_role` of data set `openqa` needs `prefix_file`",
        ),
        (
            json!({"input_len_mode": "drop"}),
            "`input_len_mode` of data set `openqa` needs `target_input_len`",
        ),
        (
            json!({"prefix_role": "user"}),
            "`prefix_role` of data set `openqa` needs `prefix_file`",
        ),
        (
            json!({"prefix_file": prefix}),
            "`prefix_file` of data set `openqa` needs `target_input_len`",
        ),
        (
            json!({"target_input_len": 9, "prefix_file": prefix, "input_len_mode": "drop"}),
            "`prefix_file` and `input_len_mode` of data set `openqa` exclude each other",
        ),
        (
            json!({"target_input_len": 9, "prefix_file": "/none"}),
            "cannot read /none",
        ),
        (
            json!({"target_input_len": 9, "prefix_file": empty_path}),
            "a prefix file must hold some text",
        ),
    ] {
        let (message, _) = refusal("openqa", None, arguments.clone());
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}

#[test]
fn arguments_of_random_are_distributions_or_pairs() {
    let arguments = json!({
        "input": {"distribution": "normal", "mean": 500.0, "sd": 50.0, "min": 10, "max": 900},
        "output": {"distribution": "mixture", "parts": [
            {"weight": 3, "lengths": {"distribution": "fixed", "value": 8}},
            {"weight": 1, "lengths": {"distribution": "log_normal", "median": 100, "sigma": 0.5, "min": 1, "max": 400}},
        ]},
    });
    let Dataset::Random(lengths) = parse("random", None, arguments).unwrap() else {
        panic!("it is random")
    };
    assert_eq!(
        lengths.input,
        Some(Lengths::Normal {
            mean: 500.0,
            sd: 50.0,
            min: 10,
            max: 900
        })
    );
    assert!(matches!(lengths.output, Some(Lengths::Mixture { parts }) if parts.len() == 2));
    let Dataset::Random(lengths) =
        parse("random", None, json!({"pairs": fixture("lengths.csv")})).unwrap()
    else {
        panic!("it is random")
    };
    assert_eq!(lengths.pairs, Some(fixture("lengths.csv").into()));
}

#[test]
fn wrong_lengths_are_refused_with_the_argument_and_the_reason() {
    for (arguments, expected) in [
        (
            json!({"input": {"distribution": "gauss"}}),
            "argument `input` of data set `random` cannot be {\"distribution\":\"gauss\"}: unknown variant `gauss`",
        ),
        (
            json!({"output": {"distribution": "fixed", "value": 1, "max": 2}}),
            "argument `output` of data set `random` cannot be",
        ),
        (
            json!({"output": {"distribution": "uniform", "min": 9, "max": 2}}),
            "lengths from 9 to 2: the least is above the most",
        ),
        (
            json!({"pairs": "/none.csv"}),
            "argument `pairs` of data set `random` cannot be \"/none.csv\"",
        ),
        (
            json!({"pairs": fixture("lengths.csv"), "output": {"distribution": "fixed", "value": 1}}),
            "arguments `pairs` and `output` of data set `random` exclude each other: a row of pairs has both lengths",
        ),
    ] {
        let (message, _) = refusal("random", None, arguments.clone());
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}

#[test]
fn files_are_asked_for_and_refused_by_kind() {
    for name in ["line_by_line", "custom"] {
        let (message, hint) = refusal(name, None, json!({}));
        assert_eq!(message, format!("data set `{name}` needs a file"));
        assert_eq!(hint, "name it with `--dataset-path FILE`");
    }
    for name in ["random", "speed_benchmark", "speed_benchmark_long"] {
        let (message, _) = refusal(name, Some("f"), json!({}));
        assert_eq!(
            message,
            format!("data set `{name}` is made, not read: it takes no file")
        );
    }
}
