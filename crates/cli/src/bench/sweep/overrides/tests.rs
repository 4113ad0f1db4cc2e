//! A command and parameters, and the command that comes of them.

use proptest::prelude::*;

use super::*;
use crate::plan_lines::words;

/// The base command, the parameters as JSON, and the command as it is run.
const CASES: &[(&str, &str, &str)] = &[
    // What is not there is put behind all else, with dashes.
    ("s", r#"{"max_num_seqs": 32}"#, "s --max-num-seqs 32"),
    ("s", r#"{"max-num-seqs": 32}"#, "s --max-num-seqs 32"),
    (
        "s m --port 1",
        r#"{"a": 1, "b": 2}"#,
        "s m --port 1 --a 1 --b 2",
    ),
    ("s", r"{}", "s"),
    ("s", r#"{"_benchmark_name": "x"}"#, "s"),
    ("s", r#"{"_benchmark_name": "x", "a": 1}"#, "s --a 1"),
    // What is there is replaced where it stands.
    (
        "s --max-num-seqs 8 --port 1",
        r#"{"max_num_seqs": 32}"#,
        "s --max-num-seqs 32 --port 1",
    ),
    (
        "s --max_num_seqs 8 --port 1",
        r#"{"max_num_seqs": 32}"#,
        "s --max-num-seqs 32 --port 1",
    ),
    (
        "s --max-num_seqs 8",
        r#"{"max-num_seqs": 32}"#,
        "s --max-num-seqs 32",
    ),
    (
        "s --max_num_seqs 8",
        r#"{"max-num-seqs": 32}"#,
        "s --max-num-seqs 32",
    ),
    (
        "s --max-num-seqs=8 --port 1",
        r#"{"max_num_seqs": 32}"#,
        "s --max-num-seqs=32 --port 1",
    ),
    (
        "s --max_num_seqs=8",
        r#"{"max_num_seqs": 32}"#,
        "s --max-num-seqs=32",
    ),
    // Of several, the first place counts and the later ones go: the last would win.
    ("s --a 1 --b 2 --a 3", r#"{"a": 9}"#, "s --a 9 --b 2"),
    ("s --a=1 --a 3 x", r#"{"a": 9}"#, "s --a=9 x"),
    // Names that only begin alike are others.
    (
        "s --max-num-seqs-x 8",
        r#"{"max_num_seqs": 32}"#,
        "s --max-num-seqs-x 8 --max-num-seqs 32",
    ),
    ("s --a-b=1", r#"{"a": 2}"#, "s --a-b=1 --a 2"),
    (
        "s max-num-seqs 8",
        r#"{"max_num_seqs": 32}"#,
        "s max-num-seqs 8 --max-num-seqs 32",
    ),
    // Values as Python prints them.
    ("s", r#"{"a": 0.1}"#, "s --a 0.1"),
    ("s", r#"{"a": 1e-5}"#, "s --a 1e-05"),
    ("s", r#"{"a": 1.0}"#, "s --a 1.0"),
    ("s", r#"{"a": -1}"#, "s --a -1"),
    ("s", r#"{"a": null}"#, "s --a None"),
    ("s", r#"{"a": "x y"}"#, "s --a 'x y'"),
    ("s", r#"{"a": ""}"#, "s --a ''"),
    ("s", r#"{"a": [1, 2]}"#, "s --a '[1, 2]'"),
    ("s", r#"{"a": {"b": 1}}"#, r#"s --a '{"b":1}'"#),
    ("s --a -5 x", r#"{"a": 7}"#, "s --a 7 x"),
    // Switches.
    ("s", r#"{"a_b": true}"#, "s --a-b"),
    ("s", r#"{"a_b": false}"#, "s --no-a-b"),
    ("s --a-b --c 1", r#"{"a_b": true}"#, "s --a-b --c 1"),
    ("s --a_b --c 1", r#"{"a_b": false}"#, "s --no-a-b --c 1"),
    ("s --no-a-b --c 1", r#"{"a_b": true}"#, "s --a-b --c 1"),
    ("s --no-a_b", r#"{"a_b": true}"#, "s --a-b"),
    ("s --no-a-b", r#"{"a_b": false}"#, "s --no-a-b"),
    ("s --a-b --no-a-b", r#"{"a_b": true}"#, "s --a-b"),
    ("s --a-b true x", r#"{"a_b": false}"#, "s --no-a-b x"),
    ("s --a-b x", r#"{"a_b": false}"#, "s --no-a-b x"),
    // A switch in the command that gets a value does not eat its neighbour.
    ("s --a --b 1", r#"{"a": 5}"#, "s --a 5 --b 1"),
    ("s --a", r#"{"a": 5}"#, "s --a 5"),
    ("s --no-a --b 1", r#"{"a": 5}"#, "s --a 5 --b 1"),
    // Parts of JSON values: what is behind the first dot is not touched.
    (
        "s",
        r#"{"compilation_config.pass_config.x_y": 1}"#,
        "s --compilation-config.pass_config.x_y 1",
    ),
    (
        "s --compilation_config.a_b 1",
        r#"{"compilation_config.a_b": 2}"#,
        "s --compilation-config.a_b 2",
    ),
    ("s --c.a-b 1", r#"{"c.a_b": 2}"#, "s --c.a-b 1 --c.a_b 2"),
    ("s", r#"{"c.on": true}"#, "s --c.on=true"),
    ("s --c.on=true", r#"{"c.on": false}"#, "s --c.on=false"),
    ("s --c.on true x", r#"{"c.on": false}"#, "s --c.on=false x"),
    // Short names, as the user tells of them.
    (
        "s -tp 2 --x",
        r#"{"tensor_parallel_size": 4}"#,
        "s --tensor-parallel-size 4 --x",
    ),
    (
        "s -tp=2",
        r#"{"tensor-parallel-size": 4}"#,
        "s --tensor-parallel-size=4",
    ),
    (
        "s --tp 2",
        r#"{"tensor_parallel_size": 4}"#,
        "s --tensor-parallel-size 4",
    ),
    (
        "s -tp 2 --tensor-parallel-size 8",
        r#"{"tensor_parallel_size": 4}"#,
        "s --tensor-parallel-size 4",
    ),
    ("s -tp 2", r#"{"tp": 4}"#, "s --tensor-parallel-size 4"),
];

fn aliases() -> [Alias; 1] {
    [Alias {
        short: "tp".to_owned(),
        key: "tensor_parallel_size".to_owned(),
    }]
}

#[test]
fn parameters_take_the_place_of_what_a_command_says() {
    for (base, parameters, expected) in CASES {
        let base: Vec<String> = words(base).into_iter().map(str::to_owned).collect();
        let combination = Combination(serde_json::from_str(parameters).unwrap());
        assert_eq!(
            applied(&base, &combination, &aliases()),
            words(expected),
            "{base:?} with {parameters}"
        );
    }
    assert!(CASES.len() >= 40);
}

#[test]
fn a_parameter_that_is_applied_again_changes_nothing() {
    for (base, parameters, _) in CASES {
        let base: Vec<String> = words(base).into_iter().map(str::to_owned).collect();
        let combination = Combination(serde_json::from_str(parameters).unwrap());
        let once = applied(&base, &combination, &aliases());
        assert_eq!(
            applied(&once, &combination, &aliases()),
            once,
            "{base:?} with {parameters}"
        );
    }
}

/// Commands of a program and flags, each bare, with a value behind it or with a value joined to it.
fn commands() -> impl Strategy<Value = Vec<String>> {
    let flag = (0..4usize, 0..5usize).prop_map(|(name, form)| {
        let name = ["a", "b-c", "b_c", "d"][name];
        match form {
            0 => vec![format!("--{name}")],
            1 => vec![format!("--no-{name}")],
            2 => vec![format!("--{name}=1")],
            3 => vec![format!("--{name}"), "7".to_owned()],
            _ => vec![format!("--{name}"), "-0.5".to_owned()],
        }
    });
    prop::collection::vec(flag, 0..6).prop_map(|flags| {
        let program = std::iter::once("s".to_owned());
        program.chain(flags.into_iter().flatten()).collect()
    })
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (0..100i64).prop_map(Value::from),
        Just(Value::from("x y")),
        Just(serde_json::json!({"k": [1]})),
    ]
}

/// Words of a command that have to do with a parameter.
fn of_key(command: &[String], key: &str) -> usize {
    let spelt = |word: &str| {
        let name = word.split('=').next().unwrap_or_default().replace('_', "-");
        name == format!("--{key}") || name == format!("--no-{key}")
    };
    command.iter().filter(|word| spelt(word)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_parameter_stands_in_a_command_once_and_leaves_the_others_alone(
        command in commands(),
        key in prop_oneof![Just("a"), Just("b_c"), Just("e")],
        value in values(),
    ) {
        let combination = Combination([(key.to_owned(), value)].into_iter().collect());
        let done = applied(&command, &combination, &[]);
        let dashed = key.replace('_', "-");
        prop_assert_eq!(of_key(&done, &dashed), 1);
        prop_assert_eq!(&done, &applied(&done, &combination, &[]));
        for other in ["a", "b-c", "d"].into_iter().filter(|other| *other != dashed) {
            prop_assert_eq!(of_key(&done, other), of_key(&command, other));
        }
    }
}
