//! What the flags of the service change that have nothing to do with the load.

use super::*;

#[test]
fn certificates_need_no_proof_where_that_is_asked_for() {
    changes(
        "--insecure --base-url https://h",
        &expect![[r#"
            subject.live.certificates = "unchecked"
            subject.live.url = "https://h/v1/completions""#]],
    );
}

#[test]
fn the_user_is_warned_where_it_makes_a_difference() {
    let warned = |flags: &str| {
        let all: Vec<&str> = BASE.iter().copied().chain(flags.split(' ')).collect();
        unproved(&read(&all).unwrap().connection)
    };
    for (flags, expected) in [
        ("--insecure --base-url https://h", true),
        ("--insecure --base-url HTTPS://h", true),
        ("--insecure --base-url http://h", false),
        ("--insecure --port 1", false),
        ("--base-url https://h", false),
    ] {
        assert_eq!(warned(flags).is_some(), expected, "{flags}");
    }
}

#[test]
fn adapters_are_asked_for_in_place_of_the_model() {
    changes(
        "--lora-modules a b",
        &expect![[r#"
            adapters.assignment = "random"
            adapters.names = ["a","b"]
            adapters.seed = 0"#]],
    );
    changes(
        "--lora-modules a --lora-assignment round-robin --seed 3",
        &expect![[r#"
            adapters.assignment = "round_robin"
            adapters.names = ["a"]
            adapters.seed = 3
            workload.seed = 3"#]],
    );
    refuses(
        "--lora-modules a --backend tgi --endpoint /generate_stream",
        &expect![[r"
            error: --lora-modules has no meaning with --backend tgi
              cause: its requests name no model
              hint: leave it out, and start the server with the adapter"]],
    );
}

#[test]
fn paths_of_the_service_itself_stand_behind_the_base_url_without_the_version() {
    let prefix = |flags: &str| {
        let all: Vec<&str> = BASE.iter().copied().chain(words(flags)).collect();
        path_prefix(&read(&all).unwrap().connection).to_owned()
    };
    for (flags, expected) in [
        ("", ""),
        ("--base-url http://h:1", ""),
        ("--base-url http://h:1/", ""),
        ("--base-url http://h:1/v1/", ""),
        ("--base-url http://h:1/a/b?c=d", "/a/b"),
        ("--base-url http://h:1/a/v1", "/a"),
    ] {
        assert_eq!(prefix(flags), expected, "{flags}");
    }
}
