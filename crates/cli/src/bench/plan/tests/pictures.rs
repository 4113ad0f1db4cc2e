//! What the flags of pictures change, and where the pictures are.

use super::*;

#[test]
fn pictures_are_drawn_where_they_are_asked_for() {
    reports(
        "--plot-timeline",
        &expect![[r"
            timeline: Some(
            [
            25.0,
            50.0,
            ],
            ),"]],
    );
    reports(
        "--plot-timeline --timeline-itl-thresholds 10,22.5",
        &expect![[r"
            timeline: Some(
            [
            10.0,
            22.5,
            ],
            ),"]],
    );
    reports("--plot-dataset-stats", &expect!["dataset_stats: true,"]);
}

#[test]
fn thresholds_without_a_timeline_are_told() {
    let notes = |flags: &str| translated(&words(flags)).unwrap().notes;
    assert_eq!(
        notes("--timeline-itl-thresholds 10,20"),
        ["--timeline-itl-thresholds has no effect without --plot-timeline"]
    );
    assert!(notes("--timeline-itl-thresholds 25,50").is_empty());
    assert!(notes("--plot-timeline --timeline-itl-thresholds 10,20").is_empty());
}

#[test]
fn thresholds_are_two_rising_numbers() {
    for typed in [
        "25", "50,25", "25,25", "0,50", "a,b", "1,2,3", "25,inf", "nan,50",
    ] {
        let flags = ["--plot-timeline", "--timeline-itl-thresholds", typed];
        let problem = translated(&flags).expect_err(typed).to_string();
        assert!(
            problem.contains(&format!("cannot be {typed}\n")),
            "{problem}"
        );
        assert!(
            problem.contains("hint: write two rising numbers"),
            "{problem}"
        );
    }
    refuses(
        "--timeline-itl-thresholds 50,25",
        &expect![[r"
            error: --timeline-itl-thresholds cannot be 50,25
              hint: write two rising numbers of milliseconds: --timeline-itl-thresholds 25,50"]],
    );
}

#[test]
fn pictures_stand_beside_the_json_with_its_name() {
    let files = |flags: &str| -> Vec<String> {
        let flags = format!("--plot-timeline --plot-dataset-stats {flags}");
        let report = translated(&words(&flags)).unwrap().report;
        let place = report.place("20261122-101500");
        let files = report.pictures.files(&place);
        files
            .iter()
            .map(|file| file.display().to_string())
            .collect()
    };
    assert_eq!(
        files("--request-rate 2.5"),
        [
            "openai-2.5qps-some-model-20261122-101500.timeline.html",
            "openai-2.5qps-some-model-20261122-101500.dataset_stats.png"
        ]
    );
    assert_eq!(
        files("--save-result --result-dir out --result-filename run-2.5.json"),
        ["out/run-2.5.timeline.html", "out/run-2.5.dataset_stats.png"]
    );
    // What is behind the point is no ending: two runs must not write one file.
    assert_eq!(
        files("--result-filename run-2.5"),
        ["run-2.5.timeline.html", "run-2.5.dataset_stats.png"]
    );
}
