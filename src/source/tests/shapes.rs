//! What is no TOML or has a wrong shape, names, and what stands twice.

use super::*;

#[test]
fn shapes() {
    assert_codes("bindngs = 1\n", &["b.toml:1:1 unknown-key"]);
    assert_codes(&binding("provder = 1"), &["b.toml:4:1 unknown-key"]);
    assert_codes(
        &binding("rules = { outbond = true }"),
        &["b.toml:4:11 unknown-key"],
    );
    assert_codes(
        &binding("rules = { outbound = \"x\" }"),
        &["b.toml:4:22 wrong-type"],
    );
    assert_codes(&binding("only = \"prod\""), &["b.toml:4:8 wrong-type"]);
    assert_codes("regions = 5\n", &["b.toml:1:11 wrong-type"]);
    assert_codes("bindings = {}\n", &["b.toml:1:12 wrong-type"]);
    assert_codes("a = [1,\n", &["b.toml:1:8 syntax"]);
    assert_codes(&config(""), &["b.toml:5:10 missing-key"]);
    assert_codes(
        "[configs.x]\n",
        &[
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
        ],
    );
    // One object of a wrong shape hides no problem of another, and a key that
    // does not exist no problem of its own.
    let two = format!(
        "{}\nnumbers = 1\n{}",
        binding(""),
        binding("config = \"nope\"")
    );
    assert_codes(
        &two,
        &["b.toml:5:11 wrong-type", "b.toml:9:10 unknown-config"],
    );
    let typos = "bindngs = 1\n[[bindings]]\nnumbr = \"x\"\ntenant = \"sasia\"\n\
                 rules = { outbond = 1, allowed_outbound = \"x\" }\nprovder = \"x\"\n";
    assert_codes(
        typos,
        &[
            "b.toml:1:1 unknown-key",
            "b.toml:3:1 unknown-key",
            "b.toml:4:10 unknown-tenant",
            "b.toml:5:11 unknown-key",
            "b.toml:5:43 unknown-region",
            "b.toml:6:1 unknown-key",
        ],
    );
    let twice =
        "[[bindings]]\ntenant = \"sasya\"\nnumbers = [\"+971545335200\", \"+971545335200\"]";
    let finding = with_base(twice).findings.remove(0);
    assert_eq!(finding.also[0].0.column, 12);
    assert_eq!(finding.place.map(|place| place.column), Some(29));
}

#[test]
fn shapes_are_said_in_words() {
    let of = |text: &str| {
        let finding = with_base(text).findings.remove(0);
        format!("{} | {}", finding.message, finding.hint.unwrap_or_default())
    };
    assert_eq!(
        of(&binding("provder = 1")),
        "unknown key `provder` | did you mean `provider`?"
    );
    assert_eq!(
        of(&binding("rules = { livekit_config = \"x\" }")),
        "unknown key `livekit_config` | write `config = \"…\"` beside the number"
    );
    assert_eq!(of(&binding("rules = 5")), "a table is expected here | ");
    assert_eq!(of(&binding("only = \"x\"")), "a list is expected here | ");
    assert_eq!(of(&binding("provider = 5")), "a string is expected here | ");
}

#[test]
fn names() {
    let expect = "[[expect]]\nfrom = \"+971545335200\"\ntenant = \"sasia\"\nconfig = \"uae\"\nregion = \"uea\"";
    assert_codes(
        expect,
        &[
            "b.toml:3:10 unknown-tenant",
            "b.toml:4:10 unknown-config",
            "b.toml:5:10 unknown-region",
        ],
    );
    assert_codes(
        "[regions.x]\ndefault_config = \"uae-wm\"",
        &["b.toml:2:18 unknown-config"],
    );
    assert_codes(
        &config(ENV).replace("\"uae\"", "\"dubai\""),
        &["b.toml:6:10 unknown-region"],
    );
    let hints: Vec<_> = with_base(expect)
        .findings
        .into_iter()
        .map(|f| f.hint)
        .collect();
    assert_eq!(hints[0].as_deref(), Some("did you mean `sasya`?"));
    assert_eq!(hints[2].as_deref(), Some("did you mean `uae`?"));
    // What can't be read is not called unknown too.
    assert_codes(
        &format!("{}\nx = 1", config(ENV)),
        &["b.toml:11:1 unknown-key"],
    );
    assert_codes(
        "[tenants]\nt = \"x\"\n[[bindings]]\nnumber = \"+971545335200\"\ntenant = \"t\"",
        &["b.toml:2:5 bad-uuid"],
    );
    let broken = load_all(&[("a.toml", "x = \n"), ("b.toml", &binding(""))], None);
    assert_eq!(codes(&broken), ["a.toml:1:5 syntax"]);
}

#[test]
fn duplicates_show_both_places() {
    let both = |loaded: &Loaded| {
        let finding = &loaded.findings[0];
        let also = &finding.also[0].0;
        format!("{} {} {also}", finding.code, finding.place.clone().unwrap())
    };
    let a = "routing/a.toml";
    let b = "routing/b.toml";
    assert_eq!(
        both(&with_base("[regions.uae]")),
        format!("duplicate {b}:1:10 {a}:6:10")
    );
    assert_eq!(
        both(&with_base(
            "[configs.uae-vm]\nregion = \"uae\"\nurl = \"wss://x.example\"\napi_key = \"k\"\napi_secret = { env = \"LKROUTE_SECRET_X\" }"
        )),
        format!("duplicate {b}:1:10 {a}:14:10")
    );
    assert_eq!(
        both(&with_base("owner = \"x\"\nowner = \"y\"")),
        format!("duplicate {b}:2:1 {b}:1:1")
    );
    assert_eq!(
        both(&with_base("[regions.x]\n[tenants]\n[regions.x]")),
        format!("duplicate {b}:3:10 {b}:1:10")
    );
    assert_eq!(
        both(&with_base(
            "[tenants]\nsasya = \"00000000-0000-4000-8000-000000000001\""
        )),
        format!("duplicate {b}:2:1 {a}:3:1")
    );
    assert_eq!(
        both(&with_base(
            "[tenants]\nother = \"734cd516-e252-4728-9c52-4663ee552653\""
        )),
        format!("same-tenant {b}:2:1 {a}:3:1")
    );
    assert_eq!(
        both(&with_base("[regions.x]\ncountry_codes = [\"+91\"]")),
        format!("same-prefix {b}:2:18 {a}:11:18")
    );
    let same_id = config(&format!(
        "id = \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"\n{ENV}"
    ));
    assert_eq!(
        both(&with_base(&same_id)),
        format!("same-id {b}:9:6 {a}:15:6")
    );
    let twice = format!("{}\n{}", binding(""), binding("provider = \"x\""));
    assert_eq!(
        both(&with_base(&twice)),
        format!("duplicate-binding {b}:6:10 {b}:2:10")
    );
    // By uuid and by alias it is one tenant; a range and a list overlap.
    let overlap = r#"
        [[bindings]]
        tenant = "sasya"
        range = ["+971545335200", "+971545335209"]
        [[bindings]]
        tenant = "734cd516-e252-4728-9c52-4663ee552653"
        numbers = [
          "+971545335300",
          "+971545335205",
        ]"#;
    assert_eq!(
        both(&with_base(overlap)),
        format!("duplicate-binding {b}:9:11 {b}:4:9")
    );
    let rome = "[[bindings]]\ntenant = \"sasya\"\nconfig = \"uae-vm\"\nnumbers = [\"+390612345678\", \"+39612345678\"]";
    assert_eq!(
        both(&with_base(rome)),
        format!("same-row {b}:4:29 {b}:4:12")
    );
    let owners = load_all(
        &[
            ("a.toml", &format!("owner = \"a\"\n{BASE}")),
            ("b.toml", "owner = \"b\""),
        ],
        None,
    );
    assert_eq!(both(&owners), format!("duplicate {b}:1:9 {a}:1:9"));
}

#[test]
fn trees() {
    let nothing = load_routing(&Texts::default(), &LoadOptions::default());
    assert_eq!(codes(&nothing), ["no-files"]);
    assert_eq!(
        codes(&load_all(&[("a.toml", "# nothing yet\n")], None)),
        ["no-objects"]
    );
    let bytes = Texts::new([("x.toml".to_owned(), b"a = 1\n\"\xff\"".to_vec())]);
    let loaded = load_routing(&bytes, &LoadOptions::default());
    assert_eq!(codes(&loaded), ["x.toml:2:2 not-utf8"]);
}

#[test]
fn a_million_problems_are_counted_not_listed() {
    let numbers: String = (0..1500).map(|n| format!("\"{n}\",\n")).collect();
    let text = format!("[[bindings]]\ntenant = \"sasya\"\nnumbers = [\n{numbers}]");
    let findings = with_base(&text).findings;
    assert_eq!(findings.len(), 1001);
    let last = findings
        .iter()
        .find(|f| f.place.as_ref().is_some_and(|p| p.line == 0));
    assert_eq!(last.unwrap().message, "and 500 more like the 1000 above");
}

#[test]
fn many_files_load_in_order() {
    let files = (0..40).map(|n| {
        let text = format!("{}\n", binding("").replace("5200", &format!("52{n:02}")));
        (format!("routing/{n:02}.toml"), text.into_bytes())
    });
    let base = ("routing/base.toml".to_owned(), BASE.as_bytes().to_vec());
    let loaded = load_routing(&Texts::new(files.chain([base])), &LoadOptions::default());
    assert_eq!(loaded.findings, []);
    let sorted = loaded
        .routing
        .bindings
        .is_sorted_by_key(|binding| (binding.origin, binding.number));
    assert!(sorted && loaded.routing.bindings.len() == 40);
}

#[test]
fn what_nobody_sees_is_not_let_into_names_and_values() {
    let found = |text: &str| {
        let loaded = load_all(&[("routing/a.toml", text)], None);
        let findings = loaded.findings.into_iter();
        let messages = findings.map(|finding| finding.message);
        messages
            .filter(|message| message.contains("nobody sees") || message.contains("one line"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("[regions.\"u\\u202eae\"]\ncountry_codes = [\"+971\"]\n"),
        ["the name of a region holds U+202E, which nobody sees"]
    );
    assert_eq!(
        found("[tenants]\n\"a\\nb\" = \"e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5\"\n"),
        ["the name of a tenant has more than one line"]
    );
    let region = |description: &str| {
        format!("[regions.uae]\ncountry_codes = [\"+971\"]\ndescription = \"{description}\"\n")
    };
    assert_eq!(found(&region("one\\ntwo \\u200e")), [""; 0], "prose may");
    assert_eq!(
        found(&region("\\u001b[31m")),
        ["`description` holds U+001B, which nobody sees"]
    );
    let binding =
        "[[bindings]]\nnumber = \"+971545335200\"\ntenant = \"x\"\nprovider = \"a\\nb\"\n";
    assert_eq!(found(binding), ["`provider` has more than one line"]);
}
