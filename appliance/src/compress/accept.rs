//! What a client accepts (RFC 9110, 12.5.3).

use floodwall_config::Algorithm;
use http::{HeaderMap, header};

use crate::fields;

/// The algorithm that the client likes best; where it likes several as much, the first of `offered`.
pub(super) fn preferred(headers: &HeaderMap, offered: &[Algorithm]) -> Option<Algorithm> {
    let mut best = (0, None);
    for algorithm in offered {
        let quality = quality(headers, name(*algorithm));
        if quality > best.0 {
            best = (quality, Some(*algorithm));
        }
    }
    best.1
}

/// The content coding's name.
pub(super) fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Zstd => "zstd",
        Algorithm::Br => "br",
        Algorithm::Gzip => "gzip",
    }
}

/// How much a coding is liked, in thousandths; none at all when it is not named.
fn quality(headers: &HeaderMap, coding: &str) -> u16 {
    let (mut named, mut any) = (None, None);
    for part in fields::words(headers, &header::ACCEPT_ENCODING) {
        let mut parameters = part.split(';');
        let token = parameters.next().unwrap_or_default().trim();
        let weight = parameters
            .find_map(|parameter| weight(parameter.trim()))
            .unwrap_or(1000);
        let alias = coding == "gzip" && token.eq_ignore_ascii_case("x-gzip");
        if token.eq_ignore_ascii_case(coding) || alias {
            named = named.max(Some(weight));
        } else if token == "*" {
            any = Some(weight);
        }
    }
    named.or(any).unwrap_or(0)
}

/// A `q` parameter in thousandths. One that is malformed counts as a refusal.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, decimals) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{decimals:0<3}").parse::<u16>();
    Some(match (whole, thousandths) {
        ("0", Ok(thousandths)) if digits => thousandths,
        ("1", Ok(0)) if digits => 1000,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip];

    #[test]
    fn the_client_decides_and_then_the_order_of_the_file() {
        for (accepts, expected) in [
            ("", None),
            ("identity", None),
            ("deflate", None),
            ("gzip", Some(Algorithm::Gzip)),
            ("x-gzip", Some(Algorithm::Gzip)),
            ("gzip, deflate, br, zstd", Some(Algorithm::Zstd)),
            ("gzip;q=1.0, br;q=0.5, zstd;q=0.5", Some(Algorithm::Gzip)),
            ("br; q=0.9, zstd ;q=0.85", Some(Algorithm::Br)),
            ("*", Some(Algorithm::Zstd)),
            ("*;q=0.5, zstd;q=0", Some(Algorithm::Br)),
            ("gzip;q=0, *;q=0", None),
            ("BR", Some(Algorithm::Br)),
            ("gzip;q=2, br;q=nan", None),
            ("gzip;q=0.001", Some(Algorithm::Gzip)),
            ("gzip;q=0.0001", None),
        ] {
            let mut headers = HeaderMap::new();
            if !accepts.is_empty() {
                headers.insert(header::ACCEPT_ENCODING, accepts.parse().unwrap());
            }
            assert_eq!(preferred(&headers, &ALL), expected, "{accepts}");
        }
    }
}
