//! Documentation that is run: the commands of a page, with what they print.

use std::{path::Path, process::Command};

use super::golden::same_file;
use super::pages::{Mark, read_page, root};
use super::{Lkroute, Plaintexts, block_on};

/// Runs every command of the ```` ```console ```` blocks of a page (a line that
/// begins with `$ `, and those after it that begin with `>   `) with `sh`, in
/// one directory, and compares the page with the same page holding what they
/// printed. `mask` replaces what changes from run to run. A block whose mark
/// names another test is passed over.
/// A line `<!-- $ … -->` is run too, and must succeed without a word; a block
/// ```` ```toml FILE ```` is written into that file.
/// `LKROUTE_GOLDEN=refresh` writes the page.
///
/// # Panics
/// With a diff where they differ.
#[track_caller]
pub fn console(page: &str, lkroute: &Lkroute, mask: impl Fn(String) -> String) {
    console_where(page, lkroute, mask, |event| panic!("{page}: {event}"));
}

/// As [`console`], on a page with lines `<!-- here: EVENT -->`, which stand for
/// what others do: `happens` makes it so.
#[track_caller]
pub fn console_where(
    page: &str,
    lkroute: &Lkroute,
    mask: impl Fn(String) -> String,
    mut happens: impl FnMut(&str),
) {
    let mine = |mark: &Mark| *mark == Mark::None;
    typed(page, lkroute, &mask, &mine, &mut |line, rest| {
        let comment = line.strip_prefix("<!-- ");
        let comment = comment
            .and_then(|rest| rest.strip_suffix(" -->"))
            .unwrap_or("");
        if let Some(command) = comment.strip_prefix("$ ") {
            assert_eq!(run(lkroute, command), "", "{command}");
        } else if let Some(event) = comment.strip_prefix("here: ") {
            happens(event);
        }
        if let Some(name) = line.strip_prefix("```toml ") {
            let block = rest.lines().take_while(|line| *line != "```");
            let text: String = block.map(|line| format!("{line}\n")).collect();
            lkroute.write(name, &text);
        }
    });
}

/// As [`console`], for the blocks of a page whose marks name the test `name`,
/// and for them alone.
///
/// # Panics
/// As [`console`], and where the page has no such block.
#[track_caller]
pub fn console_run_by(page: &str, name: &str, lkroute: &Lkroute, mask: impl Fn(String) -> String) {
    let mut found = false;
    let named = format!("::{name}");
    let mine = |mark: &Mark| matches!(mark, Mark::RunBy(test) if test.ends_with(&named));
    typed(page, lkroute, &mask, &mine, &mut |line, _| {
        found |= mine(&Mark::of(line));
    });
    assert!(found, "{page} has no block for {name}");
}

/// Types the blocks that are `mine` by the mark above them; `other` gets each
/// line of the page that is none of theirs, with what follows it.
#[track_caller]
fn typed(
    page: &str,
    lkroute: &Lkroute,
    mask: &dyn Fn(String) -> String,
    mine: &dyn Fn(&Mark) -> bool,
    other: &mut dyn FnMut(&str, &str),
) {
    let text = read_page(page);
    let mut printed = String::new();
    let (mut inside, mut above) = (false, "");
    let mut rest = text.as_str();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        rest = rest.get(line.len() + 1..).unwrap_or("");
        if !inside {
            other(line, rest);
        }
        match (inside, line.strip_prefix("$ ")) {
            (true, Some(command)) => {
                let mut command = command.to_owned();
                printed += &format!("{line}\n");
                while let Some(more) = lines.next_if(|line| line.starts_with(">   ")) {
                    rest = rest.get(more.len() + 1..).unwrap_or("");
                    command += &more[1..];
                    printed += &format!("{more}\n");
                }
                printed += &mask(run(lkroute, &command));
                continue;
            }
            (true, None) if line == "```" => inside = false,
            (true, None) => continue,
            (false, _) => inside = line == "```console" && mine(&Mark::of(above)),
        }
        printed += &format!("{line}\n");
        above = line;
    }
    same_file(&root().join(page), page, &printed);
}

/// `sqlite3 FILE "SQL"`, without that program.
fn sqlite(lkroute: &Lkroute, arguments: &str) -> String {
    let (file, sql) = arguments.split_once(' ').expect("a file and SQL");
    let url = format!("sqlite://{}", lkroute.path().join(file).display());
    let sql = sql.trim_matches('"').to_owned();
    let is_update = sql.starts_with("UPDATE");
    block_on(async {
        use sqlx::Connection;
        let connection = sqlx::SqliteConnection::connect(&url).await;
        let sql = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        let done = sql.execute(&mut connection.expect("a database")).await;
        let rows = done.expect("SQL").rows_affected();
        assert!(!is_update || rows == 1, "{rows} rows were updated");
    });
    String::new()
}

/// Both outputs as a terminal would show them.
fn run(lkroute: &Lkroute, command: &str) -> String {
    shell(lkroute, command).0
}

/// Runs a line with `sh`, lkroute on its path; both outputs, and the exit code.
pub fn shell(lkroute: &Lkroute, command: &str) -> (String, i32) {
    if let Some(arguments) = command.strip_prefix("sqlite3 ") {
        return (sqlite(lkroute, arguments), 0);
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_lkroute"));
    let directory = binary.parent().expect("a directory").display();
    let like = lkroute.command(&[] as &[&str]);
    let mut shell = Command::new("sh");
    shell.current_dir(lkroute.path()).env_clear();
    shell.envs(
        like.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let script = format!("exec 2>&1 </dev/null; PATH={directory}:$PATH; {command}");
    let output = shell.args(["-c", &script]).output().expect("run sh");
    let text = String::from_utf8(output.stdout).expect("output in UTF-8");
    Plaintexts::all().must_not_be_in(&text, command);
    let text = match text.is_empty() || text.ends_with('\n') {
        true => text,
        false => text + "\n",
    };
    (text, output.status.code().expect("an exit code"))
}
