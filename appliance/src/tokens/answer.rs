//! Finding the token in an answer.

use bytes::Bytes;
use floodwall_config::Take;
use http::{HeaderValue, Response};

/// Why an answer has no token. None of these says what the answer was: it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoToken {
    #[error("the answer was {0}")]
    Status(u16),
    #[error("the answer has no header {0}")]
    NoHeader(String),
    #[error("the answer is no JSON document")]
    NotJson,
    #[error("the answer's JSON has no text at `{0}`")]
    NothingThere(String),
    #[error("what the answer has for a token is empty, or cannot stand in a header")]
    Unfit,
}

/// The token, as a header would have it.
pub(super) fn token(answer: &Response<Bytes>, take: &Take) -> Result<Box<[u8]>, NoToken> {
    if !answer.status().is_success() {
        return Err(NoToken::Status(answer.status().as_u16()));
    }
    let found = match take {
        Take::Header(name) => {
            let field = answer.headers().get(name.as_str());
            let field = field.ok_or_else(|| NoToken::NoHeader(name.to_string()))?;
            field.as_bytes().to_vec()
        }
        Take::Json(pointer) => at(answer.body(), pointer)?.into_bytes(),
    };
    let found = found.trim_ascii();
    if found.is_empty() || HeaderValue::from_bytes(found).is_err() {
        return Err(NoToken::Unfit);
    }
    Ok(found.into())
}

fn at(body: &[u8], pointer: &str) -> Result<String, NoToken> {
    let document: serde_json::Value = serde_json::from_slice(body).map_err(|_| NoToken::NotJson)?;
    match document.pointer(pointer) {
        Some(serde_json::Value::String(text)) => Ok(text.clone()),
        Some(serde_json::Value::Number(number)) => Ok(number.to_string()),
        _ => Err(NoToken::NothingThere(pointer.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        take: &Take,
        status: u16,
        header: &str,
        body: &'static str,
    ) -> Result<String, NoToken> {
        let answer = Response::builder()
            .status(status)
            .header("x-token", header)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        token(&answer, take).map(|token| String::from_utf8(token.into()).unwrap())
    }

    fn json(pointer: &str) -> Take {
        Take::Json(pointer.to_owned())
    }

    fn header() -> Take {
        let text = "
listeners: { web: { address: 127.0.0.1:1 } }
upstreams: { a: { servers: [127.0.0.1:2] } }
tokens: { t: { fetch: { upstream: a, path: / }, take: header(X-Token) } }
routes: [{ name: all, upstream: a }]
";
        let config = floodwall_config::Config::from_text(text, std::path::Path::new("f")).unwrap();
        config.tokens[0].take.clone()
    }

    #[test]
    fn finds_a_header_and_a_place_in_json() {
        assert_eq!(taken(&header(), 200, "abc", ""), Ok("abc".to_owned()));
        let document = r#"{ "a": { "t": "xyz", "n": 7, "l": [] } }"#;
        assert_eq!(
            taken(&json("/a/t"), 201, "", document),
            Ok("xyz".to_owned())
        );
        assert_eq!(taken(&json("/a/n"), 200, "", document), Ok("7".to_owned()));
        assert_eq!(taken(&json(""), 200, "", "\"all\""), Ok("all".to_owned()));
    }

    #[test]
    fn everything_else_is_no_token() {
        let document = r#"{ "t": { "l": [] }, "crlf": "a\r\nb", "empty": " " }"#;
        for (take, status, field, body, why) in [
            (header(), 503, "abc", "", NoToken::Status(503)),
            (header(), 302, "abc", "", NoToken::Status(302)),
            (header(), 200, "", "", NoToken::Unfit),
            (json("/t"), 200, "", "no", NoToken::NotJson),
            (
                json("/t/l"),
                200,
                "",
                document,
                NoToken::NothingThere("/t/l".to_owned()),
            ),
            (
                json("/x"),
                200,
                "",
                document,
                NoToken::NothingThere("/x".to_owned()),
            ),
            (json("/crlf"), 200, "", document, NoToken::Unfit),
            (json("/empty"), 200, "", document, NoToken::Unfit),
        ] {
            assert_eq!(taken(&take, status, field, body), Err(why));
        }
    }
}
