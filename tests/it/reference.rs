//! The reference of the file format, made from the schema and one file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::pages::read_page;
use crate::support::{Lkroute, golden::same_file};

const MARK: &str = "<!-- generated -->\n";

/// Tables in the order in which people meet them: definition and heading.
const TABLES: [(&str, &str); 13] = [
    ("Region", "[regions.NAME]"),
    ("Config", "[configs.NAME], [configs.NAME.env.ENVIRONMENT]"),
    ("SecretSource", "api_secret = { … }"),
    ("Binding", "[[bindings]]"),
    ("Rules", "rules = { … }"),
    ("Environment", "[environments.NAME]"),
    ("Rollout", "[[rollouts]]"),
    ("Expect", "[[expect]]"),
    ("Guards", "[guards]"),
    (
        "Budget",
        "[guards.deletes], [guards.updates], [guards.reroutes]",
    ),
    ("Policy", "[guards.policy]"),
    ("Allow", "[[guards.allow]]"),
    ("Secrets", "[secrets]"),
];

/// The file itself, in the place of a definition.
const FILE: &str = "";

/// Definitions that are told where they are used.
const INSIDE: [&str; 2] = ["Limit", "Binding2"];

#[test]
fn the_reference_of_the_files_is_the_schema() {
    let schema = file_schema();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/files.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (words, _) = page.split_once(MARK).expect("the mark");
    let examples = Examples::of(&schema);
    let mut made = format!("{words}{MARK}");
    section(&mut made, &examples, FILE, "At the top of a file", &schema);
    let definitions = schema["definitions"].as_object().expect("definitions");
    for (name, heading) in TABLES {
        let heading = format!("`{heading}`");
        section(&mut made, &examples, name, &heading, &definitions[name]);
    }
    let told = |name: &&String| {
        TABLES.iter().any(|(told, _)| told == name) || INSIDE.contains(&name.as_str())
    };
    let untold: Vec<_> = definitions.keys().filter(|name| !told(name)).collect();
    assert!(untold.is_empty(), "no section for {untold:?}");
    same_file(&path, "docs/files.md", &made);
}

fn file_schema() -> Value {
    let schema = Lkroute::new().run(&["schema"]).expect_code(0).stdout;
    serde_json::from_str(&schema).expect("JSON")
}

/// The file of the page that has everything.
fn everything() -> String {
    let page = read_page("docs/files.md");
    let (_, rest) = page
        .split_once("```toml everything.toml\n")
        .expect("the file");
    rest.split_once("\n```").expect("its end").0.to_owned()
}

fn section(made: &mut String, examples: &Examples, name: &str, heading: &str, table: &Value) {
    let _ = write!(made, "\n## {heading}\n\n{}\n\n", words(table));
    made.push_str("| key | | type | left out | example |\n|---|---|---|---|---|\n");
    for (key, value) in table["properties"].as_object().expect("properties") {
        let said = words(value);
        let kind = kind(value);
        let (said, default) = left_out(&said).unwrap_or_else(|| match kind.as_str() {
            // A table of names, or of tables: as many as there are.
            many if many.contains("by name") || many.contains("tables") => (said.clone(), "none"),
            _ => panic!("{heading}: `{key}` ends neither in \"Required.\" nor \"Left out: …\""),
        });
        assert_ne!(said, "", "{heading}: nothing is said of {key}");
        let example = examples.of_key(name, key);
        let _ = writeln!(
            made,
            "| `{key}` | {said} | {kind} | {default} | {example} |"
        );
    }
}

/// What a description says of a key, and of the file that leaves it out.
fn left_out(words: &str) -> Option<(String, &str)> {
    let (said, rest) = match words.rsplit_once("Required") {
        Some((said, ".")) => (said, "required"),
        Some((said, rest)) => (said, rest.strip_prefix(": ")?),
        None => words.rsplit_once("Left out: ")?,
    };
    Some((said.trim_end().to_owned(), rest.trim_end_matches('.')))
}

/// The first value of each key in the file that has everything, as TOML.
struct Examples(BTreeMap<(String, String), String>);

impl Examples {
    fn of(schema: &Value) -> Examples {
        let file: toml::Table = everything().parse().expect("TOML");
        let mut examples = Examples(BTreeMap::new());
        examples.collect(schema, FILE, schema, &toml::Value::Table(file));
        examples
    }

    /// Walks schema and file together.
    fn collect(&mut self, schema: &Value, name: &str, table: &Value, value: &toml::Value) {
        if let Some(definition) = table["$ref"].as_str() {
            let name = definition.rsplit('/').next().expect("a name");
            let table = &schema["definitions"][name];
            return self.collect(schema, name.trim_end_matches('2'), table, value);
        }
        match value {
            toml::Value::Array(all) => {
                for one in all {
                    self.collect(schema, name, &table["items"], one);
                }
            }
            toml::Value::Table(values) => {
                for (key, value) in values {
                    let of_key = &table["properties"][key];
                    let is_table =
                        value.is_table() || value.get(0_usize).is_some_and(toml::Value::is_table);
                    match of_key.is_object() {
                        true if is_table => self.collect(schema, name, of_key, value),
                        true => {
                            let key = (name.to_owned(), key.clone());
                            let example = || shortened(&value.to_string());
                            self.0.entry(key).or_insert_with(example);
                        }
                        false => self.collect(schema, name, &table["additionalProperties"], value),
                    }
                    if of_key.is_object() && is_table {
                        let key = (name.to_owned(), key.clone());
                        self.0.entry(key).or_default();
                    }
                }
            }
            _ => {}
        }
    }

    fn of_key(&self, table: &str, key: &str) -> &str {
        let found = self.0.get(&(table.to_owned(), key.to_owned()));
        found.unwrap_or_else(|| panic!("the file with everything has no {table}.{key}"))
    }
}

/// A sealed value is long.
fn shortened(value: &str) -> String {
    match value.chars().count() > 40 {
        true => format!("`{}…\"`", value.chars().take(20).collect::<String>()),
        false => format!("`{value}`"),
    }
}

/// What the table of fields says of a key, the schema says too.
#[test]
fn the_schema_has_the_fields_as_the_table_has_them() {
    use lkroute::fields::{Field, FieldKind};
    let schema = file_schema();
    let property = |table: &str, field: Field| {
        let key = field.file_key();
        let value = schema["definitions"][table]["properties"][key].clone();
        assert!(value.is_object(), "{table} has no {key}");
        value
    };
    let kind_of = |field: Field| match field.kind() {
        FieldKind::Text | FieldKind::Name => "string",
        FieldKind::Flag => "boolean",
        FieldKind::TextList | FieldKind::TextSet => "array",
    };
    // A name is the key of its table, a secret a table, a config's id its name.
    let is_plain = |field: &Field| ![Field::Name, Field::ApiSecret].contains(field);
    for field in Field::OF_CONFIG.into_iter().filter(is_plain) {
        let value = property("Config", field);
        assert_eq!(value["type"], kind_of(field), "{field}");
        let required = words(&value).ends_with("Required.");
        let optional = Field::OPTIONAL_OF_CONFIG.contains(&field);
        assert_ne!(required, optional, "{field}");
    }
    for field in Field::OF_REGION {
        assert_eq!(property("Region", field)["type"], kind_of(field), "{field}");
    }
    for field in Field::OF_BINDING {
        let table = field.rules_key().filter(|_| field != Field::Config);
        let table = table.map_or("Binding", |_| "Rules");
        assert_eq!(property(table, field)["type"], kind_of(field), "{field}");
    }
}

/// The description, as one line of a table.
fn words(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

fn kind(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        let name = name.trim_end_matches('2'); // the same, once more
        return match TABLES.iter().find(|(table, _)| *table == name) {
            Some((_, heading)) => format!("table, see `{heading}`"),
            None if name == "Limit" => "table of `max` and `percent`".to_owned(),
            None => panic!("what is {name}?"),
        };
    }
    match value["type"].as_str().unwrap_or_default() {
        "array" => format!("list of {}", plural(&kind(&value["items"]))),
        "object" if value["additionalProperties"].is_object() => {
            format!("by name: {}", kind(&value["additionalProperties"]))
        }
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        other => other.to_owned(),
    }
}

fn plural(kind: &str) -> String {
    match kind.strip_prefix("table") {
        Some(rest) => format!("tables{rest}"),
        None => format!("{kind}s"),
    }
}

#[test]
fn the_file_with_everything_is_valid() {
    let lkroute = Lkroute::new();
    // Its exceptions end within 30 days of the day on which this runs.
    let everything = everything().replace("2026-12-20", &soon());
    lkroute.write("routing/everything.toml", &everything);
    for environment in ["production", "staging"] {
        lkroute
            .run(&["--env", environment, "validate"])
            .expect_code(0);
    }
}

fn soon() -> String {
    let soon = jiff::Zoned::now().saturating_add(jiff::SignedDuration::from_hours(24 * 9));
    soon.date().to_string()
}

/// Every code that an exception can name, every setting, and the two defaults
/// that hold without any; each code as it was printed.
#[test]
fn the_page_on_guards_has_every_code_and_every_key() {
    use lkroute::routing::guards::CODES;
    let page = read_page("docs/guards.md");
    let rows = |key: &str| page.matches(&format!("\n| `{key}` |")).count();
    for code in CODES {
        assert_eq!(rows(code), 1, "a row of {code}");
        // No plan is refused for this one.
        if code != "trunk-lacks-number" {
            let shown = page.contains(&format!("\nerror[{code}]"));
            assert!(shown, "{code} was not printed");
        }
    }
    let schema = file_schema();
    for table in ["Guards", "Budget", "Policy", "Allow"] {
        let keys = schema["definitions"][table]["properties"].as_object();
        for key in keys.expect("properties").keys() {
            assert!(page.contains(&format!("`{key}")), "nothing of {key}");
        }
    }
}
