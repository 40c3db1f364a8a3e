//! A route's changes to header fields, compiled once for a generation.

use std::sync::Arc;

use bytes::Bytes;
use floodwall_config::{self as config, HeaderEdits, HeaderRule, Missing, Segment, Variable};
use http::HeaderValue;
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use crate::{
    facts::Facts,
    stats::Count,
    tokens::{Token, Tokens},
};

/// What is removed, set and added, in this order.
#[derive(Debug, Default)]
pub struct Edits {
    remove: Vec<config::HeaderName>,
    set: Vec<Rule>,
    add: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// As it is written, in lower case.
    name: Bytes,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Fixed(HeaderValue),
    Made(Vec<Piece>),
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Variable(Variable),
    Token(Arc<Token>),
}

/// What a rule comes to for one request.
enum Made {
    Value(HeaderValue),
    /// Nothing to write: the parts of the request are not there, or a token is not.
    Nothing,
    /// It would end the field or the message.
    Unsafe,
}

impl Edits {
    pub fn compile(edits: &HeaderEdits, tokens: &Tokens) -> Self {
        let rules = |rules: &[HeaderRule]| -> Vec<Rule> {
            rules.iter().map(|rule| Rule::new(rule, tokens)).collect()
        };
        Self {
            remove: edits.remove.clone(),
            set: rules(&edits.set),
            add: rules(&edits.add),
        }
    }

    /// Takes these fields out as well.
    pub fn remove<'a>(&mut self, names: impl Iterator<Item = &'a config::HeaderName>) {
        self.remove.extend(names.cloned());
    }

    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Whether one of the changes is about this field, in lower case.
    pub fn decide(&self, name: &str) -> bool {
        let mut rules = self.set.iter().chain(&self.add);
        rules.any(|rule| rule.written_name().eq_ignore_ascii_case(name))
            || self
                .remove
                .iter()
                .any(|removed| removed.as_str().eq_ignore_ascii_case(name))
    }

    /// Makes the changes. A field whose value comes out empty is left out, and so is one whose value cannot stand on
    /// the wire, which `dropped` counts; what was there under a name that is set is gone in either case, so that no
    /// client can pass off its own value for one.
    ///
    /// # Errors
    /// Never: names and values are checked before.
    pub fn apply(
        &self,
        section: &mut impl Section,
        facts: &Facts<'_>,
        dropped: &Count,
    ) -> Result<()> {
        for name in &self.remove {
            section.remove(name.as_str());
        }
        for rule in &self.set {
            match rule.value.make(facts) {
                Made::Value(value) => section.set(rule.name.clone(), value)?,
                missing => {
                    missing.note(dropped);
                    section.remove(rule.written_name());
                }
            }
        }
        for rule in &self.add {
            match rule.value.make(facts) {
                Made::Value(value) => section.add(rule.name.clone(), value)?,
                missing => missing.note(dropped),
            }
        }
        Ok(())
    }
}

impl Made {
    fn note(&self, dropped: &Count) {
        if matches!(self, Self::Unsafe) {
            dropped.one();
        }
    }
}

impl Rule {
    fn new(rule: &HeaderRule, tokens: &Tokens) -> Self {
        let fixed = rule.value.fixed().map(HeaderValue::from_str);
        let value = match fixed {
            Some(Ok(value)) => Value::Fixed(value),
            // A checked file has no other fixed values; one is treated as what a request might bring.
            _ => Value::Made(pieces(&rule.value, tokens)),
        };
        Self {
            name: Bytes::copy_from_slice(rule.name.as_str().as_bytes()),
            value,
        }
    }

    fn written_name(&self) -> &str {
        // It was text when the rule was made.
        str::from_utf8(&self.name).unwrap_or_default()
    }
}

fn pieces(template: &config::Template, tokens: &Tokens) -> Vec<Piece> {
    template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Text(text) => Piece::Text(text.clone()),
            Segment::Variable(Variable::Token(name)) => match tokens.named(name) {
                Some(token) => Piece::Token(Arc::clone(token)),
                // A checked file names only tokens that it has.
                None => Piece::Text(String::new()),
            },
            Segment::Variable(variable) => Piece::Variable(variable.clone()),
        })
        .collect()
}

impl Value {
    fn make(&self, facts: &Facts<'_>) -> Made {
        let pieces = match self {
            Self::Fixed(value) => return Made::Value(value.clone()),
            Self::Made(pieces) => pieces,
        };
        let (mut value, mut secret, mut may_be_empty) = (Vec::new(), false, false);
        for piece in pieces {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => {
                    value.extend_from_slice(facts.value(variable).as_bytes());
                }
                Piece::Token(token) => match (token.value(), token.missing) {
                    (Some(token), _) => {
                        secret = true;
                        value.extend_from_slice(token.as_bytes());
                    }
                    (None, Missing::Empty) => may_be_empty = true,
                    (None, Missing::Omit | Missing::Refuse) => return Made::Nothing,
                },
            }
        }
        let value = value.trim_ascii();
        if value.is_empty() && !may_be_empty {
            return Made::Nothing;
        }
        match HeaderValue::from_bytes(value) {
            Ok(mut value) => {
                value.set_sensitive(secret);
                Made::Value(value)
            }
            Err(_) => Made::Unsafe,
        }
    }
}

/// What requests and responses have in common, without having it in common in Pingora.
pub trait Section {
    fn remove(&mut self, name: &str);

    /// # Errors
    /// When the name is none.
    fn set(&mut self, name: Bytes, value: HeaderValue) -> Result<()>;

    /// # Errors
    /// As [`Section::set`].
    fn add(&mut self, name: Bytes, value: HeaderValue) -> Result<()>;
}

macro_rules! section {
    ($header:ty) => {
        impl Section for $header {
            fn remove(&mut self, name: &str) {
                self.remove_header(name);
            }

            fn set(&mut self, name: Bytes, value: HeaderValue) -> Result<()> {
                self.insert_header(name, value)
            }

            fn add(&mut self, name: Bytes, value: HeaderValue) -> Result<()> {
                self.append_header(name, value).map(drop)
            }
        }
    };
}

section!(RequestHeader);
section!(ResponseHeader);
