//! The view in a terminal: news and keys come in, screens go out.

use std::{
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    Sample,
    feed::{Feed, News},
    keys::{Decoder, Key},
    page::View,
    rates::Rates,
    screen::{Action, Screen},
    terminal::Terminal,
};

/// What counts down is drawn this often.
const TICK: Duration = Duration::from_secs(1);

/// The rest of a key's sequence comes within this time, over any line that is fit for a terminal.
const REST_OF_A_KEY: Duration = Duration::from_millis(100);

/// The last look, and the view of it.
struct Live {
    sample: Sample,
    /// What was gained since the look before; none before the second.
    rates: Option<Rates>,
    /// What was newest when the operator said halt: the looks, and the moment.
    halted: Option<Instant>,
    /// Why the last question had no answer, and since when there was none.
    trouble: Option<(String, Instant)>,
    screen: Screen,
    decoder: Decoder,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// Shows the service behind a socket until the operator has seen enough. `first` is the first look at it.
///
/// # Errors
/// When the terminal is gone, or a descriptor cannot be had.
pub(super) fn watch(socket: PathBuf, every: Duration, first: Sample) -> io::Result<()> {
    let mut terminal = Terminal::enter()?;
    let mut feed = Feed::start(socket, every)?;
    let mut live = Live {
        sample: first,
        rates: None,
        halted: None,
        trouble: None,
        screen: Screen::default(),
        decoder: Decoder::default(),
    };
    loop {
        live.show(&mut terminal)?;
        let patience = if live.decoder.is_waiting() {
            REST_OF_A_KEY
        } else {
            TICK
        };
        let happened = terminal.wait(feed.bell(), patience)?;
        if happened.ended {
            return Ok(());
        }
        if happened.woken {
            feed.news()?.into_iter().for_each(|news| live.learn(news));
        }
        let mut keys = live.decoder.feed(&happened.typed);
        if happened.typed.is_empty() && !happened.woken {
            keys.extend(live.decoder.give_up());
        }
        for key in keys {
            if live.press(key, &feed, &mut terminal)? == Next::End {
                return Ok(());
            }
        }
    }
}

impl Live {
    fn show(&self, terminal: &mut Terminal) -> io::Result<()> {
        let (view, size) = (self.view(), Terminal::size());
        let parts = view.lay_out(&self.screen, size);
        terminal.show(view.draw(&self.screen, &parts, size))
    }

    fn view(&self) -> View<'_> {
        let now = self.halted.unwrap_or_else(Instant::now);
        let trouble = self.trouble.as_ref();
        View {
            sample: &self.sample,
            rates: self.rates.as_ref(),
            age: now.saturating_duration_since(self.sample.at),
            trouble: trouble.map(|(why, since)| (why.as_str(), since.elapsed())),
        }
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Look(Ok(sample)) => {
                self.trouble = None;
                // What the operator reads stays; the next look after the halt has rates over all of it.
                if self.halted.is_none() {
                    self.rates = Some(Rates::between(&self.sample, &sample));
                    self.sample = *sample;
                }
            }
            News::Look(Err(why)) => match &mut self.trouble {
                Some((words, _)) => *words = why,
                None => self.trouble = Some((why, Instant::now())),
            },
            News::Done(done) => self.screen.message = Some(done),
        }
    }

    fn press(&mut self, key: Key, feed: &Feed, terminal: &mut Terminal) -> io::Result<Next> {
        let parts = self.view().lay_out(&self.screen, Terminal::size());
        match self.screen.press(key, &parts) {
            Action::None => {}
            Action::Quit => return Ok(Next::End),
            Action::Suspend => terminal.suspend()?,
            Action::Redraw => terminal.forget(),
            Action::Do(deed) => feed.order(deed),
        }
        self.halted = match (self.screen.is_paused, self.halted) {
            (false, _) => None,
            (true, since) => since.or_else(|| Some(Instant::now())),
        };
        Ok(Next::GoOn)
    }
}
