//! The search for plain texts: whatever the real binary prints, writes into
//! files or stores is looked through for the secrets and keys that the suite
//! gave it, in clear or encoded, and for tokens.
//!
//! [`Lkroute`](super::Lkroute) looks through every output, and through its
//! directory when it goes; [`Db`](super::Db) and
//! [`Base`](crate::store::base::Base) through every column when they go.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Every secret and key of the suite has one of these in it.
const SECRETS: [&str; 4] = [
    "made-up-secret",
    "made-up key",
    "lkroute demo key",
    "demo-secret-of-the-",
];

/// In secrets that tests store as plain text, as others do: these may stay in
/// the column that they were put into.
const PLANTED: &str = "made-up-plain";

/// `{"alg":`, as every token begins.
const TOKEN: &str = "eyJhbGciOi";

/// The column that may hold [`PLANTED`].
const COLUMN: &str = "livekit_api_secret";

/// What is looked for.
#[derive(Clone)]
pub struct Plaintexts {
    /// What to find, and what that is.
    needles: Vec<(String, String)>,
}

impl Plaintexts {
    /// What may be nowhere.
    pub fn secrets() -> Plaintexts {
        static SECRET: LazyLock<Plaintexts> = LazyLock::new(|| {
            let mut plaintexts = Plaintexts {
                needles: vec![(TOKEN.to_owned(), "a token".to_owned())],
            };
            SECRETS.iter().for_each(|secret| plaintexts.add(secret));
            plaintexts
        });
        SECRET.clone()
    }

    /// The same, and what may be in one column alone.
    pub fn all() -> Plaintexts {
        let mut plaintexts = Plaintexts::secrets();
        plaintexts.add(PLANTED);
        plaintexts
    }

    /// Also looks for the secrets of a text that is one or holds some, such
    /// as a key ring.
    pub fn learn(&mut self, text: &str) {
        for entry in text.split([',', ' ', '\n']) {
            let secret = entry.rsplit(':').next().unwrap_or(entry);
            let mut needles = self.needles.iter();
            if secret.len() >= 8 && !needles.any(|(needle, _)| secret.contains(needle)) {
                self.add(secret);
            }
        }
    }

    fn add(&mut self, secret: &str) {
        let what = |form: &str| format!("{secret:?} {form}");
        let bytes = secret.as_bytes();
        let decimal: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let mut forms = vec![
            (secret.to_owned(), what("in clear")),
            (hex::encode(bytes), what("in hex")),
            (hex::encode_upper(bytes), what("in hex")),
            (decimal.join(", "), what("as bytes")),
            (decimal.join(","), what("as bytes")),
            (secret.replace(' ', "%20"), what("in a URL")),
            (secret.replace(' ', "+"), what("in a URL")),
        ];
        for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
            let within = (0..3).map(|at| (base64(alphabet, bytes, at), what("in base64")));
            forms.extend(within);
        }
        for (needle, what) in forms {
            if self.needles.iter().all(|(known, _)| *known != needle) {
                self.needles.push((needle, what));
            }
        }
    }

    fn found(&self, text: &str) -> Option<String> {
        let found = self
            .needles
            .iter()
            .find_map(|(needle, what)| Some((text.find(needle)?, what)));
        found.map(|(at, what)| {
            let rest = text.get(at..).unwrap_or_default();
            let shown: String = rest.chars().take(60).collect();
            format!("{what}: {shown}")
        })
    }

    /// # Panics
    /// When something is found, which names `place`.
    #[track_caller]
    pub fn must_not_be_in(&self, text: &str, place: impl Display) {
        if let Some(found) = self.found(text) {
            panic!("{place} holds {found}");
        }
    }
}

/// The characters that stand for `bytes` alone, `at` bytes into a text.
fn base64(alphabet: &alphabet::Alphabet, bytes: &[u8], at: usize) -> String {
    let engine = GeneralPurpose::new(alphabet, NO_PAD);
    let whole = engine.encode([&b"\0\0"[..at], bytes].concat());
    let (first, last) = ((at * 8).div_ceil(6), (at + bytes.len()) * 8 / 6);
    whole[first..last].to_owned()
}

/// Looks through all files below `dir` but those that are as the test wrote
/// them: `written`, by path.
///
/// # Panics
/// When something is found.
pub fn search_files(dir: &Path, written: &BTreeMap<PathBuf, String>, for_what: &Plaintexts) {
    let files = walkdir::WalkDir::new(dir).into_iter().flatten();
    for file in files.filter(|file| file.file_type().is_file()) {
        let bytes = fs::read(file.path()).unwrap_or_default();
        let as_written = written.get(file.path());
        if as_written.is_some_and(|text| text.as_bytes() == bytes) {
            continue;
        }
        let database = bytes.starts_with(b"SQLite format 3\0");
        let beside = file.path().to_string_lossy().ends_with("-wal");
        let text = String::from_utf8_lossy(&bytes);
        match database || beside {
            false => for_what.must_not_be_in(&text, file.path().display()),
            true => Plaintexts::secrets().must_not_be_in(&text, file.path().display()),
        }
        if database {
            search_sqlite(file.path());
        }
    }
}

/// Looks through every column of a SQLite file for what may be in one alone.
fn search_sqlite(path: &Path) {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions, Row};
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let search = async move {
        let mut conn = options.connect().await?;
        let columns = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
                       WHERE m.type = 'table'";
        let columns = sqlx::query(columns).fetch_all(&mut conn).await?;
        let mut texts = Vec::new();
        for column in columns {
            let (table, column): (String, String) = (column.try_get(0)?, column.try_get(1)?);
            let sql =
                format!("SELECT group_concat(CAST(\"{column}\" AS text), x'0a') FROM \"{table}\"");
            let text = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut conn);
            let text: Option<String> = text.await?;
            texts.push((format!("{table}.{column}"), text.unwrap_or_default()));
        }
        Ok::<_, sqlx::Error>(texts)
    };
    // A runtime may be running here already.
    let texts = std::thread::spawn(|| super::block_on(search)).join();
    // Files that are no database any more are some tests' subject.
    for (column, text) in texts.expect("no panic").unwrap_or_default() {
        if column != format!("voice_agent_livekit.{COLUMN}") {
            Plaintexts::all().must_not_be_in(&text, format!("column {column}"));
        }
    }
}

/// SQL for psql that prints all rows of a database: first those that may hold
/// [`PLANTED`], then a line with [`BETWEEN`], then all others and the rest of
/// these.
pub fn postgres_rows() -> String {
    let tables = "FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    format!(
        "SELECT format('SELECT {COLUMN} FROM %I.%I', schemaname, tablename) {tables}
           AND tablename = 'voice_agent_livekit' \\gexec
         \\echo {BETWEEN}
         SELECT format(CASE tablename WHEN 'voice_agent_livekit'
             THEN 'SELECT to_jsonb(t) - ''{COLUMN}'' FROM %I.%I t'
             ELSE 'SELECT t::text FROM %I.%I t' END, schemaname, tablename) {tables} \\gexec\n"
    )
}

const BETWEEN: &str = "-- what may hold no plain text at all:";

/// Looks through what [`postgres_rows`] printed.
///
/// # Panics
/// When something is found.
pub fn search_postgres(rows: &str, database: &str) {
    let (column, rest) = rows.split_once(BETWEEN).expect("both parts");
    Plaintexts::secrets().must_not_be_in(column, format!("{COLUMN} of {database}"));
    Plaintexts::all().must_not_be_in(rest, format!("database {database}"));
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let standard = &base64::engine::general_purpose::STANDARD;
    let secret = "the-made-up-secret-of-one";
    for text in [
        secret.to_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
        format!("{:?}", secret.as_bytes()),
        serde_json::to_string(secret.as_bytes()).expect("JSON"),
        standard.encode(secret),
        standard.encode(format!("1{secret}")),
        standard.encode(format!("12{secret}")),
        "a made-up%20key".to_owned(),
        format!("Bearer {}", standard.encode(r#"{"alg":"HS256"}"#)),
    ] {
        let found = Plaintexts::secrets().found(&format!("some {text} text"));
        assert!(found.is_some(), "{text}");
    }
    assert_eq!(Plaintexts::all().found("made-up, a secret, a key"), None);
    let mut own = Plaintexts::secrets();
    own.learn("kb2843125:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8,x");
    assert!(
        own.found("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
            .is_some()
    );
}
