//! What others define in a schema that everybody's names are looked up in
//! (CVE-2018-1058): an operator or function that fits the types of a column
//! better than PostgreSQL's own would run with the rights of lkroute's role.

use std::path::Path;

use super::{applied, run};
use crate::support::FERNET_KEY;

/// Operators and functions for `varchar`, of which PostgreSQL has none for
/// `varchar` itself; each ends whatever calls it.
fn definitions() -> String {
    let mut sql = String::new();
    let body = "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a stranger ran'; END $$";
    let pairs = [
        ("varchar", "varchar"),
        ("varchar", "text"),
        ("text", "varchar"),
    ];
    let operators = ["=", "<>", "<", ">", "<=", ">=", "||", "~"];
    for (ix, operator) in operators.iter().enumerate() {
        let gives = if *operator == "||" { "text" } else { "boolean" };
        for (at, (left, right)) in pairs.iter().enumerate() {
            sql += &format!(
                "CREATE FUNCTION public.stranger{ix}_{at}({left}, {right}) RETURNS {gives} {body};
                 CREATE OPERATOR public.{operator} (LEFTARG = {left}, RIGHTARG = {right},
                   PROCEDURE = public.stranger{ix}_{at});\n"
            );
        }
    }
    let functions = "lower upper btrim ltrim rtrim md5 to_jsonb length char_length left right \
                     substr replace concat split_part strpos jsonb_build_object string_agg \
                     array_agg max min quote_literal translate starts_with";
    for name in functions.split_whitespace() {
        for arguments in [
            "varchar",
            "varchar, text",
            "varchar, varchar",
            "varchar, integer",
        ] {
            sql += &format!("CREATE FUNCTION public.{name}({arguments}) RETURNS text {body};\n");
        }
    }
    // What takes anything is less exact than what takes just these.
    for arguments in [
        "text",
        "text, integer",
        "uuid, text",
        "text, text",
        "name, text",
    ] {
        sql +=
            &format!("CREATE FUNCTION public.json_build_array({arguments}) RETURNS json {body};\n");
    }
    sql += &format!(
        "CREATE FUNCTION public.unnest(oid[]) RETURNS SETOF oid {body};
         CREATE FUNCTION public.jsonb_build_object(text, text) RETURNS jsonb {body};
         CREATE FUNCTION public.stranger_state(json, json) RETURNS json {body};
         CREATE AGGREGATE public.json_agg(json) (SFUNC = public.stranger_state, STYPE = json);\n"
    );
    sql
}

/// Functions that take arguments of any type or number: one for just the types
/// of a call comes before PostgreSQL's own, unless its schema is said.
#[test]
fn functions_that_take_anything_are_called_by_their_schema() {
    const ANYTHING: &str = "json_build_array jsonb_build_array json_build_object \
                            jsonb_build_object json_agg jsonb_agg array_agg concat concat_ws \
                            to_json to_jsonb row_to_json";
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.expect("read src/");
        let path = entry.path();
        let of_postgres = path.components().any(|part| part.as_os_str() == "postgres")
            || path.ends_with("postgres.rs");
        if !of_postgres || !entry.file_type().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("text");
        for name in ANYTHING.split_whitespace() {
            for (at, _) in text.match_indices(&format!("{name}(")) {
                let before = &text[..at];
                let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == ':';
                if !before.ends_with(word) {
                    found.push(format!("{}: {name}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn operators_of_others_are_not_run() {
    let Some((mut lkroute, mut db)) = applied("strangers") else {
        return;
    };
    let (role, url) = db.role("stranger");
    db.psql(&format!("GRANT USAGE, CREATE ON SCHEMA public TO {role}"));
    let defined = db.psql_as(&url, &definitions());
    defined.expect("a schema that others may write to");
    // It does run where nothing is said of types.
    let careless = "SELECT 1 FROM lad_dev.voice_agent_numbers WHERE status = 'active'";
    let ran = db.psql_as(&db.url, careless);
    assert!(ran.is_err_and(|error| error.contains("a stranger ran")));
    db.psql(
        "INSERT INTO lad_dev.voice_agents SELECT 7, gen_random_uuid(), 'x';
         UPDATE lad_dev.voice_agent_numbers SET default_agent_id = 7",
    );
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-staging-2");
    for command in [
        "plan",
        "apply --auto-approve",
        "drift",
        "list --tenant sasya",
        "list --config uae-vm-selfhosted",
        "resolve --from +971545335200 --tenant sasya --to 0501234567",
        "dispatch --from +971545335200 --to 0501234567 --agent-id 7 --dry-run",
        "dispatch --from +971545335200 --to 0501234567 --initiated-by \
         e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5 --dry-run",
        "dispatches",
        "doctor --no-probe",
        "history",
        "import --out new",
        "migrate",
        "migrate --index",
        "rollback --auto-approve --reason x",
        "secrets list",
        "trust lk.example --reason x",
        "trust",
        "release --all --auto-approve",
    ] {
        let ran = run(&lkroute, command);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("a stranger ran"), "{command}: {said}");
    }
}
