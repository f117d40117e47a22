//! A loopback proxy for PostgreSQL that loses the connection around a COMMIT,
//! as a network does at the worst moment.

use std::{
    io::{self, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// When the connection is lost, seen from the COMMIT.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// The server never sees the COMMIT, so it rolls back.
    Before,
    /// The server commits, but its answer is lost.
    During,
    /// The client has the answer; the connection is gone afterwards.
    After,
}

/// The proxy. It cuts once: the first COMMIT of a connection that has sent a
/// statement with the given text. Connections made before or afterwards pass
/// untouched, unless [`refuse_after`](Self::refuse_after) was asked for.
pub struct TcpCut {
    /// The database through the proxy, without TLS.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    target: u16,
    cut: Cut,
    statement: String,
    refuse: AtomicBool,
    cuts: AtomicUsize,
}

impl TcpCut {
    /// A proxy to the database at `url` (loopback, with a port) that waits for
    /// a COMMIT after a statement that contains `statement`, for example the
    /// name of the table that only an apply writes.
    pub fn new(url: &str, cut: Cut, statement: &str) -> Self {
        let after_host = url.split_once("127.0.0.1:").expect("a loopback URL").1;
        let target = after_host
            .split(['/', '?'])
            .next()
            .expect("a port")
            .parse()
            .expect("a port");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let port = listener.local_addr().expect("its number").port();
        let mut through = url.replace(&format!("127.0.0.1:{target}"), &format!("127.0.0.1:{port}"));
        through += if url.contains('?') {
            "&sslmode=disable"
        } else {
            "?sslmode=disable"
        };

        let statement = statement.to_owned();
        let (refuse, cuts) = (AtomicBool::new(false), AtomicUsize::new(0));
        let shared = Arc::new(Shared {
            target,
            cut,
            statement,
            refuse,
            cuts,
        });
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &for_thread));
        Self {
            url: through,
            shared,
        }
    }

    /// Once it has cut, new connections are closed at once, so that the client
    /// can't look what became of its transaction.
    pub fn refuse_after(self) -> Self {
        self.shared.refuse.store(true, Ordering::SeqCst);
        self
    }

    /// The same for a time after the cut, as during a failover.
    pub fn refuse_for(self, time: Duration) -> Self {
        self.shared.refuse.store(true, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while shared.cuts.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(10));
            }
            thread::sleep(time);
            shared.refuse.store(false, Ordering::SeqCst);
        });
        self
    }

    /// How often it has cut: 0 or 1.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

/// Accepts until the test process ends.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.refuse.load(Ordering::SeqCst) && shared.cuts.load(Ordering::SeqCst) > 0 {
            continue;
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // An error here is a connection that ended, on either side.
            let _ = pass(&client, &shared);
            let _ = client.shutdown(Shutdown::Both);
        });
    }
}

fn pass(client: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", shared.target))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let armed = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = answers(&server, client, shared, &armed);
            close(client, &server);
        });
        let result = requests(client, &server, shared, &armed);
        close(client, &server);
        result
    })
}

fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// Passes on what the client sends, watching the statements in it.
fn requests(
    client: &TcpStream,
    server: &TcpStream,
    shared: &Shared,
    armed: &AtomicBool,
) -> io::Result<()> {
    let (mut from, mut to) = (BufReader::new(client), server);
    Message::read(&mut from, false)?.write(&mut to)?;
    loop {
        let message = Message::read(&mut from, true)?;
        let statement = message.statement();
        if statement.contains(&shared.statement) {
            armed.store(true, Ordering::SeqCst);
        }
        let commits = statement
            .trim_start()
            .to_ascii_uppercase()
            .starts_with("COMMIT");
        if commits && shared.cut == Cut::Before && shared.take(armed) {
            return Ok(());
        }
        message.write(&mut to)?;
    }
}

/// Passes on what the server answers, watching for a transaction's end.
fn answers(
    server: &TcpStream,
    client: &TcpStream,
    shared: &Shared,
    armed: &AtomicBool,
) -> io::Result<()> {
    let (mut from, mut to) = (BufReader::new(server), client);
    let mut last = false;
    loop {
        let message = Message::read(&mut from, true)?;
        if message.is_committed() && shared.cut != Cut::Before && shared.take(armed) {
            if shared.cut == Cut::During {
                return Ok(());
            }
            last = true;
        }
        let ready = message.kind() == Some(b'Z');
        message.write(&mut to)?;
        if last && ready {
            return Ok(());
        }
    }
}

impl Shared {
    /// Whether to cut now; yes at most once.
    fn take(&self, armed: &AtomicBool) -> bool {
        armed.load(Ordering::SeqCst)
            && self
                .cuts
                .compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }
}

/// A message of PostgreSQL's protocol, version 3: a kind (except for the very
/// first message), the length of the rest with these four bytes, the rest.
struct Message {
    bytes: Vec<u8>,
    typed: bool,
}

impl Message {
    fn read(from: &mut impl Read, typed: bool) -> io::Result<Self> {
        let head = if typed { 5 } else { 4 };
        let mut bytes = vec![0; head];
        from.read_exact(&mut bytes)?;
        let length = u32::from_be_bytes(bytes[head - 4..].try_into().expect("four bytes"));
        bytes.resize(head - 4 + length as usize, 0);
        from.read_exact(&mut bytes[head..])?;
        Ok(Self { bytes, typed })
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.bytes)
    }

    fn kind(&self) -> Option<u8> {
        self.typed.then(|| self.bytes[0])
    }

    /// The SQL of a simple query, or of a Parse behind the statement's name.
    fn statement(&self) -> String {
        let rest = &self.bytes[5..];
        let text = match self.kind() {
            Some(b'Q') => rest,
            Some(b'P') => rest.splitn(2, |&byte| byte == 0).nth(1).unwrap_or_default(),
            _ => return String::new(),
        };
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// CommandComplete of a transaction that was not rolled back.
    fn is_committed(&self) -> bool {
        self.kind() == Some(b'C') && self.bytes[5..] == *b"COMMIT\0"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Db, Postgres};

    /// One transaction through the proxy; whether psql got all its answers,
    /// and the number of rows then.
    fn try_insert(db: &Db, proxy: &TcpCut) -> (bool, String) {
        // Statements one by one, as sqlx sends them.
        let mut psql = crate::support::unprivileged(db.postgres().program("psql"));
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &proxy.url]);
        for sql in ["BEGIN", "INSERT INTO t VALUES (1)", "COMMIT", "SELECT 1"] {
            psql.args(["-c", sql]);
        }
        let output = psql.output().expect("psql");
        (output.status.success(), db.psql("SELECT count(*) FROM t"))
    }

    #[test]
    fn it_cuts_before_during_and_after_a_commit() {
        let Some(postgres) = Postgres::shared() else {
            return;
        };
        for (cut, rows) in [(Cut::Before, "0"), (Cut::During, "1"), (Cut::After, "1")] {
            let db = postgres.database("cut");
            db.psql("CREATE TABLE t (a int)");
            let proxy = TcpCut::new(&db.url, cut, "INSERT INTO t");
            assert_eq!(
                db.psql_as(&proxy.url, "BEGIN; COMMIT").err(),
                None,
                "{cut:?}"
            );
            assert_eq!(try_insert(&db, &proxy), (false, rows.to_owned()), "{cut:?}");
            assert_eq!(proxy.cuts(), 1, "{cut:?}");
            assert!(try_insert(&db, &proxy).0, "{cut:?}: it cuts only once");
        }
    }

    #[test]
    fn it_can_refuse_connections_once_it_has_cut() {
        let Some(postgres) = Postgres::shared() else {
            return;
        };
        let db = postgres.database("refuse");
        db.psql("CREATE TABLE t (a int)");
        let proxy = TcpCut::new(&db.url, Cut::During, "INSERT INTO t").refuse_after();
        assert!(db.psql_as(&proxy.url, "SELECT 1").is_ok());
        assert!(!try_insert(&db, &proxy).0);
        assert!(db.psql_as(&proxy.url, "SELECT 1").is_err());
    }

    #[test]
    fn it_sees_the_statements_that_sqlx_prepares() {
        use sqlx::{Connection, PgConnection};
        let Some(postgres) = Postgres::shared() else {
            return;
        };
        let db = postgres.database("prepared");
        db.psql("CREATE TABLE t (a int)");
        let proxy = TcpCut::new(&db.url, Cut::During, "INSERT INTO t");
        let committed = crate::support::block_on(async {
            let mut connection = PgConnection::connect(&proxy.url).await?;
            let mut transaction = connection.begin().await?;
            let insert = sqlx::query("INSERT INTO t VALUES ($1)").bind(7);
            insert.execute(&mut *transaction).await?;
            transaction.commit().await
        });
        assert!(
            matches!(committed, Err(sqlx::Error::Io(_))),
            "{committed:?}"
        );
        assert_eq!(db.psql("SELECT a FROM t"), "7");
    }
}
