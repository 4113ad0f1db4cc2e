//! Tests of reading and checking profiles.

use std::error::Error as _;

use super::*;

#[test]
fn every_built_in_profile_is_valid_and_says_what_it_is() {
    assert!(Profile::names().count() >= 12);
    for name in Profile::names() {
        let profile = Profile::load(name).unwrap();
        assert!(!profile.summary.is_empty(), "{name}");
    }
}

#[test]
fn an_unknown_name_lists_the_built_in_ones_and_the_nearest() {
    let message = Profile::load("kv-bond").unwrap_err().to_string();
    assert!(message.contains("did you mean `kv-bound`?"), "{message}");
    for name in Profile::names() {
        assert!(message.contains(name), "{message}");
    }
    let far = Profile::load("zzzzzz").unwrap_err().to_string();
    assert!(!far.contains("did you mean"), "{far}");
}

#[test]
fn a_path_is_read_as_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, "max_num_seqs = 3\n[iteration]\nbase_ms = 1.5\n").unwrap();
    let profile = Profile::load(path.to_str().unwrap()).unwrap();
    assert_eq!(profile.max_num_seqs, 3);
    assert!((profile.iteration.base_ms - 1.5).abs() < 1e-12);
    assert_eq!(profile.kv_cache, KvCache::default());
    assert!(matches!(
        Profile::load("nowhere/none.toml"),
        Err(ProfileError::Unreadable { .. })
    ));
}

#[test]
fn a_misspelt_parameter_is_an_error_that_names_it() {
    let error = Profile::from_toml("mine", "max_num_sequences = 3").unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("max_num_sequences"), "{cause}");
}

#[test]
fn numbers_that_make_no_engine_are_refused_by_name() {
    for (text, field) in [
        ("max_num_seqs = 0", "max_num_seqs"),
        ("[iteration]\nbase_ms = -1", "iteration.base_ms"),
        ("[iteration]\nnoise = nan", "iteration.noise"),
        ("[kv_cache]\ntokens = 15", "kv_cache.tokens"),
        ("[kv_cache]\nprefix_caching = true", "kv_cache.tokens"),
        ("[kv_cache]\nblock_size = 0", "kv_cache.block_size"),
        ("[drift]\namplitude = 1.0\nperiod_s = 1", "drift.amplitude"),
        (
            "[speculative]\ndraft_tokens = 0\nacceptance = 0.5",
            "speculative.draft_tokens",
        ),
    ] {
        let message = Profile::from_toml("mine", text).unwrap_err().to_string();
        assert!(message.starts_with(field), "{text}: {message}");
    }
}

#[test]
fn overrides_replace_only_what_they_name_and_are_checked() {
    let base = Profile::load("gpu-small").unwrap();
    let overrides = Overrides {
        max_num_seqs: Some(7),
        kv_cache_tokens: Some(4096),
        ..Overrides::default()
    };
    let changed = base.clone().with(&overrides).unwrap();
    assert_eq!(changed.max_num_seqs, 7);
    assert_eq!(changed.kv_cache.blocks(), Some(256));
    assert_eq!(changed.iteration, base.iteration);
    let none = Overrides {
        max_num_seqs: Some(0),
        ..Overrides::default()
    };
    assert!(base.with(&none).is_err());
}

#[test]
fn a_profile_survives_being_written_and_read() {
    for name in Profile::names() {
        let profile = Profile::load(name).unwrap();
        let text = toml::to_string(&profile).unwrap();
        assert_eq!(Profile::from_toml(name, &text).unwrap(), profile);
    }
}

#[test]
fn natural_answer_lengths_have_their_median_and_never_change() {
    let eos = AnswerLength {
        median_tokens: 180.0,
        sigma: 0.8,
    };
    let mut lengths: Vec<u32> = (0..4001).map(|index| eos.draw(9, index)).collect();
    assert_eq!(lengths[17], eos.draw(9, 17));
    lengths.sort_unstable();
    assert!((170..190).contains(&lengths[2000]), "{}", lengths[2000]);
    assert!(
        (360..440).contains(&lengths[3365]),
        "one sigma is a factor of 2.2"
    );
}
