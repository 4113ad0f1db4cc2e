//! `crestline report`, and the pages that measurements end with.

use std::fs;

use crate::harness::{Place, Ran, Sim};

const PERF: &str = "perf --url sim:constant-20ms --model org/m --tokenizer-path builtin --dataset random \
    --min-prompt-length 40 --max-prompt-length 40 --max-tokens 4 --no-timestamp";
const SERVE: &str = "bench serve --base-url sim:constant-20ms --model m --tokenizer builtin --random-input-len 8 \
    --random-output-len 4 --num-prompts 12 --max-concurrency 3";

/// The file, which is a whole page.
fn page(place: &Place, name: &str) -> String {
    let text = fs::read_to_string(place.path(name)).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    text
}

fn refused(ran: &Ran, words: &str) {
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains(words), "{words} in {}", ran.err);
}

#[test]
fn a_perf_run_ends_with_a_page_of_all_its_loads() {
    let place = Place::new();
    let ran = place
        .run(&format!("{PERF} --parallel 1 4 --number 6 24"))
        .done();
    let file = "outputs/m/perf_report.html";
    assert!(ran.out.contains("A page with figures is "), "{}", ran.out);
    let html = page(&place, file);
    for words in [
        "org/m",
        "Most throughput of 2 runs:",
        "with 4 users",
        "href=\"#run-2\"",
        "data-name=\"output-against-load\"",
        "data-name=\"times-over-run\"",
        "class=\"waterfall\"",
        "crestline perf --url sim:constant-20ms",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn a_search_ends_with_a_page_of_its_answer() {
    let place = Place::new();
    let sla = r#"[{"p99_ttft":"<=0.2"}]"#;
    let mut command = place.command(&format!(
        "{} --sla-auto-tune --sla-upper-bound 60",
        PERF.replace("constant-20ms", "gpu-small")
    ));
    let ran: Ran = command.args(["--sla-params", sla]).output().unwrap().into();
    assert!(matches!(ran.code, Some(0 | 3)), "{ran:?}");
    let html = page(&place, "outputs/m/perf_report.html");
    for words in [
        "p99_ttft &lt;= 0.2",
        "SLA search",
        "data-name=\"search-course\"",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn a_benchmark_has_its_page_beside_its_result() {
    let place = Place::new();
    place
        .run(&format!(
            "{SERVE} --save-result --result-dir r --result-filename x.json"
        ))
        .done();
    let html = page(&place, "r/x.report.html");
    assert!(html.contains("3 users: "), "the answer");
    let ran = place.run(&format!("{SERVE} --label once")).done();
    let pages = place.list(".");
    let own: Vec<&String> = pages
        .iter()
        .filter(|name| name.starts_with("once-") && name.ends_with(".report.html"))
        .collect();
    assert_eq!(own.len(), 1, "{pages:?}: {ran:?}");
    assert!(page(&place, own[0]).contains("all 12 requests succeeded"));
}

#[test]
fn several_runs_of_a_benchmark_have_one_page() {
    let place = Place::new();
    place
        .run(&format!(
            "{SERVE} --num-runs 3 --save-result --result-dir r --result-filename x.json"
        ))
        .done();
    let html = page(&place, "r/x.report.html");
    assert!(html.contains("Most throughput of 3 runs:"), "{html}");
    let pages = place.list("r");
    let own = pages.iter().filter(|name| name.contains(".report."));
    assert_eq!(own.count(), 1, "{pages:?}");
}

#[test]
fn no_page_is_written_where_none_is_wanted() {
    let place = Place::new();
    let ran = place.run(&format!("{PERF} --number 3 --no-html")).done();
    assert!(!ran.out.contains("A page with figures"), "{}", ran.out);
    assert!(!place.path("outputs/m/perf_report.html").exists());
    place.run(&format!("{SERVE} --no-html")).done();
    let names = place.list(".");
    assert!(
        !names.iter().any(|name| name.contains(".report.")),
        "{names:?}"
    );
}

#[test]
fn a_sweep_ends_with_a_page_unless_none_is_wanted() {
    let sweep = |place: &Place, more: &str| {
        place
            .command("bench sweep serve --virtual-time --num-runs 1 -e e --serve-cmd")
            .arg("crestline sim --profile constant-20ms")
            .arg("--bench-cmd")
            .arg(SERVE.replace("--base-url sim:constant-20ms ", "").replacen(
                "bench",
                "crestline bench",
                1,
            ))
            .args(more.split_whitespace())
            .output()
            .map(Ran::from)
            .unwrap()
            .done()
    };
    let place = Place::new();
    let ran = sweep(&place, "");
    assert!(
        ran.out.contains("results/e/crestline/report.html"),
        "{}",
        ran.out
    );
    assert!(page(&place, "results/e/crestline/report.html").contains("all 12 requests succeeded"));
    let place = Place::new();
    sweep(&place, "--no-html");
    assert!(!place.path("results/e/crestline/report.html").exists());
}

#[test]
fn a_report_is_made_again_of_what_is_there() {
    let place = Place::new();
    place.run(&format!("{PERF} --number 5 --no-html")).done();
    let ran = place.run("report outputs/m").done();
    assert!(
        ran.out
            .contains("The report of 1 run is in crestline_report.html"),
        "{}",
        ran.out
    );
    let first = page(&place, "crestline_report.html");
    place
        .run("report outputs/m -o other.html --title Mine")
        .done();
    let other = page(&place, "other.html");
    assert!(other.contains("<title>Mine</title>"));
    // A page may be written again over itself.
    place.run("report outputs/m").done();
    assert_eq!(first, page(&place, "crestline_report.html"));
}

#[test]
fn prompts_and_answers_are_in_it_only_where_they_are_wanted() {
    let place = Place::new();
    fs::write(place.path("prompts.txt"), "tell me of the unicorn <b>\n").unwrap();
    place
        .run(
            "perf --url sim:constant-20ms --model org/m --tokenizer-path builtin --dataset line_by_line --dataset-path prompts.txt \
             --max-prompt-length 100 --max-tokens 4 --number 2 --no-timestamp",
        )
        .done();
    let without = page(&place, "outputs/m/perf_report.html");
    assert!(!without.contains("unicorn"));
    place.run("report outputs/m --include-text").done();
    let with = page(&place, "crestline_report.html");
    assert!(with.contains("tell me of the unicorn &lt;b&gt;"), "{with}");
}

#[test]
fn keys_are_in_no_page() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let line = PERF.replace("sim:constant-20ms", &sim.chat());
    place
        .run(&format!(
            "{line} --number 3 --api-key sk-very-secret --headers X-Api-Key=other-secret"
        ))
        .done();
    place.run("report outputs/m --include-text").done();
    for file in ["outputs/m/perf_report.html", "crestline_report.html"] {
        let html = page(&place, file);
        assert!(html.contains("--api-key"), "the command is there");
        assert!(!html.contains("sk-very-secret") && !html.contains("other-secret"));
    }
    let database = fs::read(place.path("outputs/m/parallel_1_number_3/benchmark_data.db")).unwrap();
    let has = |word: &[u8]| database.windows(word.len()).any(|window| window == word);
    assert!(!has(b"sk-very-secret") && !has(b"other-secret"));
}

#[test]
fn wrong_places_are_refused_before_anything_is_read() {
    let place = Place::new();
    place.run(&format!("{PERF} --number 3 --no-html")).done();
    refused(&place.run("report"), "RUN");
    refused(&place.run("report nowhere"), "nowhere does not exist");
    refused(&place.run("report outputs -o outputs"), "it is a folder");
    refused(
        &place.run("report outputs -o no/such/page.html"),
        "its folder does not exist",
    );
    let database = "outputs/m/parallel_1_number_3/benchmark_data.db";
    let before = fs::read(place.path(database)).unwrap();
    refused(
        &place.run(&format!("report outputs -o {database}")),
        "it is there already, and no page",
    );
    assert_eq!(before, fs::read(place.path(database)).unwrap());
    fs::create_dir(place.path("empty")).unwrap();
    let ran = place.run("report empty");
    refused(&ran, "no run in empty");
    assert!(!place.path("crestline_report.html").exists());
}
