//! One number before and after: `plan --number`, on both engines.

use lkroute::impact::one_number::OneNumber;
use lkroute::phone::E164;
use lkroute::render::number;
use lkroute::resolve::Facts;

use super::schema::assert_valid;
use super::world::{self, UAE};
use crate::git::git;
use crate::support::{Legacy, Lkroute, Postgres, TENANT_B, block_on, golden};

const NUMBER: &str = "+919513456728";

/// The two regions, applied; another tenant has India's number too, without a
/// config. Then ours moves to the other region.
fn moved(lkroute: &Lkroute, schema: &str, sql: impl Fn(&str)) {
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    sql(&format!(
        "INSERT INTO {schema}voice_agent_numbers
           (id, tenant_id, country_code, base_number, provider, status, rules)
         VALUES ('926070b5-0000-4000-8000-000000000001', '{TENANT_B}', '+91', 9513456728,
           'TechieMaya FZE', 'active', '{{}}')"
    ));
    lkroute.edit(
        "routing/india.toml",
        "tenant = \"techiemaya-test\"\nprovider",
        "tenant = \"techiemaya-test\"\nconfig = \"uae-vm-selfhosted\"\nprovider",
    );
    let tests = lkroute.read("routing/india.toml");
    let tests = tests.split("\n[[expect]]").next().expect("a part");
    lkroute.write("routing/india.toml", tests);
}

/// The ids of new rows differ from run to run.
fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    let ids: Vec<String> = text
        .split(|c: char| c != '-' && !c.is_ascii_hexdigit())
        .filter(|word| {
            word.parse::<uuid::Uuid>()
                .is_ok_and(|id| id.get_version_num() == 7)
        })
        .map(str::to_owned)
        .collect();
    for id in ids {
        text = text.replace(&id, "01a1fc35-6254-760c-a9b3-0c50663c07e1");
    }
    text
}

fn looked_at(lkroute: &Lkroute) {
    let run = |args: &[&str]| {
        let args = [&["plan", "--number"], args].concat();
        lkroute.run(&args)
    };
    let text = run(&[NUMBER]).expect_code(0).stdout;
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    golden("number/plan.txt", &masked(&text));
    let page = run(&[NUMBER, "--format", "markdown"]).expect_code(0).stdout;
    let (_, page) = page.split_once("####").expect("a heading");
    let (page, _) = page.split_once("#### Who").expect("another");
    golden("number/plan.md", &masked(page));

    let report = run(&[NUMBER, "--format", "json"]).expect_code(0);
    let report = assert_valid("plan", &report.stdout);
    let pairs = report["number"]["tenants"].as_array().expect("tenants");
    let [other, ours] = pairs.as_slice() else {
        panic!("{report:#}");
    };
    assert_eq!(other["tenant"], TENANT_B);
    assert_eq!(other["before"]["source"], "environment");
    assert_eq!(other["before"], other["after"]);
    assert_eq!(ours["tenant_alias"], "techiemaya-test");
    assert_eq!(ours["before"]["region"], "india");
    assert_eq!(ours["after"]["region"], "uae");
    assert_eq!(ours["after"]["worker_name"], "voag-staging");

    let one = run(&[NUMBER, "--tenant", "techiemaya-test", "--format", "json"]);
    let one = one.expect_code(0).json();
    assert_eq!(one["number"]["tenants"].as_array().map(Vec::len), Some(1));
    let pending = run(&[NUMBER, "--detailed-exitcode"]);
    pending.expect_code(2);

    let nobody = run(&["+919513456799"]).expect_code(0).stdout;
    assert_contains!(nobody, "in neither the files nor the database");
    let nobody = run(&["+919513456799", "--format", "json"]).expect_code(0);
    let nobody = assert_valid("plan", &nobody.stdout);
    assert_eq!(nobody["number"]["tenants"], serde_json::json!([]));
    let unknown = run(&[NUMBER, "--tenant", "nobody"]).expect_code(1);
    assert_contains!(unknown.stderr, "no tenant is called `nobody`");
    lkroute.run(&["plan", "--tenant", "sasya"]).expect_code(1);
}

#[test]
fn a_number_is_shown_before_and_after_on_sqlite() {
    let lkroute = Lkroute::with_two_regions();
    let url = format!("sqlite://{}", lkroute.path().join("lkroute.db").display());
    moved(&lkroute, "", |sql| {
        block_on(async {
            use sqlx::Connection;
            let conn = sqlx::SqliteConnection::connect(&url).await;
            let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
            sql.execute(&mut conn.expect("a database"))
                .await
                .expect("a row");
        });
    });
    looked_at(&lkroute);
}

#[test]
fn a_number_is_shown_before_and_after_on_postgres() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("plan-number");
    db.psql(&Legacy::named("lad_dev").schema_sql());
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("DATABASE_URL", &db.url)
        .env("LKROUTE_SCHEMA", "lad_dev");
    lkroute.run(&["migrate"]).expect_code(0);
    moved(&lkroute, "lad_dev.", |sql| {
        db.psql(sql);
    });
    looked_at(&lkroute);
}

#[test]
fn offline_it_is_marked() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", "");
    git(lkroute.path(), &["init", "-q"]);
    git(lkroute.path(), &["add", "-A"]);
    git(lkroute.path(), &["commit", "-q", "-m", "x"]);
    lkroute.edit(
        "routing/uae.toml",
        "= \"voag-staging\"",
        "= \"voag-dev-v2\"",
    );
    let text = lkroute.run(&["diff", "--number", "+971545335200"]);
    let text = text.expect_code(0).stdout;
    golden("number/diff.txt", &text);
    let against = ["plan", "--against", "HEAD", "--number", "+971545335200"];
    assert_eq!(lkroute.run(&against).expect_code(0).stdout, text);
    let nobody = lkroute.run(&["diff", "--number", "+971545335299"]);
    let nobody = nobody.expect_code(0).stdout;
    assert_contains!(nobody, "the database was not asked");
}

#[test]
fn where_there_is_room_both_stand_beside_each_other() {
    let (before, mut after) = (world::two_regions().0, world::changed().0);
    let config = after.configs.values_mut();
    for config in config.filter(|config| config.id == Some(UAE)) {
        config.url = format!("wss://{}.example", "a-very-long-name.".repeat(4));
    }
    let from = E164::parse(NUMBER).expect("a number");
    let (before, after) = (
        Facts::of_files(&before, from),
        Facts::of_files(&after, from),
    );
    let one = OneNumber::new(from, None, &before, &after);
    let draw = |width| {
        let text = number::number_text(&one, width);
        let text = anstream::adapter::strip_str(&text).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?} of {width}\n{text}");
        text
    };
    golden("number/wide.txt", &draw(110));
    for width in [60, 80, 99, 100, 120] {
        draw(width);
    }
}
