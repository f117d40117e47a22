//! The package as its users get it: a wheel, in a fresh virtual environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{not_run, part};

/// The package in an environment of its own.
pub struct Package {
    dir: TempDir,
    pub wheel: PathBuf,
}

/// Built once for all tests; `None`, reported by [`not_run`], without Python.
pub fn package() -> Option<&'static Package> {
    static PACKAGE: OnceLock<Option<Package>> = OnceLock::new();
    let package = PACKAGE
        .get_or_init(|| Package::install("dev", &["--features", "test-panic"]))
        .as_ref();
    if package.is_none() {
        not_run("python package");
    }
    package
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[track_caller]
pub fn succeeded(command: &mut Command) -> String {
    let done = command.output().expect("run it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}\n{said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}

impl Package {
    /// Builds the wheel in this profile, with these options of maturin, and
    /// installs it.
    pub fn install(profile: &str, options: &[&str]) -> Option<Package> {
        let maturin = part("LKROUTE_TEST_MATURIN")?;
        // What services have beside it: drivers, LiveKit's library.
        let beside = part("LKROUTE_TEST_PACKAGE_PYTHON")?;
        let dir = tempfile::tempdir().expect("a directory");
        let target = Path::new(env!("CARGO_BIN_EXE_lkroute"))
            .parent()
            .and_then(Path::parent)
            .expect("a target")
            .join("python");
        let wheel = succeeded(
            Command::new(root().join(".github/release/module.sh"))
                .arg(dir.path())
                .args(["--quiet", "--profile", profile, "--target-dir"])
                .arg(target)
                .args(options)
                .env("MATURIN", maturin),
        );
        let wheel = PathBuf::from(wheel.trim());
        Some(Package::install_wheel(dir, wheel, &beside))
    }

    /// The same wheel in an environment of another Python.
    pub fn on_another(&self, beside: &Path) -> Package {
        let dir = tempfile::tempdir().expect("a directory");
        Package::install_wheel(dir, self.wheel.clone(), beside)
    }

    fn install_wheel(dir: TempDir, wheel: PathBuf, beside: &Path) -> Package {
        let venv = dir.path().join("venv");
        succeeded(Command::new(beside).args(["-m", "venv"]).arg(&venv));
        let package = Package { dir, wheel };
        let pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"];
        succeeded(Command::new(package.python()).args(pip).arg(&package.wheel));
        // The libraries beside it come from the cache, not from a registry.
        let site = "import site, sysconfig; print(sysconfig.get_path('purelib'))";
        let libraries = succeeded(Command::new(beside).args(["-c", site]));
        let own = succeeded(Command::new(package.python()).args(["-c", site]));
        let path = Path::new(own.trim()).join("beside.pth");
        std::fs::write(path, libraries).expect("write it");
        package
    }

    pub fn python(&self) -> PathBuf {
        self.dir.path().join("venv/bin/python")
    }

    /// A script of `python/tests`, not started yet: without the variables of
    /// the tests, but for `PATH`.
    pub fn script(&self, name: &str) -> Command {
        let mut command = Command::new(self.python());
        command
            .arg("-I")
            .arg(root().join("python/tests").join(name))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("NO_PROXY", "127.0.0.1")
            .env("USER", "asha")
            .env("HOSTNAME", "desk");
        command
    }

    /// Runs such a script with a JSON on its standard input; its output.
    #[track_caller]
    pub fn run(&self, name: &str, input: &Value) -> String {
        let mut child = self
            .script(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start Python");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_string();
        std::thread::spawn(move || {
            let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
        });
        let done = child.wait_with_output().expect("run it");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name}: {said}");
        String::from_utf8(done.stdout).expect("UTF-8")
    }
}
