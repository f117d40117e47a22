//! Assertions on what a text says. A failure shows the whole text.

/// Fails unless the text holds each of the parts.
macro_rules! assert_contains {
    ($text:expr, $($part:expr),+ $(,)?) => {{
        let text = &$text;
        $($crate::support::must_contain(text.as_ref(), $part.as_ref());)+
    }};
}

/// Fails where the text holds one of the parts.
macro_rules! assert_lacks {
    ($text:expr, $($part:expr),+ $(,)?) => {{
        let text = &$text;
        $($crate::support::must_lack(text.as_ref(), $part.as_ref());)+
    }};
}

/// Fails unless the text starts with the part.
macro_rules! assert_starts {
    ($text:expr, $part:expr $(,)?) => {{
        let text = &$text;
        $crate::support::must_start(text.as_ref(), $part.as_ref());
    }};
}

#[track_caller]
pub fn must_contain(text: &str, part: &str) {
    assert!(text.contains(part), "no {part:?} in\n{text}");
}

#[track_caller]
pub fn must_lack(text: &str, part: &str) {
    assert!(!text.contains(part), "{part:?} is in\n{text}");
}

#[track_caller]
pub fn must_start(text: &str, part: &str) {
    assert!(
        text.starts_with(part),
        "{part:?} is not the start of\n{text}"
    );
}

#[test]
fn parts_that_are_there_are_found() {
    let text = "one number is rerouted".to_owned();
    assert_contains!(text, "one number", format!("is {}", "rerouted"));
    assert_lacks!(text, "calls", "stop");
    assert_starts!(text, "one number");
}

#[test]
#[should_panic(expected = "no \"two numbers\" in\none number is rerouted")]
fn a_part_that_is_missing_fails() {
    assert_contains!("one number is rerouted", "one number", "two numbers");
}

#[test]
#[should_panic(expected = "\"rerouted\" is in\none number is rerouted")]
fn a_part_that_should_be_missing_fails() {
    assert_lacks!("one number is rerouted", "calls", "rerouted");
}

#[test]
#[should_panic(expected = "\"number\" is not the start of\none number is rerouted")]
fn a_part_that_stands_elsewhere_fails() {
    assert_starts!("one number is rerouted", "number");
}
