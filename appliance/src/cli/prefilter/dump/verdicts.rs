//! What becomes of the packets of a capture, one after the other: it may be larger than memory.

use std::{
    cell::RefCell,
    io::{self, Write},
};

use serde::{Serialize, Serializer};

use crate::{
    capture::{Capture, CaptureError},
    cli::{Failure, table::Table},
    prefilter::{Judge, Judged},
};

/// Judges each packet as it is read.
pub(super) struct Verdicts {
    capture: Capture,
    judge: Judge,
    broken: Option<CaptureError>,
}

impl Verdicts {
    pub(super) fn new(capture: Capture, judge: Judge) -> Self {
        Self {
            capture,
            judge,
            broken: None,
        }
    }

    /// Why there are no more, if that is not the end of the capture.
    pub(super) fn broken(self) -> Option<CaptureError> {
        self.broken
    }
}

impl Iterator for Verdicts {
    type Item = Judged;

    fn next(&mut self) -> Option<Judged> {
        if self.broken.is_some() {
            return None;
        }
        match self.capture.next()? {
            Ok(packet) => Some(self.judge.judge(&packet)),
            Err(error) => {
                self.broken = Some(error);
                None
            }
        }
    }
}

/// A document that is written while it is made.
#[derive(Serialize)]
struct Dumped<'a, I: Iterator<Item = Judged>> {
    /// Whether the packets met the running service's debts and blocks.
    running: bool,
    #[serde(serialize_with = "each")]
    packets: RefCell<&'a mut I>,
}

fn each<S: Serializer, I: Iterator<Item = Judged>>(
    packets: &RefCell<&mut I>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(&mut **packets.borrow_mut())
}

pub(super) fn print_json(
    running: bool,
    packets: &mut impl Iterator<Item = Judged>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let packets = RefCell::new(packets);
    super::print_json(out, &Dumped { running, packets })
}

/// Rows that are looked at together for how wide the columns must be.
const ROWS: usize = 500;

pub(super) fn print(
    packets: &mut impl Iterator<Item = Judged>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut table = Table::new([
        "NO>",
        "SECONDS>",
        "SOURCE",
        "DESTINATION",
        "PROTOCOL",
        "VERDICT",
        "REASON",
        "LIMIT",
    ]);
    for (index, packet) in packets.enumerate() {
        table.row(row(&packet));
        if index % ROWS == ROWS - 1 {
            table.write_so_far(out)?;
        }
    }
    table.write_so_far(out)
}

fn row(packet: &Judged) -> [String; 8] {
    let or_dash = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
    let port = packet.port.map(|port| format!(" {port}"));
    let shadowed = packet
        .shadowed
        .iter()
        .map(|name| format!("{name} (shadow)"));
    let limits: Vec<String> = packet.limit.iter().cloned().chain(shadowed).collect();
    [
        packet.number.to_string(),
        format!("{:.6}", packet.seconds),
        or_dash(&packet.source),
        or_dash(&packet.destination),
        format!("{}{}", or_dash(&packet.protocol), port.unwrap_or_default()),
        packet.verdict.clone(),
        packet.reason.clone(),
        limits.join(", "),
    ]
}
