//! What the parts of a request's head may be made of, and how far they go.

/// How many bytes there are before the first one that is none of them.
#[inline]
pub(super) fn run(bytes: &[u8], is_one: impl Fn(u8) -> bool) -> usize {
    // Without a way out in the middle of a block the compiler looks at all of its bytes at once.
    let others = |block: &[u8; BLOCK]| {
        let others = block.iter().map(|byte| u8::from(!is_one(*byte)));
        others.fold(0, |some, other| some | other)
    };
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let whole = BLOCK * blocks.iter().take_while(|block| others(block) == 0).count();
    let other = bytes[whole..].iter().position(|byte| !is_one(*byte));
    other.map_or(bytes.len(), |other| whole + other)
}

const BLOCK: usize = 16;

/// What a field's value may be made of (RFC 9110, 5.5).
pub(super) fn in_value(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

/// What the parts of a request line may be made of. A fragment is the client's own; the parser would cut it off
/// (RFC 9112, 3.2).
pub(super) fn in_request_line(byte: u8) -> bool {
    matches!(byte, b'!' | b'"' | b'$'..=b'~')
}

/// The length of the token that this begins with, for which names are mostly too short to be looked at in blocks.
pub(super) fn token(bytes: &[u8]) -> usize {
    let other = bytes.iter().position(|byte| !is_token(*byte));
    other.unwrap_or(bytes.len())
}

pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// RFC 9110, 5.6.2.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_of_what_the_standard_lists() {
        for byte in 0..=u8::MAX {
            let listed = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(byte), listed, "{byte}");
        }
    }
}
