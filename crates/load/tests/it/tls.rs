//! HTTP/1.1 over TLS, and certificates that are not accepted.

use std::sync::atomic::Ordering;

use crestline_core::record::{FailureKind, RequestRecord};
use crestline_core::units::Nanos;
use crestline_load::aside::Aside;
use crestline_load::engine::{Engine, EngineError, Setup, Stop};
use crestline_load::target::Certificates;

use crate::certificate::{Certificate, encrypted};
use crate::http2_script::{Http2Script, Manners, Reply};
use crate::script::{Script, Step, answer, apply_by, check_times, closed, events, setup};

/// An HTTP/1.1 server with a certificate, which offers these protocols.
fn serve(
    certificate: &Certificate,
    protocols: &[&str],
    step: impl Fn(usize, usize) -> Step + Send + Sync + 'static,
) -> Script {
    let mut script = Script::serve_over(encrypted(certificate.config(protocols)), step);
    script.url = script.url.replacen("http://", "https://", 1);
    script
}

#[test]
fn a_closed_loop_over_tls_succeeds_and_keeps_its_connections() {
    let certificate = Certificate::of("127.0.0.1");
    for protocols in [&["http/1.1"][..], &[]] {
        let script = serve(&certificate, protocols, |_, _| Step::Send(answer(4)));
        let engine =
            Engine::new(setup(&script.url), "test", &certificate.roots(), |_| None).unwrap();
        engine.check(&Stop::default()).unwrap();
        let (records, applied) = apply_by(&engine, closed(3, 12), &Stop::default());
        assert_eq!(records.len(), 12);
        for record in &records {
            assert_eq!((&record.failure, record.chunks), (&None, 4));
            check_times(record);
        }
        assert!(applied.health.events >= 12 * 4);
        // One to see the protocol, one for the test request, one for each slot.
        assert_eq!(script.connections.load(Ordering::SeqCst), 5);
        assert!(
            records
                .iter()
                .filter(|record| record.connect.is_some())
                .count()
                <= 3
        );
    }
}

#[test]
fn a_connection_closed_without_notice_is_replaced_over_tls_too() {
    let certificate = Certificate::of("127.0.0.1");
    let script = serve(&certificate, &["http/1.1"], |_, _| {
        Step::SendAndClose(answer(2))
    });
    let engine = Engine::new(setup(&script.url), "test", &certificate.roots(), |_| None).unwrap();
    let (records, _) = apply_by(&engine, closed(2, 10), &Stop::default());
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    let reconnects: u32 = records.iter().map(|record| record.reconnects).sum();
    assert_eq!(reconnects, 8);
    assert_eq!(script.requests.load(Ordering::SeqCst), 10);
}

fn refusal(url: &str, certificate: &Certificate) -> (FailureKind, String) {
    match Engine::new(setup(url), "test", &certificate.roots(), |_| None) {
        Err(error @ EngineError::Unreachable(_)) => {
            let text = error.to_string();
            let EngineError::Unreachable(failure) = error else {
                unreachable!()
            };
            (failure.kind, text)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_an_error_before_any_load() {
    let certificate = Certificate::of("127.0.0.1");
    let script = serve(&certificate, &["http/1.1"], |_, _| Step::Send(answer(1)));
    let (kind, text) = refusal(&script.url, &Certificate::of("127.0.0.1"));
    assert_eq!(kind, FailureKind::Tls);
    assert!(
        text.contains("no connection to the service") && text.contains("certificate"),
        "{text}"
    );
    assert_eq!(script.requests.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_for_another_host_is_an_error_before_any_load() {
    let certificate = Certificate::of("elsewhere.example");
    let script = serve(&certificate, &["http/1.1"], |_, _| Step::Send(answer(1)));
    let (kind, text) = refusal(&script.url, &certificate);
    assert_eq!(kind, FailureKind::Tls);
    assert!(text.contains("elsewhere.example"), "{text}");
}

/// Settings for a service whose certificate nobody looks at.
fn unchecked(url: &str) -> Setup {
    let mut setup = setup(url);
    setup.target.certificates = Certificates::Unchecked;
    setup
}

#[test]
fn a_certificate_that_is_not_checked_may_be_of_anyone_for_any_host() {
    let certificate = Certificate::of("elsewhere.example");
    let script = serve(&certificate, &["http/1.1"], |_, _| Step::Send(answer(2)));
    let engine = Engine::new(unchecked(&script.url), "test", &[], |_| None).unwrap();
    engine.check(&Stop::default()).unwrap();
    let (records, _) = apply_by(&engine, closed(2, 6), &Stop::default());
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
}

#[test]
fn a_certificate_that_is_not_checked_is_accepted_over_http2_too() {
    let certificate = Certificate::of("elsewhere.example");
    let script = Http2Script::serve(&certificate, Manners::default(), |_, _| {
        Reply::Send(events(3))
    });
    let engine = Engine::new(unchecked(&script.url), "test", &[], |_| None).unwrap();
    let (records, _) = apply_by(&engine, closed(4, 8), &Stop::default());
    assert_eq!(records.len(), 8);
    assert!(records.iter().all(RequestRecord::succeeded), "{records:?}");
    // One to see the protocol, one for the load.
    assert_eq!(script.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn what_is_asked_beside_a_load_follows_the_same_rule() {
    let certificate = Certificate::of("elsewhere.example");
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let script = serve(&certificate, &["http/1.1"], move |_, _| {
        Step::Send(vec![page.to_owned()])
    });
    let ask = |setup: Setup| {
        let limit = Nanos::from_secs(20);
        let mut aside = Aside::new(&setup.target, limit, &[], |_| None).unwrap();
        aside.get("/metrics").map(|page| page.text())
    };
    assert_eq!(ask(unchecked(&script.url)).unwrap(), "ok");
    let refused = ask(setup(&script.url)).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[test]
fn a_server_without_tls_is_an_error_before_any_load() {
    let script = Script::serve(|_, _| Step::Send(answer(1)));
    let url = script.url.replacen("http://", "https://", 1);
    let mut impatient = setup(&url);
    impatient.target.connect_timeout = Some(Nanos::from_millis(200));
    let error = Engine::new(impatient, "test", &[], |_| None).unwrap_err();
    assert!(
        error.to_string().contains("no connection within"),
        "{error}"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let (kind, _) = refusal(&url, &Certificate::of("127.0.0.1"));
    assert_eq!(kind, FailureKind::ConnectRefused);
}
