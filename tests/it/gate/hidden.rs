//! Rows that row-level security hides are an error, never rows that are not
//! there.

use super::{applied, run};
use crate::support::Lkroute;

const COMMANDS: [&str; 11] = [
    "plan",
    "apply --auto-approve",
    "drift",
    "list",
    "resolve --from +971545335200",
    "dispatch --from +971545335200 --to +971501234567 --dry-run",
    "dispatch --from +971545335200 --to +971501234567",
    "doctor --no-probe",
    "import --out new",
    "rollback --to 1 --dry-run",
    "release --all",
];

#[test]
fn a_role_that_may_not_see_every_row_reads_nothing() {
    let Some((_, mut db)) = applied("hidden") else {
        return;
    };
    let (role, url) = db.role("writer");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA lad_dev TO {role};"
    ));
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("DATABASE_URL", &url)
        .env("LKROUTE_SCHEMA", "lad_dev");
    lkroute
        .env("LIVEKIT_URL", "wss://old.example")
        .env("LIVEKIT_API_KEY", "APImadeup");
    lkroute
        .env("LIVEKIT_API_SECRET", "made-up-secret-env")
        .env("OUTBOUND_TRUNK_ID", "ST_madeUp");
    let refused = || {
        for command in COMMANDS {
            let ran = run(&lkroute, command);
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert!(all.contains("row-level security"), "{command}: {all}");
            assert!(!all.contains("old.example"), "{command}: {all}");
            ran.expect_code(1);
        }
    };
    let numbers = "lad_dev.voice_agent_numbers";
    run(&lkroute, "list").expect_code(0);
    // No policy at all hides everything.
    db.psql(&format!("ALTER TABLE {numbers} ENABLE ROW LEVEL SECURITY"));
    refused();
    db.psql(&format!(
        "CREATE POLICY tenants ON {numbers}
           USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)"
    ));
    refused();
    // One that lets everything through, beside one that does not: refused,
    // as the contract says; alone it will do.
    db.psql(&format!(
        "CREATE POLICY all_rows ON {numbers} TO {role} USING (true)"
    ));
    refused();
    db.psql(&format!("DROP POLICY tenants ON {numbers}"));
    for command in ["list", "plan", "resolve --from +971545335200"] {
        run(&lkroute, command).expect_code(0);
    }
    // What can be planned can be applied, new numbers too.
    lkroute.write(
        "routing/new.toml",
        "[[bindings]]\nnumber = \"+971545335299\"\ntenant = \"sasya\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let added = format!("SELECT count(*) FROM {numbers} WHERE base_number = 545335299");
    assert_eq!(db.psql(&added), "1");
    db.psql(&format!(
        "CREATE POLICY less ON {numbers} AS RESTRICTIVE USING (status = 'active')"
    ));
    refused();
    // Configs count as numbers do.
    db.psql(&format!(
        "ALTER TABLE {numbers} DISABLE ROW LEVEL SECURITY;
         ALTER TABLE lad_dev.voice_agent_livekit ENABLE ROW LEVEL SECURITY"
    ));
    refused();
    db.psql(&format!("ALTER ROLE {role} BYPASSRLS"));
    run(&lkroute, "plan").expect_code(0);
}
