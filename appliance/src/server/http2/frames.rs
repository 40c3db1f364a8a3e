//! A count of HTTP/2 frames that cost more than they carry, and the budgets of them (RFC 9113, 10.5).
//!
//! The frames are read by their nine-byte headers alone, as the bytes come; what is in them is the codec's business.
//! The codec bounds the size of a header block, its continuations, and DATA that is empty or tiny. It takes any number
//! of the rest, each of which is cheap to send and is answered, or does something to a stream: those are bounded here.

use floodwall_limiter::{
    Nanos, Quota,
    gcra::{self, Step},
};

/// What a connection had too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offence {
    /// Streams that were opened and reset again: a rapid reset (CVE-2023-44487).
    Resets,
    /// Streams that had to be refused or reset for what the client did to them (CVE-2025-8671, "`MadeYouReset`").
    Rejections,
    /// SETTINGS, PING, PRIORITY, and frames that nobody knows.
    Control,
    /// `WINDOW_UPDATE`.
    Updates,
    /// A header block that does not end, or the beginning of a connection that does not come.
    SlowHead,
    /// What the codec bounds itself, or what is not HTTP/2.
    Protocol,
}

impl Offence {
    /// Every offence, in the order of its counters.
    pub const ALL: [Self; 6] = [
        Self::Resets,
        Self::Rejections,
        Self::Control,
        Self::Updates,
        Self::SlowHead,
        Self::Protocol,
    ];

    /// The offence's name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::Rejections => "rejections",
            Self::Control => "control_frames",
            Self::Updates => "window_updates",
            Self::SlowHead => "slow_header",
            Self::Protocol => "protocol",
        }
    }
}

/// A page that is left has its streams reset at once, a hundred of them; a proxy resets those of many users.
const RESETS: Quota = Quota::new(200, Nanos::from_secs(1), 400);
/// A body that is refused early is reset by the server, which is nobody's fault as long as it is rare.
const REJECTIONS: Quota = Quota::new(200, Nanos::from_secs(1), 400);
const CONTROL: Quota = Quota::new(100, Nanos::from_secs(1), 400);
const UPDATES: Quota = Quota::new(1000, Nanos::from_secs(1), 2000);

/// Who is sent much may say much: a frame beyond the budgets for so many bytes that the client was sent.
const BYTES_A_FRAME: u64 = 512;
/// A request may come with so many frames about its priority and its windows.
const FRAMES_A_REQUEST: u64 = 4;
/// Frames that may be saved up.
const MOST_SAVED: u64 = 4096;

/// The frames of one connection, in both directions.
#[derive(Debug)]
pub(super) struct Frames {
    received: Cursor,
    sent: Cursor,
    /// Bytes of the client's preface that are still to come.
    preface: u8,
    /// The client's first frame has come.
    greeted: bool,
    /// A header block has begun and not ended.
    in_block: bool,
    /// Frames and header blocks that have begun, so that one deadline is told from the next.
    heads: u64,
    /// Bytes for which frames may come beyond their budgets.
    saved: u64,
    resets: Nanos,
    rejections: Nanos,
    control: Nanos,
    updates: Nanos,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            received: Cursor::default(),
            sent: Cursor::default(),
            preface: PREFACE_LENGTH,
            greeted: false,
            in_block: false,
            heads: 0,
            saved: 0,
            resets: Nanos::ZERO,
            rejections: Nanos::ZERO,
            control: Nanos::ZERO,
            updates: Nanos::ZERO,
        }
    }
}

/// The client connection preface, without the SETTINGS frame behind it (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PREFACE_LENGTH: u8 = 24;
const _: () = assert!(PREFACE.len() == PREFACE_LENGTH as usize);

impl Frames {
    /// Looks at what the client sent. The clock is only read for a frame that has a budget.
    ///
    /// # Errors
    /// The first [`Offence`].
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        clock: impl Fn() -> Nanos,
    ) -> Result<(), Offence> {
        let preface = bytes.len().min(usize::from(self.preface));
        // No more than the preface had left.
        self.preface -= u8::try_from(preface).unwrap_or(self.preface);
        let mut rest = &bytes[preface..];
        let mut verdict = Ok(());
        while let Some(frame) = self.received.next(&mut rest) {
            verdict = verdict.and(self.judge(frame, &clock));
        }
        verdict
    }

    /// Looks at what the client is sent.
    ///
    /// # Errors
    /// [`Offence::Rejections`], when too many streams had to be refused or reset.
    pub(super) fn send(&mut self, bytes: &[u8], clock: impl Fn() -> Nanos) -> Result<(), Offence> {
        self.save(bytes.len() as u64);
        let mut rest = bytes;
        let mut verdict = Ok(());
        while let Some(frame) = self.sent.next(&mut rest) {
            if frame.kind == RST_STREAM {
                let tat = &mut self.rejections;
                verdict = verdict.and(charge(tat, REJECTIONS, &clock, Offence::Rejections));
            }
        }
        verdict
    }

    /// Whether a head is coming in: the preface, a frame's header, or a header block that has not ended. Its number
    /// tells it from the head before.
    pub(super) fn head(&self) -> Option<u64> {
        (self.preface > 0 || self.in_block || self.received.is_amid_header()).then_some(self.heads)
    }

    fn judge(&mut self, frame: Frame, clock: &impl Fn() -> Nanos) -> Result<(), Offence> {
        // A block is one head with its continuations.
        self.heads += u64::from(!self.in_block);
        if !self.greeted {
            self.greeted = true;
            return is_greeting(frame).then_some(()).ok_or(Offence::Protocol);
        }
        match frame.kind {
            DATA => {}
            HEADERS | CONTINUATION => {
                if frame.kind == HEADERS {
                    self.save(FRAMES_A_REQUEST * BYTES_A_FRAME);
                }
                self.in_block = frame.flags & END_HEADERS == 0;
            }
            RST_STREAM => charge(&mut self.resets, RESETS, clock, Offence::Resets)?,
            _ if self.saved >= BYTES_A_FRAME => self.saved -= BYTES_A_FRAME,
            WINDOW_UPDATE => charge(&mut self.updates, UPDATES, clock, Offence::Updates)?,
            _ => charge(&mut self.control, CONTROL, clock, Offence::Control)?,
        }
        Ok(())
    }

    fn save(&mut self, bytes: u64) {
        self.saved = (self.saved + bytes).min(MOST_SAVED * BYTES_A_FRAME);
    }
}

/// A client begins with its settings (RFC 9113, 3.4), which the codec does not insist on.
fn is_greeting(frame: Frame) -> bool {
    frame.kind == SETTINGS && frame.flags & ACK == 0
}

fn charge(
    tat: &mut Nanos,
    quota: Quota,
    clock: &impl Fn() -> Nanos,
    offence: Offence,
) -> Result<(), Offence> {
    match gcra::step(*tat, quota, clock(), 1) {
        Step::Admit { tat: next } => {
            *tat = next;
            Ok(())
        }
        Step::Refuse { .. } => Err(offence),
    }
}

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const WINDOW_UPDATE: u8 = 0x8;
const CONTINUATION: u8 = 0x9;
/// The flag of the last frame of a header block (RFC 9113, 6.2).
const END_HEADERS: u8 = 0x4;
/// The flag of SETTINGS that answer others (RFC 9113, 6.5).
const ACK: u8 = 0x1;

/// What a frame's header says, as far as it matters here.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: u8,
    flags: u8,
}

/// Where one direction stands in its frames.
#[derive(Debug, Default)]
struct Cursor {
    /// Bytes of the present header.
    header: [u8; HEADER],
    filled: usize,
    /// Bytes of the present payload that are still to come.
    payload: usize,
}

/// Bytes of a frame's header (RFC 9113, 4.1).
const HEADER: usize = 9;

impl Cursor {
    /// The next frame whose header ends within the bytes, which are used up as far as they were looked at.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        let skipped = self.payload.min(bytes.len());
        self.payload -= skipped;
        *bytes = &bytes[skipped..];
        let wanted = (HEADER - self.filled).min(bytes.len());
        self.header[self.filled..self.filled + wanted].copy_from_slice(&bytes[..wanted]);
        self.filled += wanted;
        *bytes = &bytes[wanted..];
        if self.filled < HEADER {
            return None;
        }
        let [high, middle, low, kind, flags, ..] = self.header;
        self.filled = 0;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        Some(Frame { kind, flags })
    }

    fn is_amid_header(&self) -> bool {
        self.filled > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[high, middle, low, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn begun() -> Frames {
        let mut frames = Frames::default();
        frames.receive(PREFACE, || Nanos(0)).unwrap();
        frames
            .receive(&frame(SETTINGS, 0, &[]), || Nanos(0))
            .unwrap();
        frames
    }

    /// How many of the same frames are taken in one moment.
    fn taken(frames: &mut Frames, kind: u8, at: Nanos) -> u64 {
        let bytes = frame(kind, 0, &[0; 8]);
        (0..100_000)
            .take_while(|_| frames.receive(&bytes, || at).is_ok())
            .count() as u64
    }

    #[test]
    fn floods_end_at_their_budgets_and_budgets_refill() {
        const PING: u8 = 0x6;
        let second = Nanos::from_secs(1);
        for (kind, quota) in [
            (RST_STREAM, RESETS),
            (PING, CONTROL),
            (WINDOW_UPDATE, UPDATES),
        ] {
            let mut frames = begun();
            assert_eq!(taken(&mut frames, kind, second), quota.burst(), "{kind}");
            let later = taken(&mut frames, kind, second.plus(second));
            assert_eq!(later, second.0 / quota.interval().0, "{kind}");
        }
        assert_eq!(taken(&mut begun(), DATA, second), 100_000);
    }

    #[test]
    fn a_client_begins_with_its_settings() {
        for (kind, flags) in [(SETTINGS, ACK), (HEADERS, END_HEADERS), (0x6, 0)] {
            let mut frames = Frames::default();
            frames.receive(PREFACE, || Nanos(0)).unwrap();
            let first = frames.receive(&frame(kind, flags, &[]), || Nanos(0));
            assert_eq!(first, Err(Offence::Protocol), "{kind}");
        }
    }

    #[test]
    fn each_offence_is_told() {
        let mut frames = begun();
        assert_eq!(
            (0..1000).find_map(|_| frames
                .receive(&frame(RST_STREAM, 0, &[0; 4]), || Nanos(2))
                .err()),
            Some(Offence::Resets)
        );
        assert_eq!(
            (0..1000).find_map(|_| frames
                .send(&frame(RST_STREAM, 0, &[0; 4]), || Nanos(2))
                .err()),
            Some(Offence::Rejections)
        );
    }

    #[test]
    fn who_is_sent_much_may_say_much() {
        let mut frames = begun();
        for _ in 0..100 {
            frames
                .send(&frame(DATA, 0, &[0; 8192]), || Nanos(2))
                .unwrap();
        }
        let earned = 100 * (8192 + 9) / BYTES_A_FRAME;
        assert_eq!(
            taken(&mut frames, WINDOW_UPDATE, Nanos(2)),
            UPDATES.burst() + earned
        );
        // What was saved does not help who opens streams to reset them.
        frames
            .send(&frame(DATA, 0, &[0; 8192]), || Nanos(2))
            .unwrap();
        assert_eq!(taken(&mut frames, RST_STREAM, Nanos(2)), RESETS.burst());
    }

    #[test]
    fn frames_are_found_wherever_reads_cut_them() {
        let bytes: Vec<_> = [
            PREFACE.to_vec(),
            frame(0x4, 0, &[0; 18]),
            frame(HEADERS, 0, &[0; 300]),
            frame(CONTINUATION, END_HEADERS, &[0; 5]),
            frame(DATA, 0, &[3; 700]),
            frame(HEADERS, END_HEADERS, &[]),
        ]
        .concat();
        for size in [1, 2, 7, 9, 64, 1000, 4096] {
            let mut frames = Frames::default();
            for part in bytes.chunks(size) {
                frames.receive(part, || Nanos(0)).unwrap();
            }
            assert_eq!(frames.head(), None, "reads of {size}");
            assert_eq!(frames.heads, 4, "reads of {size}");
        }
    }

    #[test]
    fn a_head_that_has_not_ended_is_known() {
        let mut frames = Frames::default();
        assert_eq!(frames.head(), Some(0), "no preface yet");
        frames.receive(PREFACE, || Nanos(0)).unwrap();
        frames
            .receive(&frame(SETTINGS, 0, &[]), || Nanos(0))
            .unwrap();
        assert_eq!(frames.head(), None);
        let open = frame(HEADERS, 0, &[0; 10]);
        frames.receive(&open[..4], || Nanos(0)).unwrap();
        assert_eq!(frames.head(), Some(1), "a part of a frame's header");
        frames.receive(&open[4..], || Nanos(0)).unwrap();
        assert_eq!(frames.head(), Some(2), "a block without its end");
        frames
            .receive(&frame(CONTINUATION, 0, &[]), || Nanos(0))
            .unwrap();
        assert_eq!(frames.head(), Some(2), "the same block");
        frames
            .receive(&frame(CONTINUATION, END_HEADERS, &[]), || Nanos(0))
            .unwrap();
        assert_eq!(frames.head(), None);
        frames.receive(&open, || Nanos(0)).unwrap();
        assert_eq!(frames.head(), Some(3), "another one");
    }
}
