//! Hints about what stands in the routing files: each is told of a broken
//! file, and the file that does what it says is valid and tells it no more.

use super::run;
use crate::support::{Lkroute, Run, find_hint};

const UAE: &str = "routing/uae.toml";

/// A config beside the sample's, with some of its lines written otherwise.
fn config(other: &[&str]) -> String {
    let mut lines = vec![
        "region = \"uae\"",
        "url = \"wss://x.example\"",
        "api_key = \"key\"",
        "api_secret = { env = \"LKROUTE_SECRET_X\" }",
    ];
    for line in other {
        let key = line.split(' ').next().unwrap_or_default();
        lines.retain(|line| line.split(' ').next() != Some(key));
    }
    lines.extend(other);
    format!("[configs.x]\n{}\n", lines.join("\n"))
}

fn binding(lines: &str) -> String {
    format!("[[bindings]]\ntenant = \"sasya\"\n{lines}\n")
}

/// The hint is gone, and the files are valid.
#[track_caller]
fn is_mended(after: Run, hint: &str) {
    let after = after.expect_code(0);
    let said = format!("{}{}", after.stdout, after.stderr);
    let still = find_hint(&said, hint);
    assert!(still.is_none(), "{hint:?} is still told: {said}");
}

/// A file beside the sample's tells the hint, and another in its place does
/// what it says.
#[track_caller]
fn mends(hint: &str, broken: &str, mended: &str) {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write("routing/x.toml", broken);
    let hinted = run(&lkroute, "validate").told(hint);
    hinted.then(|| lkroute.write("routing/x.toml", mended));
    is_mended(run(&lkroute, "validate"), hint);
}

/// The same with some text of the sample in another way.
#[track_caller]
fn mends_edit(hint: &str, from: &str, broken: &str, mended: &str) {
    let lkroute = Lkroute::with_two_regions();
    lkroute.edit(UAE, from, broken);
    let hinted = run(&lkroute, "validate").told(hint);
    let text = lkroute.read(UAE);
    hinted.then(|| lkroute.write(UAE, &text.replacen(broken, mended, 1)));
    is_mended(run(&lkroute, "validate"), hint);
}

#[test]
fn urls() {
    let mends = |hint: &str, broken: &str, mended: &str| {
        let [broken, mended] = [broken, mended].map(|url| config(&[&format!("url = \"{url}\"")]));
        mends(hint, &broken, &mended);
    };
    mends(
        "write `wss://{text}`, or `ws://{text}` where there is no TLS",
        "x.example",
        "wss://x.example",
    );
    mends(
        "write `{lower}` in lower case: LiveKit clients refuse it otherwise",
        "WSS://x.example",
        "wss://x.example",
    );
    mends(
        "LiveKit is reached by wss, https, ws or http",
        "ftp://x.example",
        "https://x.example",
    );
    mends(
        "take out what stands before `@`; the key goes into `api_key`",
        "wss://key@x.example",
        "wss://x.example",
    );
    mends(
        "LiveKit clients drop a path silently: give the host alone",
        "wss://x.example/rtc",
        "wss://x.example",
    );
    mends(
        "LiveKit clients drop a query silently: give the host alone",
        "wss://x.example?a=b",
        "wss://x.example",
    );
}

#[test]
fn configs() {
    mends_edit(
        "use wss, or a name that ends in .internal for a private network",
        "http://livekit.uae.example:7880",
        "http://other.example",
        "http://other.internal",
    );
    mends(
        "leave `deployment` out: that is LiveKit's production",
        &config(&["deployment = \"production\""]),
        &config(&[]),
    );
    mends_edit(
        "a sealed secret belongs to an id: give the one that it was sealed for",
        "id = \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"",
        "# no id",
        "id = \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"",
    );
    mends(
        "treat it as leaked, get a new one, and write it with `lkroute secrets seal`; or name its \
         source: { env = \"NAME\" } or { file = \"path\" }",
        &config(&["api_secret = \"plain\""]),
        &config(&["api_secret = { file = \"x.secret\" }"]),
    );
    for source in ["sealed = \"plain\"", "env = \"not a name\""] {
        mends(
            "if this is the secret itself, treat it as leaked and get a new one",
            &config(&[&format!("api_secret = {{ {source} }}")]),
            &config(&[]),
        );
    }
    mends(
        "write it as `{id}`",
        &config(&["id = \"99999999e25247289c524663ee552653\""]),
        &config(&["id = \"99999999-e252-4728-9c52-4663ee552653\""]),
    );
    mends(
        "a uuid is 32 hex digits as 8-4-4-4-12",
        &config(&["id = \"99999999\""]),
        &config(&["id = \"99999999-e252-4728-9c52-4663ee552653\""]),
    );
    mends(
        "call it LKROUTE_SECRET_…, or list it: `[secrets]` `env = [\"{variable}\"]`",
        &config(&["api_secret = { env = \"OTHER\" }"]),
        &format!(
            "{}[secrets]\nenv = [\"OTHER\"]\n",
            config(&["api_secret = { env = \"OTHER\" }"])
        ),
    );
    mends(
        "a call takes one step at most: leave one of them out",
        &config(&["fallback = \"x\""]),
        &config(&["fallback = \"uae-vm-selfhosted\""]),
    );
    mends(
        "a trunk belongs to one server: a fallback needs one of its own",
        &(config(&[])
            + "\n[configs.y]\nfallback = \"x\"\n"
            + &config(&[]).replacen("[configs.x]", "", 1)),
        &(config(&["trunk_id = \"ST_x\""])
            + "\n[configs.y]\nfallback = \"x\"\n"
            + &config(&[]).replacen("[configs.x]", "", 1)),
    );
    mends(
        "did you mean `{slip}`?",
        &binding("number = \"+971501234567\"\nconfig = \"uae-vm-selfhostet\""),
        &binding("number = \"+971501234567\"\nconfig = \"uae-vm-selfhosted\""),
    );
    let wanted = binding("number = \"+971501234567\"\nconfig = \"x\"");
    mends(
        "declare [configs.{}]; one that is to go is deleted once nothing names it",
        &wanted,
        &(config(&[]) + &wanted),
    );
}

#[test]
fn bindings() {
    mends(
        "make a binding of its own for each",
        &binding("number = \"+971501234567\"\nnumbers = [\"+971501234568\"]"),
        &(binding("number = \"+971501234567\"") + &binding("numbers = [\"+971501234568\"]")),
    );
    mends(
        "did you mean `{guess}`?",
        &binding("number = \"971501234567\""),
        &binding("number = \"+971501234567\""),
    );
    mends(
        "split it into several ranges",
        &binding("range = [\"+971500000000\", \"+971501000000\"]"),
        &(binding("range = [\"+971500000000\", \"+971500000009\"]")
            + &binding("range = [\"+971500000010\", \"+971500000019\"]")),
    );
    mends(
        "write `config = \"…\"` beside the number",
        &binding("number = \"+971501234567\"\nrules = { livekit_config = \"x\" }"),
        &binding("number = \"+971501234567\"\nconfig = \"uae-vm-selfhosted\""),
    );
    mends(
        "name a `config` or a `region`, or add its prefix to the `country_codes` of a region",
        &binding("number = \"+4930123456\""),
        &binding("number = \"+4930123456\"\nregion = \"uae\""),
    );
    let region = "[regions.x]\ncountry_codes = [\"+49\"]\n";
    mends(
        "name a `config` here, or a `default_config` under [regions.{region}]",
        &(region.to_owned() + &binding("number = \"+4930123456\"")),
        &(region.to_owned()
            + "default_config = \"uae-vm-selfhosted\"\n"
            + &binding("number = \"+4930123456\"")),
    );
    mends(
        "keep one of them: there is no precedence",
        &binding("number = \"+971545335200\""),
        &binding("number = \"+971545335201\""),
    );
    let italian = |numbers: &str| binding(&format!("numbers = [{numbers}]\nregion = \"uae\""));
    mends(
        "the database keeps the national number as an integer, without its leading zero",
        &italian("\"+390612345678\", \"+39612345678\""),
        &italian("\"+390612345678\""),
    );
    let outbound = |codes: &str, name: &str| {
        let rules =
            format!("number = \"+971501234567\"\nrules = {{ allowed_outbound = \"{name}\" }}");
        format!("{codes}{}", binding(&rules))
    };
    mends(
        "it knows {known}",
        &outbound("", "uae").replace("\"uae\"", "\"x\"").replacen(
            "[[",
            "[regions.x]\ncountry_codes = [\"+49\"]\n[[",
            1,
        ),
        &outbound("", "uae"),
    );
}

/// `+1` is shared: what is not meant goes into a region of its own, and is
/// then named no more.
#[test]
fn a_code_that_countries_share_names_those_that_are_let_through() {
    let lkroute = Lkroute::with_two_regions();
    let files = |other: &str| {
        let rules = "number = \"+971501234567\"\nrules = { allowed_outbound = \"us\" }";
        format!(
            "[regions.us]\ncountry_codes = [\"+1\"]\n{other}{}",
            binding(rules)
        )
    };
    lkroute.write("routing/x.toml", &files(""));
    let first = run(&lkroute, "validate").expect_code(0);
    assert_contains!(first.stdout, "JM,");
    let hint = "give those that are not meant a region of their own, such as, for {next}, country_codes = [{codes}]";
    let mut other = String::new();
    let mut said = first;
    for round in 0.. {
        assert!(round < 30, "{}", said.stdout);
        if !said.stdout.contains("outbound-shared-code") {
            break;
        }
        let hinted = said.told(hint);
        let text = crate::support::words_of(&said.stdout);
        let codes = text.split("country_codes = ").nth(1).expect("codes");
        let codes = &codes[..=codes.find(']').expect("an end")];
        other += &format!("[regions.x{round}]\ncountry_codes = {codes}\n");
        hinted.then(|| lkroute.write("routing/x.toml", &files(&other)));
        said = run(&lkroute, "validate").expect_code(0);
        if round == 0 {
            assert_lacks!(said.stdout, "AG,");
        }
    }
}

#[test]
fn names_and_settings() {
    mends(
        "write `config.uae-*` or `binding.+971545335200@*`",
        "[guards]\nprotected = [\"uae-vm-selfhosted\"]\n",
        "[guards]\nprotected = [\"config.uae-vm-selfhosted\"]\n",
    );
    mends(
        "a calling code, alone or with the digits of an area: `+91`",
        "[regions.x]\ncountry_codes = [\"0049\"]\n",
        "[regions.x]\ncountry_codes = [\"+49\"]\n",
    );
    mends("keep one of them", "owner = \"another\"\n", "");
    mends(
        "keep one of them",
        "[configs.uae-vm-selfhosted]\nurl = \"wss://x.example\"\n",
        "",
    );
    mends_edit(
        "keep one of them",
        "trunk_id = ",
        "api_key = ",
        "trunk_id = ",
    );
    mends(
        "keep one alias for a tenant",
        "[tenants]\nother = \"734cd516-e252-4728-9c52-4663ee552653\"\n",
        "",
    );
}

#[test]
fn environments() {
    let lkroute = Lkroute::with_two_regions();
    let file = "routing/x.toml";
    let hinted =
        run(&lkroute, "validate --env staging").told("the files declare none: leave out --env");
    hinted.then(|| run(&lkroute, "validate")).expect_code(0);
    let declared = "[environments.staging]\ndatabase = \"postgres://h/d\"\n";
    lkroute.write(file, declared);
    let hinted = run(&lkroute, "validate --env staging")
        .told("put the URL into a variable, and write the variable's name");
    let declared = declared.replace("postgres://h/d", "STAGING");
    hinted.then(|| lkroute.write(file, &declared));
    let chosen = run(&lkroute, "validate").told("choose it with --env");
    chosen
        .with(&lkroute, "validate --env staging")
        .expect_code(0);
    let there = run(&lkroute, "validate --env production").told("there is {listed}");
    there
        .then(|| run(&lkroute, "validate --env staging"))
        .expect_code(0);
    let only = binding("number = \"+971501234567\"\nonly = [\"prod-of-others\"]");
    lkroute.write(file, &(declared.clone() + &only));
    let unknown = run(&lkroute, "validate --env staging").told("there is `staging`");
    unknown.then(|| {
        lkroute.write(
            file,
            &(declared.clone() + &only.replace("prod-of-others", "staging")),
        )
    });
    run(&lkroute, "validate --env staging").expect_code(0);
    lkroute.write(file, &only);
    let unknown = run(&lkroute, "validate").told("declare it: [environments.{}]");
    unknown.then(|| {
        lkroute.write(
            file,
            &format!("{}{only}", declared.replace("staging", "prod-of-others")),
        )
    });
    run(&lkroute, "validate --env prod-of-others").expect_code(0);
    // What environments override stands below the config itself.
    let over = "\n[configs.uae-vm-selfhosted.env.staging]\nworker_name = \"voag-two\"\n";
    lkroute.write(file, &(declared.clone() + over));
    let below = run(&lkroute, "validate --env staging")
        .told("write that below the config itself, in the same file");
    let uae = lkroute.read(UAE);
    let (config, bindings) = uae.split_once("\n[[bindings]]").expect("a binding");
    below.then(|| {
        lkroute.write(file, &declared);
        lkroute.write(UAE, &format!("{config}{over}\n[[bindings]]{bindings}"))
    });
    run(&lkroute, "validate --env staging").expect_code(0);
}

#[test]
fn a_tree_of_too_many_numbers() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/x.toml",
        &binding("range = [\"+971500000000\", \"+971500000099\"]"),
    );
    let hinted = run(&lkroute, "validate --max-bindings 50")
        .told("this is the first beyond; if they are all meant, say `--max-bindings {total}`");
    hinted
        .with(&lkroute, "validate --max-bindings 102")
        .expect_code(0);
}

#[test]
fn an_empty_tree() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let names: Vec<_> = ["uae", "india", "tenants"].into_iter().collect();
    for name in &names {
        lkroute.write(format!("routing/{name}.toml"), "");
    }
    let hinted = run(&lkroute, "plan").told(
        "an empty tree would delete everything, so it is refused; `lkroute release --all` gives objects back",
    );
    let asked = hinted.run(&lkroute, &[]).expect_code(1);
    let asked = asked.told("look at it, then say `lkroute {command} … --auto-approve`");
    asked
        .with(&lkroute, "release --all --auto-approve")
        .expect_code(0);
    for name in &names {
        std::fs::remove_file(lkroute.path().join(format!("routing/{name}.toml"))).expect("removed");
    }
    let none = run(&lkroute, "plan").told("name the directory of the routing files with --routing");
    let other = Lkroute::with_two_regions();
    let routing = other.path().join("routing");
    let plan = none.with(&lkroute, &format!("plan --routing {}", routing.display()));
    plan.expect_code(0);
}
