//! The acts, one after the other, and what is seen in each moment.

use std::time::{Duration, Instant};

use floodwall_tests::{Floodwall, wait};
use serde_json::Value;

use crate::{
    account::{Account, Layers},
    interrupt::Interrupt,
    panel::{self, Moment, View},
    players::{self, Notes},
    stage::Stage,
};

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    quiet: Duration,
    /// The attack's rate when it begins, in requests a second,
    first_rate: f64,
    /// by which factor it grows in a second, up to the most.
    growth: f64,
    /// How long the attacker is blocked, and goes on.
    pub(crate) block: Duration,
    /// Without the attacker again.
    after: Duration,
    /// Between two looks.
    look: Duration,
}

const MOST_RATE: f64 = 400.0;

/// The block began before it was seen, on a busy machine by this much.
const MARGIN: Duration = Duration::from_secs(2);

/// An attack that is not blocked by then is not going to be.
const PATIENCE: Duration = Duration::from_secs(30);

impl Pace {
    /// For people: about a minute.
    pub(crate) const FULL: Self = Self {
        quiet: Duration::from_secs(8),
        first_rate: 20.0,
        growth: 1.35,
        block: Duration::from_secs(20),
        after: Duration::from_secs(5),
        look: Duration::from_millis(500),
    };

    /// For a test: some seconds.
    pub(crate) const QUICK: Self = Self {
        quiet: Duration::from_secs(1),
        first_rate: MOST_RATE,
        growth: 1.0,
        block: Duration::from_secs(4),
        after: Duration::from_millis(500),
        look: Duration::from_millis(100),
    };

    /// Requests a second that the attacker sends after this time.
    pub(crate) fn attack_rate(&self, after: Duration) -> f64 {
        f64::min(
            self.first_rate * self.growth.powf(after.as_secs_f64()),
            MOST_RATE,
        )
    }
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Quiet,
    Rising,
    Blocked,
    Over,
}

/// Plays it; none when somebody has had enough.
pub(crate) fn play(
    stage: &Stage,
    floodwall: &Floodwall<'_>,
    pace: &Pace,
    view: View,
    interrupt: &Interrupt,
) -> Option<Account> {
    let good = players::good_client(&stage.good);
    let mut watch = Watch {
        floodwall,
        view,
        interrupt,
        look: pace.look,
        begun: Instant::now(),
        good: good.notes.clone(),
        attacker: Notes::default(),
        before: None,
    };
    let quiet_began = Instant::now();
    watch.act(Act::Quiet, pace.quiet, |_| false)?;

    let attack_began = Instant::now();
    let attacker = players::attacker(&stage.attacker, pace);
    watch.attacker = attacker.notes.clone();
    watch.act(Act::Rising, PATIENCE, |layers| layers.blocked_for.is_some())?;

    let blocked_at = Instant::now();
    let flood = players::flood(&stage.attacker);
    // The block ends by itself; well before that the attacker gives up.
    watch.act(Act::Blocked, pace.block.saturating_sub(MARGIN), |_| false)?;
    drop((attacker, flood));
    let attack_ended = Instant::now();
    let end = Layers::of(floodwall)?;
    watch.act(Act::Over, pace.after, |_| false)?;
    Some(Account {
        in_the_kernel: stage.is_in_namespaces(),
        quiet: good
            .notes
            .since(quiet_began)
            .into_iter()
            .filter(|answer| answer.asked < attack_began)
            .collect(),
        attacked: good
            .notes
            .since(attack_began)
            .into_iter()
            .filter(|answer| answer.asked < attack_ended)
            .collect(),
        attack: watch.attacker.since(attack_began),
        until_blocked: blocked_at - attack_began,
        layers: end,
    })
}

/// Looks at everything from time to time, and shows it.
struct Watch<'a> {
    floodwall: &'a Floodwall<'a>,
    view: View,
    interrupt: &'a Interrupt,
    look: Duration,
    begun: Instant,
    good: Notes,
    attacker: Notes,
    /// The last look, to tell how much came since.
    before: Option<(Instant, Layers)>,
}

impl Watch<'_> {
    /// Goes on until the time is over or `done`; none when somebody has had enough.
    fn act(&mut self, act: Act, length: Duration, done: impl Fn(&Layers) -> bool) -> Option<()> {
        let begun = Instant::now();
        while begun.elapsed() < length {
            let next = Instant::now() + self.look;
            let layers = Layers::of(self.floodwall)?;
            let is_done = done(&layers);
            self.show(act, layers);
            if is_done {
                return Some(());
            }
            wait::for_the_clock(next);
            if self.interrupt.has_come() {
                return None;
            }
        }
        Some(())
    }

    fn show(&mut self, act: Act, layers: Layers) {
        let now = Instant::now();
        let before = self.before.replace((now, layers.clone()));
        let Some((then, before)) = before else {
            return;
        };
        let moment = Moment {
            act,
            second: self.begun.elapsed(),
            over: now - then,
            good: self.good.since(then),
            attack: self.attacker.since(then),
            before,
            now: layers,
        };
        panel::show(self.view, &moment);
    }
}

/// `floodwall status --json`; none when the service does not answer, as when it was interrupted too.
pub(crate) fn status(floodwall: &Floodwall<'_>) -> Option<Value> {
    serde_json::from_str(&floodwall.ask(&["status", "--json"]).stdout).ok()
}

/// `floodwall blocks list --json`, as far as it answers.
pub(crate) fn blocks(floodwall: &Floodwall<'_>) -> Option<Value> {
    serde_json::from_str(&floodwall.ask(&["blocks", "list", "--json"]).stdout).ok()
}
