//! Text with variables: `Bearer ${token.service}`.

use std::fmt;

use crate::HeaderName;
use crate::matching::{cookie_name, plain_name};
use crate::read::{Cursor, Names};

/// Text with places that each request fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// No two texts follow each other, and none is empty.
    pub segments: Vec<Segment>,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Text(String),
    Variable(Variable),
}

/// What a request puts into a template. A part that it does not have is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The client's address as [`crate::Clients`] finds it.
    Client,
    /// The address of the TCP peer.
    Peer,
    /// Without port.
    Host,
    Method,
    /// As the client sent it, without the query.
    Path,
    /// As the client sent it, without `?`.
    Query,
    Route,
    /// The upstream that takes it, which may be a fallback.
    Upstream,
    Listener,
    /// `http` or `https`.
    Scheme,
    /// The number of the configuration's generation.
    Generation,
    RequestId,
    Header(HeaderName),
    Cookie(String),
    /// A parameter of the query, decoded.
    QueryValue(String),
    /// The token of this name, which exists.
    Token(String),
}

/// Which variables a template may have.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All of them; these are the tokens.
    Header(&'a Names<'a>),
    /// Neither tokens, which a client must not get to see by mistake, nor the upstream, which there is none of.
    Location,
}

const PLAIN: [(&str, Variable); 12] = [
    ("client", Variable::Client),
    ("peer", Variable::Peer),
    ("host", Variable::Host),
    ("method", Variable::Method),
    ("path", Variable::Path),
    ("query", Variable::Query),
    ("route", Variable::Route),
    ("listener", Variable::Listener),
    ("scheme", Variable::Scheme),
    ("generation", Variable::Generation),
    ("request_id", Variable::RequestId),
    ("upstream", Variable::Upstream),
];

impl Template {
    /// Takes a text that is checked to be printable apart from its variables; `$${` stands for `${`.
    pub(crate) fn of(text: &str, value: Cursor<'_>, scope: Scope<'_>) -> Option<Self> {
        let mut template = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            if let Some(literal) = before.strip_suffix('$') {
                template.push_text(literal);
                template.push_text("${");
                rest = after;
                continue;
            }
            template.push_text(before);
            let Some((name, tail)) = after.split_once('}') else {
                return value.refuse_as("`${` without `}`", "${NAME}, or $${ for ${ itself");
            };
            let variable = scope.variable(name, value)?;
            template.segments.push(Segment::Variable(variable));
            rest = tail;
        }
        template.push_text(rest);
        Some(template)
    }

    fn push_text(&mut self, text: &str) {
        match self.segments.last_mut() {
            _ if text.is_empty() => {}
            Some(Segment::Text(last)) => last.push_str(text),
            _ => self.segments.push(Segment::Text(text.to_owned())),
        }
    }

    /// The text, when it has no variables.
    pub fn fixed(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [] => Some(""),
            [Segment::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the tokens in it.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(Variable::Token(name)) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl fmt::Display for Template {
    /// Writes it as the file would.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Text(text) => f.write_str(&text.replace("${", "$${")),
            Segment::Variable(variable) => write!(f, "${{{variable}}}"),
        })
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header.{name}"),
            Self::Cookie(name) => write!(f, "cookie.{name}"),
            Self::QueryValue(name) => write!(f, "query.{name}"),
            Self::Token(name) => write!(f, "token.{name}"),
            _ => {
                let known = PLAIN.iter().find(|(_, variable)| variable == self);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}

impl Scope<'_> {
    fn variable(self, name: &str, value: Cursor<'_>) -> Option<Variable> {
        let plain = PLAIN.iter().find(|(known, _)| *known == name);
        if let Some((_, variable)) = plain
            && self.has(variable)
        {
            return Some(variable.clone());
        }
        match (name.split_once('.'), self) {
            (Some(("header", name)), _) => HeaderName::of(name, value).map(Variable::Header),
            (Some(("cookie", name)), _) => cookie_name(name, value).map(Variable::Cookie),
            (Some(("query", name)), _) => plain_name(name, value).map(Variable::QueryValue),
            (Some(("token", name)), Self::Header(tokens)) => {
                tokens.find(name, value)?;
                Some(Variable::Token(name.to_owned()))
            }
            _ => value.refuse_as(format!("the variable `${{{name}}}`"), self.allowed()),
        }
    }

    fn has(self, variable: &Variable) -> bool {
        matches!(self, Self::Header(_)) || *variable != Variable::Upstream
    }

    fn allowed(self) -> String {
        let mut allowed: Vec<&str> = PLAIN
            .iter()
            .filter(|(_, variable)| self.has(variable))
            .map(|(name, _)| *name)
            .collect();
        allowed.extend(["header.NAME", "cookie.NAME", "query.NAME"]);
        if matches!(self, Self::Header(_)) {
            allowed.push("token.NAME");
        }
        format!("{}; $${{ stands for ${{ itself", allowed.join(", "))
    }
}
