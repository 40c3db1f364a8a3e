//! What the engine gets to read: one request at a time, and nothing that is not well formed.
//!
//! Clients send the next request, or the first bytes of another protocol, right behind the one that is under way.
//! Those wait here until it is over.

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::{
    body::Body,
    connection::Rules,
    head::{Head, Most},
    progress::{Phase, Progress},
};
use crate::{early, strict::Fault};

/// The requests of one connection, as their bytes come in.
#[derive(Debug, Default)]
pub(super) struct Intake {
    head: Head,
    /// Known once the head was found to be in order.
    body: Option<Body>,
    /// What came behind the present request.
    held: BytesMut,
}

impl Intake {
    /// Whether bytes wait that came earlier.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// What came behind the request that changed to another protocol.
    pub(super) fn take_held(&mut self) -> BytesMut {
        std::mem::take(&mut self.held)
    }

    /// Whether all of the present request was read: what comes is the next one's.
    pub(super) fn is_over(&mut self, progress: &Progress, rules: &Rules) -> bool {
        progress.phase() == Phase::Request && self.body(progress, rules).has_ended()
    }

    /// Whether the body of the last request is known to have been read to its end.
    pub(super) fn has_whole_body(&self) -> bool {
        self.body.as_ref().is_some_and(Body::has_ended)
    }

    /// Gives out of what waits as much as belongs to the present request.
    ///
    /// # Errors
    /// The [`Fault`] that was found in it.
    pub(super) fn give(
        &mut self,
        buffer: &mut ReadBuf<'_>,
        progress: &Progress,
        rules: &Rules,
    ) -> Result<(), Fault> {
        let mut held = self.take_held();
        let there_is = held.len().min(buffer.remaining());
        let passed = self.pass(&held[..there_is], progress, rules)?;
        buffer.put_slice(&held[..passed]);
        held.advance(passed);
        self.held = held;
        Ok(())
    }

    /// Looks at what was read into the buffer after its first `before` bytes, and keeps what belongs to the next
    /// request.
    ///
    /// # Errors
    /// The [`Fault`] that was found in it.
    pub(super) fn keep_rest(
        &mut self,
        buffer: &mut ReadBuf<'_>,
        before: usize,
        progress: &Progress,
        rules: &Rules,
    ) -> Result<(), Fault> {
        let read = &buffer.filled()[before..];
        let passed = self.pass(read, progress, rules)?;
        if passed < read.len() {
            self.held.extend_from_slice(&read[passed..]);
            buffer.set_filled(before + passed);
        }
        Ok(())
    }

    /// Looks at bytes, and tells how many of them belong to the present request.
    fn pass(&mut self, bytes: &[u8], progress: &Progress, rules: &Rules) -> Result<usize, Fault> {
        match progress.phase() {
            Phase::Idle if bytes.is_empty() => return Ok(0),
            Phase::Idle => {
                progress.enter(Phase::Head);
                self.head = Head::default();
                self.body = None;
            }
            // The engine asks for more of a head that has ended: it read something else in it.
            Phase::Head if self.head.has_ended() => return Err(early::NOT_HTTP),
            Phase::Head => {}
            Phase::Request => return self.body(progress, rules).take(bytes),
        }
        let passed = self.head.take(bytes, most(rules));
        self.head.fault().map_or(Ok(passed), Err)
    }

    fn body(&mut self, progress: &Progress, rules: &Rules) -> &mut Body {
        self.body
            .get_or_insert_with(|| Body::new(progress.framing(), most(rules)))
    }
}

fn most(rules: &Rules) -> Most {
    Most {
        bytes: rules.header_bytes,
        fields: rules.headers,
    }
}
