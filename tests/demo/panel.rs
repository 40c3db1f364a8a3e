//! What whoever looks on sees: a panel that is drawn again, or a line for each second, and the summary.

use std::time::Duration;

use crate::{
    account::{Account, Layers, count, quantile},
    players::Answer,
    story::Act,
};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// In a terminal: the same lines again and again.
    Panel,
    /// Into a pipe: one line for each look.
    Lines,
    /// Nothing but the summary, for a program.
    Json,
}

/// Everything between two looks.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) act: Act,
    pub(crate) second: Duration,
    pub(crate) over: Duration,
    pub(crate) good: Vec<Answer>,
    pub(crate) attack: Vec<Answer>,
    pub(crate) before: Layers,
    pub(crate) now: Layers,
}

impl View {
    pub(crate) fn of(is_terminal: bool) -> Self {
        if is_terminal {
            Self::Panel
        } else {
            Self::Lines
        }
    }
}

pub(crate) fn opening(view: View, in_namespaces: bool) {
    if view == View::Json {
        return;
    }
    if in_namespaces {
        println!(
            "An edge, an attacker and a good client, each in a network namespace, on one wire."
        );
        println!(
            "The edge's limit: 50 requests a second for each client; the 200th refusal in 10 s blocks."
        );
    } else {
        println!(
            "Without root this plays on the loopback, and a block turns connections away at accept."
        );
        println!(
            "As root (sudo make demo) the kernel drops the packets, before the host spends anything on them."
        );
    }
    println!();
    if view == View::Panel {
        // Room for the panel, which is drawn over itself.
        print!("{}", "\n".repeat(LINES));
    }
}

/// Lines of the panel.
const LINES: usize = 6;

impl Act {
    fn words(self) -> &'static str {
        match self {
            Self::Quiet => "a quiet day",
            Self::Rising => "an attack rises: the limiter refuses what is too much",
            Self::Blocked => "blocked: it is gone before the proxy sees it",
            Self::Over => "the attacker gives up",
        }
    }
}

impl Moment {
    fn rate(&self, number: impl Fn(&Layers) -> u64) -> f64 {
        let more = number(&self.now).saturating_sub(number(&self.before));
        per_second(more, self.over)
    }

    fn cpu_percent(&self) -> f64 {
        let spent = self.now.cpu.saturating_sub(self.before.cpu);
        spent.as_secs_f64() / self.over.as_secs_f64() * 100.0
    }

    fn good(&self) -> String {
        let bad = self.good.len() - count(&self.good, Some(200));
        let trouble = if bad == 0 {
            "all served".to_owned()
        } else {
            format!("{bad} NOT served")
        };
        format!("{:6.1} ms, {trouble}", quantile(&self.good, 0.99))
    }

    fn attack(&self) -> String {
        let rate = |status| per_second(count(&self.attack, status) as u64, self.over);
        format!(
            "{:6.0} admitted {:6.0} refused {:6.0} unanswered /s",
            rate(Some(200)),
            rate(Some(429)),
            rate(None)
        )
    }

    fn dropped(&self) -> f64 {
        self.rate(|layers| layers.dropped_packets)
    }

    fn kernel(&self) -> String {
        if self.now.passed_packets == 0 {
            let turned_away = self.rate(|layers| layers.turned_away);
            return format!("{turned_away:6.0} connections turned away at accept /s");
        }
        let passed = self.rate(|layers| layers.passed_packets);
        format!("{:6.0} dropped  {passed:6.0} passed /s", self.dropped())
    }

    fn requests(&self) -> f64 {
        self.rate(|layers| layers.finished)
    }

    fn proxy(&self) -> String {
        format!(
            "{:6.0} requests /s, {:3.0} % of a core",
            self.requests(),
            self.cpu_percent()
        )
    }

    fn block(&self) -> String {
        match self.now.blocked_for {
            Some(left) => format!("the attacker, for {left:.1} s more"),
            None => "nobody".to_owned(),
        }
    }
}

/// As many `#` as the number has of the most.
fn bar(number: f64, most: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between nothing and the width"
    )]
    let length = (number / most * 20.0).clamp(0.0, 20.0) as usize;
    "#".repeat(length)
}

#[expect(clippy::cast_precision_loss, reason = "a demonstration is short")]
fn per_second(count: u64, over: Duration) -> f64 {
    count as f64 / over.as_secs_f64()
}

pub(crate) fn show(view: View, moment: &Moment) {
    match view {
        View::Json => {}
        View::Lines => println!("{}", line(moment)),
        View::Panel => {
            // Up to the first line, and each of them anew.
            print!("\x1b[{LINES}A");
            for line in lines(moment) {
                println!("\x1b[2K{line}");
            }
        }
    }
}

fn line(moment: &Moment) -> String {
    let parts = [
        moment.good(),
        moment.attack(),
        moment.kernel(),
        moment.proxy(),
    ];
    let [good, attack, kernel, proxy] =
        parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let (second, act) = (moment.second.as_secs_f64(), moment.act.words());
    format!(
        "{second:5.1} s  {act}\n         good {good}; attacker {attack}; kernel {kernel}; proxy {proxy}"
    )
}

fn lines(moment: &Moment) -> [String; LINES] {
    let second = moment.second.as_secs();
    [
        format!("{second:3} s        {}", moment.act.words()),
        format!("good client  {}", moment.good()),
        format!("attacker     {}", moment.attack()),
        format!(
            "kernel       {}  {}",
            moment.kernel(),
            bar(moment.dropped(), 10_000.0)
        ),
        format!(
            "proxy        {}  {}",
            moment.proxy(),
            bar(moment.requests(), 400.0)
        ),
        format!("blocked      {}", moment.block()),
    ]
}

pub(crate) fn summary(view: View, account: &Account) {
    if view == View::Json {
        println!("{}", account.json());
        return;
    }
    let Account {
        quiet,
        attacked,
        attack,
        layers,
        ..
    } = account;
    let served = count(attacked, Some(200));
    println!();
    println!(
        "The good client was served {served} of {} times during the attack, 99 of 100 within {:.1} ms ({:.1} ms before).",
        attacked.len(),
        quantile(attacked, 0.99),
        quantile(quiet, 0.99)
    );
    println!(
        "The attacker was admitted {} times and refused {} times, and blocked {:.1} s after it began.",
        count(attack, Some(200)),
        count(attack, Some(429)),
        account.until_blocked.as_secs_f64()
    );
    if account.in_the_kernel {
        println!(
            "After that the kernel dropped {} packets of it, and {} of its connections came as far as the proxy.",
            layers.dropped_packets, layers.turned_away
        );
    } else {
        println!(
            "After that {} connections of it were turned away at accept.",
            layers.turned_away
        );
    }
}
