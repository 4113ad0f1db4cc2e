//! Where metrics go, by flag and by environment, and how sending goes with a scripted collector.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use expect_test::{Expect, expect};

use super::super::observed::tests::observed;
use super::*;

fn choose(flag: Option<&str>, variables: &[(&str, &str)]) -> Result<Choice, Problem> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    Settings::choose(flag, |name| {
        variables.get(name).map(|&value| value.to_owned())
    })
}

fn check(flag: Option<&str>, variables: &[(&str, &str)], expected: &Expect) {
    let text = match choose(flag, variables) {
        Ok(Choice::Off) => "off".to_owned(),
        Ok(Choice::Unspoken(why)) => why,
        Ok(Choice::On(settings)) => {
            let headers = settings.target.headers.iter();
            let headers: Vec<_> = headers
                .map(|header| format!(" {}: {}", header.name, header.value.reveal()))
                .collect();
            format!(
                "{} {} each {}{}",
                settings.shown(),
                settings.path,
                settings.every,
                headers.concat()
            )
        }
        Err(problem) => problem.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn nothing_is_sent_where_nobody_asks() {
    check(None, &[], &expect!["off"]);
    check(
        None,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
        &expect!["off"],
    );
    let asked = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
    check(
        None,
        &[asked, ("OTEL_SDK_DISABLED", "true")],
        &expect!["off"],
    );
    check(
        None,
        &[asked, ("OTEL_METRICS_EXPORTER", "none")],
        &expect!["off"],
    );
}

#[test]
fn the_address_of_all_signals_gets_the_path_of_metrics_and_that_of_metrics_is_as_it_is() {
    check(
        Some("http://c:4318"),
        &[],
        &expect!["http://c:4318/v1/metrics /v1/metrics each 5s"],
    );
    check(
        Some("http://c/otlp/v1/metrics?k=v"),
        &[],
        &expect!["http://c/otlp/v1/metrics?k=v /otlp/v1/metrics?k=v each 5s"],
    );
    check(
        None,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")],
        &expect!["http://c:4318/v1/metrics (OTEL_EXPORTER_OTLP_ENDPOINT) /v1/metrics each 5s"],
    );
    check(
        None,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m/push"),
        ],
        &expect!["http://m/push (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) /push each 5s"],
    );
}

#[test]
fn headers_and_times_come_from_the_environment() {
    check(
        Some("http://c:4318"),
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%2Cb, x-team = core"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
        ],
        &expect!["http://c:4318/v1/metrics /v1/metrics each 250ms api-key: a,b x-team: core"],
    );
    check(
        Some("http://c:4318"),
        &[("OTEL_METRIC_EXPORT_INTERVAL", "soon")],
        &expect![
            "error: OTEL_METRIC_EXPORT_INTERVAL must be a number of milliseconds from 1 on, not soon"
        ],
    );
    check(
        Some("http://c:4318"),
        &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")],
        &expect![[r"
            error: OTEL_EXPORTER_OTLP_HEADERS is not a list of NAME=VALUE
              hint: write it as NAME=VALUE,NAME=VALUE, with %2C for a comma inside a value"]],
    );
}

#[test]
fn another_protocol_of_the_environment_is_told_and_a_flag_goes_before_it() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    check(
        None,
        &variables,
        &expect![
            "no metrics are sent to http://c:4317/v1/metrics: OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and crestline speaks http/json; --otlp-endpoint says where that is spoken"
        ],
    );
    check(
        Some("http://c:4318"),
        &variables,
        &expect!["http://c:4318/v1/metrics /v1/metrics each 5s"],
    );
}

#[test]
fn the_resource_says_who_sends_and_the_environment_goes_before_that() {
    let Ok(Choice::On(settings)) = choose(
        Some("http://c"),
        &[
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=a,deployment.environment=lab",
            ),
            ("OTEL_SERVICE_NAME", "b"),
        ],
    ) else {
        panic!("not on");
    };
    let of = |key: &str| {
        let found = settings.resource.iter().filter(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of("service.name"), ["b"]);
    assert_eq!(of("deployment.environment"), ["lab"]);
    assert_eq!(of("service.version"), [env!("CARGO_PKG_VERSION")]);
}

/// A collector that answers with these statuses, one a connection; then it takes connections and says nothing.
fn collector(statuses: &'static [u16]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut silent = Vec::new();
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(status) = statuses.next() else {
                silent.push(stream);
                continue;
            };
            let mut read = Vec::new();
            let mut buffer = [0; 8192];
            loop {
                let length = stream.read(&mut buffer).unwrap();
                read.extend_from_slice(&buffer[..length]);
                // The message is one JSON object, which ends with the body.
                if length == 0 || read.ends_with(b"}]}]}") {
                    break;
                }
            }
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
            );
            stream.write_all(head.as_bytes()).unwrap();
        }
    });
    url
}

fn begin(statuses: &'static [u16], every: &str) -> Result<Pushing, Problem> {
    let variables = [("OTEL_METRIC_EXPORT_INTERVAL", every)];
    let Ok(Choice::On(settings)) = choose(Some(&collector(statuses)), &variables) else {
        panic!("not on");
    };
    Pushing::begin(*settings, Board::new(observed()))
}

#[test]
fn a_collector_that_takes_everything_leaves_nothing_to_tell() {
    let pushing = begin(&[200, 202], "60000").unwrap();
    assert_eq!(pushing.end(), None);
}

#[test]
fn the_last_message_is_tried_again() {
    let pushing = begin(&[200, 503, 200], "60000").unwrap();
    let told = pushing.end().unwrap();
    assert!(
        told.contains("1 of 3 messages were lost, the last one arrived"),
        "{told}"
    );
    assert!(told.contains("HTTP 503"), "{told}");
}

#[test]
fn a_refused_message_is_not_sent_again() {
    let pushing = begin(&[200, 400, 200], "60000").unwrap();
    let told = pushing.end().unwrap();
    assert!(
        told.contains("1 of 2 messages were lost, the last one among them"),
        "{told}"
    );
}

#[test]
fn a_collector_that_is_not_there_is_told_before_any_load() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let Ok(Choice::On(settings)) = choose(Some(&format!("http://127.0.0.1:{port}")), &[]) else {
        panic!("not on");
    };
    let problem = Pushing::begin(*settings, Board::new(observed())).unwrap_err();
    let text = problem.to_string();
    assert!(
        text.contains("metrics cannot be sent to http://127.0.0.1"),
        "{text}"
    );
    assert!(text.contains("hint: start a collector"), "{text}");
    let problem = begin(&[401], "60000").unwrap_err().to_string();
    assert!(problem.contains("HTTP 401"), "{problem}");
}
