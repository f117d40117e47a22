//! A real server process in a directory of its own, gone when the test ends,
//! however it ends.

use std::{
    fs::File,
    io,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, then waits until the pipe on its standard input closes,
/// which the kernel does for a test process that was killed too. $1 directory,
/// $2 signal that stops the server at once, the rest is the command.
const KEEPER: &str = r#"
dir=$1 signal=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; : >"$dir/stopping"; kill -s "$signal" "$server"; } 2>/dev/null &
wait "$server"; status=$?
[ -e "$dir/stopping" ] || { kill "$!"; exit "$status"; }
wait "$server" 2>/dev/null
cd / && rm -rf "$dir"
"#;

/// A running server; dropping it stops the process and removes its directory.
pub struct Server {
    keeper: Child,
    dir: Option<TempDir>,
}

impl Server {
    /// An empty directory that the user whom [`unprivileged`] runs programs as
    /// may write. Its path is short, as Unix sockets need.
    pub fn dir(prefix: &str) -> TempDir {
        let dir = tempfile::Builder::new()
            .prefix(prefix)
            .tempdir_in("/tmp")
            .expect("a directory");
        if let Some((uid, gid)) = other_user() {
            chown(dir.path(), Some(uid), Some(gid)).expect("give the directory away");
        }
        dir
    }

    /// Starts `command` in `dir`, its output going to `log` there, and waits
    /// until `ready` says so. `stop` is the signal for stopping without delay.
    /// An error holds the end of the log.
    pub fn start(
        dir: TempDir,
        command: &Command,
        stop: &str,
        ready: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        Self::keep(unprivileged("/bin/sh"), dir, command, stop, ready)
    }

    /// Like [`start`](Self::start), but as the user who runs the tests: for
    /// programs in their cache, which other users may not see.
    pub fn start_own(
        dir: TempDir,
        command: &Command,
        stop: &str,
        ready: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        Self::keep(Command::new("/bin/sh"), dir, command, stop, ready)
    }

    fn keep(
        mut keeper: Command,
        dir: TempDir,
        command: &Command,
        stop: &str,
        mut ready: impl FnMut() -> bool,
    ) -> Result<Self, String> {
        let log = dir.path().join("log");
        let output = File::create(&log).expect("a log file");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(dir.path())
            .arg(stop);
        keeper.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(name, value),
                None => keeper.env_remove(name),
            };
        }
        keeper
            .current_dir(dir.path())
            .process_group(0)
            .stdin(Stdio::piped());
        keeper
            .stdout(output.try_clone().expect("the log twice"))
            .stderr(output);
        let keeper = keeper.spawn().expect("start a shell");
        let mut server = Self {
            keeper,
            dir: Some(dir),
        };

        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            let gone = server
                .keeper
                .try_wait()
                .expect("look at the shell")
                .is_some();
            if gone || Instant::now() > deadline {
                return Err(format!("{command:?} did not start:\n{}", end_of(&log)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// The process whose child the server is.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// The directory that the server runs in.
    pub fn path(&self) -> &Path {
        self.dir.as_ref().expect("present until drop").path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// A command that runs as an ordinary user even where the tests run as root,
/// which PostgreSQL and pgbouncer refuse; its environment has none of the
/// `PG…` variables.
pub fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = other_user() {
        command.uid(uid).gid(gid);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("HOME", "/").current_dir("/");
    command
}

/// The user and group to run servers as; none where the tests are not root.
pub fn other_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        let id = |args: &[&str]| -> Option<u32> {
            let output = Command::new("id").args(args).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse().ok()
        };
        if id(&["-u"]) != Some(0) {
            return None;
        }
        let of = |user| Some((id(&["-u", user])?, id(&["-g", user])?));
        of("postgres").or_else(|| of("nobody"))
    })
}

/// A loopback port that nothing listens on at the moment. Another process may
/// take it before the caller does: start servers in a loop of a few tries.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
    listener.local_addr().expect("its number").port()
}

/// Runs `start` with fresh ports until it works, a few times at most.
pub fn on_free_port<T>(mut start: impl FnMut(u16) -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..5 {
        match start(free_port()) {
            Ok(started) => return started,
            Err(error) => last = error,
        }
    }
    panic!("{last}");
}

/// Whether something accepts connections on this loopback port.
pub fn listens(port: u16) -> bool {
    let connected: io::Result<_> = std::net::TcpStream::connect(("127.0.0.1", port));
    connected.is_ok()
}

#[test]
fn a_server_that_fails_to_start_tells_why() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo made-up reason >&2; exit 3"]);
    let started = Server::start(Server::dir("lkroute-it-"), &command, "TERM", || false);
    assert_contains!(started.err().expect("an error"), "made-up reason");
}

#[test]
fn a_dropped_server_leaves_nothing() {
    let dir = Server::dir("lkroute-it-");
    let pid = dir.path().join("pid");
    let mut command = Command::new("sh");
    command.args(["-c", "echo $$ >pid; exec sleep 600"]);
    let read = || {
        std::fs::read_to_string(&pid)
            .ok()
            .filter(|text| text.ends_with('\n'))
    };
    let server = Server::start(dir, &command, "TERM", || read().is_some()).expect("it starts");
    let (path, pid) = (server.path().to_owned(), read().expect("its pid"));
    drop(server);
    assert!(!path.exists());
    let mut alive = Command::new("sh");
    alive.args(["-c", "kill -0 $0", pid.trim()]);
    let alive = alive.output().expect("sh");
    assert!(!alive.status.success(), "process {pid} is still there");
}

#[test]
fn a_killed_test_process_leaves_nothing() {
    const INNER: &str = "LKROUTE_TEST_TO_BE_KILLED";
    if let Some(told) = std::env::var_os(INNER) {
        let mut command = Command::new("sleep");
        command.arg("600");
        let server = Server::start(Server::dir("lkroute-it-"), &command, "TERM", || true);
        let server = server.expect("it starts");
        std::fs::write(told, server.path().to_str().expect("plain")).expect("tell where");
        thread::sleep(PATIENCE);
    }
    let told = tempfile::NamedTempFile::new().expect("a file");
    let mut inner = Command::new(std::env::current_exe().expect("this binary"));
    inner.args([
        "--exact",
        "support::server::a_killed_test_process_leaves_nothing",
    ]);
    let mut inner = inner
        .env(INNER, told.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let until = |done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "it takes too long");
            thread::sleep(Duration::from_millis(10));
        }
    };
    let dir = || std::fs::read_to_string(told.path()).expect("read where");
    until(&|| !dir().is_empty());
    inner.kill().expect("kill it");
    inner.wait().expect("it is gone");
    until(&|| !Path::new(&dir()).exists());
}
