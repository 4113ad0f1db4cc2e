//! What a service says of itself, in the databases of runs and searches: with the simulated engine over real sockets, with
//! services that say nothing, and with pages that fail.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crestline_core::server_series::{Quantity, Series, SeriesKind, ServerSeries};
use crestline_load::clock;
use crestline_load::server_metrics::told;
use crestline_store::runs::RunReader;

use crate::harness::{Place, Ran, Sim};

const PERF: &str = "perf --model m --tokenizer-path builtin --dataset random --min-prompt-length 20 --max-prompt-length 30 \
                    --max-tokens 64 --no-timestamp --name run";
const BENCH: &str = "bench serve --model m --tokenizer builtin --random-input-len 16 --random-output-len 64 \
                     --num-prompts 30 --max-concurrency 6 --save-result --result-filename r.json";

/// All databases under a folder.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.ends_with("benchmark_data.db") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What the service said in the only run of a place.
fn only(place: &Place) -> ServerSeries {
    let found = databases(&place.path(""));
    assert_eq!(found.len(), 1, "{found:?}");
    RunReader::open(&found[0]).unwrap().server_series().unwrap()
}

fn highest(all: &ServerSeries, quantity: Quantity) -> f64 {
    let told = told(all);
    let course = told
        .courses
        .iter()
        .find(|course| course.quantity == quantity)
        .unwrap_or_else(|| panic!("no {quantity:?} in {told:?}"));
    let values = course.points.iter().filter_map(|point| point.value);
    values.fold(0.0, f64::max)
}

fn never_falls(series: &Series) -> bool {
    let values: Vec<f64> = series
        .changes
        .iter()
        .map(|change| change.value.unwrap())
        .collect();
    values.is_sorted()
}

/// The simulated engine was read for the whole of a load of so many users and so many requests of 64 tokens.
fn check(all: &ServerSeries, users: f64, requests: f64) {
    assert_eq!(told(all).server, Some("crestline sim"));
    assert!(all.read_at.len() >= 3, "{:?}", all.read_at);
    assert!(all.read_at.is_sorted());
    assert!((highest(all, Quantity::Running) - users).abs() < 0.1);
    assert!(highest(all, Quantity::Waiting) < users);
    let cache = highest(all, Quantity::CacheUse);
    assert!(cache > 0.0 && cache <= 1.0, "{cache}");
    assert!(highest(all, Quantity::PromptTokens) >= 16.0 * requests);
    let generated = highest(all, Quantity::GeneratedTokens);
    // A request that only tests the connection has a token more.
    assert!(
        (64.0 * requests..=64.0 * requests + 2.0).contains(&generated),
        "{generated}"
    );
    let counters = all
        .series
        .iter()
        .filter(|series| series.kind == SeriesKind::Counter);
    let counters: Vec<&Series> = counters.collect();
    assert!(counters.len() >= 10);
    for counter in counters {
        assert!(never_falls(counter), "{counter:?}");
        assert!(!counter.name.ends_with("_bucket"));
    }
}

#[test]
fn each_load_of_a_sweep_has_what_the_service_said_meanwhile() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile gpu-small");
    let line = format!(
        "{PERF} --url {} --parallel 4 8 --number 20 40 --sleep-interval 0 --outputs-dir o",
        sim.chat()
    );
    let ran = place.run(&line).done();
    assert!(!ran.err.contains("metrics"), "{}", ran.err);
    let found = databases(&place.path("o"));
    assert_eq!(found.len(), 2, "{found:?}");
    let series = |path: &PathBuf| RunReader::open(path).unwrap().server_series().unwrap();
    let (first, second) = (series(&found[0]), series(&found[1]));
    check(&first, 4.0, 20.0);
    // The server goes on counting: of the second load, the difference counts.
    assert!((highest(&second, Quantity::Running) - 8.0).abs() < 0.1);
    assert!(highest(&second, Quantity::GeneratedTokens) >= 60.0 * 64.0);
    assert!(second.read_at[0] > *first.read_at.last().unwrap());
    let records: Vec<_> = RunReader::open(&found[0])
        .unwrap()
        .records()
        .map(|record| record.unwrap().asked_output)
        .collect();
    assert_eq!(records, [Some(64); 20]);
}

#[test]
fn a_run_of_bench_serve_has_it_too_and_none_where_it_is_off() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile gpu-small");
    let line = format!("{BENCH} --base-url {} --ignore-eos", sim.root());
    place.run(&format!("{line} --server-metrics on")).done();
    check(&only(&place), 6.0, 30.0);
    let folder = databases(&place.path(""))[0].clone();
    let folder = folder.parent().unwrap().to_str().unwrap();
    place.run(&format!("report {folder} -o page.html")).done();
    let page = fs::read_to_string(place.path("page.html")).unwrap();
    assert!(page.contains("Requests at the server"));
    let place = Place::new();
    place.run(&format!("{line} --server-metrics off")).done();
    assert!(only(&place).is_empty());
}

#[test]
fn a_search_has_it_in_its_one_database() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = format!(
        "{PERF} --url {} --sla-auto-tune --sla-params [{{\"p99_latency\":\"<=20s\"}}] --sla-upper-bound 3 \
         --sla-budget 3s --outputs-dir o",
        sim.chat()
    );
    let ran = place.run(&line);
    assert!(matches!(ran.code, Some(0 | 1 | 3)), "{ran:#?}");
    let all = only(&place);
    assert!(all.read_at.len() >= 2, "{ran:#?}");
    assert!(highest(&all, Quantity::Running) >= 1.0);
    assert!(highest(&all, Quantity::GeneratedTokens) > 20.0);
}

/// A run whose page of metrics is at this address.
fn with_page(place: &Place, sim: &Sim, page: &str, more: &str) -> Ran {
    place.run(&format!(
        "{PERF} --url {} --parallel 2 --number 4 --outputs-dir o --server-metrics-url {page} {more}",
        sim.chat()
    ))
}

#[test]
fn a_service_that_says_nothing_is_measured_without_a_word_unless_it_was_asked_for() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let page = format!("{}/no-such-page", sim.root());
    let ran = with_page(&place, &sim, &page, "");
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.err
            .contains("error: the server's metrics are not there\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains(&format!("{page} cannot be read")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert!(databases(&place.path("")).is_empty());
    let ran = with_page(&place, &sim, &page, "--server-metrics auto").done();
    assert!(!ran.err.contains("metrics"), "{}", ran.err);
    let all = only(&place);
    assert!(all.is_empty() && all.series.is_empty());
}

/// A page that is there for the first readers and then never ends. Gives its URL.
fn page_that_hangs_after(answers: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/m", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let mut line = String::new();
            let _ = BufReader::new(&stream).read_line(&mut line);
            let page = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nvllm:num_requests_running 1\n";
            if number < answers {
                let _ = (&stream).write_all(page.as_bytes());
                // What is left unread would reset the connection.
                clock::sleep(Duration::from_millis(50));
            } else {
                held.push(stream);
            }
        }
    });
    url
}

#[test]
fn a_page_that_hangs_disturbs_no_load_and_is_told() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let url = page_that_hangs_after(2);
    let ran = with_page(&place, &sim, &url, "").done();
    let note = "note: the server's metrics could not be read ";
    let told = ran.err.lines().find(|line| line.starts_with(note));
    let told = told.unwrap_or_else(|| panic!("{ran:#?}"));
    assert!(told.contains("/m: no whole answer within"), "{told}");
    let all = only(&place);
    assert_eq!(all.read_at.len(), 1);
    assert!(!all.missed.is_empty());
    assert!(all.missed[0].at > all.read_at[0]);
    let count = format!(
        "{note}{} of {} times",
        all.missed.len(),
        all.missed.len() + 1
    );
    assert!(told.starts_with(&count), "{told}");
    let database = RunReader::open(&databases(&place.path(""))[0]).unwrap();
    assert_eq!(database.len().unwrap(), 4);
    assert!(database.meta().complete);
}
