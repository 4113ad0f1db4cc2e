//! Flags of evalscope that are refused by name, and those that have nothing to set in crestline.

use crate::perf::args::{PerfArgs, UnsupportedArgs};
use crate::problem::Problem;

const TURNS: &str = "measure single requests; share_gpt_zh and share_gpt_en send whole conversations as one request";
const IMAGES: &str = "line_by_line sends whole request bodies, also with images in them";
const LOCAL: &str =
    "it belongs to evalscope's own server; start a server, or `crestline sim`, and give its --url";

/// Refuses what is not supported yet.
pub(super) fn check(args: &PerfArgs) -> Result<(), Problem> {
    let given = given(&args.unsupported);
    let Some((first, hint)) = given.first() else {
        return Ok(());
    };
    let problem = Problem::usage(format!("{first} is not supported yet")).hint(*hint);
    let others: Vec<&str> = given[1..].iter().map(|(flag, _)| *flag).collect();
    Err(if others.is_empty() {
        problem
    } else {
        problem.cause(format!("nor is {}", others.join(", ")))
    })
}

/// The unsupported flags that are given, with what to do instead.
fn given(args: &UnsupportedArgs) -> Vec<(&'static str, &'static str)> {
    let text = Option::is_some;
    let flags = [
        ("--multi-turn", args.multi_turn, TURNS),
        ("--min-turns", text(&args.min_turns), TURNS),
        ("--max-turns", text(&args.max_turns), TURNS),
        ("--multi-turn-args", text(&args.multi_turn_args), TURNS),
        (
            "--scenario",
            text(&args.scenario),
            "describe the load by the flags of `--help`",
        ),
        (
            "--enable-pd-metrics",
            args.enable_pd_metrics,
            "every gap between chunks is in benchmark_data.db",
        ),
        (
            "--prefix-count",
            several(args.prefix_count.as_deref()),
            "one prefix is shared by all prompts",
        ),
        ("--image-width", text(&args.image_width), IMAGES),
        ("--image-height", text(&args.image_height), IMAGES),
        ("--image-format", text(&args.image_format), IMAGES),
        ("--image-num", text(&args.image_num), IMAGES),
        ("--image-patch-size", text(&args.image_patch_size), IMAGES),
        (
            "--attn-implementation",
            text(&args.attn_implementation),
            LOCAL,
        ),
        ("--port", text(&args.port), LOCAL),
    ];
    flags
        .into_iter()
        .filter(|(_, given, _)| *given)
        .map(|(flag, _, hint)| (flag, hint))
        .collect()
}

/// One shared prefix is what there is; asking for exactly that is fine.
fn several(count: Option<&str>) -> bool {
    count.is_some_and(|count| count.trim() != "1")
}

/// Tells of flags that are accepted and change nothing, so that none is ignored in silence.
pub(super) fn notes(args: &PerfArgs, notes: &mut Vec<String>) {
    let tuning = &args.tuning;
    let idle = [
        (
            "--queue-size-multiplier",
            tuning.queue_size_multiplier,
            "results pass no queue of that kind",
        ),
        (
            "--in-flight-task-multiplier",
            tuning.in_flight_task_multiplier,
            "no tasks are scheduled ahead",
        ),
        (
            "--log-every-n-query",
            tuning.log_every_n_query,
            "progress is shown by time",
        ),
    ];
    for (flag, value, why) in idle {
        if value.is_some() {
            notes.push(format!("{flag} has no effect in crestline: {why}"));
        }
    }
    if args.prompt.data_source.is_some() {
        notes.push("--data-source: crestline downloads nothing; --dataset-path and both local hub caches are read".to_owned());
    }
}

/// Tells of flags that speak of a connection, where there is none.
pub(super) fn notes_of_virtual_time(args: &PerfArgs, notes: &mut Vec<String>) {
    let connection = &args.connection;
    let given = [
        ("--headers", !connection.headers.is_empty()),
        ("--api-key", connection.api_key.is_some()),
        ("--connect-timeout", connection.connect_timeout.is_some()),
        ("--read-timeout", connection.read_timeout.is_some()),
        ("--total-timeout", connection.total_timeout.is_some()),
        ("--no-test-connection", connection.no_test_connection),
        ("--threads", args.tuning.threads.is_some()),
    ];
    let idle: Vec<&str> = given
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(flag, _)| flag)
        .collect();
    if !idle.is_empty() {
        notes.push(format!(
            "virtual time has no connections: {} {} no effect",
            idle.join(", "),
            if idle.len() == 1 { "has" } else { "have" }
        ));
    }
}
