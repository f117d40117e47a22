//! docs/limits.md: each reader has an end, and what lkroute makes is its
//! owner's alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Instant;

use crate::support::Lkroute;

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let lkroute = Lkroute::with_two_regions();
    // Sparse: it takes no room on the disk.
    let file = fs::File::create(lkroute.path().join("routing/long.toml")).expect("a file");
    file.set_len((256 << 20) + 1).expect("make it long");
    let refused = lkroute.run(&["validate"]).expect_code(3);
    let said = &refused.stdout;
    assert_contains!(said, "it is longer than 256 MiB");
    assert_contains!(said, "routing/long.toml");
}

#[test]
fn brackets_within_brackets_end() {
    let lkroute = Lkroute::with_two_regions();
    for deep in [
        format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}\n", "{ b = ".repeat(100_000)),
        format!("[{}]\n", vec!["a"; 100_000].join(".")),
        format!("{} = 1\n", vec!["a"; 100_000].join(".")),
        format!("{}x\n", "[[bindings]]\n".repeat(10)) + &"[".repeat(100_000),
    ] {
        lkroute.write("routing/deep.toml", &deep);
        let start = Instant::now();
        lkroute.run(&["validate"]).expect_code(3);
        lkroute.run(&["fmt", "--check"]).expect_code(3);
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }
}

#[test]
fn endless_files_are_not_read() {
    let lkroute = Lkroute::with_two_regions();
    symlink("/dev/zero", lkroute.path().join("endless")).expect("a link");
    let keys = ["--keys", "endless", "secrets", "list"];
    let refused = lkroute
        .run(&["secrets", "list", keys[0], keys[1]])
        .expect_code(1);
    assert_contains!(refused.stderr, "is longer than 1 MiB");
    let refused = lkroute.run(&["show", "endless"]).expect_code(1);
    assert_contains!(refused.stderr, "is longer than 1024 MiB");
}

#[test]
fn deep_json_is_not_followed() {
    let lkroute = Lkroute::new();
    for deep in ["[".repeat(100_000), "{\"plan\":".repeat(100_000)] {
        lkroute.write("deep.lkplan", &deep);
        let refused = lkroute.run(&["show", "deep.lkplan"]).expect_code(1);
        assert_contains!(refused.stderr, "it is no plan");
    }
}

#[test]
fn a_tree_with_too_many_entries_is_told_of_and_left() {
    for (what, most) in [("entries", 100_001), ("links", 10_001)] {
        let lkroute = Lkroute::with_two_regions();
        let dir = lkroute.path().join("routing/many");
        fs::create_dir(&dir).expect("a directory");
        for n in 0..most {
            let path = dir.join(n.to_string());
            match what {
                "links" => symlink("0", path).expect("a link"),
                _ => drop(fs::File::create(path).expect("a file")),
            }
        }
        let refused = lkroute.run(&["validate"]).expect_code(3);
        assert!(
            refused.stdout.contains("too-many-files"),
            "{what}: {refused:?}"
        );
        fs::remove_dir_all(dir).expect("clear up");
    }
}

#[test]
fn findings_of_a_kind_end_with_a_count() {
    let lkroute = Lkroute::with_two_regions();
    let many = (0..2500)
        .map(|n| format!("[[bindings]]\ntenant = \"sasya\"\nnumber = \"+4420794{n:05}\"\n"));
    lkroute.write("routing/many.toml", &many.collect::<String>());
    let report = lkroute.run(&["validate", "--format", "json"]);
    let report = report.expect_code(3).json();
    let findings = report["findings"].as_array().expect("a list").iter();
    let of_it = findings.filter(|finding| finding["code"] == "no-region");
    let said: Vec<_> = of_it
        .map(|finding| finding["message"].to_string())
        .collect();
    assert_eq!(said.len(), 1001);
    let counted = "and 1500 more like the 1000 above";
    assert!(said.iter().any(|message| message.contains(counted)));
}

/// Whatever is wrong with a range is said once, with a count.
#[test]
fn a_range_that_is_wrong_is_one_finding() {
    let range = |from: &str, to: &str, more: &str| {
        format!("[[bindings]]\nrange = [\"{from}\", \"{to}\"]\n{more}")
    };
    let sasya = "tenant = \"sasya\"\n";
    let on_vm = "tenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n";
    let good = range("+971500000000", "+971500000400", sasya);
    for (text, code, said) in [
        (
            range("+442079460000", "+442079460400", sasya),
            "no-region",
            "400 more",
        ),
        (format!("{good}{good}"), "duplicate-binding", "400 more"),
        (
            range("+390650000000", "+390650000400", on_vm)
                + &range("+39650000000", "+39650000400", on_vm),
            "same-row",
            "400 more",
        ),
        (
            format!("{good}config = \"nope\"\n"),
            "unknown-config",
            "401 numbers",
        ),
        (
            range("+971500000000", "+971500000400", "tenant = \"nope\"\n"),
            "unknown-tenant",
            "",
        ),
        (
            format!("{good}rules = {{ allowed_outbound = \"mars\" }}\n"),
            "unknown-region",
            "",
        ),
    ] {
        let lkroute = Lkroute::with_two_regions();
        lkroute.write("routing/range.toml", &text);
        let report = lkroute.run(&["validate", "--format", "json"]);
        let report = report.expect_code(3).json();
        let findings = report["findings"].as_array().expect("a list").iter();
        let errors: Vec<_> = findings.filter(|f| f["severity"] == "error").collect();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0]["code"], code);
        assert!(
            errors[0]["message"].to_string().contains(said),
            "{errors:?}"
        );
    }
}

#[test]
fn what_lkroute_makes_is_its_owners_alone() {
    let lkroute = Lkroute::with_two_regions();
    let mode = |name: &str| {
        let found = fs::metadata(lkroute.path().join(name)).expect("it is there");
        found.mode() & 0o777
    };
    let database = ["--database", "sqlite://x.db"];
    let run = |args: &[&str]| lkroute.run(&[args, &database].concat()).expect_code(0);
    run(&["plan", "--out", "x.lkplan"]);
    run(&["apply", "--auto-approve"]);
    assert_eq!((mode("x.lkplan"), mode("x.db")), (0o600, 0o600));
    // What is there keeps what it has.
    let theirs = fs::Permissions::from_mode(0o640);
    fs::set_permissions(lkroute.path().join("x.db"), theirs).expect("set them");
    run(&["apply", "--auto-approve"]);
    assert_eq!(mode("x.db"), 0o640);
}

#[test]
fn a_key_ring_that_others_can_read_is_told_of() {
    let lkroute = Lkroute::with_two_regions();
    let ring = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM\n";
    lkroute.write("keys", ring);
    let run = |mode: u32| {
        let keys = lkroute.path().join("keys");
        fs::set_permissions(keys, fs::Permissions::from_mode(mode)).expect("set them");
        let args = ["plan", "--database", "sqlite://x.db", "--keys", "keys"];
        lkroute.run(&args).expect_code(0).stderr
    };
    assert!(run(0o644).contains("others can read `keys`"), "no word");
    assert!(!run(0o600).contains("others can read"), "a word");
}

/// As secrets are mounted into containers, where nobody can change their mode.
#[test]
fn a_key_ring_on_a_read_only_mount_is_not_told_of() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "ring/keys",
        "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM\n",
    );
    let keys = lkroute.path().join("ring/keys");
    fs::set_permissions(keys, fs::Permissions::from_mode(0o644)).expect("set them");
    let in_mounts = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_lkroute")]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path);
        command.current_dir(lkroute.path()).output()
    };
    let bind = "mount --bind ring ring && mount -o remount,bind,ro ring";
    if !in_mounts(bind).is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: no mounts of one's own here");
        return;
    }
    let plan = "\"$0\" plan --database sqlite://x.db --keys ring/keys";
    let said = |script: &str| {
        let done = in_mounts(script).expect("run it");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert!(said(plan).contains("others can read"), "no word");
    assert_lacks!(said(&format!("{bind} && {plan}")), "others can read");
}

/// The table of the page names tests; they are there.
#[test]
fn the_page_on_limits_names_tests_that_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    for dir in ["src", "tests"] {
        for entry in walkdir::WalkDir::new(root.join(dir)) {
            let entry = entry.expect("read it");
            if entry.path().extension().is_some_and(|end| end == "rs") {
                sources += &fs::read_to_string(entry.path()).expect("text");
            }
        }
    }
    for page in [
        "docs/limits.md",
        "docs/threat-model.md",
        "docs/security-review.md",
    ] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        let names = text.lines().filter(|line| line.starts_with('|'));
        let names = names.filter_map(|line| line.trim_end_matches('|').rsplit('|').next());
        let names: Vec<&str> = names
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .filter(|name| name.contains("::"))
            .collect();
        assert!(names.len() > 5, "{page}: {names:?}");
        for name in names {
            let last = name.rsplit("::").next().unwrap_or_default();
            let there = [format!("fn {last}("), format!("mod {last};")];
            let there = there.iter().any(|code| sources.contains(code.as_str()));
            assert!(there, "{page} names `{name}`");
        }
    }
}
