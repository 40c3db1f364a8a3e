//! `make demo`: an attack rises, is refused, and vanishes into the kernel, while a good client stays fast.
//!
//! With root everybody has a network namespace of their own, on one wire, and the pre-filter is a real one. Without,
//! the same is played on the loopback, and who is blocked is turned away at accept. All of it ends by itself, and with
//! Ctrl-C, and leaves nothing behind.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a play that cannot go on may stop, and it speaks to whoever looks on"
)]

mod account;
mod interrupt;
mod panel;
mod players;
mod stage;
mod story;

use std::{env, io::IsTerminal as _, process::ExitCode};

use interrupt::Interrupt;
use panel::View;
use story::Pace;

const USAGE: &str = "usage: demo [--quick] [--json]";

fn main() -> ExitCode {
    let mut pace = Pace::FULL;
    let mut view = View::of(std::io::stdout().is_terminal());
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => pace = Pace::QUICK,
            "--json" => view = View::Json,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    // Before there is any other thread, so that all of them leave the signals to this one.
    let interrupt = Interrupt::catch();
    let stage = stage::Stage::set();
    let floodwall = stage.start(&pace);
    panel::opening(view, stage.is_in_namespaces());
    let account = story::play(&stage, &floodwall, &pace, view, &interrupt);
    drop(floodwall);
    drop(stage);
    match account {
        Some(account) => {
            panel::summary(view, &account);
            ExitCode::SUCCESS
        }
        None => ExitCode::from(130),
    }
}
