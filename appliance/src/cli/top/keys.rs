//! What a terminal sends when keys are pressed.

/// A key, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Letter(char),
    Enter,
    Escape,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    /// Control-C.
    Interrupt,
    /// Control-Z.
    Suspend,
    /// Control-L.
    Redraw,
    /// Control-U: the whole line.
    Erase,
}

/// Puts keys together from bytes, which a slow line may bring one by one.
#[derive(Debug, Default)]
pub(super) struct Decoder(Vec<u8>);

/// No sequence of a key is longer.
const LONGEST_SEQUENCE: usize = 16;

/// The beginning of what came.
enum Parsed {
    /// So many bytes are a key, or nothing that is known.
    Whole(Option<Key>, usize),
    /// More has to come.
    Partial,
}

impl Decoder {
    /// The keys that are complete with these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.0.extend_from_slice(bytes);
        let mut keys = Vec::new();
        while let Parsed::Whole(key, length) = parse(&self.0) {
            self.0.drain(..length);
            keys.extend(key);
        }
        keys
    }

    /// Whether a sequence has begun that may also be the key Escape.
    pub(super) fn is_waiting(&self) -> bool {
        !self.0.is_empty()
    }

    /// Nothing more came for a while: what began a sequence was a key by itself.
    pub(super) fn give_up(&mut self) -> Option<Key> {
        let begun = std::mem::take(&mut self.0);
        (begun.first() == Some(&0x1b)).then_some(Key::Escape)
    }
}

fn parse(bytes: &[u8]) -> Parsed {
    let key = match bytes {
        [] => return Parsed::Partial,
        [0x1b, rest @ ..] => return parse_sequence(rest),
        [b'\r' | b'\n', ..] => Key::Enter,
        [0x7f | 0x08, ..] => Key::Backspace,
        [b'\t', ..] => Key::Tab,
        [0x03, ..] => Key::Interrupt,
        [0x0c, ..] => Key::Redraw,
        [0x15, ..] => Key::Erase,
        [0x1a, ..] => Key::Suspend,
        [0..=0x1f, ..] => return Parsed::Whole(None, 1),
        [byte @ 0x20..=0x7e, ..] => Key::Letter(char::from(*byte)),
        _ => return parse_letter(bytes),
    };
    Parsed::Whole(Some(key), 1)
}

/// What follows an escape.
fn parse_sequence(rest: &[u8]) -> Parsed {
    match rest {
        [] | [b'O' | b'['] => Parsed::Partial,
        [b'O', last, ..] => Parsed::Whole(named(&[], *last), 3),
        [b'[', sequence @ ..] => {
            match sequence.iter().position(|byte| matches!(byte, 0x40..=0x7e)) {
                Some(end) => Parsed::Whole(named(&sequence[..end], sequence[end]), end + 3),
                None if sequence.len() < LONGEST_SEQUENCE => Parsed::Partial,
                None => Parsed::Whole(None, rest.len() + 1),
            }
        }
        _ => Parsed::Whole(Some(Key::Escape), 1),
    }
}

/// The key of a sequence with these parameters and this last byte, as xterm and the Linux console send them.
fn named(parameters: &[u8], last: u8) -> Option<Key> {
    Some(match (last, parameters) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"5") => Key::PageUp,
        (b'~', b"6") => Key::PageDown,
        (b'Z', _) => Key::BackTab,
        (b'M', b"") => Key::Enter,
        _ => return None,
    })
}

/// A letter of several bytes.
fn parse_letter(bytes: &[u8]) -> Parsed {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Parsed::Whole(None, 1),
    };
    let Some(letter) = bytes.get(..length) else {
        return Parsed::Partial;
    };
    match std::str::from_utf8(letter).map(|text| text.chars().next()) {
        Ok(letter) => Parsed::Whole(letter.map(Key::Letter), length),
        Err(_) => Parsed::Whole(None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        Decoder::default().feed(bytes)
    }

    #[test]
    fn keys_are_told_apart() {
        for (bytes, key) in [
            (&b"q"[..], Key::Letter('q')),
            ("ö".as_bytes(), Key::Letter('ö')),
            (b"\r", Key::Enter),
            (b"\x7f", Key::Backspace),
            (b"\x1b[A", Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5C", Key::Right),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1b[Z", Key::BackTab),
            (b"\x1bOH", Key::Home),
            (b"\x1b[4~", Key::End),
            (b"\x03", Key::Interrupt),
        ] {
            assert_eq!(keys(bytes), [key], "{bytes:x?}");
        }
    }

    #[test]
    fn a_slow_line_may_bring_bytes_one_by_one() {
        let mut decoder = Decoder::default();
        let all = "\x1b[6~ü\x1b[Aj".as_bytes();
        let keys: Vec<Key> = all.iter().flat_map(|byte| decoder.feed(&[*byte])).collect();
        assert_eq!(
            keys,
            [Key::PageDown, Key::Letter('ü'), Key::Up, Key::Letter('j')]
        );
        assert!(!decoder.is_waiting());
    }

    #[test]
    fn escape_is_a_key_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"\x1b"), []);
        assert!(decoder.is_waiting());
        assert_eq!(decoder.give_up(), Some(Key::Escape));
        assert!(!decoder.is_waiting());
        assert_eq!(keys(b"\x1bq"), [Key::Escape, Key::Letter('q')]);
    }

    #[test]
    fn what_is_no_key_is_passed_over() {
        assert_eq!(keys(b"\x1b[25~q"), [Key::Letter('q')]);
        assert_eq!(keys(b"\xff\x01q"), [Key::Letter('q')]);
        let endless = [b"\x1b[".as_slice(), &[b'1'; 40]].concat();
        let mut decoder = Decoder::default();
        decoder.feed(&endless);
        assert!(!decoder.is_waiting());
        assert_eq!(decoder.feed(b"q"), [Key::Letter('q')]);
    }
}
