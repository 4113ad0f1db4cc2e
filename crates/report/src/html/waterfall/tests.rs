//! The page: what is embedded in it, and what it does not do.

use crestline_core::serving::{EventTokens, Row, timeline};
use serde_json::{Value, json};

use super::*;

fn row(start_s: f64, ttft_s: f64, itls_s: &[f64]) -> Row {
    let latency_s = ttft_s + itls_s.iter().sum::<f64>();
    Row {
        due_s: start_s - 0.003,
        queue_s: 0.002,
        start_s,
        ttft_s,
        itls_s: itls_s.to_vec(),
        latency_s,
        end_s: start_s + latency_s + 0.001,
        prompt_tokens: 8,
        output_tokens: itls_s.len() as u64 + 1,
        succeeded: true,
        ..Row::default()
    }
}

fn page(rows: &[Row], failures: &[Option<String>], most_segments: usize) -> String {
    let thresholds_ms = [25.0, 50.0];
    let waterfall = Waterfall {
        subject: "m on <sim>",
        rows: &timeline(rows, Counting::Tokens, thresholds_ms),
        failures,
        thresholds_ms,
        counting: Counting::Tokens,
        first: FirstWait::Token,
        most_segments,
    };
    waterfall.page()
}

fn data(page: &str) -> Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\">")
        .unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn each_request_is_embedded_in_microseconds_from_the_first_start() {
    let rows = [row(10.0, 0.1, &[0.02, 0.030_000_4]), row(10.5, 0.25, &[])];
    let data = data(&page(&rows, &[None, None], 100));
    assert_eq!(
        data["rows"],
        json!([
            [-3000, -1000, 0, 151_000, 8, 3, 0, [100_000, 20_000, 30_000]],
            [497_000, 499_000, 500_000, 751_000, 8, 1, 0, [250_000]]
        ])
    );
    assert_eq!(data["thresholds_ms"], json!([25, 50]));
}

#[test]
fn rounding_does_not_add_up() {
    let rows = [row(0.0, 0.000_000_6, &[0.000_000_6; 999])];
    let data = data(&page(&rows, &[None], 2000));
    let spans = data["rows"][0][7].as_array().unwrap();
    let sum: i64 = spans.iter().map(|span| span.as_i64().unwrap()).sum();
    assert_eq!((spans.len(), sum), (1000, 600));
}

#[test]
fn tokens_that_came_together_are_counted() {
    let rows = [Row {
        event_tokens: EventTokens::Known(vec![1, 4]),
        ..row(0.0, 0.1, &[0.08])
    }];
    let page = page(&rows, &[None], 100);
    assert_eq!(data(&page)["rows"][0][7], json!([100_000, [80_000, 4]]));
    assert!(page.contains("ITL by token below 25 ms (4)"), "{page}");
}

#[test]
fn a_failed_request_has_its_reason_and_what_came_before() {
    let failed = Row {
        succeeded: false,
        latency_s: 0.5,
        end_s: 0.5,
        ..row(0.0, 0.1, &[0.02])
    };
    let why = Some("cut_mid_stream: </script><script>alert(1)".to_owned());
    let page = page(&[failed], &[why], 100);
    let row = &data(&page)["rows"][0];
    assert_eq!(row[6], "cut_mid_stream: </script><script>alert(1)");
    assert_eq!(
        (&row[3], &row[7]),
        (&json!(500_000), &json!([100_000, 20_000]))
    );
    assert!(page.contains("1 request, 1 failed"), "{page}");
    // Two scripts and the data, and nothing that a text has made.
    assert_eq!(page.matches("<script").count(), 3);
}

#[test]
fn very_many_waits_are_drawn_by_class_and_the_page_says_so() {
    let rows = [row(0.0, 0.1, &[0.02, 0.02, 0.03, 0.02, 0.06, 0.07])];
    let every = page(&rows, &[None], 7);
    assert_eq!(data(&every)["rows"][0][7].as_array().unwrap().len(), 7);
    assert!(!every.contains("very many waits"));
    let runs = page(&rows, &[None], 6);
    assert_eq!(
        data(&runs)["rows"][0][7],
        json!([100_000, [40_000, 2], 30_000, 20_000, [130_000, 2]])
    );
    assert!(runs.contains("very many waits"));
}

#[test]
fn it_loads_nothing_from_anywhere() {
    let page = page(&[row(0.0, 0.1, &[0.02])], &[None], 100);
    for text in [
        "http://", "https://", "src=", "href=", "url(", "@import", "fetch(", "import(",
    ] {
        assert!(!page.contains(text), "`{text}` in the page");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("m on &lt;sim&gt; · 1 request<"), "{page}");
}

#[test]
fn every_button_has_a_key_that_the_script_knows() {
    let page = page(&[row(0.0, 0.1, &[0.02])], &[None], 100);
    let (_, keys) = page.split_once("const keys = {").unwrap();
    let (keys, _) = keys.split_once("};").unwrap();
    let buttons: Vec<&str> = page
        .split("data-key=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert!(buttons.len() > 5, "{buttons:?}");
    for key in buttons {
        let named = [format!("\"{key}\": ()"), format!(" {key}: ")];
        assert!(
            named.iter().any(|name| keys.contains(name)),
            "{key} in {keys}"
        );
    }
}

#[test]
fn a_thousand_requests_of_128_tokens_take_less_than_two_megabytes() {
    let gaps: Vec<f64> = (0..127)
        .map(|place| 0.0201 + f64::from(place) * 1e-5)
        .collect();
    let rows: Vec<Row> = (0..1000)
        .map(|request| row(f64::from(request) * 0.05, 0.312_345, &gaps))
        .collect();
    let page = page(&rows, &vec![None; 1000], MOST_SEGMENTS);
    assert!(page.len() < 1_000_000, "{}", page.len());
}

#[test]
fn a_run_without_requests_has_a_page_too() {
    assert_eq!(data(&page(&[], &[], 100))["rows"], json!([]));
}
