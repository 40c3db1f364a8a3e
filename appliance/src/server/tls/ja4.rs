//! JA4: a fingerprint of the software that a client is, from its hello.
//!
//! Clients that are told to lie about their `User-Agent` still greet as what they are. As FoxIO describes it
//! (`JA4.md`): what is sorted is the same however a client shuffles it, and GREASE values (RFC 8701) mean nothing.

use super::{
    hello::{ALPN, Hello, SERVER_NAME},
    sha256_hex,
};

/// The fingerprint of a hello over TCP, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub(super) fn fingerprint(hello: &Hello) -> String {
    let ciphers = meant(&hello.ciphers);
    let extensions = meant(&hello.extensions);
    let server_name = if extensions.contains(&SERVER_NAME) {
        'd'
    } else {
        'i'
    };
    format!(
        "t{}{server_name}{:02}{:02}{}_{}_{}",
        version(hello),
        ciphers.len().min(99),
        extensions.len().min(99),
        protocol(hello.alpn.as_deref()),
        hash(&list(&sorted(ciphers))),
        hash(&extensions_and_signatures(hello, extensions)),
    )
}

fn extensions_and_signatures(hello: &Hello, mut extensions: Vec<u16>) -> String {
    extensions.retain(|kind| ![SERVER_NAME, ALPN].contains(kind));
    let signatures = meant(&hello.signature_algorithms);
    let extensions = list(&sorted(extensions));
    if signatures.is_empty() {
        extensions
    } else {
        format!("{extensions}_{}", list(&signatures))
    }
}

fn version(hello: &Hello) -> &'static str {
    let best = meant(&hello.versions).into_iter().max();
    match best.unwrap_or(hello.legacy_version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of a protocol's name, or of its bytes in hexadecimal.
fn protocol(name: Option<&[u8]>) -> String {
    let Some((first, last)) = name.and_then(|name| name.first().zip(name.last())) else {
        return "00".to_owned();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        [*first, *last].map(char::from).iter().collect()
    } else {
        format!("{:x}{:x}", first >> 4, last & 0xf)
    }
}

/// Without the values that are sent to be ignored: both bytes the same, and each `?a`.
fn meant(values: &[u16]) -> Vec<u16> {
    let is_grease = |value: u16| value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff;
    let meant = values.iter().copied();
    meant.filter(|value| !is_grease(*value)).collect()
}

fn sorted(mut values: Vec<u16>) -> Vec<u16> {
    values.sort_unstable();
    values
}

fn list(values: &[u16]) -> String {
    let values: Vec<_> = values.iter().map(|value| format!("{value:04x}")).collect();
    values.join(",")
}

fn hash(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".to_owned();
    }
    let mut hex = sha256_hex(text.as_bytes());
    hex.truncate(12);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the description: a browser, with GREASE in every list.
    #[test]
    fn the_published_example_has_the_published_fingerprint() {
        let hello = Hello {
            legacy_version: 0x0303,
            ciphers: vec![
                0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8,
                0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
            ],
            extensions: vec![
                0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005,
                0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
            ],
            versions: vec![0x2a2a, 0x0304, 0x0303],
            signature_algorithms: vec![
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ],
            alpn: Some(b"h2".to_vec()),
        };
        assert_eq!(fingerprint(&hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn what_a_hello_lacks_is_zero() {
        let hello = Hello {
            legacy_version: 0x0302,
            ..Hello::default()
        };
        assert_eq!(fingerprint(&hello), "t11i000000_000000000000_000000000000");
        assert_eq!(protocol(Some(&[0xab, 0x01])), "a1");
        assert_eq!(protocol(Some(b"http/1.1")), "h1");
    }
}
