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

/// Prompts and models of the requests that a server wrote down.
fn models_of(place: &Place, folder: &str) -> Vec<String> {
    let path = place.path(&format!("{folder}/benchmark_data.db"));
    let database = rusqlite::Connection::open(path).unwrap();
    let mut rows = database
        .prepare("SELECT request FROM result ORDER BY request_index")
        .unwrap();
    let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    bodies
        .map(|body| {
            let body: serde_json::Value = serde_json::from_str(&body.unwrap()).unwrap();
            body["model"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn requests_ask_for_adapters_in_turn_or_by_the_seed() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        "--profile constant-20ms --model base --lora-modules red blue",
    );
    let run = |folder: &str, more: &str| {
        let line = format!(
            "{RUN} --model base --base-url {} --num-warmups 1 --ready-check-timeout-sec 5 --lora-modules red blue \
             --save-result --result-dir {folder} --result-filename r.json {more}",
            sim.root()
        );
        place.run(&line).done();
        let json = place.json(&format!("{folder}/r.json"));
        assert_eq!(json["failed"], 0);
        let records = place
            .list(folder)
            .into_iter()
            .find(|name| name.starts_with("crestline-"))
            .unwrap();
        let load = place.list(&format!("{folder}/{records}")).remove(0);
        let models = models_of(&place, &format!("{folder}/{records}/{load}"));
        for name in ["red", "blue"] {
            let count = models.iter().filter(|model| *model == name).count();
            assert_eq!(json["crestline_adapters"][name], count, "{models:?}");
        }
        models
    };
    // The warm-up had the first turn.
    assert_eq!(
        run("turns", "--lora-assignment round-robin"),
        ["blue", "red", "blue", "red", "blue", "red"]
    );
    assert_eq!(run("once", "--seed 1"), run("twice", "--seed 1"));
    assert_ne!(
        run("one", "--seed 1 --num-prompts 24 --max-concurrency 24"),
        run("two", "--seed 2 --num-prompts 24 --max-concurrency 24")
    );
}

#[test]
fn an_adapter_that_the_service_does_not_have_is_told_by_the_ready_check() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        "--profile constant-20ms --model base --lora-modules red",
    );
    let line = format!(
        "{RUN} --model base --base-url {} --ready-check-timeout-sec 1 --lora-modules green",
        sim.root()
    );
    let ran = place.run(&line);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.err.contains("green"), "{ran:#?}");
}

#[test]
fn a_simulated_service_lists_its_adapters_and_answers_404_to_other_names() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        "--profile constant-20ms --model base --lora-modules red blue",
    );
    let url = format!("{}/v1/chat/completions", sim.root());
    let target = crestline_load::target::Target {
        url,
        headers: Vec::new(),
        api_key: None,
        connect_timeout: None,
        read_timeout: None,
        total_timeout: crestline_core::units::Nanos::from_secs(20),
        certificates: crestline_load::target::Certificates::Checked,
    };
    let limit = target.total_timeout;
    let mut aside = crestline_load::aside::Aside::new(&target, limit, &[], |_| None).unwrap();
    let models: serde_json::Value = aside.get_json("/v1/models").unwrap();
    let names: Vec<_> = models["data"].as_array().unwrap().iter().collect();
    let shown: Vec<_> = names
        .iter()
        .map(|model| (model["id"].as_str().unwrap(), model["parent"].as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("base", None),
            ("red", Some("base")),
            ("blue", Some("base"))
        ]
    );
    let mut ask = |model: &str| {
        let body = serde_json::json!({"model": model, "prompt": "hi", "max_tokens": 1});
        aside.post_json::<serde_json::Value>("/v1/completions", &body)
    };
    assert!(ask("red").is_ok() && ask("base").is_ok());
    assert!(ask("green").unwrap_err().is_unknown_path());
}

/// A tokenizer that finds more tokens in a text than the builtin one.
const OTHER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/tokenizer/varieties/sentence_pieces"
);

#[test]
fn random_prompts_are_cut_where_the_service_counts_more_tokens() {
    let place = Place::new();
    let sim = Sim::start(
        &place,
        &format!("--profile constant-20ms --model served --check-model --tokenizer-path {OTHER}"),
    );
    let base = format!(
        "{RUN} --model m --served-model-name served --base-url {} --num-warmups 1 --save-result --save-detailed \
         --result-filename r.json",
        sim.root()
    );
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    let repeated = "--dataset-name prefix_repetition --prefix-repetition-prefix-len 6 --prefix-repetition-suffix-len 10 \
                    --prefix-repetition-num-prefixes 2 --output-len 4";
    for more in ["", chat, repeated] {
        let ran = place.run(&format!("{base} {more}")).done();
        let told = "the service counts other tokens in random prompts than tokenizer `builtin`: of 7 prompts 7 were too long";
        assert!(ran.err.contains(told), "{ran:#?}");
        let json = place.json("r.json");
        assert_eq!(json["failed"], 0, "{more}: {json}");
        let lengths = json["input_lens"].as_array().unwrap();
        let lengths: Vec<u64> = lengths
            .iter()
            .map(|length| length.as_u64().unwrap())
            .collect();
        if more.contains("chat") {
            // Where the template ends and the text begins, tokens may join.
            let (least, most) = (lengths.iter().min(), lengths.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 2, "{lengths:?}");
        } else {
            // The server puts one token before each prompt.
            assert_eq!(lengths, [17; 6], "{more}");
        }
    }
}

#[test]
fn a_service_that_counts_alike_or_not_at_all_gets_prompts_as_they_are() {
    let place = Place::new();
    let sim = Sim::start(&place, "--profile constant-20ms");
    let run = |more: &str| {
        let line = format!("{RUN} --model m --base-url {} {more}", sim.root());
        place.run(&line).done().err
    };
    for more in [
        "",
        "--prompt-token-ids",
        "--dataset-name random-mm --backend openai-chat --endpoint /v1/chat/completions",
    ] {
        let err = run(more);
        assert!(!err.contains("tokens in random prompts"), "{more}: {err}");
    }
    // A path of its own, under which the simulated service counts nothing.
    let line = format!(
        "{RUN} --model m --base-url {}/elsewhere --backend tgi --endpoint /generate_stream",
        sim.root()
    );
    let err = place.run(&line).done().err;
    let told = "whether the service counts the same tokens in random prompts as tokenizer `builtin` is not known: /elsewhere/tokenize: HTTP 404";
    assert!(err.contains(told), "{err}");
}

#[test]
fn media_in_a_file_are_refused_before_the_load_where_they_have_no_place() {
    let place = Place::new();
    let entry = |more: &str| {
        format!(
            r#"[{{"conversations": [{{"value": "what do you see in there, please"}}, {{"value": "a small house"}}]{more}}}]"#
        )
    };
    let write = |name: &str, text: &str| std::fs::write(place.path(name), text).unwrap();
    write("plain.json", &entry(""));
    write("picture.json", &entry(r#", "image": "http://h/a.png""#));
    write("film.json", &entry(r#", "video": "http://h/a.mp4""#));
    let sim = Sim::start(&place, "--profile constant-20ms");
    let run = |file: &str, more: &str| {
        place.run(&format!(
            "bench serve --model m --tokenizer builtin --dataset-name sharegpt --dataset-path {file} --sharegpt-output-len 4 \
             --num-prompts 2 --base-url {} {more}",
            sim.root()
        ))
    };
    let chat = "--backend openai-chat --endpoint /v1/chat/completions";
    for (file, what) in [("picture.json", "pictures"), ("film.json", "films")] {
        let ran = run(file, "");
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        for part in [
            "error: the prompts cannot be sent",
            &format!("the data set has {what}"),
            "use --backend openai-chat --endpoint /v1/chat/completions",
        ] {
            assert!(ran.err.contains(part), "{part}: {ran:#?}");
        }
        run(file, chat).done();
    }
    run("plain.json", "").done();
    let responses = run(
        "film.json",
        "--backend openai-responses --endpoint /v1/responses",
    );
    assert_eq!(responses.code, Some(2), "{responses:#?}");
}
