//! Canonical forms, and the laws of formatting.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn assert_formats(text: &str, expected: &str) {
    let once = format_text("x.toml", text).unwrap();
    assert_eq!(once, expected);
    assert_eq!(format_text("x.toml", &once).unwrap(), once);
}

#[test]
fn keys_come_in_order_and_tables_stay() {
    assert_formats(
        "owner='x'\n[configs.\"b\"]\nurl=\"u\"   # note\n\n\nid =  \"i\"\nregion=\"r\"\n[configs.a]\n[[ bindings ]]\nrules={outbound=true,inbound=false}\ntenant=\"t\"\nnumber=\"n\"",
        "owner = 'x'\n\n[configs.b]\nid = \"i\"\nregion = \"r\"\nurl = \"u\" # note\n\n[configs.a]\n\n[[bindings]]\nnumber = \"n\"\ntenant = \"t\"\nrules = { inbound = false, outbound = true }\n",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    let text = "\
#:schema x

# About a.
[regions.a]
# About b.
country_codes = [\"+91\"] # here
# The end of a.

# About c.

# More about c.
[regions.c]
default_config = \"x\"

# The end.
";
    assert_formats(text, text);
    assert_formats("# only this\n\n\n", "# only this\n");
    assert_formats("\n\n  # a\n\n\n\n # b\n[x]\n\n\n", "# a\n\n# b\n[x]\n");
    assert_formats("", "");
    assert_formats("a = 1\r\n\r\n# b\r\n[c]\r\n", "a = 1\n\n# b\n[c]\n");
}

#[test]
fn long_lists_break_and_short_ones_join() {
    assert_formats("a = [\n 1,\n 2\n]", "a = [1, 2]\n");
    let long: Vec<String> = (10..40).map(|n| n.to_string()).collect();
    let lines: String = long.iter().map(|n| std::format!("    {n},\n")).collect();
    assert_formats(
        &std::format!("a = [{}]", long.join(",")),
        &std::format!("a = [\n{lines}]\n"),
    );
    assert_formats(
        "a = [ # open\n1, # one\n\n\n# two\n2 # two\n, 3 ,\n# end\n]",
        "a = [\n    # open\n    1, # one\n\n    # two\n    2, # two\n    3,\n    # end\n]\n",
    );
    assert_formats("a = []\nb = {}", "a = []\nb = {}\n");
    assert_formats("a = [ # c\n]", "a = [\n    # c\n]\n");
}

#[test]
fn what_is_no_toml_is_left_alone() {
    let findings = format_text("x.toml", "a = 1\na = 2").unwrap_err();
    assert_eq!(findings[0].code, "duplicate");
}

#[test]
fn the_sample_is_formatted() {
    for text in [
        include_str!("../../../../routing/tenants.toml"),
        include_str!("../../../../routing/uae.toml"),
        include_str!("../../../../routing/india.toml"),
    ] {
        assert_formats(text, text);
    }
}

prop_compose! {
    fn space()(kind in 0usize..9, n in 0..9) -> String {
        match kind {
            0..=3 => String::new(),
            4 | 5 => "\n".into(),
            6 => "\n\n\n".into(),
            7 => std::format!("  # note {n}\n"),
            _ => std::format!("\n# a {n}\n\n#b\n"),
        }
    }
}

prop_compose! {
    fn list()(items in proptest::collection::vec((space(), space()), 0..5), end in space()) -> String {
        let items: String = items.iter().enumerate()
            .map(|(n, (a, b))| std::format!("{a}\"+9195134567{n:02}\"{b},"))
            .collect();
        std::format!("[{items}{end}]")
    }
}

prop_compose! {
    fn table()(
        before in space(),
        header in 0usize..6,
        keys in proptest::collection::vec((0usize..12, space(), "( |\t)?(#[a-z ]*)?"), 0..6),
        list in list(),
        n in 0..99,
    ) -> String {
        let header = match header {
            0 | 1 => "[[bindings]]".to_owned(),
            2 => "[[ bindings ]] # x".to_owned(),
            3 => std::format!("[configs.c{n}]"),
            4 => std::format!("[ configs . \"d{n}\" . env.prod]"),
            _ => std::format!("[regions.'r{n}']"),
        };
        let mut used = Vec::new();
        let mut body = String::new();
        for (kind, space, comment) in keys {
            if used.contains(&kind) {
                continue;
            }
            used.push(kind);
            let line = match kind {
                0 => "number = \"x\"".to_owned(),
                1 => std::format!("\"numbers\"={list}"),
                2 => "tenant='t'".to_owned(),
                3 => "rules.outbound = true".to_owned(),
                4 => "rules.inbound= false".to_owned(),
                5 => "env.prod.config = 'x'".to_owned(),
                6 => std::format!("rules2 = {{ a=1,b = {list} }}"),
                7 => "provider = \"\"\"\n# no comment\n\"\"\"".to_owned(),
                8 => "url = 'a'".to_owned(),
                9 => "id = \"b\"".to_owned(),
                10 => "env.dev = { provider = 'x', config = 'y' }".to_owned(),
                _ => "unknown = 1.50".to_owned(),
            };
            body.push_str(&std::format!("{space}{line}{comment}\n"));
        }
        std::format!("{before}{header}\n{body}")
    }
}

/// The words after each `#`, wherever it stands on its line.
fn notes(text: &str) -> Vec<&str> {
    let comments = text.lines().flat_map(|line| line.split('#').skip(1));
    let mut comments: Vec<&str> = comments.map(str::trim).collect();
    comments.sort_unstable();
    comments
}

proptest! {
    #[test]
    fn formatting_keeps_meaning_and_comments_and_is_done_once(
        tables in proptest::collection::vec(table(), 0..5),
        end in space(),
    ) {
        let text = std::format!("{}{end}", tables.concat());
        prop_assume!(text.parse::<toml::Table>().is_ok());
        let once = format_text("x.toml", &text).unwrap();
        prop_assert_eq!(text.parse::<toml::Table>(), once.parse::<toml::Table>());
        prop_assert_eq!(notes(&text), notes(&once), "{}\n---\n{}", text, once);
        prop_assert_eq!(&format_text("x.toml", &once).unwrap(), &once, "{}", text);
    }
}
