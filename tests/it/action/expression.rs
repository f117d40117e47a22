//! The expressions of GitHub Actions, as far as `action.yml` and the
//! documented workflows use them; anything else is a panic.

use serde_json::Value;

/// `${{ … }}` in a text replaced by their values.
pub fn substitute(text: &str, contexts: &Value) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (inside, after) = after.split_once("}}").expect("an end of the expression");
        done += before;
        done += &shown(&evaluate(inside, contexts));
        rest = after;
    }
    done + rest
}

/// Whether a step runs: `success()` is meant where no other state is asked for.
pub fn holds(condition: Option<&str>, contexts: &Value) -> bool {
    let Some(condition) = condition else {
        return truthy(&contexts["success"]);
    };
    let inside = condition.trim();
    let inside = inside.strip_prefix("${{").unwrap_or(inside);
    let inside = inside.strip_suffix("}}").unwrap_or(inside);
    let asks = ["success()", "failure()", "always()", "cancelled()"];
    let asks = asks.iter().any(|state| inside.contains(state));
    (asks || truthy(&contexts["success"])) && truthy(&evaluate(inside, contexts))
}

fn evaluate(text: &str, contexts: &Value) -> Value {
    let mut parser = Parser {
        rest: text.trim(),
        contexts,
    };
    let value = parser.or();
    assert!(
        parser.rest.is_empty(),
        "{text:?}: what is {:?}",
        parser.rest
    );
    value
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::String(value) => !value.is_empty(),
        Value::Number(value) => value.as_f64() != Some(0.0),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(value) => value.clone(),
        value => value.to_string(),
    }
}

struct Parser<'a> {
    rest: &'a str,
    contexts: &'a Value,
}

impl Parser<'_> {
    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest).trim_start();
        rest.is_some()
    }

    fn or(&mut self) -> Value {
        let mut value = self.and();
        while self.takes("||") {
            let other = self.and();
            value = if truthy(&value) { value } else { other };
        }
        value
    }

    fn and(&mut self) -> Value {
        let mut value = self.comparison();
        while self.takes("&&") {
            let other = self.comparison();
            value = if truthy(&value) { other } else { value };
        }
        value
    }

    fn comparison(&mut self) -> Value {
        let value = self.one();
        if self.takes("==") {
            return Value::Bool(shown(&value) == shown(&self.one()));
        }
        if self.takes("!=") {
            return Value::Bool(shown(&value) != shown(&self.one()));
        }
        value
    }

    fn one(&mut self) -> Value {
        if self.takes("!") {
            return Value::Bool(!truthy(&self.one()));
        }
        if self.takes("(") {
            let value = self.or();
            assert!(self.takes(")"), "a `)` before {:?}", self.rest);
            return value;
        }
        if let Some(rest) = self.rest.strip_prefix('\'') {
            let (text, rest) = rest.split_once('\'').expect("an end of the text");
            self.rest = rest.trim_start();
            return Value::from(text);
        }
        let part = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
        let end = self
            .rest
            .find(|char| !part(char))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if self.takes("()") {
            return match name {
                "success" => self.contexts["success"].clone(),
                "failure" => Value::Bool(!truthy(&self.contexts["success"])),
                "always" => Value::Bool(true),
                "cancelled" => Value::Bool(false),
                name => panic!("the function {name}"),
            };
        }
        if let Ok(number) = name.parse::<u64>() {
            return number.into();
        }
        let (context, path) = name.split_once('.').unwrap_or((name, ""));
        let known = self.contexts.get(context);
        let known = known.unwrap_or_else(|| panic!("the context of {name:?}"));
        path.split('.')
            .fold(known.clone(), |value, key| value[key].clone())
    }
}

#[test]
fn expressions_are_read_as_github_does() {
    let contexts = serde_json::json!({
        "success": false,
        "inputs": { "command": "plan", "empty": "" },
        "github": { "event": { "number": 7 } },
    });
    for (text, value) in [
        ("inputs.command == 'plan'", "true"),
        ("inputs.empty || 'default'", "default"),
        ("inputs.empty && 'never'", ""),
        ("!(github.event.number == 7) || github.event.number", "7"),
        ("github.event.pull_request.head.sha || 'none'", "none"),
    ] {
        assert_eq!(shown(&evaluate(text, &contexts)), value, "{text}");
    }
    assert_eq!(
        substitute("a ${{ inputs.command }}-b", &contexts),
        "a plan-b"
    );
    assert!(!holds(Some("inputs.command == 'plan'"), &contexts));
    assert!(holds(
        Some("!cancelled() && inputs.command != ''"),
        &contexts
    ));
}
