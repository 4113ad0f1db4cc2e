//! Tests of loading tokenizers and of the short cut over safe words.
use super::*;

#[test]
fn the_builtin_tokenizer_brings_back_any_text() {
    let tokenizer = builtin();
    for text in [
        "",
        "hello there",
        " two  spaces\n",
        "数据 😀 naïve",
        "<|im_start|>user\n",
    ] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{text:?}");
    }
}
