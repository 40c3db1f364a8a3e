//! YAML text to a tree in which every value knows its place.
//!
//! Two readers share the work. [`outline`] walks the text once for what `serde_yaml` does not tell: where each
//! value stands, and whether the text uses what a configuration has no need for (aliases, tags, several
//! documents, deep nesting). Then [`tree`] lets `serde_yaml` say what each value is. Where the two disagree on
//! the structure the file is refused, so no text can mean one thing to the reader of its problems and another
//! to the proxy.

mod outline;
mod tree;

use crate::problem::{Fault, Place};

pub(crate) use tree::{Entry, Node, ScalarKind, Value};

/// The largest file that is read, in bytes: a million networks and the rest.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// Reads one document.
///
/// # Errors
/// The first place where `text` is not the YAML that a configuration may use.
pub(crate) fn read(text: &str) -> Result<Node<'_>, (Option<Place>, Fault)> {
    if text.len() > MAX_BYTES {
        let found = format!("a file of {} bytes", text.len());
        return Err((
            None,
            Fault::Value {
                found,
                allowed: "at most 32 MiB".into(),
            },
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let marks = outline::read(text).map_err(|(place, fault)| (Some(place), fault))?;
    tree::read(text, marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> String {
        let (place, fault) = read(text).expect_err("must be refused");
        place.map_or(fault.to_string(), |place| format!("{place}: {fault}"))
    }

    #[test]
    fn every_value_knows_its_place() {
        let root =
            read("\u{feff}a: 1\r\nb:\r\n  - x\r\n  - { \"c d\": [yes, 010, 1.50] }\r\n").unwrap();
        let Value::Map(entries) = &root.value else {
            panic!("a mapping")
        };
        assert_eq!(entries[0].value.place, Place { line: 1, column: 4 });
        let Value::List(items) = &entries[1].value.value else {
            panic!("a list")
        };
        assert_eq!(items[0].place, Place { line: 3, column: 5 });
        let Value::Map(inner) = &items[1].value else {
            panic!("a mapping")
        };
        assert_eq!(
            (inner[0].key.as_ref(), inner[0].place),
            ("c d", Place { line: 4, column: 7 })
        );
        let Value::List(scalars) = &inner[0].value.value else {
            panic!("a list")
        };
        let kinds: Vec<_> = scalars.iter().map(|node| &node.value).collect();
        assert!(matches!(kinds[0], Value::Scalar(ScalarKind::Text, text) if text == "yes"));
        assert!(matches!(kinds[1], Value::Scalar(ScalarKind::Text, text) if text == "010"));
        assert!(matches!(kinds[2], Value::Scalar(ScalarKind::Float, text) if text == "1.50"));
    }

    #[test]
    fn what_a_configuration_has_no_need_for_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "1:1: found an empty file; allowed: a mapping"),
            (
                "# only a comment\n",
                "found an empty file; allowed: a mapping",
            ),
            (
                "a: &x 1\nb: *x\n",
                "1:4: found an anchor; allowed: values written out",
            ),
            ("b: *x\n", "1:4: not YAML: "),
            ("a: !!str 1\n", "found a tag; allowed: values without tags"),
            (
                "a: 1\n---\nb: 2\n",
                "found a second document; allowed: one document",
            ),
            (
                "? [a, b]\n: 1\n",
                "1:3: found a list or a mapping as a key; allowed: text",
            ),
            (
                "? {a: b}\n: 1\n",
                "1:3: found a list or a mapping as a key; allowed: text",
            ),
            (
                "a:\n\tb: 1\n",
                "2:2: not YAML: a tab in the indentation; allowed: spaces",
            ),
            ("a: \"x\n", "not YAML: "),
            ("a: [1, 2\n", "not YAML: "),
            ("a: b: c\n", "not YAML: "),
        ] {
            let fault = fault_of(text);
            assert!(fault.contains(expected), "{text:?} gave {fault}");
        }
    }

    #[test]
    fn nesting_ends_at_64() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(64)).is_ok());
        assert_eq!(
            fault_of(&nested(65)),
            "1:65: found nesting deeper than 64; allowed: at most 64 levels"
        );
        assert!(fault_of(&"[".repeat(1_000_000)).contains("nesting"));
        assert!(fault_of(&"a: {".repeat(1_000_000)).contains("nesting"));
        assert!(fault_of(&"- ".repeat(1_000_000)).contains("nesting"));
    }

    #[test]
    fn a_file_beyond_the_size_is_refused_unread() {
        assert!(fault_of(&"a".repeat(MAX_BYTES + 1)).contains("at most 32 MiB"));
    }
}
