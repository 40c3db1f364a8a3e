//! The second walk: `serde_yaml` says what each value is, the outline where it stands.

use std::borrow::Cow;
use std::fmt;
use std::vec::IntoIter;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::outline::{Mark, Shape};
use crate::problem::{Fault, Place};

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) place: Place,
    pub(crate) value: Value<'t>,
}

#[derive(Debug)]
pub(crate) enum Value<'t> {
    /// A scalar and its text, as written but for the quotes.
    Scalar(ScalarKind, Cow<'t, str>),
    List(Vec<Node<'t>>),
    /// In the order of the text, with every key that is given twice.
    Map(Vec<Entry<'t>>),
}

/// What YAML takes a scalar for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ScalarKind {
    Nothing,
    Bool(bool),
    /// Numbers beyond the type's ends are its ends.
    Integer(i128),
    Float,
    Text,
}

/// A key, where it stands, and its value.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) key: Cow<'t, str>,
    pub(crate) place: Place,
    pub(crate) value: Node<'t>,
}

/// Builds the tree of `text`, whose values stand at `marks`.
///
/// # Errors
/// Where `text` has a key that is not a scalar, and where `serde_yaml` sees another structure than `marks`.
pub(super) fn read<'t>(
    text: &str,
    marks: Vec<Mark<'t>>,
) -> Result<Node<'t>, (Option<Place>, Fault)> {
    let mut rest = Rest {
        marks: marks.into_iter(),
        reached: None,
    };
    let tree = NextNode(&mut rest).deserialize(serde_yaml::Deserializer::from_str(text));
    match (tree, rest.marks.next()) {
        (Ok(node), None) => Ok(node),
        (Ok(_), Some(unread)) => Err((Some(unread.place), ambiguous())),
        (Err(error), _) => {
            let here = error.location().map(|at| Place {
                line: at.line(),
                column: at.column(),
            });
            Err((rest.reached.or(here), fault_of(&error.to_string())))
        }
    }
}

/// The marks that are not read yet, and the place of the last that was.
struct Rest<'t> {
    marks: IntoIter<Mark<'t>>,
    reached: Option<Place>,
}

const COLLECTION_AS_KEY: &str = "a list or a mapping as a key";
const AMBIGUOUS: &str = "two readings of this value are possible; put quotes around it";

fn ambiguous() -> Fault {
    Fault::Syntax {
        message: AMBIGUOUS.into(),
    }
}

/// serde carries our own refusals as text, with `serde_yaml`'s idea of the place behind it.
fn fault_of(message: &str) -> Fault {
    if message.contains(COLLECTION_AS_KEY) {
        Fault::Value {
            found: COLLECTION_AS_KEY.into(),
            allowed: "text".into(),
        }
    } else if message.contains(AMBIGUOUS) {
        ambiguous()
    } else {
        Fault::Syntax {
            message: message.into(),
        }
    }
}

/// Reads the value that stands at the next mark.
struct NextNode<'m, 't>(&'m mut Rest<'t>);

impl<'de, 't> DeserializeSeed<'de> for NextNode<'_, 't> {
    type Value = Node<'t>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Node<'t>, D::Error> {
        let mark = self
            .0
            .marks
            .next()
            .ok_or_else(|| D::Error::custom(AMBIGUOUS))?;
        let place = mark.place;
        self.0.reached = Some(place);
        let value = parser.deserialize_any(ValueAt { mark, rest: self.0 })?;
        Ok(Node { place, value })
    }
}

struct ValueAt<'m, 't> {
    mark: Mark<'t>,
    rest: &'m mut Rest<'t>,
}

impl<'t> ValueAt<'_, 't> {
    fn scalar<E: Error>(self, kind: ScalarKind) -> Result<Value<'t>, E> {
        self.expect(Shape::Scalar)?;
        Ok(Value::Scalar(kind, self.mark.text))
    }

    fn expect<E: Error>(&self, shape: Shape) -> Result<(), E> {
        if self.mark.shape == shape {
            Ok(())
        } else {
            Err(E::custom(AMBIGUOUS))
        }
    }
}

impl<'de, 't> Visitor<'de> for ValueAt<'_, 't> {
    type Value = Value<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Integer(value))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Integer(value.try_into().unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value<'t>, E> {
        self.scalar(ScalarKind::Float)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'t>, E> {
        if self.mark.text != text {
            return Err(E::custom(AMBIGUOUS));
        }
        self.scalar(ScalarKind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'t>, A::Error> {
        self.expect(Shape::List)?;
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element_seed(NextNode(self.rest))? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value<'t>, A::Error> {
        self.expect(Shape::Map)?;
        let mut entries = Vec::new();
        while let Some(Node { place, value }) = pairs.next_key_seed(NextNode(self.rest))? {
            let key = match value {
                Value::Scalar(_, text) => text,
                Value::List(_) | Value::Map(_) => {
                    self.rest.reached = Some(place);
                    return Err(A::Error::custom(COLLECTION_AS_KEY));
                }
            };
            let value = pairs.next_value_seed(NextNode(self.rest))?;
            entries.push(Entry { key, place, value });
        }
        Ok(Value::Map(entries))
    }
}
