//! `crestline bench serve --multi-turn` against the simulated engine: turns grow by what was said and answered, figures tell
//! the turns apart, and nothing that was planned is lost to sight.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Place, Sim, rows, signal, wait_until};

const RUN: &str = "bench serve --backend openai-chat --endpoint /v1/chat/completions --model m --tokenizer builtin \
    --random-input-len 32 --random-output-len 8 --multi-turn --save-result --result-filename r.json";

/// The one database in the results.
fn database(place: &Place) -> rusqlite::Connection {
    let find = || {
        let folder = place
            .list("")
            .into_iter()
            .find(|name| name.starts_with("crestline-"))?;
        let load = place.list(&folder).into_iter().next()?;
        Some(place.path(&format!("{folder}/{load}/benchmark_data.db")))
    };
    rusqlite::Connection::open(find().unwrap()).unwrap()
}

fn turns(json: &Value, key: &str) -> Vec<f64> {
    json["crestline_turns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn[key].as_f64().unwrap())
        .collect()
}

#[test]
fn prompts_grow_turn_by_turn_by_what_was_said_and_answered() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile prefix-cache");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 6 --multi-turn-concurrency 2 --multi-turn-num-turns 4",
        sim.root()
    );
    let ran = place.run(&line).done();
    let json = place.json("r.json");
    assert_eq!(
        (&json["completed"], &json["num_prompts"]),
        (&24.into(), &6.into())
    );
    assert_eq!(json["max_concurrent_requests"], 2);
    let input = turns(&json, "mean_input_tokens");
    assert_eq!(input.len(), 4);
    let steps: Vec<f64> = input.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A question of 32 tokens, an answer of 8, and what the template puts around both.
    assert!(
        steps
            .iter()
            .all(|step| *step >= 40.0 && (step - steps[0]).abs() < 1e-9),
        "{input:?}"
    );
    let all: f64 = input.iter().sum();
    let total = json["total_input_tokens"].as_f64().unwrap();
    assert!((total - 6.0 * all).abs() < 1e-6, "{total} {input:?}");
    assert_eq!(json["crestline_conversations"]["completed"], 6);
    assert_eq!(json["crestline_conversations"]["broken_off"], 0);
    assert!(
        json["crestline_conversations"]["mean_duration_s"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    for text in [
        "Conversations: 6 completed, 0 broken off (0 turns not sent), 0 not begun",
        "Mean input tokens",
        "\n   4         6      0 ",
    ] {
        assert!(ran.out.contains(text), "no `{text}` in {}", ran.out);
    }
    // That later turns find their beginning in the cache is no fault of the prompts.
    assert!(
        ran.err
            .contains("of the prompt tokens came from the service's prefix cache")
            && !ran.err.contains("give another --seed"),
        "{}",
        ran.err
    );
    let (conversations, cached): (i64, i64) = database(&place)
        .query_row(
            "SELECT count(DISTINCT conversation), sum(turn > 1 AND cached_tokens >= 32) FROM result \
             WHERE turn BETWEEN 1 AND 4 AND turns = 4",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((conversations, cached), (6, 18));
}

#[test]
fn a_conversation_that_fails_is_broken_off_and_its_other_turns_are_counted() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        "--profile constant-10ms --fault http-500=0.3 --seed 5",
    );
    let line = format!(
        "{RUN} --base-url {} --num-prompts 20 --multi-turn-concurrency 5 --multi-turn-num-turns 5",
        sim.root()
    );
    let ran = place.run(&line).done();
    let json = place.json("r.json");
    let count = |key: &str| json["crestline_conversations"][key].as_u64().unwrap();
    let failed = json["failed"].as_u64().unwrap();
    let completed = json["completed"].as_u64().unwrap();
    assert!(failed > 0, "{json}");
    assert_eq!(count("broken_off"), failed, "each has one turn that failed");
    assert_eq!(count("completed") + count("broken_off"), 20);
    assert_eq!(count("not_begun"), 0);
    assert_eq!(count("unsent_turns"), 100 - completed - failed);
    let by_turn: f64 = turns(&json, "failed").iter().sum();
    assert!((by_turn - failed as f64).abs() < 1e-9);
    let said = format!(
        "{failed} broken off ({} turns not sent)",
        count("unsent_turns")
    );
    assert!(ran.out.contains(&said), "{}", ran.out);
}

#[test]
fn a_user_s_think_time_is_kept_and_due_times_follow_it() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 3 --multi-turn-delay-ms 40",
        sim.root()
    );
    place.run(&line).done();
    let json = place.json("r.json");
    let duration = json["crestline_conversations"]["mean_duration_s"].as_f64();
    assert!(duration.unwrap() >= 0.08, "{json}");
    let wrong: i64 = database(&place)
        .query_row(
            "SELECT count(*) FROM result later JOIN result before ON before.conversation = later.conversation \
             AND before.turn = later.turn - 1 WHERE later.due_ns != before.end_ns + 40000000 OR later.sent_ns < later.due_ns",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(wrong, 0);
}

#[test]
fn an_interrupt_breaks_conversations_off_and_keeps_what_was_measured() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile full-speed");
    let line = format!(
        "{RUN} --base-url {} --num-prompts 50 --multi-turn-concurrency 2 --multi-turn-num-turns 200 --multi-turn-delay-ms 5",
        sim.root()
    );
    let child = place
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("rows on disk", || {
        place
            .list("")
            .into_iter()
            .filter(|name| name.starts_with("crestline-"))
            .flat_map(|folder| {
                let loads = place.list(&folder);
                loads
                    .into_iter()
                    .map(move |load| format!("{folder}/{load}"))
            })
            .any(|load| rows(&place.path(&format!("{load}/benchmark_data.db"))) > 5)
    });
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let json = place.json("r.json");
    let count = |key: &str| json["crestline_conversations"][key].as_u64().unwrap();
    let completed = json["completed"].as_u64().unwrap();
    assert!(completed > 5 && json["failed"] == 0, "{json}");
    assert_eq!(
        (count("completed"), count("broken_off"), count("not_begun")),
        (0, 2, 48)
    );
    assert_eq!(count("unsent_turns"), 400 - completed);
}

#[test]
fn stored_conversations_are_held_with_the_answers_of_the_service() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-10ms");
    let share_gpt = place.path("s.json");
    let conversation = |count: usize| {
        let turns: Vec<Value> = (0..count)
            .flat_map(|turn| {
                [
                    serde_json::json!({"from": "human", "value": format!("What is there to say about number {turn}?")}),
                    serde_json::json!({"from": "gpt", "value": format!("An old answer to question number {turn}.")}),
                ]
            })
            .collect();
        serde_json::json!({ "conversations": turns })
    };
    let file: Value = [1, 2, 4].into_iter().map(conversation).collect();
    fs::write(&share_gpt, file.to_string()).unwrap();
    let run = |more: &str| {
        let line = format!(
            "bench serve --backend openai-chat --endpoint /v1/chat/completions --model m --tokenizer builtin --multi-turn \
             --base-url {} --dataset-name sharegpt --dataset-path s.json --num-prompts 3 --no-oversample --save-result \
             --result-filename r.json {more}",
            sim.root()
        );
        let ran = place.run(&line).done();
        (ran, place.json("r.json"))
    };
    let (_, json) = run("");
    assert_eq!(json["completed"], 1 + 2 + 4);
    let (ran, json) = run("--multi-turn-min-turns 2 --multi-turn-max-turns 3");
    assert_eq!(json["completed"], 2 + 3);
    assert!(
        ran.err.contains("they have fewer than 2 turns")
            && ran.err.contains("2 conversations, 2 used"),
        "{}",
        ran.err
    );
    for text in rows_of(&place) {
        assert!(!text.contains("An old answer"), "{text}");
    }
    fs::write(
        place.path("c.jsonl"),
        r#"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "old"}, {"role": "user", "content": "Two?"}]}"#
            .replace('\n', " "),
    )
    .unwrap();
    let line = format!(
        "bench serve --backend openai-chat --endpoint /v1/chat/completions --model m --tokenizer builtin --multi-turn \
         --base-url {} --dataset-name custom --dataset-path c.jsonl --custom-output-len 4 --num-prompts 0 --save-result \
         --result-filename c.json",
        sim.root()
    );
    place.run(&line).done();
    let json = place.json("c.json");
    assert_eq!(
        (&json["completed"], &json["failed"]),
        (&2.into(), &0.into())
    );
}

/// Bodies that were sent, of all runs here.
fn rows_of(place: &Place) -> Vec<String> {
    place
        .list("")
        .into_iter()
        .filter(|name| name.starts_with("crestline-"))
        .flat_map(|folder| {
            let load = place.list(&folder).into_iter().next().unwrap();
            let path = place.path(&format!("{folder}/{load}/benchmark_data.db"));
            let database = rusqlite::Connection::open(path).unwrap();
            let mut select = database.prepare("SELECT request FROM result").unwrap();
            let rows = select.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn in_virtual_time_the_same_conversations_give_the_same_figures() {
    let place = Place::new();
    let run = |seed: u32| {
        let line = format!(
            "{RUN} --base-url sim:prefix-cache --num-prompts 30 --multi-turn-concurrency 5 --multi-turn-max-turns 6 \
             --multi-turn-delay-ms 100 --seed {seed}"
        );
        let ran = place.run(&line).done();
        let mut json = place.json("r.json");
        for changing in ["date", "crestline_records"] {
            json[changing] = Value::Null;
        }
        (ran.out, json)
    };
    let (out, json) = run(3);
    assert_eq!(run(3), (out.clone(), json.clone()));
    assert_ne!(run(4).1, json);
    assert_eq!(json["crestline_conversations"]["completed"], 30);
    assert_eq!(turns(&json, "completed")[..3], [30.0; 3]);
    // Five conversations went on nearly all the time, although their users thought for most of it.
    let steady = |key: &str| json[format!("crestline_steady_{key}")].as_f64().unwrap();
    let share = (steady("to_s") - steady("from_s")) / json["duration"].as_f64().unwrap();
    assert!(share > 0.8 && steady("mean_concurrency") < 5.0, "{json}");
    let input = turns(&json, "mean_input_tokens");
    assert_eq!(input.len(), 6);
    let steps: Vec<f64> = input.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        steps
            .iter()
            .all(|step| *step >= 40.0 && (step - steps[0]).abs() < 1e-9),
        "{input:?}"
    );
    let cached: i64 = database(&place)
        .query_row(
            "SELECT count(*) FROM result WHERE turn > 1 AND cached_tokens >= 32",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(cached > 30, "later turns find what was said before");
    for body in rows_of(&place) {
        let body: Value = serde_json::from_str(&body).unwrap();
        let roles: Vec<&str> = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["role"].as_str().unwrap())
            .collect();
        let said = roles.len();
        assert!(said % 2 == 1 && roles[said - 1] == "user", "{roles:?}");
        assert!(
            roles[1..]
                .iter()
                .step_by(2)
                .all(|role| *role == "assistant")
        );
    }
}

#[test]
fn conversations_begin_by_a_ramp() {
    let place = Place::new();
    let line = format!(
        "{RUN} --base-url sim:gpu-small --num-prompts 60 --ramp-up-strategy linear --ramp-up-start-rps 2 --ramp-up-end-rps 6 \
         --multi-turn-delay-ms 3000 --num-warmups 2"
    );
    place.run(&line).done();
    let json = place.json("r.json");
    assert_eq!(json["completed"], 180);
    let steps: Vec<i64> = json["rps_change_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["rps"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, [2, 3, 4, 5, 6]);
    let times: Vec<&str> = json["rps_change_events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["timestamp"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_dry_run_tells_of_conversations() {
    let place = Place::new();
    let ran = place
        .run(&format!(
            "{RUN} --base-url http://127.0.0.1:9 --num-prompts 7 --dry-run"
        ))
        .done();
    assert!(
        ran.out.contains("Conversations: 7, 0 before them"),
        "{}",
        ran.out
    );
}
