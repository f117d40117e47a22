//! Runs the real `lkroute` in a directory and an environment of its own.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

use super::plaintexts::{Plaintexts, search_files};

/// After this long a command counts as hanging.
const LIMIT: Duration = Duration::from_secs(120);

/// A working directory for `lkroute`, with the environment that its commands
/// get: `PATH`, `HOME` (the directory itself), `NO_COLOR`, and what
/// [`env`](Self::env) adds; never the `DATABASE_URL` or `CI` of the tests.
///
/// No output of its commands and no file that they leave may hold a secret, a
/// key or a token: that is looked for by itself.
pub struct Lkroute {
    dir: TempDir,
    env: Vec<(String, String)>,
    /// The files as the test wrote them.
    written: Mutex<BTreeMap<PathBuf, String>>,
    plaintexts: Plaintexts,
}

/// What a finished command left.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

impl Lkroute {
    /// An empty directory.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("lkroute-it-")
            .tempdir()
            .expect("a directory");
        Self {
            dir,
            env: Vec::new(),
            written: Mutex::default(),
            plaintexts: Plaintexts::all(),
        }
    }

    /// A directory with a copy of the repository's own `routing/`.
    pub fn with_two_regions() -> Self {
        let new = Self::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("routing");
        for entry in walkdir::WalkDir::new(&from) {
            let entry = entry.expect("read routing/");
            if entry.file_type().is_file() {
                let name = entry.path().strip_prefix(&from).expect("inside routing/");
                let text = fs::read_to_string(entry.path()).expect("read a routing file");
                new.write(Path::new("routing").join(name), &text);
            }
        }
        new
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, with its directories; returns its path.
    pub fn write(&self, name: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("inside the directory")).expect("make it");
        fs::write(&path, text).expect("write a file");
        let mut written = self.written.lock().expect("no panic");
        written.insert(path.clone(), text.to_owned());
        path
    }

    /// A file that its owner alone can read, as keys should be.
    pub fn write_private(&self, name: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.write(name, text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).expect("set them");
        path
    }

    pub fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.dir.path().join(name)).expect("read a file")
    }

    /// Replaces `from`, which must be there exactly once, in a file.
    pub fn edit(&self, name: impl AsRef<Path>, from: &str, to: &str) {
        let text = self.read(&name);
        assert_eq!(text.matches(from).count(), 1, "{from:?} in\n{text}");
        self.write(name, &text.replace(from, to));
    }

    /// Sets a variable for all later commands.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        if ["SECRET", "KEYS", "ENCRYPTION_KEY"]
            .iter()
            .any(|word| name.contains(word))
        {
            self.plaintexts.learn(value);
        }
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether later commands get the variable.
    pub fn has_variable(&self, name: &str) -> bool {
        self.env.iter().any(|(set, _)| set == name)
    }

    /// The command, not started yet, for what [`run`](Self::run) does not do.
    pub fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        // Another build of it, where that is held to the golden files.
        let other = std::env::var_os("LKROUTE_TEST_PROGRAM");
        let program = other.unwrap_or_else(|| env!("CARGO_BIN_EXE_lkroute").into());
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path()).env("NO_COLOR", "1");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end, with nothing on standard input.
    pub fn run(&self, args: &[impl AsRef<OsStr>]) -> Run {
        self.run_with_input(args, "")
    }

    /// Runs a command to its end with `input` on standard input (a pipe).
    ///
    /// # Panics
    /// When it takes more than two minutes.
    pub fn run_with_input(&self, args: &[impl AsRef<OsStr>], input: &str) -> Run {
        let mut command = self.command(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("start lkroute");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_owned();
        // A command that doesn't read its input closes the pipe: no error.
        thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let shown = args.iter().fold("lkroute".to_owned(), |mut shown, arg| {
            let _ = write!(shown, " {}", arg.as_ref().display());
            shown
        });
        self.looked_through(finish(child, shown))
    }

    /// For outputs of commands that were run otherwise.
    #[track_caller]
    pub fn looked_through(&self, run: Run) -> Run {
        self.plaintexts
            .must_not_be_in(&run.stdout, format!("the output of {}", run.shown));
        self.plaintexts
            .must_not_be_in(&run.stderr, format!("the messages of {}", run.shown));
        run
    }
}

impl Drop for Lkroute {
    fn drop(&mut self) {
        if !thread::panicking() {
            let written = self.written.lock().expect("no panic");
            search_files(self.path(), &written, &self.plaintexts);
        }
    }
}

impl Run {
    /// Runs a command of [`Lkroute::command`] with nothing to read.
    pub fn of_command(command: &mut Command) -> Self {
        Self::of(spawn_piped(command))
    }

    /// Waits for a command that [`spawn_piped`] started.
    pub fn of(child: Child) -> Self {
        let run = finish(child, "lkroute".to_owned());
        let plaintexts = Plaintexts::all();
        plaintexts.must_not_be_in(&run.stdout, "the output of lkroute");
        plaintexts.must_not_be_in(&run.stderr, "the messages of lkroute");
        run
    }

    /// Asserts on the exit code; a failure shows the command's output.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        let Self {
            code: actual,
            stdout,
            stderr,
            shown,
        } = &self;
        assert_eq!(
            *actual, code,
            "{shown}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let Self {
            stdout,
            stderr,
            shown,
            ..
        } = self;
        serde_json::from_str(stdout)
            .unwrap_or_else(|error| panic!("{shown}: {error}\n{stdout}\n--- stderr\n{stderr}"))
    }
}

#[test]
#[should_panic(expected = "the output of lkroute completions bash holds")]
fn a_secret_in_an_output_is_found() {
    let mut lkroute = Lkroute::new();
    lkroute.plaintexts.learn("_lkroute()");
    lkroute.run(&["completions", "bash"]);
}

#[test]
#[should_panic(expected = "left.txt holds \"made-up-secret\" in clear")]
fn a_secret_in_a_file_is_found() {
    let lkroute = Lkroute::new();
    lkroute.write("mine.txt", "a made-up-secret of the test");
    fs::write(lkroute.path().join("left.txt"), "a made-up-secret").expect("write");
}

#[test]
#[should_panic(expected = "column voice_agent_livekit.description holds \"made-up-plain\"")]
fn a_secret_in_a_column_of_sqlite_is_found() {
    let lkroute = Lkroute::new();
    let path = lkroute.path().join("lkroute.db");
    super::block_on(async {
        use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true);
        let mut conn = SqliteConnection::connect_with(&options)
            .await
            .expect("open");
        let sql = "CREATE TABLE voice_agent_livekit (livekit_api_secret text, description text);
                   INSERT INTO voice_agent_livekit VALUES ('made-up-plain', 'of made-up-plain')";
        sqlx::raw_sql(sql).execute(&mut conn).await.expect("write");
    });
}

/// Starts a command with nothing to read, and pipes for what it prints.
pub fn spawn_piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("start it")
}

fn finish(mut child: Child, shown: String) -> Run {
    let stdout = collect(child.stdout.take().expect("piped"));
    let stderr = collect(child.stderr.take().expect("piped"));
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("wait for lkroute") {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let stderr = stderr.join().expect("no panic");
            panic!("{shown}: still running after {LIMIT:?}\n{stderr}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    Run {
        code: status.code().unwrap_or(-1),
        stdout: stdout.join().expect("no panic"),
        stderr: stderr.join().expect("no panic"),
        shown,
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("read a pipe");
        String::from_utf8(bytes).expect("output in UTF-8")
    })
}

#[test]
fn it_runs_in_a_clean_directory_and_environment() {
    let mut lkroute = Lkroute::new();
    lkroute.env("LKROUTE_MADE_UP", "1");
    lkroute.write("routing/a.toml", "one = 1\n");
    lkroute.edit("routing/a.toml", "1", "2");
    assert_eq!(lkroute.read("routing/a.toml"), "one = 2\n");

    let command = lkroute.command(&["plan"]);
    let mut names: Vec<_> = command.get_envs().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["HOME", "LKROUTE_MADE_UP", "NO_COLOR", "PATH"]);
    let version = lkroute.run_with_input(&["--version"], "unread");
    version.expect_code(0);
}
