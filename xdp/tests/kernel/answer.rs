//! What a packet becomes that is made its own answer: a TCP segment back to where it came from.

use super::packet::sum;

/// Checks all that is the same in every answer, and tells its segment, which has so many bytes. The question, behind so
/// many VLAN tags, went from port 40000 to port 443.
pub(crate) fn segment<'a>(
    answer: &'a [u8],
    question: &[u8],
    tags: usize,
    bytes: usize,
) -> &'a [u8] {
    let network = 14 + 4 * tags;
    assert_eq!(answer[0..6], question[6..12], "to whom it came from");
    assert_eq!(answer[6..12], question[0..6]);
    assert_eq!(answer[12..network], question[12..network], "in its VLAN");
    let (header, asked) = (&answer[network..], &question[network..]);
    let (length, addresses) = if header[0] >> 4 == 4 {
        (ipv4(header, asked, bytes), &header[12..20])
    } else {
        (ipv6(header, asked, bytes), &header[8..40])
    };
    let segment = &header[length..];
    assert_eq!(segment.len(), bytes, "nothing behind it");
    assert_eq!(segment[0..2], 443_u16.to_be_bytes());
    assert_eq!(segment[2..4], 40_000_u16.to_be_bytes());
    assert_eq!(usize::from(segment[12] >> 4) * 4, bytes, "all of it header");
    assert_eq!(segment[18..20], [0, 0], "nothing urgent");
    let pseudo = [addresses, &[0, 6, 0, byte(bytes)]].concat();
    assert_eq!(sum(&[&pseudo, segment].concat()), 0xffff);
    segment
}

/// The 32 bits of a segment at some place.
pub(crate) fn word(segment: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(segment[at..at + 4].try_into().unwrap())
}

/// Checks the header of IPv4 before a segment, and tells how long it is.
fn ipv4(header: &[u8], asked: &[u8], bytes: usize) -> usize {
    assert_eq!(header[0..2], [0x45, 0], "no options");
    assert_eq!(header[2..4], [0, byte(20 + bytes)]);
    assert_eq!(header[6..8], [0x40, 0], "not to be fragmented");
    assert_eq!((header[8], header[9]), (64, 6));
    assert_eq!(sum(&header[..20]), 0xffff);
    assert_eq!(header[12..16], asked[16..20]);
    assert_eq!(header[16..20], asked[12..16]);
    20
}

/// As [`ipv4`].
fn ipv6(header: &[u8], asked: &[u8], bytes: usize) -> usize {
    assert_eq!(header[0..4], [0x60, 0, 0, 0]);
    assert_eq!(header[4..8], [0, byte(bytes), 6, 64]);
    assert_eq!(header[8..24], asked[24..40]);
    assert_eq!(header[24..40], asked[8..24]);
    40
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}
