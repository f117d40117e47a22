//! Hints about a file of SQLite: who else has it, where it is, what is in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::applied::{applied, theirs, worker};
use super::{Lkroute, run};
use crate::support::{Run, other_user, words_of};

const APPLY: &str = "apply --auto-approve";

/// A session of somebody else's.
struct Holder(tokio::runtime::Runtime, sqlx::SqliteConnection);

impl Holder {
    fn begin(lkroute: &Lkroute, sql: &'static str) -> Holder {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}", lkroute.path().join("lkroute.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let conn = runtime.block_on(sqlx::SqliteConnection::connect(&url));
        let mut holder = Holder(runtime, conn.expect("connect"));
        holder.run(sql);
        holder
    }

    fn run(&mut self, sql: &'static str) {
        let ran = sqlx::raw_sql(sql).execute(&mut self.1);
        self.0.block_on(ran).expect("run");
    }
}

#[test]
fn a_file_that_others_write_to() {
    let lkroute = applied();
    let mut holder = Holder::begin(&lkroute, "BEGIN EXCLUSIVE");
    let hint = "nothing was changed; try again when it is done, or wait longer with --lock-timeout";
    for command in ["list", "plan", "resolve --from +971545335200"] {
        let start = Instant::now();
        let locked = run(&lkroute, &format!("{command} --lock-timeout 1")).expect_code(1);
        let told = format!("{}{}", locked.stdout, locked.stderr);
        assert_contains!(words_of(&told), "is locked by another process: waited 1 s");
        assert!(start.elapsed() < Duration::from_secs(4), "{command}");
    }
    let locked = run(&lkroute, "list").expect_code(1);
    assert_contains!(locked.words(), "waited 5 s");
    let hinted = locked.told(hint);
    holder.run("ROLLBACK");
    hinted
        .with(&lkroute, "list --lock-timeout 20")
        .expect_code(0);
    // Who only reads keeps a COMMIT from the file.
    holder.run("BEGIN; SELECT count(*) FROM voice_agent_numbers");
    worker(&lkroute, "voag-staging", "voag-read");
    let read = run(&lkroute, &format!("{APPLY} --lock-timeout 1")).expect_code(1);
    assert_contains!(
        read.words(),
        "another process reads",
        "waited 1 s for the end"
    );
    assert_lacks!(read.words(), "another apply");
    holder.run("ROLLBACK");
    run(&lkroute, APPLY).expect_code(0);
    worker(&lkroute, "voag-read", "voag-staging");
    run(&lkroute, APPLY).expect_code(0);
    worker(&lkroute, "voag-staging", "voag-two");
    holder.run("BEGIN IMMEDIATE");
    let busy = run(&lkroute, &format!("{APPLY} --lock-timeout 1")).expect_code(1);
    let hinted = busy.told("nothing was written; try again, or give a longer --lock-timeout");
    holder.run("ROLLBACK");
    hinted
        .with(&lkroute, &format!("{APPLY} --lock-timeout 20"))
        .expect_code(0);
}

#[test]
fn what_is_no_file_or_lacks_something() {
    let lkroute = applied();
    let directory = run(&lkroute, "list --database sqlite://routing").expect_code(1);
    let hinted =
        directory.told("check the path, its permissions and the disk: it has to be a file");
    hinted
        .then(|| run(&lkroute, "list --database sqlite://lkroute.db"))
        .expect_code(0);
    // A pipe that nobody writes to.
    let pipe = lkroute.path().join("pipe.db");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    for command in ["list", "plan", APPLY] {
        let refused = run(&lkroute, &format!("{command} --database sqlite://pipe.db"));
        assert_contains!(
            refused.expect_code(1).words(),
            "sqlite://pipe.db is no file"
        );
    }
    // Behind a link that leads nowhere yet.
    std::os::unix::fs::symlink("behind.db", lkroute.path().join("link.db")).expect("a link");
    run(&lkroute, &format!("{APPLY} --database sqlite://link.db")).expect_code(0);
    let made = fs::metadata(lkroute.path().join("behind.db")).expect("the file");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    lkroute.sql("ALTER TABLE voice_agent_livekit RENAME COLUMN trunk_id TO trunk");
    let lacks = run(&lkroute, "list").expect_code(1);
    let hinted = lacks.told("lkroute reads and writes the columns that docs/databases.md lists");
    let back = "ALTER TABLE voice_agent_livekit RENAME COLUMN trunk TO trunk_id";
    hinted.then(|| lkroute.sql(back));
    run(&lkroute, "list").expect_code(0);
    // A trigger of others that names what is not there.
    lkroute.sql(
        "CREATE TRIGGER theirs AFTER UPDATE ON voice_agent_livekit
           BEGIN INSERT INTO log_of_theirs VALUES (NEW.id); END",
    );
    worker(&lkroute, "voag-staging", "voag-two");
    let failed = run(&lkroute, APPLY).expect_code(1);
    let hinted = failed.told(
        "`lkroute migrate --check` says whether something of lkroute's is missing; if not, a trigger or a view of others names what is not there",
    );
    hinted.run(&lkroute, &[]).expect_code(0);
    lkroute.sql("CREATE TABLE log_of_theirs (id text)");
    run(&lkroute, APPLY).expect_code(0);
    // Rows that are passed over.
    lkroute.sql("INSERT INTO voice_agent_livekit (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('seven', 'theirs', 'wss://theirs.example', 'APItheirs', 'sealed')");
    let odd = run(&lkroute, "plan").expect_code(0);
    let hinted = odd.told("give it a uuid in the application");
    let id = "cccccccc-0000-4000-8000-000000000001";
    hinted.then(|| {
        lkroute.sql(&format!(
            "UPDATE voice_agent_livekit SET id = '{id}' WHERE id = 'seven'"
        ))
    });
    let after = run(&lkroute, "plan").expect_code(0).stdout;
    assert_lacks!(after, "uuid");
    theirs(&lkroute, "description = description");
}

/// Runs a command as somebody whom the modes of files hold back: root's rights
/// over them are left away.
fn held_back(lkroute: &Lkroute, line: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_lkroute");
    let mut command = match other_user() {
        None => Command::new(program),
        Some(_) => {
            let mut without = Command::new("setpriv");
            without.args([
                "--bounding-set=-dac_override,-dac_read_search",
                "--",
                program,
            ]);
            without
        }
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(line.split(' ')).current_dir(lkroute.path());
    command.env_clear().env("PATH", path).env("NO_COLOR", "1");
    Run::of_command(&mut command)
}

fn set_modes(dir: &Path, of_dir: u32, of_files: u32) {
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    for entry in fs::read_dir(dir).expect("read it").flatten() {
        if entry.path().is_file() {
            set(&entry.path(), of_files).expect("set it");
        }
    }
    set(dir, of_dir).expect("set it");
}

#[test]
fn a_file_that_this_user_may_not_write() {
    let lkroute = applied();
    worker(&lkroute, "voag-staging", "voag-two");
    set_modes(lkroute.path(), 0o555, 0o444);
    let refused = held_back(&lkroute, APPLY);
    set_modes(lkroute.path(), 0o755, 0o644);
    let hinted = refused
        .expect_code(1)
        .told("run it as a user who may write the file and its directory");
    hinted.then(|| held_back(&lkroute, APPLY)).expect_code(0);
    // What somebody who was killed left half written: a journal beside the file.
    let mut holder = Holder::begin(&lkroute, "PRAGMA cache_size = 1; BEGIN IMMEDIATE");
    holder.run(
        "UPDATE voice_agent_numbers SET provider = 'half'; CREATE TABLE filler AS
           WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
           SELECT i, hex(randomblob(50)) AS text FROM n",
    );
    let left = lkroute.path().join("left");
    fs::create_dir(&left).expect("made");
    for name in ["lkroute.db", "lkroute.db-journal"] {
        fs::copy(lkroute.path().join(name), left.join(name)).expect("copied");
    }
    holder.run("ROLLBACK");
    set_modes(&left, 0o555, 0o444);
    let list = "list --database sqlite://left/lkroute.db";
    let refused = held_back(&lkroute, list);
    set_modes(&left, 0o755, 0o644);
    let hinted = refused
        .expect_code(1)
        .told("run a command as a user who may write the file and its directory; that mends it");
    hinted.then(|| held_back(&lkroute, list)).expect_code(0);
}

/// A disk of its own, so small that it is full.
#[test]
fn a_disk_that_is_full() {
    let lkroute = applied();
    fs::create_dir(lkroute.path().join("disk")).expect("made");
    worker(&lkroute, "voag-staging", "voag-two");
    let script = |act: &str| {
        let mut command = Command::new("unshare");
        let mount = "mount -t tmpfs -o size=512k none disk && cp lkroute.db disk/ &&
                     head -c 400k /dev/zero >disk/filler || :";
        let script = format!("{mount}; {act}");
        command.args(["-rm", "sh", "-c", &script, env!("CARGO_BIN_EXE_lkroute")]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("NO_COLOR", "1");
        command.current_dir(lkroute.path());
        Run::of_command(&mut command)
    };
    if script("mountpoint -q disk").code != 0 {
        eprintln!("skipped: no mounts of one's own here");
        return;
    }
    let apply = format!("\"$0\" {APPLY} --database sqlite://disk/lkroute.db");
    let full = script(&apply).expect_code(1);
    let hinted = full.told("the disk is full: make room, and try again; nothing was changed");
    hinted
        .then(|| script(&format!("{apply}; rm disk/filler && {apply}")))
        .expect_code(0);
}
