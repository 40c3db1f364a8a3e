//! The JSON Schema of the file, written from the same tables that the reader uses.

use serde_json::{Map, Value, json};

use crate::config;
use crate::read::NAME_PATTERN;
use crate::section::{AtLeast, Key, Section, Shape};

/// The file's JSON Schema, draft 2020-12.
///
/// It knows names, types, words and forms. What takes more than one value to see (a name that nothing has, a
/// network with host bits, a `max` below its `for`) only [`crate::Config::from_text`] tells.
pub fn schema() -> Value {
    let mut schema = of_section(&config::SECTION);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Floodwall's configuration file".into();
    schema
}

fn of_section(section: &Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(of_key).collect();
    let required: Vec<&str> = section
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if !section.one_of.is_empty() {
        schema["oneOf"] = section
            .one_of
            .iter()
            .map(|key| json!({ "required": [key] }))
            .collect();
    }
    schema
}

fn of_key(key: &Key) -> (String, Value) {
    let mut schema = of_shape(&key.shape);
    schema["description"] = key.about.into();
    (key.name.into(), schema)
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Section(section) => of_section(section),
        Shape::Named(section, AtLeast(least)) => json!({
            "type": "object",
            "propertyNames": { "pattern": whole(NAME_PATTERN) },
            "additionalProperties": of_section(section),
            "minProperties": least,
        }),
        Shape::List(item, AtLeast(least)) => {
            json!({ "type": "array", "items": of_shape(item), "minItems": least, "uniqueItems": true })
        }
        Shape::Pairs(value) => json!({ "type": "object", "additionalProperties": of_shape(value) }),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(of_shape).collect::<Vec<_>>() })
        }
        Shape::Text(pattern) => json!({ "type": "string", "pattern": whole(pattern) }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
    }
}

/// A pattern that the whole text must match.
fn whole(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}
