//! Characters that nobody sees, or that turn the direction of text: what is
//! not let into names, and is written out wherever text is shown. Core:
//! imports nothing of lkroute.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Whether a character has no shape of its own. The joiners that Indic and
/// Persian writing needs are let through where they join such letters: `last`
/// is the character before.
pub fn is_invisible(c: char, last: char) -> bool {
    match c {
        '\u{200c}' | '\u{200d}' => last.is_ascii(),
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2800}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

/// The first such character of a text.
pub fn first_invisible(text: &str) -> Option<char> {
    let before = std::iter::once(' ').chain(text.chars());
    let mut pairs = text.chars().zip(before);
    pairs.find_map(|(c, last)| is_invisible(c, last).then_some(c))
}

/// A text in the form in which texts are compared: letters with their marks
/// are one character where there is one (NFC).
pub fn in_nfc(text: &str) -> String {
    if text.is_ascii() {
        text.to_owned()
    } else {
        text.nfc().collect()
    }
}

/// A character as TOML and JSON write it: `\n`, `\u202e`.
pub fn written_out(c: char) -> String {
    match (c, u32::from(c)) {
        ('\n', _) => "\\n".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        (_, code @ 0..=0xffff) => format!("\\u{code:04x}"),
        (_, code) => format!("\\U{code:08x}"),
    }
}

/// A text with `…` in the place of the user and password of each URL in it,
/// as a browser would find them: what stands behind the host is left.
pub fn without_user_info(text: &str) -> Cow<'_, str> {
    with_user_info_as(text, "…@")
}

/// A text without the user and password of each URL in it, and nothing in
/// their place: to be kept, where [`without_user_info`] is to be shown.
pub fn drop_user_info(text: &str) -> Cow<'_, str> {
    with_user_info_as(text, "")
}

fn with_user_info_as<'a>(text: &'a str, mark: &str) -> Cow<'a, str> {
    const SCHEME: &str = "://";
    if !text.contains(SCHEME) || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split(SCHEME);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends = |c: char| matches!(c, '/' | '\\' | '?' | '#' | '"' | '`') || c.is_whitespace();
        let (authority, rest) = piece.split_at(piece.find(ends).unwrap_or(piece.len()));
        out.push_str(SCHEME);
        match authority.rsplit_once('@') {
            Some((_, host)) => out.extend([mark, host]),
            None => out.push_str(authority),
        }
        out.push_str(rest);
    }
    Cow::Owned(out)
}

/// Text of others, on one line, with everything that can't be seen written
/// out: control characters, line breaks, and marks that turn the direction of
/// text; without the user and password of a URL. Whatever is not lkroute's own wording goes through this before it is
/// printed; what went through it once is not changed again.
pub fn visible(text: &str) -> String {
    let text = without_user_info(text);
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        if is_invisible(c, last) {
            out.push_str(&written_out(c));
        } else {
            out.push(c);
        }
        last = c;
    }
    out
}

/// A text as a TOML string on one line, with all of it to be seen.
pub fn toml_string(text: &str) -> String {
    if first_invisible(text).is_none() {
        return toml::Value::String(text.to_owned()).to_string();
    }
    let mut out = String::from('"');
    let mut last = ' ';
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            _ if is_invisible(c, last) => out.push_str(&written_out(c)),
            _ => out.push(c),
        }
        last = c;
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_user_and_password() {
        for (text, shown) in [
            (
                "wss://u:p@host.example:7880/x",
                "wss://…@host.example:7880/x",
            ),
            (
                "a wss://p@a.example, http://u:q@r@b.example",
                "a wss://…@a.example, http://…@b.example",
            ),
            ("wss://host.example/a@b", "wss://host.example/a@b"),
            (
                "wss://evil.example\\@host.example",
                "wss://evil.example\\@host.example",
            ),
            (
                "wss://evil.example#@host.example",
                "wss://evil.example#@host.example",
            ),
            ("u:p@host.example", "u:p@host.example"),
            ("://@", "://…@"),
        ] {
            assert_eq!(without_user_info(text), shown);
            assert_eq!(without_user_info(shown), shown);
            assert_eq!(drop_user_info(text), shown.replace("…@", ""));
        }
    }

    #[test]
    fn what_is_written_out_is_read_back() {
        for text in [
            "a",
            "a\nb \"\\",
            "\u{202e}x\u{7f}\u{1b}[31m",
            "\u{e0041}",
            "क्\u{200d}ष",
        ] {
            let line = toml_string(text);
            assert_eq!(line.lines().count(), 1, "{line}");
            let read: toml::Table = format!("a = {line}").parse().unwrap();
            assert_eq!(read["a"].as_str(), Some(text));
        }
        assert_eq!(toml_string("a\u{202e}\nb"), "\"a\\u202e\\nb\"");
    }

    #[test]
    fn joiners_between_letters_that_need_them_are_seen() {
        assert_eq!(first_invisible("क्\u{200d}ष 👨\u{200d}👩 sasya UAE"), None);
        assert_eq!(first_invisible("a\u{200d}b"), Some('\u{200d}'));
        assert_eq!(first_invisible("a\tb"), Some('\t'));
    }
}
