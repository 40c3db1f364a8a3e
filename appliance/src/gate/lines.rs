//! Who is in, as text: a line `id/KEY: "true"` for each, which is YAML.

use std::fmt::Write as _;

use serde_yaml::Value;

/// Text that does not say who is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found}; allowed: lines of id/KEY: \"true\"")]
pub struct Malformed {
    pub found: String,
}

/// Reads the names of those who are in.
///
/// # Errors
/// [`Malformed`] for text that is no YAML mapping, a key that does not begin with `id/`, and any value but true.
pub fn read(text: &str) -> Result<Vec<String>, Malformed> {
    let malformed = |found: String| Malformed { found };
    let value: Value = serde_yaml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let entries = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(entries) => entries,
        _ => return Err(malformed("something that is no mapping".to_owned())),
    };
    entries
        .into_iter()
        .map(|(key, value)| {
            let name = key.as_str().and_then(|key| key.strip_prefix("id/"));
            let is_in = value == Value::Bool(true) || value.as_str() == Some("true");
            match name {
                Some(name) if is_in => Ok(name.to_owned()),
                Some(name) => Err(malformed(format!("id/{name} with another value"))),
                None => Err(malformed(format!("the key {}", shown(&key)))),
            }
        })
        .collect()
}

fn shown(key: &Value) -> String {
    serde_yaml::to_string(key).map_or_else(
        |_| "of a strange kind".to_owned(),
        |text| format!("`{}`", text.trim_end()),
    )
}

/// Appends the line of somebody who is in.
pub fn write(name: &str, into: &mut String) {
    let key = format!("id/{name}");
    let is_plain = key.bytes().all(
        |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'@'),
    );
    // A JSON string is a YAML string; a string takes everything.
    let _ = match serde_json::to_string(&key) {
        Ok(quoted) if !is_plain => writeln!(into, "{quoted}: \"true\""),
        _ => writeln!(into, "{key}: \"true\""),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let names = [
            "user1",
            "Bearer a b: c",
            "",
            "\u{e9}\"\\\n#",
            "10.0.0.1",
            "true",
            "a/b%2Fc",
        ];
        let mut text = String::new();
        for name in names {
            write(name, &mut text);
        }
        assert!(text.starts_with("id/user1: \"true\"\n\"id/Bearer a b: c\": \"true\"\n"));
        assert_eq!(read(&text).unwrap(), names);
        assert_eq!(read("").unwrap(), Vec::<String>::new());
        assert_eq!(read("id/a: true\n").unwrap(), ["a"]);
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for (text, found) in [
            ("user1: \"true\"", "the key `user1`"),
            ("id/user1: \"false\"", "id/user1 with another value"),
            ("- id/user1", "something that is no mapping"),
            ("id/a: \"true\"\nid/a: \"true\"", "duplicate"),
            ("{", "expected"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(found), "{text}: {error}");
        }
    }
}
