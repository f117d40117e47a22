//! The JSON Schema of the files, for editors. Core.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use super::raw::File;

/// The schema of one routing file, as JSON Schema draft 7, which editors of
/// TOML know.
pub fn routing_schema() -> Value {
    let mut settings = SchemaSettings::draft07();
    settings.transforms.push(Box::new(NoNull));
    let generator = SchemaGenerator::new(settings);
    generator.into_root_schema_for::<File<'_>>().to_value()
}

/// TOML has no null: what is optional is left out.
#[derive(Debug, Clone)]
struct NoNull;

impl Transform for NoNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            object.remove("default");
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(options)) = object.get_mut("anyOf") {
                options.retain(|option| option.get("type").is_none_or(|name| name != "null"));
                if let [Value::Object(one)] = options.as_slice() {
                    let one = one.clone();
                    object.remove("anyOf");
                    object.extend(one);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_null_and_nothing_else_is_allowed() {
        let text = serde_json::to_string_pretty(&routing_schema()).unwrap();
        println!("{text}");
        assert!(!text.contains("null"), "{text}");
        let schema = routing_schema();
        assert_eq!(schema["additionalProperties"], Value::Bool(false));
        let binding = &schema["definitions"]["Binding"];
        assert_eq!(binding["additionalProperties"], Value::Bool(false));
        assert_eq!(binding["properties"]["number"]["type"], "string");
        assert!(binding["properties"]["numbers"]["description"].is_string());
    }
}
