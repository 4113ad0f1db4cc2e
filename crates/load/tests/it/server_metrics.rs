//! Pages of metrics read beside a load: pages that come, that change, that hang, that are too long, and that are none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crestline_core::server_series::PageRead;
use crestline_core::units::Nanos;
use crestline_load::clock::Clock;
use crestline_load::server_metrics::{MetricsError, MetricsSource, Sampled, Sampler, Timing};
use crestline_load::target::{Header, Secret, Target};

use crate::script::{Script, Step, pause, setup};

fn reply(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn source(target: &Target, url: Option<&str>) -> MetricsSource {
    MetricsSource::find(target, url, &[], |_| None).unwrap()
}

/// The pages that are read from a service in so many milliseconds, their times moved by a minute.
fn sampled(script: &Script, millis: u64) -> (Vec<PageRead>, Sampled) {
    let (to, pages) = channel();
    let timing = Timing {
        clock: Clock::start(),
        offset: Nanos::from_secs(60),
    };
    let source = source(&setup(&script.url).target, None);
    let sampler = Sampler::start(source, timing, move |page| to.send(page).unwrap()).unwrap();
    pause(Duration::from_millis(millis));
    let ended = sampler.end();
    (pages.iter().collect(), ended)
}

#[test]
fn a_page_is_read_at_the_start_each_second_and_at_the_end() {
    let script = Script::serve(|_, all| {
        Step::Send(vec![reply(&format!(
            "# TYPE done_total counter\ndone_total {all}\n"
        ))])
    });
    let (pages, sampled) = sampled(&script, 1300);
    assert_eq!(sampled.missed, 0);
    assert!(sampled.read >= 3, "{sampled:?}");
    assert_eq!(pages.len() as u64, sampled.read);
    let values: Vec<f64> = pages
        .iter()
        .map(|page| page.content.as_ref().unwrap()[0].value)
        .collect();
    let counted: Vec<f64> = (0..pages.len()).map(|number| number as f64).collect();
    assert_eq!(values, counted);
    assert!(pages.is_sorted_by_key(|page| page.at));
    assert!(pages[0].at >= Nanos::from_secs(60));
    assert!(pages[1].at >= pages[0].at + Nanos::from_millis(500));
    assert_eq!(script.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_page_that_hangs_is_missed_and_the_end_does_not_try_it_again() {
    let script = Script::serve(|_, _| Step::Hang(vec![]));
    let (pages, sampled) = sampled(&script, 100);
    assert_eq!((sampled.read, sampled.missed), (0, 1));
    let why = sampled.first_problem.unwrap();
    assert!(why.contains("no whole answer within"), "{why}");
    assert_eq!(pages[0].content.as_ref().unwrap_err(), &why);
    assert!(pages[0].at >= Nanos::from_secs(61));
    assert_eq!(script.most_in_flight.load(Ordering::SeqCst), 1);
}

#[test]
fn a_page_that_comes_back_is_read_again() {
    let script = Script::serve(|_, all| match all {
        1 => Step::Send(vec![
            "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ]),
        _ => Step::Send(vec![reply("up 1\n")]),
    });
    let (pages, sampled) = sampled(&script, 2300);
    assert_eq!(sampled.missed, 1);
    assert!(sampled.read >= 3, "{sampled:?}");
    let went_well: Vec<bool> = pages.iter().map(|page| page.content.is_ok()).collect();
    assert_eq!(went_well[..3], [true, false, true]);
    assert!(sampled.first_problem.unwrap().contains("HTTP 500"));
}

/// Why a page with this body is not taken.
fn refusal(body: String) -> MetricsError {
    let script = Script::serve(move |_, _| Step::Send(vec![reply(&body)]));
    let mut source = source(&setup(&script.url).target, None);
    source.read().unwrap_err()
}

#[test]
fn what_is_no_page_of_metrics_or_too_much_of_one_is_not_taken() {
    let page = refusal("<!doctype html>\n<p>hello there</p>\n".to_owned());
    assert!(matches!(page, MetricsError::NoMetrics { .. }), "{page}");
    let long = refusal("x 1\n".repeat(3 << 20));
    assert!(
        long.to_string().contains("longer than 8388608 bytes"),
        "{long}"
    );
    let lines: Vec<String> = (0..20_001).map(|number| format!("a{number} 1")).collect();
    let many = refusal(lines.join("\n"));
    assert!(matches!(many, MetricsError::TooMany { count: 20_001, .. }));
}

#[test]
fn a_page_at_another_place_gets_no_key() {
    let page = || Script::serve(|_, _| Step::Send(vec![reply("up 1\n")]));
    let (service, other) = (page(), page());
    let mut target = setup(&service.url).target;
    target.api_key = Some(Secret::new("s3cret-key"));
    target.headers = vec![Header {
        name: "x-team-token".to_owned(),
        value: Secret::new("t0ken"),
    }];
    let root = |script: &Script| script.url.replace("/v1/chat/completions", "");
    let elsewhere = format!("{}/status/metrics?all=1", root(&other));
    let beside = format!("{}/", root(&service));
    for url in [None, Some(beside.as_str()), Some(elsewhere.as_str())] {
        source(&target, url).read().unwrap();
    }
    let heads = service.heads.lock().unwrap();
    for head in heads.iter() {
        assert!(head.starts_with("GET /metrics HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("s3cret-key") && head.contains("t0ken"));
    }
    assert_eq!(heads.len(), 2);
    let heads = other.heads.lock().unwrap();
    assert!(heads[0].starts_with("GET /status/metrics?all=1 HTTP/1.1\r\n"));
    assert!(!heads[0].contains("s3cret-key") && !heads[0].contains("t0ken"));
    assert!(heads[0].contains("crestline/"), "{}", heads[0]);
}

#[test]
fn a_sampler_that_is_dropped_ends_its_thread() {
    static READ: AtomicU64 = AtomicU64::new(0);
    let script = Script::serve(|_, _| Step::Send(vec![reply("up 1\n")]));
    let timing = Timing {
        clock: Clock::start(),
        offset: Nanos::ZERO,
    };
    let source = source(&setup(&script.url).target, None);
    drop(Sampler::start(source, timing, |_| {
        READ.fetch_add(1, Ordering::SeqCst);
    }));
    let read = READ.load(Ordering::SeqCst);
    assert!(read >= 1);
    pause(Duration::from_millis(1200));
    assert_eq!(READ.load(Ordering::SeqCst), read);
}
