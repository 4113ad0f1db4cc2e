//! The tables of flags in the pages of the dialects are those of the commands, for tests.

use std::path::Path;

use clap::{Arg, Command};
use expect_test::expect_file;

/// Checks the tables between the marks of a page in `docs/dialects`.
pub(crate) fn check(page: &str, command: &Command) {
    const BEGIN: &str = "<!-- flags: begin -->\n";
    const END: &str = "<!-- flags: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/dialects")
        .join(page);
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("a mark where the table begins");
    let (_, after) = rest.split_once(END).expect("a mark where the table ends");
    let current = format!("{before}{BEGIN}{}{END}{after}", table(command));
    expect_file![path].assert_eq(&current);
}

/// One table for each heading of the help text.
fn table(command: &clap::Command) -> String {
    let mut out = String::new();
    let mut heading = None;
    for arg in command
        .get_arguments()
        .filter(|arg| arg.get_help_heading().is_some())
    {
        if heading != arg.get_help_heading() {
            heading = arg.get_help_heading();
            out.push_str("\n### ");
            out.push_str(heading.unwrap_or_default());
            out.push_str("\n\n| flag | default | meaning |\n| --- | --- | --- |\n");
        }
        out += &row(arg);
    }
    out + "\n"
}

fn row(arg: &Arg) -> String {
    let mut flag = format!("--{}", arg.get_long().unwrap_or_default());
    if let Some(short) = arg.get_short() {
        flag = format!("-{short}, {flag}");
    }
    if arg.get_action().takes_values() {
        let names: Vec<&str> = arg
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(clap::builder::Str::as_str)
            .collect();
        let several = arg
            .get_num_args()
            .is_some_and(|count| count.max_values() > 1);
        flag = format!(
            "{flag} {}{}",
            names.join(" "),
            if several { " …" } else { "" }
        );
    }
    let default: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let help = arg
        .get_long_help()
        .or(arg.get_help())
        .map(ToString::to_string)
        .unwrap_or_default();
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|choice| format!("`{}`", choice.get_name()))
        .collect();
    let choices = if choices.is_empty() {
        String::new()
    } else {
        format!(" One of {}.", choices.join(", "))
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let stop = if help.ends_with('.') || help.ends_with(']') {
        ""
    } else {
        "."
    };
    format!(
        "| `{}` | {} | {}{stop}{choices} |\n",
        cell(&flag),
        default.join(" "),
        cell(&help)
    )
}
