//! Tests of chat templates.
use super::*;
use crate::tokenizer::builtin;

#[test]
fn the_builtin_template_wraps_each_message_and_asks_for_an_answer() {
    let template = ChatTemplate::of(&builtin()).unwrap();
    let text = template.render(&[Message::user("hello")]).unwrap();
    assert_eq!(
        text,
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    );
    assert_eq!(template.origin(), Origin::Model);
}
