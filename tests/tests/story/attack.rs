//! The attacker: as fast as it can on one connection, until nothing comes back any more.

use std::{
    io,
    net::UdpSocket,
    time::{Duration, Instant},
};

use floodwall_tests::{Host, Repeat, Response};

use crate::edge::{EDGE, WEB, web};

/// What the attacker got for its trouble.
#[derive(Debug)]
pub(crate) struct Attack {
    pub(crate) admitted: usize,
    pub(crate) refused: Vec<Response>,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// When the request was sent whose refusal was one too many, and when that refusal arrived.
    pub(crate) last_sent: Instant,
    pub(crate) last_answered: Instant,
}

/// Sends requests until the edge closes the connection with a refusal.
pub(crate) fn flood(from: &Host) -> Attack {
    from.run(|| {
        let mut connection = web().connect().expect("the attacker is not blocked yet");
        let begun = Instant::now();
        let (mut admitted, mut refused) = (0, Vec::<Response>::new());
        loop {
            let last_sent = Instant::now();
            let response = connection
                .get("/")
                .expect("an answer, until one closes the connection");
            let last_answered = Instant::now();
            match response.status {
                200 => admitted += 1,
                429 => refused.push(response),
                other => panic!("status {other}"),
            }
            if refused.last().is_some_and(Response::closes) {
                return Attack {
                    admitted,
                    refused,
                    took: begun.elapsed(),
                    last_sent,
                    last_answered,
                };
            }
        }
    })
}

/// How long a blocked attacker waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_millis(300);

/// One request from a host on a connection of its own; its status, or why there was none.
pub(crate) fn attempt(from: &Host) -> io::Result<u16> {
    from.run(|| {
        let response = web().patient_for(PATIENCE).connect()?.get("/")?;
        Ok(response.status)
    })
}

/// When the packets were sent between which the block began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) last_passed: Instant,
    pub(crate) first_dropped: Instant,
}

/// Between two packets of a probe. The example's limit of packets lets so many through for a second.
const GAP: Duration = Duration::from_micros(20);

/// A stream of numbered packets from the attacker to the listener's port, to see which is the first that the
/// kernel drops.
#[derive(Debug)]
pub(crate) struct Probe {
    sent: Repeat<Instant>,
    /// Numbers that came through.
    received: Repeat<Option<u32>>,
}

impl Probe {
    pub(crate) fn start(attacker: &Host, edge: &Host) -> Self {
        let socket = edge
            .run(|| UdpSocket::bind(WEB))
            .expect("TCP has the port, UDP is free");
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a socket may wait");
        let received = Repeat::every(Duration::ZERO, move || {
            let mut number = [0; 4];
            socket
                .recv(&mut number)
                .ok()
                .map(|_| u32::from_be_bytes(number))
        });
        let socket = attacker
            .run(|| UdpSocket::bind(("0.0.0.0", 0)))
            .expect("any port");
        socket
            .connect((EDGE, WEB.port()))
            .expect("the edge is on the wire");
        let mut number = 0_u32;
        let mut next = Instant::now();
        let sent = Repeat::every(Duration::ZERO, move || {
            // Spun, not slept: the gap between two packets is the error of what is measured.
            while Instant::now() < next {
                std::hint::spin_loop();
            }
            let now = Instant::now();
            next = now + GAP;
            socket
                .send(&number.to_be_bytes())
                .expect("the wire takes it");
            number += 1;
            now
        });
        Self { sent, received }
    }

    /// Ends the stream, when the block has begun.
    pub(crate) fn stop(self) -> Seen {
        let sent = self.sent.stop();
        let received = self.received.stop().into_iter().flatten();
        let last = received
            .max()
            .expect("packets came through before the block");
        let last = usize::try_from(last).expect("a test is short");
        Seen {
            last_passed: sent[last],
            first_dropped: *sent.get(last + 1).expect("no packet was dropped"),
        }
    }
}
