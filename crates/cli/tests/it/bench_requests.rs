//! What `crestline bench serve` sends and to whom, against the simulated engine over real sockets.

use crate::encrypted::Encrypted;
use crate::harness::{Place, Sim};

const RUN: &str = "bench serve --tokenizer builtin --random-input-len 16 --random-output-len 4 --num-prompts 6 --max-concurrency 2";

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_with_what_to_do() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let service = Encrypted::before(&sim, &place);
    for model in ["--model m", ""] {
        let ran = place.run(&format!("{RUN} {model} --base-url {}", service.url));
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        for part in ["certificate", "SSL_CERT_FILE", "--insecure"] {
            assert!(ran.err.contains(part), "{ran:#?}");
        }
        assert!(!ran.err.contains("warning:"), "{ran:#?}");
    }
}

#[test]
fn insecure_measures_all_the_same_and_warns() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let service = Encrypted::before(&sim, &place);
    // The model is asked for beside the load.
    let line = format!(
        "{RUN} --insecure --reset-prefix-cache --base-url {} --save-result --result-filename r.json",
        service.url
    );
    let ran = place.run(&line).done();
    assert!(ran.err.contains("warning: --insecure"), "{ran:#?}");
    assert_eq!(place.json("r.json")["completed"], 6);
}

#[test]
fn a_certificate_whose_issuer_is_trusted_is_accepted() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let service = Encrypted::before(&sim, &place);
    let line = format!("{RUN} --model m --base-url {}", service.url);
    let mut command = place.command(&line);
    command.env("SSL_CERT_FILE", &service.certificate);
    let ran = crate::harness::Ran::from(command.output().unwrap()).done();
    assert!(!ran.err.contains("warning:"), "{ran:#?}");
    assert!(ran.out.contains("Successful requests:"), "{ran:#?}");
}
