//! Fields at the end of a response's head that never pass through the engine's header maps.
//!
//! The engine keeps two maps of a head, as large as what the upstream sent: two fields more make both grow, and cost
//! more than the decision that they tell of. A phase leaves whole lines here instead, and the guard writes them behind
//! the head's own when that goes by.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Whole lines, each with its end, for the next head of a final response.
#[derive(Debug, Default)]
pub struct Supplement {
    /// Spares the lock where there is nothing, which is nearly every write.
    waits: AtomicBool,
    lines: Mutex<Vec<u8>>,
}

impl Supplement {
    pub fn put(&self, lines: Vec<u8>) {
        *self.lock() = lines;
        self.waits.store(true, Relaxed);
    }

    /// The response that the lines were for does not come.
    pub fn clear(&self) {
        if self.waits.swap(false, Relaxed) {
            *self.lock() = Vec::new();
        }
    }

    /// The lines, if `written` is the head that they are for, and before them the lines that this has itself. The empty
    /// line behind all of them is left to whoever asks.
    pub(super) fn take_for<'w>(&self, written: &'w [u8]) -> Option<(&'w [u8], Vec<u8>)> {
        if !self.waits.load(Relaxed) {
            return None;
        }
        let own = lines_of_final_head(written)?;
        self.waits.store(false, Relaxed);
        Some((own, mem::take(&mut self.lock())))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // Only whole values are put under this lock.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A head without its empty line, if these bytes are one and its response is not an interim one.
fn lines_of_final_head(bytes: &[u8]) -> Option<&[u8]> {
    let lines = bytes.strip_suffix(b"\r\n")?;
    let is_head = lines.starts_with(b"HTTP/1.") && lines.ends_with(b"\r\n");
    let status = bytes.get(b"HTTP/1.1 ".len())?;
    (is_head && matches!(status, b'2'..=b'9')).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n";

    #[test]
    fn lines_go_out_once_with_the_head_of_a_final_response() {
        let supplement = Supplement::default();
        assert_eq!(supplement.take_for(HEAD), None);
        supplement.put(b"a: b\r\n".to_vec());
        let interim = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
        assert_eq!(supplement.take_for(interim), None);
        let own = &b"HTTP/1.1 200 OK\r\nserver: x\r\n"[..];
        let lines = b"a: b\r\n".to_vec();
        assert_eq!(supplement.take_for(HEAD), Some((own, lines)));
        assert_eq!(supplement.take_for(HEAD), None);
    }

    #[test]
    fn what_is_no_whole_head_takes_none() {
        let supplement = Supplement::default();
        supplement.put(b"a: b\r\n".to_vec());
        for other in [
            &b""[..],
            b"\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nserver: x\r\n",
            b"a body that ends like a head\r\n\r\n",
        ] {
            assert_eq!(supplement.take_for(other), None, "{}", other.escape_ascii());
        }
        assert!(supplement.take_for(HEAD).is_some());
    }

    #[test]
    fn lines_of_a_response_that_failed_are_gone() {
        let supplement = Supplement::default();
        supplement.put(b"a: b\r\n".to_vec());
        supplement.clear();
        assert_eq!(supplement.take_for(HEAD), None);
    }
}
