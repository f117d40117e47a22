//! A command line in a directory with routing files of one config.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::{CONFIG_UAE, TENANT_UAE, words_of};

pub struct Tree(tempfile::TempDir);

impl Tree {
    pub fn new() -> Tree {
        Tree(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Bindings are of the tenant `t` and the config `uae`.
    pub fn write(&self, description: &str, bindings: &str) {
        let text = format!(
            "[regions.uae]\ncountry_codes = [\"+971\"]\n[tenants]\nt = \"{TENANT_UAE}\"\n\
             [configs.uae]\nid = \"{CONFIG_UAE}\"\nregion = \"uae\"\nurl = \"wss://livekit.uae.example\"\n\
             api_key = \"APImadeup\"\ntrunk_id = \"ST_madeUp\"\ndescription = \"{description}\"\n\
             api_secret = {{ env = \"LKROUTE_SECRET_X\" }}\n{bindings}"
        );
        let routing = self.0.path().join("routing");
        std::fs::create_dir_all(&routing).expect("a directory");
        std::fs::write(routing.join("a.toml"), text).expect("write");
    }

    /// A command that runs lkroute with these words.
    pub fn command(&self, url: &str, words: &str) -> Command {
        self.prepare(Command::new(program()), url, words)
    }

    /// The same behind a command that runs what it is given.
    pub fn prepare(&self, mut command: Command, url: &str, words: &str) -> Command {
        command.args(["--database", url]).args(words.split(' '));
        command.current_dir(self.0.path()).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LKROUTE_SECRET_X", "made-up-secret")
            .env(
                "LKROUTE_KEYS",
                "other:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE",
            );
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, url: &str, words: &str) -> Output {
        self.command(url, words).output().expect("lkroute")
    }
}

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lkroute"))
}

/// What it says on standard error, on one line.
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    words_of(&text)
}
