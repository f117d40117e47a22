//! The formats of `docs/secrets.md` against Python's `cryptography`, in both
//! directions: its ten-line reader opens what lkroute seals, and lkroute
//! opens what Python seals.
//!
//! `LKROUTE_TEST_PYTHON` names an interpreter that has the package.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use lkroute::secrets::{
    Fingerprint, KeyRing, Sealed, Secret, SecretFormat, fingerprint, keygen, open, seal,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{not_run, part};

const DOCS: &str = include_str!("../../docs/secrets.md");
const PLAIN: [&str; 3] = [
    "made-up-livekit-secret",
    "x",
    "made up: ünïcödé, \"quotes\"\nand lines",
];

/// Runs Python code on `input`, which it finds as `data`; gives back the JSON
/// that it prints. `None` where there is no such Python.
pub fn python(code: &str, input: &Value) -> Option<Value> {
    let Some(interpreter) = part("LKROUTE_TEST_PYTHON") else {
        not_run("python cryptography");
        return None;
    };
    let code = format!("import json, sys\ndata = json.load(sys.stdin)\n{code}");
    let mut child = Command::new(interpreter)
        .args(["-c", &code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python failed");
    Some(serde_json::from_slice(&output.stdout).expect("python prints JSON"))
}

/// The reader as the document has it.
fn reader() -> &'static str {
    let (_, after) = DOCS.split_once("```python\n").expect("a Python block");
    let (code, rest) = after.split_once("```").expect("its end");
    assert!(!rest.contains("```python"), "one Python block");
    code
}

struct Keys {
    ring: KeyRing,
    /// key id and key, as the ring's text has them
    entries: Vec<(String, String)>,
    fernet: String,
}

/// Fresh keys, so that no run is like another.
fn keys() -> Keys {
    let made: Vec<_> = [None, Some("by-hand")].map(keygen).into_iter().collect();
    let entries: Vec<(String, String)> = made
        .into_iter()
        .map(|key| {
            let entry = key.unwrap().entry;
            let (id, key) = entry.expose().split_once(':').unwrap();
            (id.into(), key.into())
        })
        .collect();
    let text: String = entries
        .iter()
        .map(|(id, key)| format!("{id}:{key}\n"))
        .collect();
    let fernet = format!(
        "{}=",
        keygen(Some("f")).unwrap().entry.expose().split_at(2).1
    );
    let ring = KeyRing::parse(&text).unwrap().with_fernet(&fernet).unwrap();
    Keys {
        ring,
        entries,
        fernet,
    }
}

impl Keys {
    fn json(&self) -> Value {
        let keys: serde_json::Map<_, _> = self
            .entries
            .iter()
            .map(|(id, key)| (id.clone(), json!(key)))
            .collect();
        json!({ "keys": keys, "fernet": self.fernet, "id": Uuid::new_v4(), "plain": PLAIN })
    }
}

fn id(data: &Value) -> Uuid {
    data["id"].as_str().unwrap().parse().unwrap()
}

#[test]
fn the_documented_reader_has_ten_lines() {
    let lines = reader().lines().filter(|line| !line.is_empty());
    assert_eq!(lines.count(), 10);
}

#[test]
fn the_documented_reader_opens_what_lkroute_seals() {
    let keys = keys();
    let mut data = keys.json();
    let mut values = Vec::new();
    for plain in PLAIN {
        for (format, key_id) in [
            (SecretFormat::Aes256Gcm, None),
            (SecretFormat::Aes256Gcm, Some("by-hand")),
            (SecretFormat::Fernet, None),
        ] {
            let secret = Secret::new(plain.into());
            let sealed = seal(&keys.ring, id(&data), &secret, format, key_id).unwrap();
            values.push((sealed.as_str().to_owned(), plain));
        }
    }
    data["values"] = values.iter().map(|(value, _)| json!(value)).collect();
    let code = format!(
        "{}\n\
         keys = {{k: urlsafe_b64decode(v + '=') for k, v in data['keys'].items()}}\n\
         print(json.dumps([unseal(v, data['id'], keys, data['fernet']) for v in data['values']]))",
        reader()
    );
    if let Some(opened) = python(&code, &data) {
        let expected: Vec<_> = values.iter().map(|(_, plain)| *plain).collect();
        assert_eq!(opened, json!(expected));
    }
}

#[test]
fn the_documented_reader_refuses_another_config() {
    let keys = keys();
    let mut data = keys.json();
    let secret = Secret::new(PLAIN[0].into());
    let sealed = seal(
        &keys.ring,
        Uuid::new_v4(),
        &secret,
        SecretFormat::Aes256Gcm,
        None,
    )
    .unwrap();
    data["value"] = json!(sealed.as_str());
    let code = format!(
        "{}\n\
         from cryptography.exceptions import InvalidTag\n\
         keys = {{k: urlsafe_b64decode(v + '=') for k, v in data['keys'].items()}}\n\
         try: unseal(data['value'], data['id'], keys); print('\"opened\"')\n\
         except InvalidTag: print('\"refused\"')",
        reader()
    );
    if let Some(outcome) = python(&code, &data) {
        assert_eq!(outcome, "refused");
    }
}

/// Written against the document, not against lkroute.
const PYTHON_SEALS: &str = r#"
import hashlib, os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
values = []
for plain in data["plain"]:
    values.append("dev-s-t-" + Fernet(data["fernet"]).encrypt(plain.encode()).decode())
    for key_id, key in data["keys"].items():
        nonce = os.urandom(12)
        bound = f"lkr1:{key_id}:{data['id']}".encode()
        raw = nonce + AESGCM(urlsafe_b64decode(key + "=")).encrypt(nonce, plain.encode(), bound)
        label = hashlib.sha256(data["id"].encode()).hexdigest()[:8]
        values.append(f"lkr1:{key_id}:{label}:{urlsafe_b64encode(raw).decode().rstrip('=')}")
print(json.dumps(values))
"#;

#[test]
fn lkroute_opens_what_python_seals() {
    let keys = keys();
    let data = keys.json();
    let Some(values) = python(PYTHON_SEALS, &data) else {
        return;
    };
    let values = values.as_array().unwrap();
    assert_eq!(values.len(), 9);
    for (nth, value) in values.iter().enumerate() {
        let sealed = Sealed::parse(value.as_str().unwrap()).unwrap();
        let opened = open(&keys.ring, id(&data), &sealed).unwrap();
        assert_eq!(opened.expose(), PLAIN[nth / 3]);
    }
}

const PYTHON_FINGERPRINTS: &str = r#"
import hmac
from base64 import urlsafe_b64decode
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
def hkdf(key, info):
    return HKDF(hashes.SHA256(), 32, None, info).derive(urlsafe_b64decode(key + "="))
found = {"ids": ["k" + hkdf(k, b"lkroute key id v1")[:4].hex() for k in data["keys"].values()]}
found["prints"] = [
    f"{key_id}:" + hmac.new(hkdf(key, b"lkroute secret fingerprint v1"),
                            (data["id"] + plain).encode(), "sha256").hexdigest()
    for plain in data["plain"] for key_id, key in data["keys"].items()
]
print(json.dumps(found))
"#;

#[test]
fn python_makes_the_same_fingerprints_and_key_names() {
    let keys = keys();
    let data = keys.json();
    let Some(found) = python(PYTHON_FINGERPRINTS, &data) else {
        return;
    };
    let made_id = keys.ring.current().unwrap();
    assert!(found["ids"].as_array().unwrap().contains(&json!(made_id)));
    for plain in PLAIN {
        let secret = Secret::new(plain.into());
        for key_id in keys.ring.key_ids() {
            let ours = fingerprint(&keys.ring, Some(key_id), id(&data), &secret).unwrap();
            let theirs = found["prints"].as_array().unwrap().iter();
            let mut theirs = theirs.map(|p| Fingerprint::parse(p.as_str().unwrap()).unwrap());
            assert!(theirs.any(|print| print == ours));
        }
    }
}
