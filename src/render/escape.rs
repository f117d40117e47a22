//! Text from files and rows, made harmless before it meets Markdown, a
//! terminal or a picture. Imports core.
//!
//! Whatever is not lkroute's own wording goes through one of these. In
//! Markdown it ends up inside a code span, where GitHub looks for no mention,
//! issue, link or tag, and where the one thing that could end it, a backtick,
//! is written as TOML writes it: `\u0060`.

use crate::invisible_chars;
pub(crate) use crate::invisible_chars::visible;

/// How much of one text is shown, in characters.
const LONGEST: usize = 120;

fn written_out(text: &str, also: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = ' ';
    for c in text.chars() {
        if also(c) || invisible_chars::is_invisible(c, last) {
            out.push_str(&invisible_chars::written_out(c));
        } else {
            out.push(c);
        }
        last = c;
    }
    out
}

/// The first `most` characters, and `…` where there are more.
pub(crate) fn clipped_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A Markdown code span, in table cells too.
pub(crate) fn code_span(text: &str) -> String {
    let text = clipped_to(&invisible_chars::without_user_info(text), LONGEST);
    let text = written_out(&text, |c| matches!(c, '`' | '|' | '<'));
    let text = clipped_to(&text, LONGEST);
    let inner = text.trim_matches(' ');
    if inner.is_empty() {
        return format!("`\"{text}\"`");
    }
    let blanks = |count: usize| "\\u0020".repeat(count);
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = text.len() - text.trim_end_matches(' ').len();
    format!("`{}{inner}{}`", blanks(before), blanks(after))
}

/// A sentence of lkroute's that quotes texts: what stands between backticks
/// and every word that is not a plain one becomes a code span.
pub(crate) fn escaped_prose(text: &str) -> String {
    let text = clipped_to(text, 4 * LONGEST);
    let mut parts: Vec<&str> = text.split('`').collect();
    // A quote that nobody closed is no quote.
    let open = (parts.len().is_multiple_of(2))
        .then(|| parts.pop())
        .flatten();
    let mut out = String::with_capacity(text.len() + 16);
    for (ix, part) in parts.into_iter().enumerate() {
        match ix % 2 {
            0 => out.push_str(&escaped_words(part)),
            _ => out.push_str(&code_span(part)),
        }
    }
    if let Some(rest) = open {
        out.push_str(&escaped_words(rest));
    }
    match out.trim() {
        "" => code_span(""),
        text => text.to_owned(),
    }
}

fn escaped_words(text: &str) -> String {
    let each = text.split_whitespace().map(|word| {
        if is_plain(word) {
            return word.to_owned();
        }
        let end = word.trim_end_matches(['.', ',', ';', ':', '!', '?']).len();
        let (core, tail) = match end {
            0 => (word, ""),
            end => word.split_at(end),
        };
        format!("{}{tail}", code_span(core))
    });
    let edge = |is_blank: bool| if is_blank { " " } else { "" };
    let inner = each.collect::<Vec<_>>().join(" ");
    let before = edge(text.starts_with(char::is_whitespace));
    if inner.is_empty() {
        before.to_owned()
    } else {
        format!(
            "{before}{inner}{}",
            edge(text.ends_with(char::is_whitespace))
        )
    }
}

/// Letters, or a short figure, with the marks that sentences have: nothing
/// that Markdown or GitHub could take for more than that.
fn is_plain(word: &str) -> bool {
    let core = word
        .trim_start_matches(['(', '"', '\''])
        .trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '"', '\'', '%']);
    let letters = |text: &str| text.chars().all(|c| c.is_alphabetic() || "'’-".contains(c));
    let figure = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ",.".contains(c));
    // `1.` and `1)` begin a list.
    let numbered = word.ends_with(['.', ')']) && !word.starts_with('(');
    let inside = !core.starts_with('-') && !core.ends_with('-');
    match core {
        "" => word.chars().all(|c| "()\"'.,;:!?%".contains(c)),
        "–" | "—" | "→" | "…" => true,
        _ => (letters(core) && inside) || (core.len() <= 9 && figure(core) && !numbered),
    }
}

/// A fenced block; the fence is longer than any in the text.
pub(crate) fn fenced_block(language: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.lines().map(visible).collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_seen_is_written_out() {
        assert_eq!(
            visible("a\nb\u{1b}[31m\u{202e}c\u{7f}"),
            "a\\nb\\u001b[31m\\u202ec\\u007f"
        );
        assert_eq!(visible("\u{e0041}"), "\\U000e0041");
        let joined = "क्\u{200d}ष";
        assert_eq!(visible(joined), joined);
        assert_eq!(visible("a\u{200d}b"), "a\\u200db");
    }

    #[test]
    fn a_code_span_can_not_be_left() {
        assert_eq!(code_span("voag-dev"), "`voag-dev`");
        assert_eq!(code_span("a`b|c<d"), "`a\\u0060b\\u007cc\\u003cd`");
        assert_eq!(code_span(" a "), "`\\u0020a\\u0020`");
        assert_eq!(
            (code_span(""), code_span("  ")),
            ("`\"\"`".into(), "`\"  \"`".into())
        );
        assert_eq!(code_span(&"x".repeat(200)).chars().count(), LONGEST + 3);
    }

    #[test]
    fn sentences_stay_sentences() {
        assert_eq!(
            escaped_prose(
                "no tenant is called `a|b`, 412 numbers (3 %) would move: see routing/uae.toml:31."
            ),
            "no tenant is called `a\\u007cb`, 412 numbers (3 %) would move: see `routing/uae.toml:31`."
        );
        assert_eq!(
            escaped_prose("ask @octocat about #7, http://evil.example, <b> *now* :tada: GH-1"),
            "ask `@octocat` about `#7`, `http://evil.example`, `\\u003cb>` `*now*` `:tada`: `GH-1`"
        );
        assert_eq!(escaped_prose("an `open quote"), "an open quote");
        assert_eq!(
            escaped_prose("don't re-seal — it's 1,204"),
            "don't re-seal — it's 1,204"
        );
        assert_eq!(escaped_prose("  \n "), "`\"\"`");
        assert_eq!(escaped_prose("1. of  (3) 2) 5"), "`1`. of (3) `2)` 5");
        assert_eq!(escaped_prose("a -- b ~ :"), "a `--` b `~` :");
    }

    #[test]
    fn a_fence_is_longer_than_those_inside() {
        assert_eq!(
            fenced_block("toml", "a\n```\nb\r"),
            "````toml\na\n```\nb\\r\n````\n"
        );
    }
}
