//! Experiments as files, and what an SVG holds.

use std::fs;

use roxmltree::Document;
use serde_json::{Value, json};

use crate::harness::Place;

/// A run with these values besides those that each has.
pub(super) fn run(fields: &[(&str, Value)]) -> Value {
    let mut run = json!({
        "backend": "vllm", "model_id": "m", "num_prompts": 10, "request_rate": "inf", "max_concurrency": 4, "duration": 2.0,
        "completed": 10, "failed": 0, "request_throughput": 5.0, "output_throughput": 80.0, "total_token_throughput": 240.0,
        "median_ttft_ms": 30.0, "mean_tpot_ms": 20.0, "mean_e2el_ms": 800.0, "ttfts": [0.1, 0.2], "run_number": 0,
    });
    for (key, value) in fields {
        run[*key] = value.clone();
    }
    run
}

/// Puts runs of a combination into the experiment `results/e`.
pub(super) fn write(place: &Place, name: &str, runs: &[Value]) {
    let folder = place.path(&format!("results/e/{name}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("summary.json"), json!(runs).to_string()).unwrap();
}

/// Four servers, sixteen benchmarks each, three runs of each: 192 runs.
pub(super) fn grid(place: &Place) {
    for (servers, tokens) in [(1, 512), (1, 1024), (4, 512), (4, 1024)] {
        let serve = format!("SERVE--api_server_count={servers}-max_num_batched_tokens={tokens}");
        for (input, output) in [(64, 32), (64, 128), (128, 32), (128, 128)] {
            for load in [1, 16, 128, 2048] {
                let bench = format!(
                    "BENCH--random_input_len={input}-random_output_len={output}-max_concurrency={load}"
                );
                let runs: Vec<Value> = (0..3)
                    .map(|number| grid_run([servers, tokens, input, output, load, number]))
                    .collect();
                write(place, &format!("{serve}-{bench}"), &runs);
            }
        }
    }
}

/// Throughput saturates with the load, and waiting grows from there on.
fn grid_run([servers, tokens, input, output, load, number]: [u32; 6]) -> Value {
    let most = f64::from(servers * 400 + tokens);
    let asked = f64::from(load) * 40.0;
    let noise = 1.0 + 0.02 * f64::from(number);
    let throughput = most * asked / (most + asked) * noise;
    run(&[
        ("api_server_count", servers.into()),
        ("max_num_batched_tokens", tokens.into()),
        ("tensor_parallel_size", (1 + servers / 4).into()),
        ("random_input_len", input.into()),
        ("random_output_len", output.into()),
        ("max_concurrency", load.into()),
        ("output_throughput", throughput.into()),
        ("total_token_throughput", (throughput * 3.0).into()),
        (
            "median_ttft_ms",
            ((20.0 + asked / most * 30.0) * noise).into(),
        ),
        ("run_number", number.into()),
    ])
}

/// The elements of a figure.
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn read(place: &Place, name: &str) -> Self {
        Self(fs::read_to_string(place.path(name)).unwrap())
    }

    /// What `read` gives of each element of a kind and a class.
    fn of<T>(
        &self,
        element: &str,
        class: Option<&str>,
        read: impl Fn(&roxmltree::Node<'_, '_>) -> T,
    ) -> Vec<T> {
        let document = Document::parse(&self.0).unwrap();
        let all = document.descendants().filter(|it| it.has_tag_name(element));
        all.filter(|it| class.is_none() || it.attribute("class") == class)
            .map(|it| read(&it))
            .collect()
    }

    pub(super) fn count(&self, element: &str, class: &str) -> usize {
        self.of(element, Some(class), |_| ()).len()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.of("text", None, |it| it.text().unwrap_or_default().to_owned())
    }

    /// How many points each curve of a class has; a sign in the key has two at one height, and is left out.
    pub(super) fn curves(&self, class: &str) -> Vec<usize> {
        let points = self.of("polyline", Some(class), |it| {
            let points = it.attribute("points").unwrap().split(' ');
            points
                .map(|pair| pair.split_once(',').unwrap().1.to_owned())
                .collect::<Vec<_>>()
        });
        let is_sign = |heights: &Vec<String>| heights.len() == 2 && heights[0] == heights[1];
        points
            .iter()
            .filter(|heights| !is_sign(heights))
            .map(Vec::len)
            .collect()
    }

    /// Different left edges of rectangles of a class.
    pub(super) fn lefts(&self, class: &str) -> Vec<String> {
        self.edges(class, "x")
    }

    pub(super) fn tops(&self, class: &str) -> Vec<String> {
        self.edges(class, "y")
    }

    fn edges(&self, class: &str, side: &str) -> Vec<String> {
        let mut edges = self.of("rect", Some(class), |it| {
            it.attribute(side).unwrap().to_owned()
        });
        edges.sort();
        edges.dedup();
        edges
    }
}
