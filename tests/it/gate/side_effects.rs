//! What triggers, foreign keys and views of the application's do beside what lkroute
//! writes: an apply that reports one change and makes two is a false word.

use super::{Session, applied, run, world};
use crate::support::{DEMO_KEYS, Db, Lkroute};

const SPARE: &str = "routing/spare.toml";

fn with_keys(mut lkroute: Lkroute) -> Lkroute {
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    lkroute.env("LKROUTE_SECRET_SPARE", "made-up");
    lkroute
}

/// Adds a config that no number has, and applies it.
fn with_spare(lkroute: Lkroute) -> Lkroute {
    let lkroute = with_keys(lkroute);
    lkroute.write(
        SPARE,
        "[configs.spare]\nregion = \"uae\"\nurl = \"wss://spare.example\"\napi_key = \"key\"\n\
         api_secret = { env = \"LKROUTE_SECRET_SPARE\" }\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

fn applied_on_sqlite() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

/// A config that rows point to by a foreign key takes them along, or loses them
/// their config: "1 to delete" is no word of that.
#[test]
fn a_config_that_rows_point_to_is_not_deleted() {
    const COLUMN: &str = "ALTER TABLE voice_agent_numbers ADD COLUMN livekit_id";
    const ADD_NAME: &str = "ALTER TABLE voice_agent_numbers ADD COLUMN livekit_name text
        REFERENCES voice_agent_livekit (name) ON DELETE CASCADE";
    const POINT: &str = "UPDATE voice_agent_numbers SET livekit_id =
        (SELECT id FROM voice_agent_livekit WHERE name = 'spare') WHERE base_number = 545335200";
    const NONE: &str = "UPDATE voice_agent_numbers SET livekit_id = NULL";
    let check = |lkroute: &Lkroute, ask: &dyn Fn(&str) -> String| {
        let text = lkroute.read(SPARE);
        let remove = || std::fs::remove_file(lkroute.path().join(SPARE)).expect("removed");
        // A key that no row uses is in nobody's way.
        remove();
        run(lkroute, "plan --detailed-exitcode --out saved.plan").expect_code(2);
        ask(POINT);
        for command in ["plan", "apply --auto-approve"] {
            let refused = run(lkroute, command).expect_code(4);
            assert_contains!(
                refused.words(),
                "spare can't be deleted: rows point to it by a foreign key ("
            );
            assert_contains!(refused.words(), "livekit_id");
        }
        let hinted = run(lkroute, "plan").told(
            "let them point to another config, or to none, in the application first: they would be deleted or changed with it",
        );
        hinted.then(|| ask(NONE));
        // A plan looks at keys to the id alone, and the apply at all that happens.
        ask(ADD_NAME);
        ask("UPDATE voice_agent_numbers SET livekit_name = 'spare' WHERE base_number = 545335200");
        let rows = ask("SELECT count(*) || '' FROM voice_agent_numbers");
        let late = run(lkroute, "apply saved.plan").expect_code(1);
        let told = "1 row of the application's tables would change beside what the plan says, by \
                    the foreign key";
        assert_contains!(late.words(), told);
        let late = late.told(
            "nothing was written; change what acts on these rows, or write them in the application first, so that there is nothing left for it to do",
        );
        assert_eq!(ask("SELECT count(*) || '' FROM voice_agent_numbers"), rows);
        lkroute.write(SPARE, &text);
        run(lkroute, "plan --detailed-exitcode").expect_code(0);
        remove();
        late.then(|| ask("UPDATE voice_agent_numbers SET livekit_name = NULL"));
        run(lkroute, "apply saved.plan").expect_code(0);
        run(lkroute, "plan --detailed-exitcode").expect_code(0);
    };
    let lkroute = with_spare(Lkroute::with_two_regions());
    let ask = |text: &str| lkroute.sql(text);
    ask(&format!(
        "{COLUMN} text REFERENCES voice_agent_livekit ON DELETE CASCADE"
    ));
    check(&lkroute, &ask);
    let Some((lkroute, db)) = applied("points") else {
        return;
    };
    let lkroute = with_spare(lkroute);
    let ask = |text: &str| db.psql(&format!("SET search_path = lad_dev; {text}"));
    ask(&format!(
        "{COLUMN} uuid REFERENCES voice_agent_livekit (id) ON DELETE CASCADE"
    ));
    check(&lkroute, &ask);
}

/// The trigger of one table writes the other, or that of a child does, or what is
/// deferred does at COMMIT: the history would hold what the database does not.
#[test]
fn what_a_trigger_writes_elsewhere_is_told() {
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION lad_dev.act() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN {body} RETURN NEW; END $$;"
        )
    };
    let takes_config = "UPDATE lad_dev.voice_agent_numbers SET rules = rules - 'livekit_config';";
    // A block of its own is a transaction of its own below the apply's.
    let in_a_block =
        format!("BEGIN {takes_config} EXCEPTION WHEN division_by_zero THEN NULL; END;");
    let on_configs = "CREATE TRIGGER act AFTER UPDATE ON lad_dev.voice_agent_livekit
                      FOR EACH ROW EXECUTE FUNCTION lad_dev.act()";
    let deferred = "CREATE CONSTRAINT TRIGGER act AFTER UPDATE ON lad_dev.voice_agent_livekit
                    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION lad_dev.act()";
    let worker = "IF NEW.worker_name <> 'evil' THEN
                    UPDATE lad_dev.voice_agent_livekit SET worker_name = 'evil' WHERE id = NEW.id;
                  END IF;";
    for (name, setup, told) in [
        (
            "elsewhere",
            function(takes_config) + on_configs,
            "rows of the application's tables would change beside",
        ),
        (
            "blocks",
            function(&in_a_block) + on_configs,
            "rows of the application's tables would change beside",
        ),
        ("deferred", function(worker) + deferred, "(worker_name)"),
    ] {
        let Some((lkroute, db)) = applied(name) else {
            return;
        };
        db.psql(&setup);
        lkroute.edit("routing/uae.toml", "voag-staging", "voag-next");
        let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
        assert_contains!(refused.words(), told, "nothing was written");
        let kept = "SELECT count(*) FROM lad_dev.voice_agent_numbers n
                      JOIN lad_dev.voice_agent_livekit c ON c.id::text = n.rules->>'livekit_config'
                    WHERE c.worker_name IN ('voag-staging', 'voag-dev')";
        assert_eq!(db.psql(kept), "2", "{name}");
        db.psql("DROP TRIGGER act ON lad_dev.voice_agent_livekit");
        run(&lkroute, "apply --auto-approve").expect_code(0);
        run(&lkroute, "drift").expect_code(0);
    }
}

/// One that writes the very rows once more, as one that keeps `updated_at` does, or
/// a table of its own, is in nobody's way.
#[test]
fn a_trigger_that_keeps_to_the_row_is_none_of_ours() {
    let lkroute = applied_on_sqlite();
    lkroute.sql(
        "CREATE TABLE seen (id); CREATE TRIGGER touch AFTER UPDATE ON Voice_Agent_Numbers BEGIN
           UPDATE voice_agent_numbers SET updated_at = 'now' WHERE id = NEW.id;
           INSERT INTO seen VALUES (NEW.id); END",
    );
    lkroute.edit("routing/uae.toml", "sasya UAE Number", "another");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let Some((lkroute, db)) = applied("touched") else {
        return;
    };
    db.psql(
        "CREATE FUNCTION lad_dev.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           UPDATE lad_dev.voice_agent_numbers SET updated_at = now()
             WHERE id = NEW.id AND pg_trigger_depth() = 1; RETURN NULL; END $$;
         CREATE TRIGGER touched AFTER UPDATE ON lad_dev.voice_agent_numbers
           FOR EACH ROW EXECUTE FUNCTION lad_dev.touched()",
    );
    lkroute.edit("routing/uae.toml", "sasya UAE Number", "another");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "drift").expect_code(0);
}

/// SQLite keeps a name as it was typed, and takes it in every spelling.
#[test]
fn names_on_sqlite_are_found_in_every_spelling() {
    let lkroute = applied_on_sqlite();
    lkroute.sql(
        "CREATE TRIGGER t AFTER UPDATE ON VOICE_AGENT_NUMBERS BEGIN
           UPDATE voice_agent_numbers SET provider = 'T' WHERE id = NEW.id; END",
    );
    lkroute.edit("routing/uae.toml", "sasya UAE Number", "another");
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(refused.words(), "(provider)", "nothing was written");
    lkroute.sql(
        "DROP TRIGGER t; ALTER TABLE voice_agent_numbers RENAME TO other;
         ALTER TABLE other RENAME TO Voice_Agent_Numbers",
    );
    run(&lkroute, "migrate --check").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// A view may hide rows, and can't be written: every command says so, not the apply
/// alone.
#[test]
fn a_view_in_place_of_a_table_is_refused() {
    let refused = |lkroute: &Lkroute| {
        for command in ["migrate --check", "plan", "drift", "apply --auto-approve"] {
            let refused = run(lkroute, command).expect_code(1);
            assert_contains!(
                refused.words(),
                "voice_agent_numbers is a view, and no table"
            );
        }
    };
    let lkroute = applied_on_sqlite();
    lkroute.sql(
        "ALTER TABLE voice_agent_numbers RENAME TO numbers;
         CREATE VIEW voice_agent_numbers AS SELECT * FROM numbers",
    );
    refused(&lkroute);
    let generated = applied_on_sqlite();
    generated.sql(
        "ALTER TABLE voice_agent_numbers DROP COLUMN provider;
         ALTER TABLE voice_agent_numbers ADD COLUMN provider text AS ('made')",
    );
    for command in ["migrate --check", "plan"] {
        let refused = run(&generated, command).expect_code(1);
        assert_contains!(
            refused.words(),
            "provider is generated, and can't be written"
        );
    }
    let Some((lkroute, db)) = applied("view") else {
        return;
    };
    db.psql(
        "ALTER TABLE lad_dev.voice_agent_numbers RENAME TO numbers;
         CREATE VIEW lad_dev.voice_agent_numbers AS SELECT * FROM lad_dev.numbers",
    );
    refused(&lkroute);
}

/// What is deferred to COMMIT is refused as any other constraint is, with its hint:
/// "apply again" would fail each time.
#[test]
fn a_deferred_constraint_is_told_before_commit() {
    let hint = "the table does not take what is declared: write another value, or change its constraint; nothing was changed";
    let check = |lkroute: &Lkroute, told: &str, mend: &dyn Fn()| {
        let refused = run(lkroute, "apply --auto-approve").expect_code(1);
        assert_contains!(refused.words(), told);
        assert_lacks!(refused.words(), "COMMIT");
        refused.told(hint).then(mend);
        run(lkroute, "apply --auto-approve").expect_code(0);
    };
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "migrate").expect_code(0);
    lkroute.sql(
        "CREATE TABLE tenants (id text PRIMARY KEY);
         ALTER TABLE voice_agent_numbers ADD COLUMN of text DEFAULT NULL
           REFERENCES tenants DEFERRABLE INITIALLY DEFERRED;
         CREATE TRIGGER t AFTER INSERT ON voice_agent_numbers BEGIN
           UPDATE voice_agent_numbers SET of = 'nobody' WHERE id = NEW.id; END",
    );
    check(&lkroute, "FOREIGN KEY constraint failed", &|| {
        lkroute.sql("INSERT INTO tenants VALUES ('nobody')");
    });
    let Some((lkroute, db)) = world("deferred_key") else {
        return;
    };
    db.psql(
        "DELETE FROM lad_dev.voice_agent_numbers; CREATE TABLE lad_dev.tenant (id uuid PRIMARY KEY);
         ALTER TABLE lad_dev.voice_agent_numbers ADD CONSTRAINT tenant_fk
           FOREIGN KEY (tenant_id) REFERENCES lad_dev.tenant DEFERRABLE INITIALLY DEFERRED",
    );
    run(&lkroute, "migrate").expect_code(0);
    check(&lkroute, "tenant_fk", &|| {
        db.psql("ALTER TABLE lad_dev.voice_agent_numbers DROP CONSTRAINT tenant_fk");
    });
}

/// Nobody's session holds the lock of a prepared transaction, and nobody ends it
/// but by its name.
#[test]
fn a_prepared_transaction_that_is_in_the_way_is_named() {
    let Some((lkroute, db)) = applied("prepared") else {
        return;
    };
    let prepare = |db: &Db, sql: &str| {
        let gid = format!("forgotten in {}", db.name);
        db.psql(&format!("BEGIN; {sql}; PREPARE TRANSACTION '{gid}'"));
        gid
    };
    let number = "UPDATE lad_dev.voice_agent_numbers SET provider = provider";
    let gid = prepare(&db, number);
    lkroute.write(
        "routing/more.toml",
        "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n",
    );
    let refused = run(&lkroute, "--lock-timeout 1 apply --auto-approve").expect_code(1);
    let named = format!("the prepared transaction '{gid}' of lkroute since ");
    assert_contains!(
        refused.words(),
        named,
        "ROLLBACK PREPARED ends) is writing to voice_agent_numbers"
    );
    db.psql(&format!("ROLLBACK PREPARED '{gid}'"));
    let gid = prepare(
        &db,
        "LOCK TABLE lad_dev.voice_agent_numbers IN ACCESS EXCLUSIVE MODE",
    );
    let refused = run(&lkroute, "--lock-timeout 1 plan").expect_code(1);
    let named = format!("for the prepared transaction '{gid}' of the role lkroute");
    assert_contains!(refused.words(), named);
    db.psql(&format!("ROLLBACK PREPARED '{gid}'"));
    run(&lkroute, "plan").expect_code(0);
}

/// A key that says ON CONFLICT REPLACE takes rows of others away without a word, and
/// fires no trigger.
#[test]
fn a_key_that_replaces_rows_replaces_none_for_us() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "migrate").expect_code(0);
    let made = lkroute.sql("SELECT sql FROM sqlite_master WHERE name = 'voice_agent_numbers'");
    let end = made.rfind(')').expect("columns");
    lkroute.sql(&format!(
        "DROP TABLE voice_agent_numbers; {}, UNIQUE (base_number) ON CONFLICT REPLACE);
         INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status)
           VALUES ('11111111-1111-4111-8111-111111111111', '99999999-1111-4111-8111-111111111111',
             '+971', 545335200, 'active')",
        &made[..end]
    ));
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(
        refused.words(),
        "UNIQUE constraint failed",
        "nothing was changed"
    );
    assert_eq!(
        lkroute.sql("SELECT count(*) || '' FROM voice_agent_numbers"),
        "1"
    );
}

#[test]
fn rows_that_a_trigger_leaves_out_are_told() {
    let hint = "nothing was written; a trigger or rule of the table leaves rows out: change it";
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "migrate").expect_code(0);
    lkroute.sql(
        "CREATE TRIGGER leave BEFORE INSERT ON voice_agent_numbers BEGIN SELECT RAISE(IGNORE); END",
    );
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(refused.words(), "on them acts the trigger leave of");
    refused
        .told(hint)
        .then(|| lkroute.sql("DROP TRIGGER leave"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let Some((lkroute, db)) = world("left_out") else {
        return;
    };
    run(&lkroute, "migrate").expect_code(0);
    db.psql(
        "DELETE FROM lad_dev.voice_agent_numbers;
         CREATE FUNCTION lad_dev.leave() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER leave BEFORE INSERT ON lad_dev.voice_agent_numbers
           FOR EACH ROW EXECUTE FUNCTION lad_dev.leave()",
    );
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(refused.words(), "on them acts the trigger leave of");
    refused
        .told(hint)
        .then(|| db.psql("DROP TRIGGER leave ON lad_dev.voice_agent_numbers"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// A migration of the application that was under way when the apply looked at the
/// columns: what is written has the bytes of the old type.
#[test]
fn a_column_of_another_type_meanwhile_is_told() {
    let Some((lkroute, db)) = applied("meanwhile") else {
        return;
    };
    lkroute.write(
        "routing/more.toml",
        "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n",
    );
    let waiting = || db.psql("SELECT count(*) FROM pg_locks WHERE NOT granted");
    let mut holder = Session::open(&db.url);
    // Reading goes on; what writes waits.
    holder.run("BEGIN; LOCK TABLE lad_dev.voice_agent_numbers IN SHARE MODE");
    let applied = std::thread::scope(|scope| {
        let apply = scope.spawn(|| run(&lkroute, "apply --auto-approve"));
        while waiting() == "0" {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        holder
            .run("ALTER TABLE lad_dev.voice_agent_numbers ALTER base_number TYPE numeric; COMMIT");
        apply.join().expect("ran")
    });
    let refused = applied.expect_code(5);
    assert_contains!(
        refused.words(),
        "the application's tables have changed since they were looked at"
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}
