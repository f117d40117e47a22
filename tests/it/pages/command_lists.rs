//! Commands of sentences that no block of a page shows: who runs each.

/// What is run here, in this order in one directory: the command of the pages,
/// the exit code, and the line. Lines without one prepare the next.
pub(super) const HERE: [(&str, i32, &str); 26] = [
    ("lkroute fmt", 0, "lkroute fmt"),
    ("lkroute fmt --check", 0, "lkroute fmt --check"),
    ("lkroute schema", 0, "lkroute schema"),
    ("lkroute completions SHELL", 0, "lkroute completions bash"),
    ("lkroute man --out DIR", 0, "lkroute man --out pages"),
    ("lkroute COMMAND --help", 0, "lkroute plan --help"),
    (
        "lkroute validate --format sarif",
        0,
        "lkroute validate --format sarif",
    ),
    (
        "lkroute plan --format sarif",
        0,
        "lkroute plan --format sarif",
    ),
    ("", 0, "lkroute plan --out it.lkplan"),
    ("lkroute show FILE", 0, "lkroute show it.lkplan"),
    (
        "",
        0,
        "git init -q . && git add routing && git -c user.name=a -c user.email=a@acme.example \
         commit -qm all && cp -r routing before",
    ),
    (
        "",
        0,
        "printf '[[bindings]]\\nnumber = \"+971545339000\"\\ntenant = \"techiemaya-test\"\\n' \
         >routing/numbers.toml",
    ),
    (
        "lkroute plan --against DIR",
        2,
        "lkroute plan --against before --detailed-exitcode",
    ),
    (
        "lkroute plan --against REV",
        2,
        "lkroute plan --against HEAD --detailed-exitcode",
    ),
    (
        "lkroute plan --number +971545339000",
        0,
        "lkroute plan --number +971545339000",
    ),
    ("", 0, "lkroute apply --auto-approve"),
    ("lkroute drift --all", 0, "lkroute drift --all"),
    ("", 0, "echo 'provider = \"ours\"' >>routing/numbers.toml"),
    (
        "",
        0,
        "sqlite3 lkroute.db \"UPDATE voice_agent_numbers SET provider = 'theirs' \
         WHERE base_number = 545339000\"",
    ),
    ("", 6, "lkroute plan"),
    ("lkroute adopt --all", 0, "lkroute adopt --all"),
    ("", 0, "lkroute plan"),
    (
        "lkroute trust livekit-2.example --reason failover",
        0,
        "lkroute trust livekit-2.example --reason failover",
    ),
    (
        "lkroute trust HOST --reason …",
        0,
        "lkroute trust livekit-3.example --reason 'the VM moved'",
    ),
    ("lkroute trust", 0, "lkroute trust"),
    (
        "lkroute release --all",
        0,
        "mkdir away && cd away && \
         lkroute --database sqlite://../lkroute.db release --all --auto-approve",
    ),
];

/// Run by a test that is about them: the command, the test, and what of the
/// command stands in that test's file.
pub(super) const ELSEWHERE: [(&str, &str, &[&str]); 16] = [
    (
        "lkroute migrate --restamp ENV",
        "gate::stamps::a_copy_is_stamped_anew_and_is_another_database",
        &["migrate --restamp staging --auto-approve"],
    ),
    (
        "lkroute migrate --restamp staging",
        "gate::stamps::a_copy_is_stamped_anew_and_is_another_database",
        &["migrate --restamp staging --auto-approve"],
    ),
    (
        "lkroute cancel",
        "calls::cancel::a_call_is_ended_by_its_room_or_its_dispatch",
        &["\"cancel\", name"],
    ),
    (
        "lkroute cancel ROOM",
        "calls::cancel::a_call_is_ended_by_its_room_or_its_dispatch",
        &["\"cancel\", name"],
    ),
    (
        "lkroute env --config NAME -- lk room list",
        "calls::cancel::a_command_gets_the_credentials_of_a_config",
        &["\"env\", \"--config\""],
    ),
    (
        "lkroute doctor --config … --probe-worker",
        "calls::doctor::a_worker_is_tried_only_where_asked_and_no_room_is_left",
        &["\"doctor\", \"--probe-worker\", \"--config\""],
    ),
    (
        "lkroute dispatches --refresh ROOM",
        "calls::fallback::where_nothing_can_have_been_created_the_fallback_takes_the_call",
        &["\"dispatches\", \"--refresh\", room"],
    ),
    (
        "lkroute migrate --reset-guards --reason TEXT",
        "cli::guards::stored::stored_guards_that_cant_be_read_are_an_error_until_they_are_reset",
        &["\"migrate\", \"--reset-guards\", \"--reason\""],
    ),
    (
        "lkroute migrate --reset-guards --reason …",
        "cli::guards::stored::stored_guards_that_cant_be_read_are_an_error_until_they_are_reset",
        &["\"migrate\", \"--reset-guards\", \"--reason\""],
    ),
    (
        "lkroute migrate --reset-guards --reason",
        "cli::guards::stored::stored_guards_that_cant_be_read_are_an_error_until_they_are_reset",
        &["\"migrate\", \"--reset-guards\", \"--reason\""],
    ),
    (
        "git replace --graft",
        "git::forged::a_commit_has_the_parents_that_it_names",
        &["\"replace\", \"--graft\""],
    ),
    (
        "git tag base EVIL",
        "git::forged::a_name_that_git_can_read_in_two_ways_is_no_revision",
        &["\"tag\", \"base\", &evil"],
    ),
    (
        "dpkg -i FILE",
        "release::the_package_goes_from_nothing_to_a_resolved_call",
        &["\"/usr/bin/dpkg\"", "\"-i\""],
    ),
    (
        "pip install lkroute-cli",
        "release::the_wheel_goes_from_nothing_to_a_resolved_call",
        &["\"pip\"", "\"install\"", "&wheel"],
    ),
    (
        ".github/release/check-version.sh TAG",
        "release::a_release_has_one_version_everywhere",
        &["check-version.sh", "[tag, program()]"],
    ),
    (
        "cargo check --lib --no-default-features",
        "pages::sentences::what_ci_runs_is_what_the_pages_say",
        &["cargo check --locked --lib --no-default-features"],
    ),
];

/// Not run by any test, and why.
pub(super) const NOT_RUN: [(&str, &str); 25] = [
    (
        "git revert",
        "it is git's own, on the files of whoever uses it",
    ),
    (
        "LKROUTE_TEST_LIVEKIT_SIP=/path tests/sip tests/run --test it -- calls::sip",
        "no command installs livekit-sip",
    ),
    (".ci/run", TESTS),
    ("tests/run", TESTS),
    ("tests/run --test it -- gate::waits", TESTS),
    ("tests/run --test it -- python::", TESTS),
    (
        "LKROUTE_GOLDEN=refresh tests/run --test it -- pages:: review:: source:: cli::output",
        TESTS,
    ),
    (
        "LKROUTE_GOLDEN=refresh tests/run --test it -- review::schema",
        TESTS,
    ),
    (
        "LKROUTE_FAILOVERS=8 tests/run --test it -- faults::failover --ignored --nocapture",
        TESTS,
    ),
    (
        "LKROUTE_TEST_REQUIREMENTS=python/tests/oldest.txt LKROUTE_TEST_PYTHONS=python3.11 \
         tests/run --test it -- --ignored python::versions",
        TESTS,
    ),
    (
        "LKROUTE_TEST_PG_MAJORS=12 tests/run --test it -- store::majors --nocapture",
        TESTS,
    ),
    (
        "LKROUTE_TEST_PG_OTHERS=…/pgserver/pginstall/bin tests/run --test it -- store::majors --nocapture",
        TESTS,
    ),
    (
        "LKROUTE_TEST_KILLS=200 tests/run --test it -- calls::kills::kills --nocapture",
        TESTS,
    ),
    ("cargo test", TESTS),
    ("cargo test --lib -- phone::", TESTS),
    ("cargo test --test it -- cli::usage::completions", TESTS),
    ("cargo clippy --lib", "`.ci/run` lints it with all the rest"),
    ("cargo bench --bench calls", FIGURES),
    ("cargo bench --bench scale", FIGURES),
    ("cargo bench --bench scale -- 1000000", FIGURES),
    ("cargo install --locked", BUILD),
    ("cargo install --locked --path .", BUILD),
    (
        "cargo install cargo-fuzz",
        "it installs the program of others, for a toolchain that no test needs",
    ),
    (
        "uvx --from lkroute-cli lkroute plan",
        "it asks the index for what is not published yet; the same wheel goes through pip",
    ),
    (
        "pip install ./python",
        "it builds for minutes what `python::` builds and installs",
    ),
];
const TESTS: &str = "it is what runs the tests";
const FIGURES: &str = "figures are made on a quiet machine";
const BUILD: &str = "it builds for minutes what the tests were built with";
