//! `lkroute import` on both engines: an existing database as files, which a
//! plan then adopts.

use lkroute::diff::plan::{Action, Object};
use lkroute::files::Tree;
use lkroute::source::{self, LoadOptions};
use serde_json::json;

use crate::store::base::*;
use crate::store::on_both;
use crate::support::{
    Legacy, Lkroute, Postgres, Run, SECRET_INDIA, SECRET_UAE, TENANT_C, console, table_checksum,
};

on_both!(
    what_was_imported_is_adopted,
    part_of_a_database,
    nothing_is_overwritten,
    a_plain_secret_stays_where_it_is,
);

/// 1,000 numbers of 40 tenants on two configs, a block of 100 among them;
/// rows that can't be imported; a row of others for each tenant.
async fn fill(base: &Base) {
    configs(base, SECRET_UAE, SECRET_INDIA).await;
    let mut rows = Vec::new();
    for n in 0..1000u32 {
        let tenant = tenant(n % 40);
        let (code, base_number, config) = match n {
            0..100 => ("+971", 500_000_000 + n, CONFIG_UAE),
            _ => ("+91", 900_000_000 + n * 7, CONFIG_INDIA),
        };
        let tenant = if n < 100 { self::tenant(0) } else { tenant };
        let rules = json!({ "livekit_config": config, "outbound": n % 3 == 0,
            "number_type": "mobile", "ui": { "colour": n } });
        rows.push(format!(
            "('{}', '{tenant}', '{code}', {base_number}, 'Carrier {}', NULL, '{rules}')",
            id(n as u16),
            n % 2
        ));
    }
    let odd = [
        (
            "+91",
            "1",
            "'active'",
            json!({ "livekit_config": CONFIG_INDIA }),
        ),
        (
            "+91",
            "900000700",
            "'active'",
            json!({ "livekit_config": id(0xdead) }),
        ),
        ("+91", "900000980", "'active'", json!({})),
        (
            "+91",
            "900001260",
            "'inactive'",
            json!({ "livekit_config": CONFIG_INDIA }),
        ),
        (
            "+91",
            "800000001",
            "'inactive'",
            json!({ "livekit_config": CONFIG_INDIA }),
        ),
        (
            "+91",
            "800000002",
            "'active'",
            json!({ "livekit_config": id(0xdead) }),
        ),
        ("+91", "800000003", "'active'", json!(["a"])),
        (
            "+91",
            "800000004",
            "'active'",
            json!({ "is_default": true }),
        ),
    ];
    for (n, (code, number, status, rules)) in (2000..).zip(odd) {
        rows.push(format!(
            "('{}', '{}', '{code}', {number}, NULL, {status}, '{rules}')",
            id(n),
            tenant(20)
        ));
    }
    for rows in rows.chunks(200) {
        base.sql(&format!(
            "INSERT INTO {{voice_agent_numbers}}
               (id, tenant_id, country_code, base_number, provider, status, rules)
             VALUES {}",
            rows.join(",\n")
        ))
        .await;
    }
}

async fn configs(base: &Base, uae: &str, india: &str) {
    base.sql(&format!(
        "INSERT INTO {{voice_agent_livekit}}
           (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id, worker_name)
         VALUES
           ('{CONFIG_UAE}', 'uae-vm-selfhosted', 'http://livekit.uae.example:7880',
            'APImadeupuae', '{uae}', 'ST_svHE4RdTc7Ds', 'voag-staging'),
           ('{CONFIG_INDIA}', 'india-techiemaya-cloud', 'wss://livekit.india.example',
            'APImadeupindia', '{india}', 'ST_MmVqEuBMDNf6', NULL)"
    ))
    .await;
}

fn tenant(n: u32) -> String {
    format!("{n:08x}-0000-4000-8000-000000000000")
}

/// Runs `lkroute import --out routing` on the database, with more arguments.
fn import(lkroute: &Lkroute, base: &Base, more: &[&str]) -> Run {
    let url = base.url_text();
    let mut args = vec!["import", "--out", "routing", "--database", &url];
    if let Some(schema) = &base.schema {
        args.extend(["--schema", schema]);
    }
    args.extend(more);
    lkroute.run(&args)
}

async fn what_was_imported_is_adopted(base: Base) {
    fill(&base).await;
    let before = application(&base).await;
    let lkroute = Lkroute::new();
    let run = import(&lkroute, &base, &["--format", "json"]).expect_code(0);
    let report = run.json();
    // Two of the thousand share their number with another row.
    assert_eq!(report["summary"]["numbers"], 998, "{report:#}");
    assert_eq!(report["summary"]["tenants"], 40);
    assert_eq!(report["summary"]["without_config"], 1);
    let reasons = report["not_imported"].as_array().unwrap().iter();
    let reasons: Vec<_> = reasons
        .map(|reason| {
            (
                reason["reason"].as_str().unwrap(),
                reason["rows"].as_array().unwrap().len(),
            )
        })
        .collect();
    let expected = [
        ("dangling-config", 1),
        ("duplicate-rows", 2),
        ("duplicate-rows", 2),
        ("unreadable-number", 1),
        ("inactive", 2),
        ("rules-no-object", 1),
    ];
    assert_eq!(reasons, expected, "{report:#}");
    assert_eq!(
        report["files"],
        json!([
            "routing/india.toml",
            "routing/settings.toml",
            "routing/tenants.toml",
            "routing/uae.toml"
        ])
    );
    let uae = lkroute.read("routing/uae.toml");
    assert_contains!(uae, SECRET_UAE);

    let tree = Tree::open(&lkroute.path().join("routing"));
    let loaded = source::load_routing(&tree, &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let plan = base.settle(&loaded.routing).await;
    let mut adopted = 0;
    for change in &plan.changes {
        let region = matches!(change.object, Object::Region(_));
        let expected = if region {
            Action::Create
        } else {
            Action::Adopt
        };
        assert_eq!(change.action, expected, "{:?}", plan.patch(change));
        assert!(!plan.in_conflict(change));
        adopted += u32::from(!region);
    }
    assert_eq!(adopted, 998 + 2);
    assert_eq!(application(&base).await, before);

    // What is lkroute's now is imported as it was.
    let again = Lkroute::new();
    import(&again, &base, &[]).expect_code(0);
    for file in ["india.toml", "settings.toml", "tenants.toml", "uae.toml"] {
        let name = format!("routing/{file}");
        assert_eq!(again.read(&name), lkroute.read(&name), "{file}");
    }
}

/// Every byte of the application's tables.
async fn application(base: &Base) -> String {
    let configs = base
        .sql("SELECT * FROM {voice_agent_livekit} ORDER BY id")
        .await;
    let numbers = base
        .sql("SELECT * FROM {voice_agent_numbers} ORDER BY id")
        .await;
    format!("{configs}\n{numbers}")
}

async fn part_of_a_database(base: Base) {
    fill(&base).await;
    let lkroute = Lkroute::new();
    let first = tenant(0);
    let run = import(
        &lkroute,
        &base,
        &["--tenant", &first, "--config", "uae-vm-selfhosted"],
    );
    let run = run.expect_code(0);
    assert_starts!(
        run.stdout,
        "Imported 1 config and 100 numbers of 1 tenant into 3 files\n"
    );
    let uae = lkroute.read("routing/uae.toml");
    assert_lacks!(uae, "india");

    let other = Lkroute::new();
    for (args, what) in [
        (["--config", "nowhere"], "there is no config `nowhere`"),
        (
            ["--tenant", "00000000-0000-4000-8000-00000000beef"],
            "00000000beef",
        ),
        (["--tenant", "acme"], "no tenant is called `acme`"),
    ] {
        let run = import(&other, &base, &args).expect_code(1);
        assert_contains!(run.stderr, what);
        assert!(!other.path().join("routing").exists());
    }
}

async fn nothing_is_overwritten(base: Base) {
    fill(&base).await;
    let lkroute = Lkroute::new();
    lkroute.write("routing/deep/india.toml", "# mine\n");
    let run = import(&lkroute, &base, &[]).expect_code(1);
    assert_contains!(run.stderr, "routing/deep/india.toml");
    assert_eq!(run.stdout, "");
    assert_eq!(lkroute.read("routing/deep/india.toml"), "# mine\n");
    assert!(!lkroute.path().join("routing/tenants.toml").exists());
}

async fn a_plain_secret_stays_where_it_is(base: Base) {
    configs(&base, "made-up-plain-text", SECRET_INDIA).await;
    let lkroute = Lkroute::new();
    let run = import(&lkroute, &base, &[]).expect_code(0);
    assert_contains!(run.stdout, "LKROUTE_SECRET_UAE_VM_SELFHOSTED");
    let uae = lkroute.read("routing/uae.toml");
    assert_contains!(
        uae,
        "api_secret = { env = \"LKROUTE_SECRET_UAE_VM_SELFHOSTED\" }"
    );
    for text in [&run.stdout, &run.stderr, &uae] {
        assert_lacks!(text, "made-up-plain-text");
    }
}
/// The page is followed step by step, and shows what the commands print.
#[test]
fn the_page_on_moving_a_database_is_true() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("moving");
    let legacy = Legacy::default();
    legacy.install(&db);
    let numbers = legacy.table("voice_agent_numbers");
    db.psql(&format!(
        r#"INSERT INTO {numbers} (tenant_id, country_code, base_number, provider, status, rules)
           SELECT '{TENANT_B}', '+91', 8000000000 + n, 'Carrier B', 'active',
             '{{"livekit_config": "{CONFIG_INDIA}", "outbound": true,
               "required_lead_format": ["0", "base_number"], "capabilities": ["voice"]}}'
           FROM generate_series(1, 25) n;
           INSERT INTO {numbers} (tenant_id, country_code, base_number, provider, status, rules)
           VALUES
             ('{TENANT_C}', '+91', 8000000100, 'Carrier C', NULL,
              '{{"livekit_config": "{CONFIG_INDIA}", "allowed_outbound": "India"}}'),
             ('{TENANT_C}', '+91', 8000000200, 'Carrier C', NULL,
              '{{"livekit_config": "{CONFIG_INDIA}"}}'),
             ('{TENANT_C}', '+91', 8000000300, 'Carrier C', 'inactive',
              '{{"livekit_config": "{CONFIG_INDIA}"}}'),
             ('{TENANT_C}', '+91', 8000000400, 'Carrier C', 'active',
              '{{"livekit_config": "{CONFIG_INDIA}"}}'),
             ('{TENANT_C}', '91', 8000000400, 'Carrier C', 'active', '{{}}');
           UPDATE {numbers} SET id = ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
           FROM (SELECT ctid AS row, row_number() OVER (ORDER BY ctid) AS n FROM {numbers}) order_
           WHERE ctid = row"#
    ));
    let others = "NOT (coalesce(rules, 'null') ? 'livekit_config')";
    let before = table_checksum(&db, "lad_dev", "voice_agent_numbers", others);

    let mut lkroute = Lkroute::new();
    lkroute.env("DATABASE_URL", &db.url);
    lkroute.env("LKROUTE_SCHEMA", "lad_dev");
    let shown = "postgres://db.example:5432/lad";
    let label = db.url.replace("lkroute@", "");
    console("docs/moving.md", &lkroute, |text| {
        without_time(&text.replace(&label, shown))
    });
    let after = table_checksum(&db, "lad_dev", "voice_agent_numbers", others);
    assert_eq!(after, before);
}

/// `in 0.3 s` differs from run to run.
fn without_time(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" in ") {
        Some((before, after)) if line.starts_with("Applied as ") => {
            let rest = after.split_once(" s").map_or("", |(_, rest)| rest);
            format!("{before} in 0.1 s{rest}\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}
