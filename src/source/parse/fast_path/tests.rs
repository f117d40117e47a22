//! The fast path reads what the whole parser reads, or leaves it to it.

use proptest::prelude::*;

use super::*;
use crate::source::line_index::OpenedFile;
use crate::source::parse::read_plainly;

/// All that a parsed file holds, but for its look-up tables.
fn shown(parsed: &ParsedFile) -> String {
    let used = &parsed.used;
    let names = [
        &used.tenants,
        &used.configs,
        &used.regions,
        &used.environments,
        &used.outbound,
    ];
    let names = names.map(|names| &names.list);
    let regions: Vec<_> = parsed
        .regions
        .iter()
        .map(|def| (&def.name, &def.place))
        .collect();
    format!(
        "{names:?} {regions:?} {:?} {:?} {:?} {:?}",
        parsed.specs, parsed.bindings, parsed.findings, parsed.incomplete
    )
}

fn both(text: &str) -> (Option<String>, String) {
    let opened = OpenedFile::new("routing/x.toml", text);
    let bulk = read_fast(opened.lines(), 3, Some("prod"));
    let plain = read_plainly(opened.lines(), 3, Some("prod"));
    (bulk.as_ref().map(shown), shown(&plain))
}

fn usual(n: u64) -> String {
    let provider = n % 3;
    let number = 919_513_456_000 + n;
    format!(
        "[[bindings]]\nnumber = \"+{number}\"\ntenant = \"t{}\"\n# note {n}\n\
         config = \"india\"\nprovider = \"p{provider}\"\n\n",
        n % 2
    )
}

/// A block with so many numbers, one a line.
fn listed(numbers: u64) -> String {
    let lines = (0..numbers).map(|n| format!("    \"+{}\",\n", 919_513_458_000 + n));
    let lines: String = lines.collect();
    format!("[[bindings]]\nnumbers = [\n{lines}]\ntenant = \"t1\"\nconfig = \"india\"\n\n")
}

#[test]
fn the_usual_file_goes_this_way() {
    let blocks: String = (0..40).map(usual).collect();
    for text in [
        blocks.clone(),
        blocks.replace('\n', "\r\n"),
        format!("# [[bindings]] below\n[regions.india]\ncountry_codes = [\"+91\"]\n{blocks}"),
        format!("{blocks}[[bindings]]\ntenant = \"t\"\nnumbers = [\n\"+919513457000\",\n]\n"),
        listed(300),
        listed(300).replace('\n', "\r\n"),
        format!("{}{blocks}", listed(3)),
        listed(300).replace("[[bindings]]\n", "[[bindings]]\nonly = [\"dev\"]\n"),
        listed(300).replace("[[bindings]]\n", "[[bindings]]\nonly = [\"prod\"]\n"),
        // Another way to write one than a number a line.
        listed(300).replace("12\",\n", "12\", # a note\n"),
        listed(300).replace("299\",\n", "299\"\n"),
        format!(
            "{blocks}[[bindings]]\nonly = [\"dev\"]\ntenant = \"t\"\nnumber = \"+919513457000\""
        ),
    ] {
        let (bulk, plain) = both(&text);
        assert_eq!(bulk.expect("goes this way"), plain, "{text}");
    }
}

#[test]
fn what_is_out_of_the_ordinary_does_not() {
    let blocks: String = (0..40).map(usual).collect();
    for more in [
        "[configs.x]\n",
        "[bindings.rules]\noutbound = true\n",
        "[[bindings]]\nnumber = \"+919513459999\"\n",
        "[[bindings]]\ntenant = \"t\"\nnumber = \"919513459999\"\n",
        "[[bindings]]\ntenant = \"t\"\nnumber = \"+919513459999\"\nnumber = \"+919513459998\"\n",
        "[[bindings]]\ntenant = \"t\"\nnumber = \"+919513459999\"\nprovder = \"x\"\n",
        "[[bindings]]\ntenant = \"t\"\nnumber = \"+919513459999\"\nprovider = '''\n'''\n",
        "[[bindings]]\ntenant = \"t\"\nnumbers = [\nnumber = \"+919513459999\"\n]\n",
        "# \u{7}\n",
        &listed(3).replace("+", ""),
        &listed(3).replace("+919", "+1"),
        &listed(3).replace("numbers", "numbers = []\nnumbers"),
        &listed(3).replace("458001", "45"),
        &listed(3).replace("]\n", ",]\n"),
        &usual(50).replace("config", &format!("{}config", &listed(3)[13..90])),
        &listed(3).replace("tenant", "number = \"+919513459999\"\ntenant"),
    ] {
        let text = format!("{blocks}{more}");
        assert!(both(&text).0.is_none(), "{more}");
    }
    for before in ["bindings = []\n", "a = [\n", "x = \"", "bindings.x = 1\n"] {
        assert!(both(&format!("{before}{blocks}")).0.is_none(), "{before}");
    }
}

prop_compose! {
    fn line()(kind in 0usize..25, n in 0u64..3) -> String {
        let number = 919_513_456_000 + n;
        match kind {
            0..=5 => format!("number = \"+{number}\""),
            6..=9 => format!("tenant = \"t{n}\""),
            10 => format!("tenant=\t\"t{n}\"  "),
            11 => format!("number = \"+{n}\""),
            12 => format!("  number =\"+{number}\" # {n}"),
            13 => format!("# {n}"),
            14 => "config = \"india\"".into(),
            15 => format!("provider = \"p{n}\""),
            16 => "rules = { outbound = true }".into(),
            17 => format!("only = [\"{}\"]", ["prod", "dev", "x"][n as usize]),
            18 => "env.prod = { provider = \"q\" }".into(),
            19 => "rules.inbound = true".into(),
            20 => format!("numbers = [\n\"+{number}\",\n# x\n]"),
            21 => format!("numbers=[\n\"+{number}\",\n  \"+91951346000{n}\",\t\n\"+91951346001{n}\",\n]"),
            22 => format!("numbers = [\n\"+{number}\",\n\"+9195134{n}\"\n]\n"),
            23 => format!("numbers = [\n\"+{number}\",\n\"+{n}\",\n\"+{number}\",\n ]"),
            _ => ["", "[bindings.rules]", "]", "\"number\" = \"x\""][n as usize].into(),
        }
    }
}

proptest! {
    #[test]
    fn both_ways_give_the_same(
        odd in proptest::collection::vec(proptest::collection::vec(line(), 1..5), 0..6),
        ends in prop_oneof![Just("\n"), Just("\r\n")],
    ) {
        let mut blocks: Vec<String> = (0..20).map(usual).collect();
        for lines in odd {
            blocks.push(format!("[[bindings]]\n{}\n", lines.join("\n")));
        }
        let text = blocks.concat().replace('\n', ends);
        if let (Some(bulk), plain) = both(&text) {
            prop_assert_eq!(bulk, plain);
        }
    }
}
