//! Documentation that is run: the commands of a page, with what they print.

use std::{path::Path, process::Command};

use super::{Lkroute, golden::same_file};

/// Runs every command of the ```` ```console ```` blocks of a page of `docs/`
/// (a line that begins with `$ `) with `sh`, in one directory, and compares
/// the page with the same page holding what they printed. `mask` replaces
/// what changes from run to run. `LKROUTE_GOLDEN=refresh` writes the page.
///
/// # Panics
/// With a diff where they differ.
#[track_caller]
pub fn console(page: &str, lkroute: &Lkroute, mask: impl Fn(String) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(page);
    let text = std::fs::read_to_string(&path).expect("a page of docs/");
    let mut printed = String::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.strip_prefix("$ ")) {
            (true, Some(command)) => {
                printed += &format!("{line}\n{}", mask(run(lkroute, command)));
                continue;
            }
            (true, None) if line == "```" => inside = false,
            (true, None) => continue,
            (false, _) => inside = line == "```console",
        }
        printed += &format!("{line}\n");
    }
    same_file(&path, &format!("docs/{page}"), &printed);
}

/// Both outputs as a terminal would show them.
fn run(lkroute: &Lkroute, command: &str) -> String {
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
    match text.is_empty() || text.ends_with('\n') {
        true => text,
        false => text + "\n",
    }
}
