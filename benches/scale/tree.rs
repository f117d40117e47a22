//! Routing files of any size: many files, most numbers in groups, some in
//! ranges, some alone.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use lkroute::secrets::{self, KeyRing, Secret, SecretFormat};

const TENANTS: u64 = 40;
/// How many bindings one file holds.
const PER_FILE: u64 = 1_000;
const CONFIGS: [&str; 3] = ["alpha", "beta", "gamma"];

/// A generated directory `routing`.
pub struct Tree {
    dir: PathBuf,
    files: u64,
    size: u64,
}

/// A number to look up.
pub struct Number {
    pub e164: String,
    pub tenant: String,
}

impl Tree {
    pub fn write(dir: &Path, size: u64) -> Tree {
        let dir = dir.join("routing");
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join("base.toml"), base()).expect("a file");
        let files = size.div_ceil(PER_FILE);
        let tree = Tree { dir, files, size };
        for file in 0..files {
            tree.write_file(file, "alpha");
        }
        tree
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bulk shape: one file, a table for each number.
    pub fn one_file(dir: &Path, size: u64) -> String {
        fs::create_dir_all(dir).expect("a directory");
        let mut text = base();
        for n in 0..size {
            single(&mut text, n, "alpha");
        }
        fs::write(dir.join("all.toml"), text).expect("a file");
        dir.to_string_lossy().into_owned()
    }

    fn write_file(&self, file: u64, grouped: &str) {
        let first = file * PER_FILE;
        let last = (first + PER_FILE).min(self.size);
        let mut text = String::new();
        let (ranged, alone) = (first + (last - first) / 5, last - (last - first) / 20);
        let _ = write!(
            text,
            "[[bindings]]\nrange = [\"{}\", \"{}\"]\ntenant = \"t{}\"\nconfig = \"beta\"\nprovider = \"Carrier A\"\nrules = {{ outbound = true }}\n\n",
            e164(first),
            e164(ranged - 1),
            file % TENANTS
        );
        group(&mut text, file % TENANTS, grouped, ranged, alone);
        for n in alone..last {
            single(&mut text, n, "gamma");
        }
        fs::write(self.dir.join(format!("f{file:05}.toml")), text).expect("a file");
    }

    /// The files whose groups move to another config: about a hundredth of
    /// the numbers.
    fn moved(&self) -> u64 {
        (self.files / 75).max(1)
    }

    pub fn move_one_percent(&self, config: &str) {
        for file in 0..self.moved() {
            self.write_file(file, config);
        }
    }

    /// How many bindings that changes.
    pub fn changed(&self) -> u64 {
        self.moved() * PER_FILE.min(self.size) * 3 / 4
    }

    pub fn sample(&self) -> Number {
        let file = self.files / 2;
        Number {
            e164: e164(file * PER_FILE + 7),
            tenant: tenant(file % TENANTS),
        }
    }
}

fn e164(n: u64) -> String {
    format!("+91{}", 7_000_000_000 + n)
}

fn tenant(n: u64) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

fn base() -> String {
    let mut text = "owner = \"bench\"\n\n[tenants]\n".to_owned();
    for n in 0..TENANTS {
        let _ = writeln!(text, "t{n} = \"{}\"", tenant(n));
    }
    text.push_str("\n[regions.india]\ncountry_codes = [\"+91\"]\n");
    for (n, name) in CONFIGS.iter().enumerate() {
        let _ = write!(
            text,
            "\n[configs.{name}]\nid = \"00000000-0000-4000-9000-{n:012}\"\nregion = \"india\"\nurl = \"wss://{name}.example\"\napi_key = \"demo\"\ntrunk_id = \"ST_bench\"\napi_secret = {{ sealed = \"{}\" }}\n",
            sealed(n)
        );
    }
    text.push_str("\n[guards.reroutes]\nper_tenant = { percent = 100 }\n");
    text
}

/// A secret under a key that nobody keeps: applying it needs none.
fn sealed(config: usize) -> String {
    let key = secrets::keygen(None).expect("a key");
    let ring = KeyRing::parse(key.entry.expose()).expect("a ring");
    let id = format!("00000000-0000-4000-9000-{config:012}");
    let id = id.parse().expect("a uuid");
    let secret = Secret::new("made up for a benchmark".to_owned());
    let sealed = secrets::seal(&ring, id, &secret, SecretFormat::Aes256Gcm, None).expect("sealed");
    sealed.as_str().to_owned()
}

fn group(text: &mut String, tenant: u64, config: &str, first: u64, last: u64) {
    let _ = write!(text, "[[bindings]]\nnumbers = [\n");
    for n in first..last {
        let _ = writeln!(text, "    \"{}\",", e164(n));
    }
    let _ = write!(
        text,
        "]\ntenant = \"t{tenant}\"\nconfig = \"{config}\"\nprovider = \"Carrier B\"\nrules = {{ outbound = true, allowed_outbound = \"india\", required_lead_format = [\"0\", \"base_number\"] }}\n\n"
    );
}

fn single(text: &mut String, n: u64, config: &str) {
    let _ = write!(
        text,
        "[[bindings]]\nnumber = \"{}\"\ntenant = \"t{}\"\nconfig = \"{config}\"\nprovider = \"Carrier C\"\nrules = {{ outbound = true, allowed_outbound = \"india\" }}\n\n",
        e164(n),
        n / PER_FILE % TENANTS
    );
}
