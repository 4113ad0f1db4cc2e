//! What the client observed of itself, read back from files for a report. Written by [`crestline_experiment::client_health`].

use crestline_report::facts::Client;
use crestline_report::number::significant;
use serde_json::Value;

/// What such a value says; nothing where it is none.
pub(crate) fn read_back(value: &Value) -> Client {
    let Some(is_void) = value["void"].as_bool() else {
        return Client::Unknown;
    };
    let observed = value.as_object().into_iter().flatten();
    let observed =
        observed.filter_map(|(key, value)| Some((words(key).to_owned(), shown(key, value)?)));
    let nodes = value["nodes"].as_array().into_iter().flatten();
    let observed = observed.chain(nodes.filter_map(node)).collect();
    if !is_void {
        return Client::Sound(observed);
    }
    let reasons = value["reasons"].as_array().into_iter().flatten();
    let reasons = reasons.filter_map(Value::as_str).map(str::to_owned);
    Client::Void(reasons.collect(), observed)
}

/// What one of several machines did.
fn node(node: &Value) -> Option<(String, String)> {
    let name = node["name"].as_str()?.to_owned();
    let mut words = vec![format!("{} requests", node["requests"])];
    for key in ["send_lag_ms", "loop_lag_ms", "busiest_worker_share"] {
        words.extend(shown(key, &node[key]).map(|shown| format!("{}: {shown}", self::words(key))));
    }
    let number = |value: &Value| Some(significant(value.as_f64()?, 4));
    let clock = &node["clock"];
    if let (Some(offset), Some(bound)) = (number(&clock["offset_s"]), number(&clock["bound_ms"])) {
        words.push(format!("clock {offset} s ahead, known to {bound} ms"));
    }
    let lost = &node["lost"];
    if let (Some(after), Some(why)) = (number(&lost["after_s"]), lost["why"].as_str()) {
        words.push(format!("lost at {after} s: {why}"));
    }
    Some((name, words.join("; ")))
}

/// What a key is called on a page.
fn words(key: &str) -> &str {
    match key {
        "send_lag_ms" => "requests sent late",
        "read_lag_ms" => "events read late",
        "loop_lag_ms" => "turn of a worker's loop",
        "events_per_read" => "events a read",
        "busiest_worker_share" => "processor use of the busiest worker",
        "asked_rate" => "rate asked",
        "achieved_rate" => "rate achieved",
        "starved_sends" => "requests that waited for their body",
        other => other,
    }
}

fn shown(key: &str, value: &Value) -> Option<String> {
    let number = |value: &Value| Some(significant(value.as_f64()?, 4));
    match key {
        "void" | "reasons" | "nodes" => None,
        "busiest_worker_share" => Some(format!("{} %", significant(value.as_f64()? * 100.0, 3))),
        "asked_rate" | "achieved_rate" => Some(format!("{} req/s", number(value)?)),
        _ if value.is_object() => {
            let [p50, p99, max] = ["p50", "p99", "max"].map(|at| number(&value[at]));
            Some(format!("p50 {} ms, p99 {} ms, max {} ms", p50?, p99?, max?))
        }
        _ => number(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_machine_of_several_has_a_line() {
        let node = json!({
            "name": "worker 2 (b)",
            "requests": 1200,
            "clock": {"offset_s": -3.25, "bound_ms": 0.084, "drift_ms": 0.001},
            "lost": {"after_s": 12.3, "why": "its link has ended"},
            "busiest_worker_share": 0.5,
        });
        let written = json!({"void": true, "reasons": ["lost"], "nodes": [node]});
        let Client::Void(_, observed) = read_back(&written) else {
            panic!("it is void");
        };
        let said = "1200 requests; processor use of the busiest worker: 50 %; clock -3.25 s ahead, known to 0.084 ms; \
            lost at 12.3 s: its link has ended";
        assert_eq!(observed, [("worker 2 (b)".to_owned(), said.to_owned())]);
    }

    #[test]
    fn what_was_written_is_read_back_in_words() {
        let written = json!({
            "void": true,
            "reasons": ["the schedule was lost"],
            "send_lag_ms": {"p50": 0.01, "p99": 0.2, "max": 30.5},
            "busiest_worker_share": 0.981,
            "starved_sends": 0,
        });
        let expected = [
            ("requests sent late", "p50 0.01 ms, p99 0.2 ms, max 30.5 ms"),
            ("processor use of the busiest worker", "98.1 %"),
            ("requests that waited for their body", "0"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reasons = vec!["the schedule was lost".to_owned()];
        assert_eq!(read_back(&written), Client::Void(reasons, expected.into()));
        assert_eq!(
            read_back(&json!({"void": false})),
            Client::Sound(Vec::new())
        );
        assert_eq!(read_back(&json!({"p50": 1})), Client::Unknown);
        assert_eq!(read_back(&Value::Null), Client::Unknown);
    }
}
