//! What the pre-filter would do with a packet of a capture.

use std::time::Duration;

use floodwall_config::Config;
use floodwall_limiter::{Nanos, clock::Clock};
use floodwall_xdp::{self as xdp, Fate, Header, Outcome, Probe, Reason};
use nix::net::if_::if_nametoindex;
use serde::{Deserialize, Serialize};

use super::{
    cookies,
    rules::{rules, settings},
    samples::protocol,
};
use crate::{capture::Captured, clock::Monotonic};

/// A copy of the pre-filter that judges packets by the time of their capture, and touches nothing.
#[derive(Debug)]
pub struct Judge {
    probe: Probe,
    /// The number of the interface that packets come in over.
    interface: Option<u32>,
    begun: Nanos,
    /// The first packet's time.
    first: Option<Duration>,
    number: u64,
}

/// What becomes of a packet, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Counted from one.
    pub number: u64,
    /// Since the first packet.
    pub seconds: f64,
    /// Absent when the frame is no IP packet, or cannot be parsed.
    pub source: Option<String>,
    pub destination: Option<String>,
    pub protocol: Option<String>,
    /// The destination port, where there is one.
    pub port: Option<u16>,
    pub bytes: usize,
    /// `pass`, `drop`, `reset`, or `error` when the kernel does not run such a frame.
    pub verdict: String,
    pub reason: String,
    /// The limit that refused it.
    pub limit: Option<String>,
    /// Limits in shadow that would have refused it.
    pub shadowed: Vec<String>,
}

/// Which state the packets meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A copy of what the running service has: debts and blocks.
    Running,
    /// None: nobody owes anything, and nobody is blocked.
    Fresh,
}

/// Why nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    #[error("the configuration has no prefilter; name the file of one that has (-c)")]
    None,
    #[error("there is no interface {0} here; `ip -brief link` shows those there are")]
    Interface(String),
    #[error("packets cannot be run through the program: {0}")]
    Kernel(#[from] xdp::Error),
}

impl Judge {
    /// Loads the program for a configuration, with maps of its own. Packets come in over the interface of this
    /// name, or the first of the configuration's that is there, or else the loopback.
    ///
    /// # Errors
    /// [`JudgeError`].
    pub fn new(config: &Config, state: State, interface: Option<&str>) -> Result<Self, JudgeError> {
        let prefilter = config.prefilter.as_ref().ok_or(JudgeError::None)?;
        let index = |name: &str| if_nametoindex(name).ok();
        let interface = match interface {
            Some(name) => Some(index(name).ok_or_else(|| JudgeError::Interface(name.to_owned()))?),
            None => prefilter.interfaces.iter().find_map(|name| index(name)),
        };
        let cookies = cookies::lacking(prefilter).is_none();
        let (settings, rules) = (settings(prefilter), rules(config, prefilter, 0, cookies));
        let probe = match state {
            State::Running => Probe::of_instance(&settings, &rules)?,
            State::Fresh => Probe::fresh(&settings, &rules)?,
        };
        Ok(Self {
            probe,
            interface,
            begun: Monotonic.now(),
            first: None,
            number: 0,
        })
    }

    /// Judges the next packet of a capture.
    pub fn judge(&mut self, packet: &Captured) -> Judged {
        let first = *self.first.get_or_insert(packet.at);
        // A packet that is older than the one before it comes in with it.
        let since = packet.at.saturating_sub(first);
        self.number += 1;
        self.probe.turn_clock(self.begun.plus(since.into()));
        let header = Header::of(&packet.frame);
        let fate = self.probe.run(&packet.frame, self.interface);
        let (verdict, reason) = match &fate {
            Ok(fate) => (verdict(fate), fate.reason.name().to_owned()),
            Err(error) => ("error", error.to_string()),
        };
        let (limit, shadowed) = fate.map_or((None, Vec::new()), |fate| (fate.limit, fate.shadowed));
        Judged {
            number: self.number,
            seconds: since.as_secs_f64(),
            source: header.map(|header| header.source.to_string()),
            destination: header.map(|header| header.destination.to_string()),
            protocol: header.map(|header| protocol(header.protocol)),
            port: header.and_then(|header| header.port),
            bytes: packet.frame.len(),
            verdict: verdict.to_owned(),
            reason,
            limit,
            shadowed,
        }
    }
}

const fn verdict(fate: &Fate) -> &'static str {
    match fate.outcome {
        Outcome::Pass => "pass",
        Outcome::Drop => "drop",
        Outcome::Answer if matches!(fate.reason, Reason::Cookie) => "cookie",
        Outcome::Answer => "reset",
    }
}
