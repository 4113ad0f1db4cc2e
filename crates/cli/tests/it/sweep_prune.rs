//! `crestline bench sweep serve_sla --prune` and `--virtual-time`: servers that are certainly worse are stopped early.

use std::fs;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::{Place, Ran, free_port, signal, wait_until};
use crate::sla_virtual::EIGHT;

const BENCH: &str = "crestline bench serve --model m --tokenizer builtin --random-input-len 16 --random-output-len 32 \
                     --disable-tqdm";
const SEARCH: &str = "--serve-params serve.json --sla-params sla.json --sla-variable max_concurrency \
                      --sla-upper-bound 256 -o results";

/// Simulated servers and SLAs in a folder.
struct Field(Place);

impl Field {
    fn of(serve: &Value, sla: &Value) -> Self {
        let place = Place::new();
        fs::write(place.path("eight.toml"), EIGHT).unwrap();
        fs::write(place.path("serve.json"), serve.to_string()).unwrap();
        fs::write(place.path("sla.json"), sla.to_string()).unwrap();
        Self(place)
    }

    fn command(&self, serve: &str, bench: &str, flags: &str) -> Command {
        let mut command = self.0.command("bench sweep serve_sla");
        command.args(["--serve-cmd", serve, "--bench-cmd", bench]);
        command
            .args(SEARCH.split_whitespace())
            .args(flags.split_whitespace());
        command
    }

    fn in_virtual_time(&self, flags: &str) -> Command {
        let serve = "crestline sim --profile eight.toml";
        self.command(serve, BENCH, &format!("--virtual-time {flags}"))
    }

    fn run(&self, flags: &str) -> Ran {
        Ran::from(self.in_virtual_time(flags).output().unwrap()).done()
    }

    fn race(&self, name: &str) -> Value {
        self.0.json(&format!("results/{name}/crestline/race.json"))
    }

    /// The ranking of an SLA: configurations with their status and load.
    fn ranking(&self, name: &str, sla: usize) -> Vec<(String, String, Option<f64>)> {
        let all = self.0.json(&format!("results/{name}/crestline/sla.json"));
        let ranking = all["slas"][sla]["ranking"].as_array().unwrap();
        let row = |row: &Value| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("serve"), text("status"), row["load"].as_f64())
        };
        ranking.iter().map(row).collect()
    }

    /// Seconds of load of all searches, by their journals.
    fn load_time(&self, name: &str) -> f64 {
        let searches = format!("results/{name}/crestline/searches");
        let folders = self.0.list(&searches).into_iter();
        folders
            .map(|folder| {
                let journal = self
                    .0
                    .path(&searches)
                    .join(folder)
                    .join("sla_journal.jsonl");
                let text = fs::read_to_string(journal).unwrap();
                let last = text.lines().last().unwrap();
                let end: Value = serde_json::from_str(last).unwrap();
                end["at"].as_f64().unwrap() / 1e9
            })
            .sum()
    }
}

/// The best one comes last.
fn four_servers() -> Value {
    let server = |seqs: u32| json!({"_benchmark_name": format!("s{seqs}"), "max_num_seqs": seqs});
    json!([server(3), server(5), server(8), server(14)])
}

fn two_slas() -> Value {
    json!([{"p99_ttft_ms": "<=100"}, {"p99_e2el_ms": "<=250"}])
}

#[test]
fn a_race_finds_the_same_best_server_for_half_the_load() {
    let field = Field::of(&four_servers(), &two_slas());
    field.run("-e whole");
    let ran = field.run("-e raced --prune");
    for sla in 0..2 {
        let (whole, raced) = (field.ranking("whole", sla), field.ranking("raced", sla));
        assert_eq!(raced[0].0, "s14");
        assert_eq!(raced[0].1, "value", "{raced:?}");
        let ratio = raced[0].2.unwrap() / whole[0].2.unwrap();
        assert!((0.93..=1.07).contains(&ratio), "{whole:?} {raced:?}");
        let stopped = raced.iter().filter(|row| row.1 == "outpaced");
        assert!(stopped.clone().count() >= 2, "{raced:?}");
        assert!(stopped.clone().all(|row| row.2.is_none()), "{raced:?}");
    }
    let (whole, raced) = (field.load_time("whole"), field.load_time("raced"));
    assert!(raced < 0.5 * whole, "{raced} s of {whole} s");
    for text in ["searches were stopped early", "it serves at most "] {
        assert!(ran.out.contains(text), "no {text} in {}", ran.out);
    }
}

#[test]
fn why_a_search_was_stopped_is_on_file() {
    let field = Field::of(&four_servers(), &json!([{"p99_ttft_ms": "<=100"}]));
    field.run("-e e --prune");
    let race = field.race("e");
    assert_eq!(race["format"], "crestline_sweep_race");
    assert!(race["saved_s"].as_f64().unwrap() > 0.0);
    let three = &race["contests"][0]["configurations"][0];
    assert_eq!(
        (&three["serve"], &three["status"]),
        (&json!("s3"), &json!("stopped"))
    );
    let stopped = &three["stopped"];
    let number = |key: &str| stopped[key].as_f64().unwrap();
    assert!(number("high") < number("better_low"), "{stopped}");
    assert!(number("after_s") <= three["load_time_s"].as_f64().unwrap());
    let rows = field
        .0
        .json("results/e/SERVE--s3/SLA--p99_ttft_ms<=100.00.json");
    assert_eq!(rows[0]["crestline_sla"]["status"], "outpaced");
}

#[test]
fn equal_servers_are_searched_to_the_end() {
    let serve = json!({"one": {"max_num_seqs": 6}, "same": {"max_num_seqs": 6}});
    let field = Field::of(&serve, &json!([{"p99_ttft_ms": "<=100"}]));
    let ran = field.run("-e e --prune");
    let ranking = field.ranking("e", 0);
    for row in &ranking {
        assert_eq!(row.1, "value", "{ranking:?}");
    }
    assert!(
        ran.out
            .contains("Race: none of 2 searches was stopped early"),
        "{}",
        ran.out
    );
}

#[test]
fn a_race_that_was_killed_goes_on_from_its_last_turn() {
    let field = Field::of(&four_servers(), &two_slas());
    let mut child = field
        .in_virtual_time("-e e --prune")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = field.0.path("results/e/crestline/race.json");
    wait_until("the race has begun", || file.exists());
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let turns = |race: &Value| -> Vec<u64> {
        let lanes = race["state"]["race"]["lanes"].as_array().unwrap();
        lanes
            .iter()
            .map(|lane| lane["turns"].as_u64().unwrap())
            .collect()
    };
    let before = turns(&field.race("e"));
    let ran = field.run("--resume e --prune");
    let after = turns(&field.race("e"));
    assert!(before.iter().any(|turns| *turns > 0), "{before:?}");
    for (before, after) in before.iter().zip(&after) {
        assert!(after >= before, "{before:?} {after:?}");
    }
    // A turn that was over is not taken again.
    let taken = ran.out.matches("[RACE] ").count() as u64;
    let [before, after] = [before, after].map(|turns| turns.iter().sum::<u64>());
    assert_eq!(taken, after - before);
    for sla in 0..2 {
        assert_eq!(field.ranking("e", sla)[0].0, "s14");
    }
    let again = field.run("--resume e --prune");
    assert!(!again.out.contains("[BEGIN SERVER]"), "{}", again.out);
    assert_eq!(field.ranking("e", 0)[0].0, "s14");
}

#[test]
fn a_command_without_a_race_searches_on_what_one_has_stopped() {
    let field = Field::of(&four_servers(), &json!([{"p99_ttft_ms": "<=100"}]));
    field.run("-e e --prune");
    let ran = field.run("--resume e");
    let ranking = field.ranking("e", 0);
    for row in &ranking {
        assert_eq!(row.1, "value", "{ranking:?}");
    }
    assert!(ran.out.contains("Found existing results."), "{}", ran.out);
    let names: Vec<&str> = ranking.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(names, ["s14", "s8", "s5", "s3"]);
}

#[test]
fn servers_that_are_really_started_are_raced_too() {
    let server = |seqs: u32| json!({"_benchmark_name": format!("s{seqs}"), "max_num_seqs": seqs});
    let serve = json!([server(2), server(4), server(16)]);
    let field = Field::of(&serve, &json!([{"p99_ttft_ms": "<=100"}]));
    let port = free_port();
    let command = format!("crestline sim --profile eight.toml --port {port}");
    let bench = format!("{BENCH} --port {port}");
    let flags = "-e e --prune --sla-tolerance 0.2 --sla-budget 8s";
    let ran = field.command(&command, &bench, flags).output().unwrap();
    let ran = Ran::from(ran);
    assert!(matches!(ran.code, Some(0)), "{ran:#?}");
    let ranking = field.ranking("e", 0);
    assert_eq!(ranking[0].0, "s16", "{ranking:?} {}", ran.out);
    assert!(ran.out.contains("Server ready after: "), "{}", ran.out);
    assert_eq!(
        ran.out.matches("[RACE] ").count(),
        ran.out.matches("[BEGIN SERVER]").count()
    );
    assert!(
        ranking.iter().any(|row| row.1 == "outpaced"),
        "{ranking:?} {}",
        ran.out
    );
}

#[test]
fn a_race_needs_a_search_that_can_be_stopped() {
    let field = Field::of(&four_servers(), &two_slas());
    let refused = |command: &mut Command| {
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        ran.err
    };
    let pchip = refused(&mut field.in_virtual_time("-e e --prune --sla-search pchip"));
    assert!(
        pchip.contains("--prune has no meaning in --sla-search pchip"),
        "{pchip}"
    );
    let serve = "crestline sim --profile eight.toml";
    let program = refused(&mut field.command(serve, "/bin/true", "-e e --prune"));
    assert!(
        program.contains("--prune needs a benchmark of crestline's own"),
        "{program}"
    );
    let program = refused(&mut field.command(serve, "/bin/true", "-e e --virtual-time"));
    assert!(
        program.contains("--virtual-time needs a benchmark of crestline's own"),
        "{program}"
    );
    let server = refused(&mut field.command("/bin/sleep 9", BENCH, "-e e --virtual-time"));
    assert!(server.contains("begins with `crestline sim`"), "{server}");
    assert!(!field.0.path("results").exists());
}

#[test]
fn in_virtual_time_each_run_has_the_engine_of_its_server_and_nothing_is_started() {
    let field = Field::of(
        &json!([{"max_num_seqs": 1}, {"max_num_seqs": 8}]),
        &json!([]),
    );
    let mut command = field
        .0
        .command("bench sweep serve --virtual-time -o results -e e --num-runs 1");
    command.args([
        "--serve-cmd",
        "crestline sim --profile eight.toml --max-num-seqs 4",
    ]);
    command.args([
        "--bench-cmd",
        &format!("{BENCH} --num-prompts 40 --max-concurrency 8 --base-url http://h:1"),
    ]);
    let ran = Ran::from(
        command
            .args(["--serve-params", "serve.json"])
            .output()
            .unwrap(),
    )
    .done();
    let throughput = |seqs: u32| {
        let run = field
            .0
            .json(&format!("results/e/SERVE--max_num_seqs={seqs}/run=0.json"));
        run["request_throughput"].as_f64().unwrap()
    };
    assert!(throughput(8) > 4.0 * throughput(1), "{ran:#?}");
    assert_eq!(field.0.list("results/e/crestline/profiles").len(), 2);
    let servers = field.0.list("results/e/crestline/servers");
    assert!(
        !servers.iter().any(|name| name.contains(".log")),
        "{servers:?}"
    );
    let file = field
        .0
        .path("results/e/crestline/profiles/SERVE-max_num_seqs=1.toml");
    let profile = fs::read_to_string(file).unwrap();
    assert!(profile.contains("max_num_seqs = 1\n"), "{profile}");
}
