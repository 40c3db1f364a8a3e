//! The good client and the attacker, and the notes that both keep.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Connection, Repeat};

use crate::{stage::Player, story::Pace};

/// What came of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) asked: Instant,
    pub(crate) took: Duration,
    /// None: nothing came back.
    pub(crate) status: Option<u16>,
}

/// Everything that a player got so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Answer>>>);

impl Notes {
    fn add(&self, answer: Answer) {
        self.lock().push(answer);
    }

    /// The answers to what was asked since then.
    pub(crate) fn since(&self, then: Instant) -> Vec<Answer> {
        let all = self.lock();
        // In the order in which they were asked.
        let from = all.partition_point(|answer| answer.asked < then);
        all[from..].to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Answer>> {
        // Only whole values are pushed under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who sends until this is dropped.
pub(crate) struct Sender<T> {
    pub(crate) notes: T,
    _work: Repeat<()>,
}

/// How long the good client waits for an answer on a busy machine,
const PATIENCE: Duration = Duration::from_secs(2);

/// and the attacker, who has no time to lose.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// Twenty requests a second, on one connection while it lasts.
pub(crate) fn good_client(player: &Player) -> Sender<Notes> {
    let notes = Notes::default();
    let mut caller = Caller::new(player.client.patient_for(PATIENCE), notes.clone());
    let work = player.run(|| {
        Repeat::every(Duration::from_millis(50), move || {
            caller.ask();
        })
    });
    Sender { notes, _work: work }
}

/// Requests at a rate that grows, up to a bound in number and in rate.
pub(crate) fn attacker(player: &Player, pace: &Pace) -> Sender<Notes> {
    let notes = Notes::default();
    let mut caller = Caller::new(player.client.patient_for(IMPATIENCE), notes.clone());
    let (begun, pace) = (Instant::now(), *pace);
    let mut due = Due::of(MOST_REQUESTS);
    let work = player.run(|| {
        Repeat::every(TICK, move || {
            for _ in 0..due.at_rate(pace.attack_rate(begun.elapsed())) {
                if !caller.ask() {
                    // Nor does it help to ask at once again.
                    return;
                }
            }
        })
    });
    Sender { notes, _work: work }
}

/// How much is to be sent, at some rate and never more than a bound in all.
struct Due {
    left: u64,
    looked: Instant,
    part: f64,
}

impl Due {
    fn of(most: u64) -> Self {
        Self {
            left: most,
            looked: Instant::now(),
            part: 0.0,
        }
    }

    /// What is due since the last look. Who was held up does not make up for it.
    fn at_rate(&mut self, rate: f64) -> u64 {
        let since = self.looked.elapsed().min(4 * TICK);
        self.looked = Instant::now();
        self.part += rate * since.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is due within some milliseconds"
        )]
        let whole = (self.part as u64).min(self.left);
        self.part = self.part.fract();
        self.left -= whole;
        whole
    }
}

/// How often a sender looks at what is due.
const TICK: Duration = Duration::from_millis(5);
const MOST_REQUESTS: u64 = 100_000;

/// Asks again and again, on a new connection when the old one is gone.
struct Caller {
    client: Client,
    connection: Option<Connection>,
    notes: Notes,
}

impl Caller {
    fn new(client: Client, notes: Notes) -> Self {
        Self {
            client,
            connection: None,
            notes,
        }
    }

    /// Sends one request, and tells whether there was an answer.
    fn ask(&mut self) -> bool {
        let asked = Instant::now();
        let status = self.status();
        self.notes.add(Answer {
            asked,
            took: asked.elapsed(),
            status,
        });
        status.is_some()
    }

    fn status(&mut self) -> Option<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.connect().ok()?,
        };
        let response = connection.get("/").ok()?;
        if !response.closes() {
            self.connection = Some(connection);
        }
        Some(response.status)
    }
}

/// Datagrams to the listener's port, so many a second, up to a bound.
pub(crate) fn flood(player: &Player) -> Sender<Arc<AtomicU64>> {
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let (web, from) = (player.web, SocketAddr::new(player.address, 0));
    let work = player.run(|| {
        let socket = UdpSocket::bind(from).expect("the player has this address");
        let mut due = Due::of(MOST_PACKETS);
        Repeat::every(TICK, move || {
            for _ in 0..due.at_rate(PACKETS_A_SECOND) {
                // Nobody listens there: where there is no pre-filter the host says so, which is no matter.
                let _ = socket.send_to(b"flood", web);
                counter.fetch_add(1, Relaxed);
            }
        })
    });
    Sender {
        notes: sent,
        _work: work,
    }
}

const PACKETS_A_SECOND: f64 = 10_000.0;
const MOST_PACKETS: u64 = 500_000;
