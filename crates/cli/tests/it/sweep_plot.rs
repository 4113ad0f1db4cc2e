//! `crestline bench sweep plot` and `plot_pareto` on experiments that are written as files: what is drawn is counted in the SVG.

mod experiment;

use std::fs;

use crate::harness::{Place, Ran};
use experiment::{Svg, grid, run, write};

const PLOT: &str = "bench sweep plot results/e";
const PARETO: &str = "bench sweep plot_pareto results/e";

fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    for word in words {
        assert!(ran.err.contains(word), "{word} in {}", ran.err);
    }
}

#[test]
fn the_plot_of_the_examples_has_its_panels_curves_and_points() {
    let place = Place::new();
    grid(&place);
    let line = format!(
        "{PLOT} --var-x max_concurrency --row-by random_input_len --col-by random_output_len \
         --curve-by api_server_count,max_num_batched_tokens --filter-by max_concurrency<=1024 --fig-format png,svg --fig-dpi 40"
    );
    let ran = place.run(&line).done();
    assert_eq!(
        ran.out,
        "[BEGIN FIGURE]\nGroup: {}\nGrid: 2 rows x 2 cols\nOutput file: results/e/FIGURE.png\n\
         Output file: results/e/FIGURE.svg\n[END FIGURE]\n"
    );
    assert!(place.path("results/e/FIGURE.png").is_file());
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    // Rows and columns of panels, by where they are.
    assert_eq!((svg.lefts("plot").len(), svg.tops("plot").len()), (2, 2));
    assert_eq!(svg.count("rect", "plot"), 4);
    // Four curves of three points in each panel: two colours, each whole and dashed.
    for class in ["line-0", "line-0 dashed-1", "line-1", "line-1 dashed-1"] {
        assert_eq!(svg.curves(class), [3; 4], "{class}");
    }
    // Means, and in the key one for each colour.
    assert_eq!(svg.count("circle", "fill-0"), 4 * 2 * 3 + 1);
    // Three runs at each, and one in the key.
    assert_eq!(svg.count("circle", "dot-0"), 4 * 2 * 9 + 1);
    assert_eq!(svg.count("circle", "dot-1"), 4 * 2 * 9);
    assert_eq!(svg.count("polygon", "band-0"), 4 * 2);
    for words in [
        "api_server_count",
        "max_num_batched_tokens",
        "random_input_len=128",
        "random_output_len=32",
    ] {
        assert!(svg.texts().iter().any(|text| text == words), "{words}");
    }
    // A load above the limit of the filter is not there.
    assert!(!svg.texts().iter().any(|text| text == "2000"));
}

#[test]
fn the_frontier_of_the_examples_has_its_points_and_labels() {
    let place = Place::new();
    grid(&place);
    let line = format!(
        "{PARETO} --label-by max_concurrency,tensor_parallel_size,pipeline_parallel_size --fig-format png,svg --fig-dpi 40"
    );
    let ran = place.run(&line).done();
    let svg = Svg::read(&place, "results/e/pareto/PARETO.svg");
    let csv = fs::read_to_string(place.path("results/e/pareto/pareto.csv")).unwrap();
    let on = csv.matches(",true,false\n").count();
    assert!(on > 1, "{csv}");
    let said = format!("Plotted 192 points; Pareto frontier size: {on}.");
    assert!(ran.out.contains(&said), "{} {said}", ran.out);
    assert_eq!(csv.lines().count(), 193);
    assert_eq!(svg.count("circle", "others"), 192 + 1);
    assert_eq!(svg.count("circle", "fill-0"), on + 1);
    assert_eq!(svg.curves("line-0"), [on]);
    assert!(
        svg.texts()
            .iter()
            .any(|text| text.contains("tensor_parallel_size=2"))
    );
    assert!(
        ran.err
            .contains("--label-by: no run has pipeline_parallel_size"),
        "{}",
        ran.err
    );
    assert!(place.path("results/e/pareto/PARETO.png").is_file());
}

#[test]
fn gpus_divide_the_throughput_and_dominated_ties_are_off_the_frontier() {
    let place = Place::new();
    let point = |users: u32, tp: u32, throughput: f64| {
        run(&[
            ("max_concurrency", users.into()),
            ("tp", tp.into()),
            ("output_throughput", throughput.into()),
        ])
    };
    write(
        &place,
        "a",
        &[
            point(1, 1, 50.0),
            point(2, 1, 50.0),
            point(8, 8, 800.0),
            point(16, 1, 100.0),
        ],
    );
    place.run(&format!("{PARETO} --fig-format svg")).done();
    let csv = fs::read_to_string(place.path("results/e/pareto/pareto.csv")).unwrap();
    let cells: Vec<Vec<&str>> = csv
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect())
        .collect();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let column = |name: &str| header.iter().position(|it| *it == name).unwrap();
    let values = |name: &str| -> Vec<&str> { cells.iter().map(|row| row[column(name)]).collect() };
    assert_eq!(values("tokens_per_gpu"), ["50", "50", "100", "100"]);
    assert_eq!(values("tokens_per_user"), ["50", "25", "100", "6.25"]);
    assert_eq!(values("gpu_count"), ["1", "1", "8", "1"]);
    // The third is the best in both, and the fourth is as good as it in one alone.
    assert_eq!(
        values("is_on_frontier"),
        ["false", "false", "true", "false"]
    );
    let ran = place
        .run(&format!("{PARETO} --user-speed decode --fig-format svg"))
        .done();
    assert!(ran.out.contains("Plotted 4 points"), "{}", ran.out);
    let csv = fs::read_to_string(place.path("results/e/pareto/pareto.csv")).unwrap();
    // 1000 / 20 ms.
    let speeds = csv
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(column("tokens_per_user")).unwrap());
    assert_eq!(speeds.collect::<Vec<_>>(), ["50"; 4]);
}

#[test]
fn an_experiment_of_ones_own_is_drawn_with_the_gpus_of_its_server_command() {
    let place = Place::new();
    fs::write(
        place.path("serve.json"),
        r#"[{"max_num_seqs": 4}, {"max_num_seqs": 16}]"#,
    )
    .unwrap();
    fs::write(
        place.path("bench.json"),
        r#"[{"max_concurrency": 2}, {"max_concurrency": 8}]"#,
    )
    .unwrap();
    let serve =
        "crestline sim --profile gpu-small --port 9 --api-key hidden --tensor-parallel-size 2";
    let bench = "crestline bench serve --model m --tokenizer builtin --base-url http://127.0.0.1:9 --backend vllm \
                 --random-input-len 16 --random-output-len 8 --num-prompts 20";
    let mut command = place.command(
        "bench sweep serve --virtual-time --serve-params serve.json --bench-params bench.json -e e --num-runs 2",
    );
    let ran: Ran = command
        .args(["--serve-cmd", serve, "--bench-cmd", bench])
        .output()
        .unwrap()
        .into();
    ran.done();
    let ran = place
        .run(&format!(
            "{PARETO} --label-by max_num_seqs,tensor_parallel_size,gpu_count --fig-format svg"
        ))
        .done();
    assert!(ran.out.contains("Plotted 8 points"), "{}", ran.out);
    let texts = Svg::read(&place, "results/e/pareto/PARETO.svg")
        .texts()
        .join("\n");
    assert!(
        texts.contains("tensor_parallel_size=2") && texts.contains("gpu_count=2"),
        "{texts}"
    );
    let csv = fs::read_to_string(place.path("results/e/pareto/pareto.csv")).unwrap();
    assert_eq!(csv.matches(",2,server command,").count(), 8, "{csv}");
    place
        .run(&format!("{PLOT} --curve-by max_num_seqs --fig-format svg"))
        .done();
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    assert_eq!([svg.curves("line-0"), svg.curves("line-1")], [[2], [2]]);
    let records = place.path("results/e/crestline/servers/SERVE-max_num_seqs=4.json");
    let text = fs::read_to_string(records).unwrap();
    assert!(
        text.contains("--tensor-parallel-size") && !text.contains("hidden"),
        "{text}"
    );
}

#[test]
fn every_group_of_a_figure_has_a_file_of_its_name() {
    let place = Place::new();
    grid(&place);
    let ran = place
        .run(&format!(
            "{PLOT} --fig-by random_input_len,api_server_count --fig-dir plots --fig-name P --var-x max_concurrency --fig-format svg"
        ))
        .done();
    assert_eq!(
        place.list("results/e/plots"),
        [
            "P-random_input_len=128-api_server_count=1.svg",
            "P-random_input_len=128-api_server_count=4.svg",
            "P-random_input_len=64-api_server_count=1.svg",
            "P-random_input_len=64-api_server_count=4.svg",
        ]
    );
    let first = "Group: {'random_input_len': '64', 'api_server_count': '1'}";
    assert!(ran.out.contains(first), "{}", ran.out);
    assert_eq!(ran.out.matches("[BEGIN FIGURE]").count(), 4);
}

#[test]
fn a_column_is_the_same_in_all_rows_and_a_panel_without_runs_is_left_out() {
    let place = Place::new();
    let at = |row: u32, column: u32| {
        run(&[
            ("row", row.into()),
            ("column", column.into()),
            ("max_concurrency", 1.into()),
        ])
    };
    write(&place, "a", &[at(1, 5), at(1, 6)]);
    write(&place, "b", &[at(2, 6)]);
    let ran = place
        .run(&format!(
            "{PLOT} --row-by row --col-by column --var-x max_concurrency --fig-format svg"
        ))
        .done();
    assert!(ran.out.contains("Grid: 2 rows x 2 cols"), "{}", ran.out);
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    assert_eq!((svg.count("rect", "plot"), svg.lefts("plot").len()), (3, 2));
}

#[test]
fn bins_put_near_places_together() {
    let place = Place::new();
    let at = |x: f64| run(&[("request_rate", x.into()), ("median_ttft_ms", x.into())]);
    write(&place, "a", &[at(1.1), at(1.9), at(2.4), at(7.0)]);
    let points = |more: &str| {
        place
            .run(&format!(
                "{PLOT} --var-x request_rate --fig-format svg {more}"
            ))
            .done();
        Svg::read(&place, "results/e/FIGURE.svg").curves("line-0")
    };
    // Runs of one file whose place differs are repeats of one point.
    assert_eq!(points(""), Vec::<usize>::new());
    assert_eq!(points("--bin-by request_rate%1"), [3]);
    assert_eq!(points("--bin-by request_rate%2.5"), [2]);
}

#[test]
fn repeats_of_a_combination_are_one_point_where_the_lower_axis_is_measured() {
    let place = Place::new();
    for load in [1, 2, 10] {
        let run = |number: u32| {
            let throughput = f64::from(load * 10 + number);
            run(&[
                ("max_concurrency", load.into()),
                ("total_token_throughput", throughput.into()),
            ])
        };
        write(
            &place,
            &format!("max_concurrency={load}"),
            &[run(0), run(1), run(2)],
        );
    }
    place.run(&format!("{PLOT} --fig-format svg")).done();
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    assert_eq!(svg.curves("line-0"), [3]);
    assert_eq!(svg.count("circle", "dot-0"), 9 + 1);
    // An interval has a line and two ends, and there is one in the key.
    assert_eq!(svg.count("polyline", "line-0 weight-2"), (3 + 1) * 3);
}

#[test]
fn limits_are_lines_and_a_file_without_any_is_refused() {
    let place = Place::new();
    grid(&place);
    fs::write(
        place.path("sla.json"),
        r#"[{"median_ttft_ms": "<=60", "p99_e2el_ms": "<100"}, {"median_ttft_ms": "<80"}, {"max_concurrency": "<=64"}]"#,
    )
    .unwrap();
    let line = format!(
        "{PLOT} --var-x max_concurrency --sla-params sla.json --fig-format svg --scale-x log --scale-y log"
    );
    place.run(&line).done();
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    assert_eq!(svg.count("polyline", "limit"), 3);
    for words in [
        "median_ttft_ms ≤ 60",
        "median_ttft_ms < 80",
        "max_concurrency ≤ 64",
    ] {
        assert!(svg.texts().iter().any(|text| text == words), "{words}");
    }
    let other = place.run(&format!(
        "{line} --var-x request_throughput --var-y mean_tpot_ms"
    ));
    refused(
        &other,
        &[
            "no criterion is on request_throughput or mean_tpot_ms",
            "median_ttft_ms",
        ],
    );
}

#[test]
fn scales_error_bars_and_curves_of_many_keys_are_as_asked() {
    let place = Place::new();
    grid(&place);
    let drawn = |more: &str| {
        place
            .run(&format!(
                "{PLOT} --var-x max_concurrency --fig-format svg {more}"
            ))
            .done();
        Svg::read(&place, "results/e/FIGURE.svg")
    };
    let svg = drawn("--no-error-bars --scale-x log --scale-y sqrt");
    assert_eq!(
        (svg.count("polygon", "band-0"), svg.count("rect", "band-0")),
        (0, 0)
    );
    // Loads that double are marked as such.
    assert!(
        svg.texts().iter().any(|text| text == "256"),
        "{:?}",
        svg.texts()
    );
    let svg = drawn("--curve-by api_server_count,max_num_batched_tokens,random_input_len");
    assert_eq!(svg.curves("line-1 dashed-1 weight-1"), [4]);
    let svg = drawn(
        "--curve-by api_server_count,max_num_batched_tokens,random_input_len,random_output_len",
    );
    // Sixteen looks: six colours, then these with dashes.
    assert_eq!(svg.curves("line-3 dashed-2"), [4]);
    assert!(svg.texts().iter().any(|text| text == "4, 1024, 128, 32"));
    let unknown = place.run(&format!("{PLOT} --scale-x symlog"));
    refused(
        &unknown,
        &[
            "--scale-x does not know the scale symlog",
            "one of linear, log, log2, sqrt",
        ],
    );
}

#[test]
fn names_and_inf_have_places_of_their_own() {
    let place = Place::new();
    let at = |rate: serde_json::Value| run(&[("request_rate", rate)]);
    write(&place, "a", &[at("inf".into())]);
    write(&place, "b", &[at(16.into())]);
    write(&place, "c", &[at(2.into())]);
    let line = format!("{PLOT} --var-x request_rate --fig-format svg");
    place.run(&line).done();
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    let marks: Vec<String> = svg
        .texts()
        .into_iter()
        .filter(|text| ["2", "16", "inf"].contains(&text.as_str()))
        .collect();
    assert_eq!(marks, ["2", "16", "inf"]);
    let scaled = place.run(&format!("{line} --scale-x log"));
    refused(
        &scaled,
        &["request_rate has values that are no finite numbers, such as inf"],
    );
    place
        .run(&format!(
            "{line} --scale-x log --filter-by request_rate<100"
        ))
        .done();
}

#[test]
fn void_and_failed_runs_are_in_no_mean() {
    let place = Place::new();
    let good = run(&[("max_concurrency", 1.into()), ("median_ttft_ms", 10.into())]);
    let mut void = run(&[("max_concurrency", 1.into()), ("median_ttft_ms", 90.into())]);
    void["crestline_client"] = serde_json::json!({"void": true});
    let failed = run(&[
        ("max_concurrency", 1.into()),
        ("median_ttft_ms", 0.into()),
        ("completed", 0.into()),
    ]);
    write(&place, "a", &[good, void, failed]);
    let ran = place
        .run(&format!("{PLOT} --var-x max_concurrency --fig-format svg"))
        .done();
    assert!(
        ran.err
            .contains("is not drawn, since all of its requests failed"),
        "{}",
        ran.err
    );
    let svg = Svg::read(&place, "results/e/FIGURE.svg");
    assert_eq!(
        (svg.count("circle", "fill-0"), svg.count("circle", "dot-0")),
        (1, 0)
    );
    // Two strokes each: in the panel and in the key.
    assert_eq!(svg.count("polyline", "void"), 4);
    let ran = place.run(&format!("{PARETO} --fig-format svg")).done();
    assert!(
        ran.err.contains("1 run left out: all requests failed"),
        "{}",
        ran.err
    );
    assert!(
        ran.out
            .contains("Plotted 2 points; Pareto frontier size: 1."),
        "{}",
        ran.out
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_drawn() {
    let place = Place::new();
    write(&place, "good", &[run(&[]), run(&[])]);
    for (name, text) in [
        ("half", "[{\"run_number\": 0, \"medi"),
        ("none", ""),
        ("foreign", "[{\"name\": \"x\"}]"),
        ("object", "{\"a\": 1}"),
        ("crestline/old", "["),
    ] {
        let folder = place.path(&format!("results/e/{name}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("summary.json"), text).unwrap();
    }
    for line in [PLOT, PARETO] {
        let ran = place.run(&format!("{line} --fig-format svg")).done();
        assert_eq!(ran.err.matches("summary.json").count(), 4, "{}", ran.err);
        for name in ["half", "none", "foreign", "object"] {
            assert!(
                ran.err
                    .contains(&format!("warning: results/e/{name}/summary.json")),
                "{name}: {}",
                ran.err
            );
        }
    }
}

#[test]
fn nothing_to_draw_is_refused_with_the_reason() {
    let place = Place::new();
    write(&place, "a", &[run(&[("max_concurrency", 1.into())])]);
    let plot = |more: &str| place.run(&format!("{PLOT} --fig-format svg {more}"));
    refused(
        &plot("--filter-by max_concurrency>9"),
        &[
            "there is nothing to draw",
            "no run passes --filter-by max_concurrency>9",
        ],
    );
    refused(
        &plot("--var-y model_id"),
        &["there is nothing to draw", "it has no number model_id"],
    );
    refused(
        &plot("--var-x max_concurrncy"),
        &[
            "--var-x: no run has max_concurrncy",
            "did you mean max_concurrency?",
        ],
    );
    refused(&plot("--fig-height 0"), &["--fig-height cannot be 0"]);
    refused(&plot("--fig-dpi 1e9"), &["--fig-dpi cannot be"]);
    refused(
        &place.run("bench sweep plot nowhere"),
        &["nowhere is no folder"],
    );
    fs::create_dir_all(place.path("empty")).unwrap();
    for command in ["plot", "plot_pareto", "plot-pareto"] {
        refused(
            &place.run(&format!("bench sweep {command} empty")),
            &["there is no summary.json in it"],
        );
    }
    write(
        &place,
        "a",
        &[serde_json::json!({"run_number": 0, "max_concurrency": 2})],
    );
    refused(
        &place.run(PARETO),
        &["there is nothing to draw", "there is no output_throughput"],
    );
    assert_eq!(place.list("results/e"), ["a"]);
}

#[test]
fn a_run_that_lacks_a_grouping_key_is_named_by_its_file() {
    let place = Place::new();
    write(&place, "a", &[run(&[("tp", 1.into())])]);
    write(&place, "b", &[run(&[])]);
    for flag in ["--fig-by", "--row-by", "--col-by", "--curve-by"] {
        let ran = place.run(&format!("{PLOT} {flag} tp"));
        refused(
            &ran,
            &[&format!(
                "{flag}: results/e/b/summary.json lacks the key tp"
            )],
        );
        assert!(
            ran.err.lines().count() < 4 && ran.out.is_empty(),
            "{ran:#?}"
        );
    }
    refused(
        &place.run(&format!("{PARETO} --gpu-count-var cards")),
        &["--gpu-count-var: no run has cards"],
    );
}

#[test]
fn a_dry_run_writes_nothing_and_a_preview_is_shown_in_the_terminal() {
    let place = Place::new();
    grid(&place);
    let before = place.list("results/e");
    let ran = place
        .run(&format!(
            "{PLOT} --var-x max_concurrency --row-by random_input_len --dry-run --preview"
        ))
        .done();
    assert!(
        ran.out
            .contains("Grid: 2 rows x 1 cols\nOutput file: results/e/FIGURE.png"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains('●') && ran.out.contains("random_input_len=64"),
        "{}",
        ran.out
    );
    let ran = place.run(&format!("{PARETO} --dry-run --preview")).done();
    assert!(
        ran.out.contains("Would plot 192 points") && ran.out.contains('○'),
        "{}",
        ran.out
    );
    assert_eq!(place.list("results/e"), before);
}

#[test]
fn a_picture_has_three_hundred_pixels_an_inch() {
    let place = Place::new();
    write(&place, "a", &[run(&[])]);
    place.run(&format!("{PLOT} --fig-height 2")).done();
    let size = |name: &str| {
        let file = fs::read(place.path(name)).unwrap();
        let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
        let dims = file.windows(4).position(|it| it == b"pHYs").unwrap() + 4;
        (
            number(16),
            (f64::from(number(dims)) * 0.0254).round() as u32,
        )
    };
    let (width, dpi) = size("results/e/FIGURE.png");
    assert!(dpi == 300 && (600..1200).contains(&width), "{width} {dpi}");
}
