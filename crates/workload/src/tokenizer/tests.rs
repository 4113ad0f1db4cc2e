//! Tests of loading tokenizers, and of the short cut over safe words on every kind of vocabulary.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/tokenizer")
        .join(path)
}

fn variety(name: &str) -> Tokenizer {
    Tokenizer::load(fixture("varieties").join(name).to_str().unwrap()).unwrap()
}

/// One of each kind, and whether its texts may be cut at safe words.
static KINDS: LazyLock<Vec<(Tokenizer, bool)>> = LazyLock::new(|| {
    vec![
        (Tokenizer::builtin(), true),
        (variety("sentence_pieces"), true),
        (variety("phrases"), false),
        (variety("word_level"), true),
        (variety("word_piece"), true),
        (variety("unigram"), true),
        (Tokenizer::load("cl100k_base").unwrap(), true),
    ]
});

/// Texts of safe words with everything in between that could disturb them.
fn texts() -> impl Strategy<Value = String> {
    let disturbance = prop::sample::select(vec![
        "",
        " ",
        "\n",
        "\n\n",
        "\t",
        ",",
        ".",
        "'s",
        "3",
        "数据",
        "é",
        "a",
        "the",
        "The",
        "of",
        "in",
        "<s>",
        "</s>",
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "[UNK]",
        "[SEP]",
        "user",
        "xqz",
        "▁",
        "Ġ",
        "😀",
    ]);
    let words = prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize), 0..6);
    let piece = (
        prop::collection::vec(disturbance, 0..4),
        any::<bool>(),
        words,
    );
    prop::collection::vec(piece, 1..5).prop_map(|pieces| {
        let common = KINDS[3].0.safe_words().words();
        let mut text = String::new();
        for (disturbances, spaced, words) in pieces {
            for disturbance in disturbances {
                text.push_str(if spaced { " " } else { "" });
                text.push_str(disturbance);
            }
            for (index, repeats) in words {
                for shift in 0..repeats {
                    let word = &common[(index.index(common.len()) + shift * 31) % common.len()];
                    text.push(' ');
                    text.push_str(&word.text);
                }
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_short_cut_never_changes_the_tokens_of_a_text(text in texts()) {
        for (tokenizer, _) in KINDS.iter() {
            let whole = tokenizer.encode_whole(&text);
            prop_assert_eq!(&tokenizer.encode(&text), &whole, "{}", tokenizer.name());
            prop_assert_eq!(tokenizer.count(&text), whole.len(), "{}", tokenizer.name());
        }
    }
}

#[test]
fn texts_are_cut_at_words_except_where_tokens_reach_over_them() {
    for (tokenizer, cuttable) in KINDS.iter() {
        let safe = tokenizer.safe_words();
        let words: Vec<&str> = safe
            .words()
            .iter()
            .take(60)
            .map(|word| &*word.text)
            .collect();
        let counted = safe.count(&words.join(" "), tokenizer);
        assert_eq!(counted.is_some(), *cuttable, "{}", tokenizer.name());
    }
}

#[test]
fn safe_words_are_one_token_at_the_start_and_behind_each_other() {
    for (tokenizer, _) in KINDS.iter() {
        let safe = tokenizer.safe_words();
        assert!(
            safe.words().len() > 100,
            "{}: {}",
            tokenizer.name(),
            safe.words().len()
        );
        for word in safe.starts() {
            assert_eq!(
                tokenizer.encode_whole(&word.text),
                [word.id],
                "{}",
                tokenizer.name()
            );
        }
        let start = &safe.starts()[0];
        for word in safe.words().iter().step_by(17) {
            let text = format!("{} {}", start.text, word.text);
            assert_eq!(
                tokenizer.encode_whole(&text),
                [start.id, word.id],
                "{}",
                tokenizer.name()
            );
        }
    }
}

#[test]
fn the_builtin_tokenizer_brings_back_any_text() {
    let tokenizer = builtin();
    for text in [
        "",
        "hello there",
        " two  spaces\n",
        "数据 😀 naïve",
        "<|im_start|>user\n",
        "\u{0}\u{7f}",
    ] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{text:?}");
    }
}

#[test]
fn the_builtin_tokenizer_knows_thousands_of_words_and_its_special_tokens() {
    let tokenizer = builtin();
    assert!(tokenizer.safe_words().words().len() >= 3000);
    assert!(tokenizer.safe_words().starts().len() >= 256);
    let special =
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(|text| tokenizer.encode(text));
    assert_eq!(special.concat(), tokenizer.special_ids());
    assert_eq!(tokenizer.added_to_prompts(), 0);
    assert!(BUILTIN_TOKENIZER.len() <= 400_000);
    let highest = tokenizer.plain_ids().into_iter().max().unwrap();
    assert_eq!(highest + 1, tokenizer.vocab_size());
}

#[test]
fn tokens_put_around_prompts_are_only_in_the_prompt_encoding() {
    let (pieces, word_piece) = (&KINDS[1].0, &KINDS[4].0);
    assert_eq!(
        (pieces.added_to_prompts(), word_piece.added_to_prompts()),
        (1, 2)
    );
    let bare = pieces.encode("able");
    assert_eq!(pieces.encode_prompt("able"), [&[1], &bare[..]].concat());
}

#[test]
fn byte_tokens_and_special_tokens_are_not_plain() {
    let pieces = &KINDS[1].0;
    let plain: HashSet<u32> = pieces.plain_ids().into_iter().collect();
    assert!(
        (0..259).all(|id| !plain.contains(&id)),
        "3 special tokens and 256 bytes"
    );
    assert_eq!(plain.len() as u32, pieces.vocab_size() - 259);
}

#[test]
fn encodings_of_tiktoken_are_loaded_by_name() {
    let tokenizer = Tokenizer::load("o200k_base").unwrap();
    // The published tokens of this text.
    assert_eq!(tokenizer.encode("hello world"), [24912, 2375]);
    assert_eq!(tokenizer.encode("<|endoftext|>"), [199_999]);
    assert_eq!(tokenizer.decode(&[24912, 2375]), "hello world");
    assert_eq!(tokenizer.vocab_size(), 200_019);
    assert!(tokenizer.safe_words().words().len() > 10_000);
}

/// A vocabulary of all bytes and a few words, as a tiktoken file.
fn rank_file() -> String {
    let words = [" he", " hel", " hell", "lo", " hello"].map(|word| word.as_bytes().to_vec());
    let pairs = [b" h".to_vec()];
    let tokens = (0..=255).map(|byte| vec![byte]).chain(pairs).chain(words);
    let lines: Vec<String> = tokens
        .enumerate()
        .map(|(rank, bytes)| format!("{} {rank}\n", STANDARD.encode(bytes)))
        .collect();
    lines.concat()
}

#[test]
fn a_tiktoken_file_is_loaded_with_the_special_tokens_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiktoken.model"), rank_file()).unwrap();
    let config = r#"{"added_tokens_decoder": {"300": {"content": "<|end|>"}}, "eos_token": {"content": "<|end|>"}}"#;
    fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
    let tokenizer = Tokenizer::load(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(tokenizer.encode("a hello<|end|>"), [97, 261, 300]);
    assert_eq!(tokenizer.decode(&[97, 261, 300]), "a hello<|end|>");
    assert_eq!(tokenizer.special_ids(), [300]);
    assert_eq!(
        tokenizer.settings().special_text("eos_token"),
        Some("<|end|>")
    );
    assert!(
        tokenizer.notes()[0].contains("cl100k_base"),
        "{:?}",
        tokenizer.notes()
    );
}

#[test]
fn a_tiktoken_file_without_special_tokens_encodes_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.tiktoken");
    fs::write(&path, rank_file()).unwrap();
    let tokenizer = Tokenizer::load(path.to_str().unwrap()).unwrap();
    assert_eq!(tokenizer.encode("a hello"), [97, 261]);
}

#[test]
fn damaged_tiktoken_files_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.tiktoken");
    let whole = rank_file();
    let without_first = whole.split_once('\n').unwrap().1.to_owned();
    for (text, reason) in [
        (without_first, "byte 0x00 has no token"),
        (
            format!("{whole}nonsense\n"),
            "line 263 is not `base64 rank` with a rank of its own",
        ),
        (
            format!("{whole}QUE= 5\n"),
            "line 263 is not `base64 rank` with a rank of its own",
        ),
        (
            format!("{whole}AA== 900\n"),
            "a byte sequence has two ranks",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let error = Tokenizer::load(path.to_str().unwrap()).unwrap_err();
        let expected = format!(
            "{} is not a usable tokenizer file: {reason}",
            path.display()
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_vocabulary_that_cannot_encode_every_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let text = r#"{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"?"}}"#;
    fs::write(&path, text).unwrap();
    let error = Tokenizer::load(path.to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("it cannot encode every text"), "{error}");
}

/// Puts the builtin tokenizer's files into a folder.
fn install(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::copy(fixture("tokenizer.json"), folder.join("tokenizer.json")).unwrap();
}

#[test]
fn hub_names_are_found_in_the_local_caches() {
    for (variable, layout) in [
        ("HF_HOME", "hub/models--org--small/snapshots/abc"),
        ("HF_HUB_CACHE", "models--org--small/snapshots/abc"),
        ("MODELSCOPE_CACHE", "hub/models/org/small"),
        ("MODELSCOPE_CACHE", "models/org/small"),
        (
            "HOME",
            ".cache/huggingface/hub/models--org--small/snapshots/abc",
        ),
        ("HOME", ".cache/modelscope/hub/org/small"),
    ] {
        let root = tempfile::tempdir().unwrap();
        install(&root.path().join(layout));
        let caches = HubCaches::from_variables(|name| {
            (name == variable).then(|| root.path().to_str().unwrap().to_owned())
        });
        let tokenizer = Tokenizer::load_with("org/small", &caches).unwrap();
        assert_eq!(
            tokenizer.vocab_size(),
            builtin().vocab_size(),
            "{variable} {layout}"
        );
    }
}

#[test]
fn a_snapshot_without_a_tokenizer_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let model = root.path().join("hub/models--org--small");
    fs::create_dir_all(model.join("snapshots/new")).unwrap();
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), "new").unwrap();
    install(&model.join("snapshots/old"));
    let caches = HubCaches::from_variables(|name| {
        (name == "HF_HOME").then(|| root.path().to_str().unwrap().to_owned())
    });
    assert!(Tokenizer::load_with("org/small", &caches).is_ok());
}

#[test]
fn a_tokenizer_that_is_nowhere_is_refused_with_places_and_what_to_do() {
    let caches = HubCaches {
        hugging_face: vec!["/cache/hub".into()],
        model_scope: vec!["/scope".into()],
    };
    let error = Tokenizer::load_with("org/small-1.5", &caches).unwrap_err();
    let text = error.to_string();
    for place in [
        "org/small-1.5",
        "/cache/hub/models--org--small-1.5",
        "/scope/hub/models/org/small-1___5",
    ] {
        assert!(text.contains(place), "{text}");
    }
    let hint = error.hint().unwrap();
    for way in [
        "hf download org/small-1.5 tokenizer.json tokenizer_config.json",
        "--tokenizer-path FOLDER",
        "--tokenizer-path builtin",
    ] {
        assert!(hint.contains(way), "{hint}");
    }
}

#[test]
fn a_folder_without_a_tokenizer_is_refused_with_the_names_of_files_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let error = Tokenizer::load(folder.path().to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tokenizer.json") && error.contains("tiktoken.model"),
        "{error}"
    );
}

#[test]
fn a_damaged_configuration_is_named() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path());
    fs::write(folder.path().join("tokenizer_config.json"), "{").unwrap();
    let error = Tokenizer::load(folder.path().to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tokenizer_config.json is not a usable tokenizer file"),
        "{error}"
    );
}
