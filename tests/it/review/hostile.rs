//! Whatever stands in files and rows, a comment keeps its shape, links to
//! nothing, mentions nobody, and stays below its limit.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use lkroute::diff::plan::Plan;
use lkroute::finding::{Finding, Place};
use lkroute::impact::one_number::OneNumber;
use lkroute::impact::reroutes::Reroutes;
use lkroute::invisible_chars::first_invisible;
use lkroute::phone::E164;
use lkroute::render::markdown::{MAX_CHARS, ReportContext, comment_marker, plan_markdown};
use lkroute::render::number;
use lkroute::render::text::{self, View};
use lkroute::resolve::Facts;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::world::{self, Files, INDIA, Others, UAE};

/// What a person with a grudge would try.
const TRICKS: [&str; 39] = [
    "`",
    "```\n",
    "~~~\n",
    "|",
    "\\|",
    "\\",
    "<",
    "<img src=x onerror=alert(1)>",
    "</details>",
    "<!--",
    "-->",
    "</code>",
    "@octocat",
    "@org/team",
    "#1",
    "GH-7",
    "org/repo#3",
    "https://evil.example/x",
    "www.evil.example",
    "a@evil.example",
    "[x](https://evil.example)",
    "![x](https://evil.example/y.png)",
    "\n",
    "\r\n",
    "\n\n# big\n\n",
    "\n- [ ] task\n",
    "**",
    "_",
    "$x$",
    "&lt;",
    "&#64;octocat",
    "\"",
    "\u{202e}",
    "\u{0}\u{1b}[31m",
    "> [!CAUTION]",
    "    ",
    "1. ",
    "\u{3000}",
    " ",
];

const REPORT: &str = "https://ci.example/report";

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(TRICKS.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z]{1,8}",
        1 => Just("क्षेत्र".to_owned()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// All that can hold text of somebody else's, filled with these.
fn world(texts: &[String]) -> (Plan, Reroutes, Vec<Finding>, OneNumber) {
    let text = |ix: usize| texts[ix % texts.len()].as_str();
    let names = [format!("{}a", text(0)), format!("{}b", text(0))];
    let regions = [format!("{}a", text(1)), format!("{}b", text(1))];
    // An empty text is a line less in a table.
    let provider = format!("{}p", text(7));
    let base = |worker: &str| {
        let mut files = Files::new(&[text(2)])
            .region(&regions[0], "+971", (0, 5))
            .region(&regions[1], "+91", (0, 6))
            .config(&names[0], UAE, &regions[0], worker, (0, 10))
            .config(&names[1], INDIA, &regions[1], text(4), (0, 20))
            .tenant(1, Some(text(5)))
            .tenant(2, None);
        files.0.environment = Some(text(6).to_owned());
        files
    };
    let before = base("before")
        .numbers("+971545335200", 5, 0, &names[0], Some(&provider), (0, 31))
        .numbers("+971545336500", 3, 1, &names[0], None, (0, 36));
    let mut after = base(text(3))
        .numbers("+971545335200", 3, 0, &names[0], Some(text(8)), (0, 31))
        .numbers("+971545335203", 1, 0, &names[1], Some(&provider), (0, 32))
        .numbers("+971545336500", 3, 1, &names[0], None, (0, 36))
        .numbers("+919513456728", 2, 0, &names[1], Some(text(9)), (0, 40));
    let settings = &mut after
        .0
        .configs
        .get_mut(&names[1])
        .expect("the second config");
    settings.description = Some(text(10).to_owned());
    let others = Others {
        configs: Vec::new(),
        rules: vec![("+971545336501", "livekit_config", json!(text(11)))],
    };
    let (mut plan, moved) = world::plan(&before.0, &after.0, &others);
    plan.findings
        .push(finding(Finding::error("a-code", text(12)), text(13)));
    plan.findings.push(finding(
        Finding::warning("a-code", format!("no `{}`", text(14))),
        "hint",
    ));
    let paste = format!("[[guards.allow]]\nreason = \"{}\"", text(15));
    let refusals = vec![Finding::error("guard", text(16)).hint_with_lines("paste", &paste)];
    let from = E164::parse("+971545335203").expect("a number");
    let (before, after) = (
        Facts::of_files(&before.0, from),
        Facts::of_files(&after.0, from),
    );
    let one = OneNumber::new(from, None, &before, &after);
    (plan, moved, refusals, one)
}

fn finding(finding: Finding, text: &str) -> Finding {
    let place = Place {
        line: 3,
        ..Place::file(text)
    };
    finding.at(place.clone()).also(place, text).hint(text)
}

fn drawn(texts: &[String]) -> String {
    let (plan, moved, refusals, one) = world(texts);
    let artifact = format!("artifact {}", texts[1]);
    let context = ReportContext {
        revisions: Some(&texts[0]),
        full_report: Some(&artifact),
        digest: Some("sha256:00"),
        refusals: &refusals,
        number: Some(&one),
        ..ReportContext::default()
    };
    plan_markdown(&plan, &moved, &context)
}

fn options() -> Options<'static> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.alerts = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options
}

/// The blocks, in order; what is wrong with the rest.
fn looked_at(text: &str) -> (Vec<String>, Vec<String>) {
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options());
    let (mut shape, mut wrong) = (Vec::new(), Vec::new());
    for node in root.descendants() {
        look(node, &mut shape, &mut wrong);
    }
    (shape, wrong)
}

fn look<'a>(node: &'a AstNode<'a>, shape: &mut Vec<String>, wrong: &mut Vec<String>) {
    match &node.data.borrow().value {
        NodeValue::Text(text) => {
            let live = ["@", "#", "://", "www.", "GH-", "<", "$", "\u{202e}"];
            wrong.extend(
                live.iter()
                    .filter(|live| text.contains(*live))
                    .map(|_| text.to_string()),
            );
        }
        NodeValue::HtmlInline(html) if html == "<br>" => {}
        NodeValue::HtmlBlock(html) => {
            let line = html.literal.trim();
            let known = line.starts_with("<!-- lkroute plan")
                || line == "</details>"
                || line.starts_with("<details><summary>")
                || line.starts_with("<details open><summary>");
            if !known || line.lines().count() != 1 {
                wrong.push(line.to_owned());
            }
            shape.push("html".to_owned());
        }
        NodeValue::CodeBlock(block) => {
            shape.push(block.info.clone());
            if block.info == "mermaid" {
                wrong.extend(
                    block
                        .literal
                        .lines()
                        .filter(|line| !is_drawing(line))
                        .map(str::to_owned),
                );
            }
        }
        NodeValue::Link(link) if link.url == REPORT => {}
        NodeValue::Code(_)
        | NodeValue::Document
        | NodeValue::Emph
        | NodeValue::SoftBreak
        | NodeValue::LineBreak
        | NodeValue::Strong => {}
        NodeValue::TableCell
        | NodeValue::TableRow(_)
        | NodeValue::Table(_)
        | NodeValue::Paragraph
        | NodeValue::Heading(_)
        | NodeValue::ThematicBreak
        | NodeValue::Alert(_)
        | NodeValue::List(_)
        | NodeValue::Item(_) => {
            let value = format!("{:?}", node.data.borrow().value);
            shape.push(value.chars().take_while(|c| c.is_alphabetic()).collect());
        }
        other => wrong.push(format!("{other:?}")),
    }
}

/// Two quotes around a label without anything that Mermaid could read.
fn is_drawing(line: &str) -> bool {
    let mut parts = line.split('"');
    let (Some(_), Some(label), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return !line.contains('"');
    };
    let harmless = |c: char| c.is_alphanumeric() || " ,_+→…-.#;".contains(c);
    label.replace("<br>", "").chars().all(harmless)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_comment_can_not_be_broken_out_of(texts in prop::collection::vec(text(), 17)) {
        let harmless = vec!["name".to_owned(); 17];
        let (expected, wrong) = looked_at(&drawn(&harmless));
        prop_assert_eq!(&wrong, &Vec::<String>::new());
        let text = drawn(&texts);
        let (shape, wrong) = looked_at(&text);
        prop_assert_eq!(&wrong, &Vec::<String>::new(), "{}", text);
        prop_assert_eq!(shape, expected, "{}", text);
        prop_assert!(text.len() <= MAX_CHARS);
        let outside = outside_of_fences(&text);
        for tag in outside.split('<').skip(1) {
            let known = ["details>", "details open>", "/details>", "summary>", "/summary>", "br>", "!-- lkroute"];
            prop_assert!(known.iter().any(|known| tag.starts_with(known)), "<{}", tag);
        }
    }

    #[test]
    fn a_terminal_hides_nothing(texts in prop::collection::vec(text(), 17)) {
        let (plan, moved, refusals, one) = world(&texts);
        let view = View { width: 80, full: true, quiet: false, back: false };
        let text = text::plan(&plan, Some(&moved), &refusals, view) + &number::number_text(&one, 80);
        let text = anstream::adapter::strip_str(&text).to_string();
        for line in text.lines() {
            prop_assert_eq!(first_invisible(line), None, "{:?}", line);
        }
    }

    #[test]
    fn a_marker_is_one_comment(name in text()) {
        let marker = comment_marker(Some(&name));
        prop_assert!(marker.starts_with("<!-- lkroute plan: ") && marker.ends_with(" -->"));
        let inside = &marker[4..marker.len() - 3];
        prop_assert!(!inside.contains("--") && !inside.contains(['<', '>', '\n']), "{}", marker);
    }
}

fn outside_of_fences(text: &str) -> String {
    let mut fence: Option<String> = None;
    let mut outside = String::new();
    for line in text.lines() {
        let ticks = line.chars().take_while(|c| *c == '`').count();
        match &fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if ticks >= 3 => fence = Some("`".repeat(ticks)),
            None => {
                outside.push_str(line);
                outside.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a fence stays open");
    outside
}

/// A plan of very many changes stays below the limit and says where the rest is.
#[track_caller]
fn assert_bounded(before: &Files, after: &Files, others: &Others) -> String {
    let (plan, moved) = world::plan(&before.0, &after.0, others);
    let context = ReportContext {
        full_report: Some(REPORT),
        digest: Some("sha256:00"),
        ..ReportContext::default()
    };
    let text = plan_markdown(&plan, &moved, &context);
    assert!(text.len() <= MAX_CHARS, "{} bytes", text.len());
    let report = format!("full report: [open it]({REPORT})");
    assert_contains!(
        text,
        format!("_Not everything is shown here; the {report}_")
    );
    assert!(text.trim_end().ends_with(&report));
    let (_, wrong) = looked_at(&text);
    assert_eq!(wrong, Vec::<String>::new());
    text
}

fn base(tenants: u128) -> Files {
    let mut files = Files::new(&["routing/uae.toml"])
        .region("uae", "+971", (0, 5))
        .config("uae", UAE, "uae", "voag-staging", (0, 10))
        .config("other", INDIA, "uae", "voag-staging", (0, 20));
    for tenant in 0..tenants {
        let alias = format!("tenant-{tenant}-{}", "`|<@ ".repeat(40));
        files = files.tenant(tenant + 1, Some(&alias));
    }
    files
}

#[test]
fn a_hundred_thousand_deletes_fit() {
    let mut before = base(1000);
    for tenant in 0..1000 {
        let provider = format!("provider {tenant}");
        before = before.numbers(
            "+971545330000",
            100,
            tenant,
            "uae",
            Some(&provider),
            (0, 31),
        );
    }
    let text = assert_bounded(&before, &base(1000), &Others::default());
    assert_contains!(text, "#### Deleted: 100,000\n");
    assert_contains!(text, "- 100 numbers of `tenant-");
}

#[test]
fn a_hundred_thousand_different_changes_fit() {
    let (mut before, mut after) = (base(20), base(20));
    for step in 0..5000 {
        let first = format!("+9715{:08}", 20 * step);
        for (files, what) in [(&mut before, "before"), (&mut after, "after")] {
            let provider = format!("{what} {step} {}", "long ".repeat(50));
            let numbers = std::mem::replace(files, base(0));
            *files = numbers.numbers(
                &first,
                20,
                step % 20,
                "uae",
                Some(&provider),
                (0, step + 40),
            );
        }
    }
    let text = assert_bounded(&before, &after, &Others::default());
    assert_contains!(text, "100,000 to update");
    assert_contains!(text, " more objects not shown here.");
}

#[test]
fn thousands_of_configs_fit() {
    let with = |worker: &str| {
        let mut files = base(3);
        for ix in 0..2000u32 {
            let (name, id) = (
                format!("config-{ix}"),
                Uuid::from_u128(1000 + u128::from(ix)),
            );
            let number = format!("+9715{:08}", ix);
            files = files
                .config(&name, id, "uae", &format!("{worker}-{ix}"), (0, ix))
                .numbers(&number, 1, ix % 3, &name, None, (0, ix));
        }
        files
    };
    let text = assert_bounded(&with("old"), &with("new"), &Others::default());
    assert_contains!(text, "more are rerouted");
    assert_contains!(text, "smaller moves not drawn");
}
