//! A stand-in for GitHub's API on loopback: comments of a pull request, the
//! pull requests of a commit, artifacts. It counts requests and has faults.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

pub const TOKEN: &str = "made-up-token";
pub const BOT: &str = "github-actions[bot]";
pub const REPOSITORY: &str = "some-team/routing";

/// What goes wrong with one request.
#[derive(Clone)]
pub enum Fault {
    /// An answer instead of doing it, with a header.
    Answer(u16, &'static str),
    /// The answer comes late.
    Slow(Duration),
    /// It is done, and the answer is lost.
    Lost,
}

#[derive(Default)]
pub struct State {
    /// As the API gives them.
    pub comments: Vec<Value>,
    pub pulls: Vec<Value>,
    pub artifacts: Vec<Value>,
    /// Runs of workflows.
    pub runs: Vec<Value>,
    pub reviews: Vec<Value>,
    /// The commits of tags.
    pub tags: BTreeMap<String, String>,
    /// Files of releases by tag and name, for a download without a token.
    pub assets: BTreeMap<String, Vec<u8>>,
    /// Method and path of every request.
    pub requests: Vec<String>,
    /// For the next requests of a method.
    faults: VecDeque<(&'static str, Fault)>,
    made: u64,
}

pub struct GitHub {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// Entries on a page, however many were asked for.
const PAGE: usize = 2;

impl GitHub {
    pub fn start() -> GitHub {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        // The thread ends with the process; an idle listener holds nothing.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        let url = format!("http://{address}");
        GitHub { url, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it was held")
    }

    pub fn fail(&self, method: &'static str, fault: Fault) -> &Self {
        self.state().faults.push_back((method, fault));
        self
    }

    /// A comment that is there already.
    pub fn comment(&self, author: &str, body: &str) -> &Self {
        self.state().add(author, body);
        self
    }

    /// The bodies of what `author` wrote.
    pub fn bodies(&self, author: &str) -> Vec<String> {
        let state = self.state();
        let own = state.comments.iter();
        own.filter(|comment| comment["user"]["login"] == author)
            .map(|comment| comment["body"].as_str().expect("a text").to_owned())
            .collect()
    }

    /// How many requests of a method there were.
    pub fn count(&self, method: &str) -> usize {
        let state = self.state();
        let of = |request: &&String| request.starts_with(method);
        state.requests.iter().filter(of).count()
    }
}

impl State {
    fn add(&mut self, author: &str, body: &str) -> Value {
        self.made += 1;
        let id = 3_000_000_000 + self.made;
        let comment = json!({ "id": id, "user": { "login": author }, "body": body });
        self.comments.push(comment.clone());
        comment
    }

    /// Status, body and further headers.
    fn answer(&mut self, method: &str, target: &str, body: &Value) -> (u16, Value, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix(&format!("/repos/{REPOSITORY}"));
        let parts: Vec<&str> = path.unwrap_or("").split('/').skip(1).collect();
        let text = body["body"].as_str().unwrap_or_default();
        let done = |status, value| (status, value, String::new());
        if text.chars().count() > 65_536 {
            let message = "Body is too long (maximum is 65536 characters)";
            return done(422, json!({ "message": message }));
        }
        match (method, &parts[..]) {
            ("GET", ["issues", "7", "comments"]) => page(&self.comments, query),
            ("POST", ["issues", "7", "comments"]) => done(201, self.add(BOT, text)),
            ("PATCH", ["issues", "comments", id]) => {
                let id: u64 = id.parse().expect("a number");
                let same = |comment: &&mut Value| comment["id"] == id;
                match self.comments.iter_mut().find(same) {
                    Some(comment) => {
                        comment["body"] = text.into();
                        done(200, comment.clone())
                    }
                    None => done(404, json!({ "message": "Not Found" })),
                }
            }
            ("GET", ["commits", tag]) => match self.tags.get(*tag) {
                Some(sha) => done(200, json!({ "sha": sha })),
                None => done(422, json!({ "message": "No commit found for SHA" })),
            },
            ("GET", ["commits", _, "pulls"]) => done(200, self.pulls.clone().into()),
            ("GET", ["actions", "runs"]) => {
                let asked = |name: &str| {
                    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                    pairs.find_map(|(key, value)| (key == name).then_some(value))
                };
                let fits = |run: &&Value| {
                    let same = |key| asked(key).is_none_or(|value| run[key] == value);
                    same("head_sha") && same("event")
                };
                let found: Vec<_> = self.runs.iter().filter(fits).cloned().collect();
                let count = found.len();
                done(200, json!({ "total_count": count, "workflow_runs": found }))
            }
            ("GET", ["actions", "runs", run, "artifacts"]) => {
                let of =
                    |artifact: &&Value| artifact["workflow_run"]["id"].as_u64() == run.parse().ok();
                let found: Vec<_> = self.artifacts.iter().filter(of).cloned().collect();
                let count = found.len();
                done(200, json!({ "total_count": count, "artifacts": found }))
            }
            ("GET", ["pulls", "7", "reviews"]) => page(&self.reviews, query),
            _ => done(404, json!({ "message": "Not Found" })),
        }
    }
}

/// One page of a list, as the query asks for it; the first where it doesn't.
fn page(list: &[Value], query: &str) -> (u16, Value, String) {
    let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    let page: usize = page.map_or(1, |page| page.parse().expect("its number"));
    let found: Vec<_> = list.iter().skip((page - 1) * PAGE).cloned().collect();
    let link = match found.len() > PAGE {
        true => "Link: <https://api.example/next>; rel=\"next\"\r\n",
        false => "",
    };
    let found = found.into_iter().take(PAGE).collect();
    (200, Value::Array(found), link.to_owned())
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, target) = line.split_once(' ')?;
    let target = target.split(' ').next()?;
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();

    let mut held = state.lock().ok()?;
    held.requests.push(format!("{method} {target}"));
    let downloads = format!("/{REPOSITORY}/releases/download/");
    if let Some(asset) = target.strip_prefix(&downloads) {
        assert_eq!(token, "", "a download is given no token");
        let (status, bytes) = match held.assets.get(asset) {
            Some(bytes) => (200, bytes.clone()),
            None => (404, Vec::new()),
        };
        let length = bytes.len();
        let head = format!(
            "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        (&stream).write_all(head.as_bytes()).ok()?;
        return (&stream).write_all(&bytes).ok();
    }
    let fault = held.faults.iter().position(|(of, _)| *of == method);
    let fault = fault.and_then(|at| held.faults.remove(at));
    let (status, value, headers) = match &fault {
        _ if token != format!("Bearer {TOKEN}") => {
            (401, json!({ "message": "Bad credentials" }), String::new())
        }
        Some((_, Fault::Answer(status, header))) => {
            let message = "Resource not accessible by integration";
            (
                *status,
                json!({ "message": message }),
                format!("{header}\r\n"),
            )
        }
        _ => held.answer(method, target, &body),
    };
    drop(held);
    match fault {
        Some((_, Fault::Slow(wait))) => thread::sleep(wait),
        Some((_, Fault::Lost)) => return None,
        _ => {}
    }
    let value = value.to_string();
    let length = value.len();
    let answer = format!(
        "HTTP/1.1 {status} Said\r\n{}Content-Length: {length}\r\nConnection: close\r\n\r\n{value}",
        headers.trim_start_matches("\r\n")
    );
    (&stream).write_all(answer.as_bytes()).ok()
}
