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

#[test]
fn media_go_where_there_is_a_place_for_them() {
    refuses(
        "--dataset-name random-mm",
        &expect![[r"
            error: pictures cannot be sent to --backend openai
              hint: use --backend openai-chat --endpoint /v1/chat/completions, or openai-responses; openai-embeddings-chat, openai-embeddings-clip, openai-embeddings-vlm2vec and infinity-embeddings-clip embed pictures"]],
    );
    refuses(
        "--dataset-name custom_image --dataset-path f --backend infinity-embeddings --endpoint /embeddings",
        &expect![[r"
            error: pictures cannot be sent to --backend infinity-embeddings
              hint: use --backend openai-chat --endpoint /v1/chat/completions, or openai-responses; openai-embeddings-chat, openai-embeddings-clip, openai-embeddings-vlm2vec and infinity-embeddings-clip embed pictures"]],
    );
    refuses(
        "--dataset-name custom_audio --dataset-path f",
        &expect![[r"
            error: recordings as files cannot be sent to --backend openai
              hint: use --backend openai-audio --endpoint /v1/audio/transcriptions; custom_audio with --enable-multimodal-chat is for --backend openai-chat"]],
    );
    refuses(
        "--dataset-name custom_audio --dataset-path f --enable-multimodal-chat --backend openai-audio \
         --endpoint /v1/audio/transcriptions",
        &expect![[r"
            error: recordings in messages cannot be sent to --backend openai-audio
              hint: leave out --enable-multimodal-chat"]],
    );
    refuses(
        "--backend openai-audio --endpoint /v1/audio/transcriptions",
        &expect![[r"
            error: prompts without a recording cannot be sent to --backend openai-audio
              hint: use --dataset-name custom_audio, or a data set of recordings with --dataset-name hf"]],
    );
    refuses(
        "--backend vllm-rerank --endpoint /v1/rerank",
        &expect![[r"
            error: texts that are no query with documents cannot be sent to --backend vllm-rerank
              hint: use --dataset-name random-rerank"]],
    );
    refuses(
        "--dataset-name random-mm --backend openai-responses --endpoint /v1/responses \
         --random-mm-bucket-config '{(9, 9, 1): 0.5, (9, 9, 2): 0.5}'",
        &expect![[r"
            error: films cannot be sent to --backend openai-responses
              hint: use --backend openai-chat --endpoint /v1/chat/completions; openai-embeddings-chat, openai-embeddings-clip, openai-embeddings-vlm2vec and infinity-embeddings-clip embed films"]],
    );
    refuses(
        "--dataset-name random-mm --backend infinity-embeddings-clip --endpoint /embeddings --random-mm-base-items-per-request 2",
        &expect![[r"
            error: several pictures or films in one request cannot be sent to --backend infinity-embeddings-clip
              hint: use --random-mm-base-items-per-request 1, or --backend openai-embeddings-clip --endpoint /v1/embeddings"]],
    );
    for flags in [
        "--dataset-name random-mm --backend openai-responses --endpoint /v1/responses",
        "--dataset-name random-mm --backend infinity-embeddings-clip --endpoint /embeddings",
        "--dataset-name custom_audio --dataset-path f --backend openai-audio --endpoint /v1/audio/transcriptions",
        "--random-batch-size 3 --backend vllm-rerank --endpoint /v1/rerank",
    ] {
        assert!(translated(&words(flags)).is_ok(), "{flags}");
    }
}
