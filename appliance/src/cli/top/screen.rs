//! What the operator is looking at and doing: keys come in, and what is to be done comes out. Knows no terminal.

mod entry;

pub(super) use entry::{Entry, Mode};

use super::{
    feed::Deed,
    keys::Key,
    layout::Part,
    sections::{Kind, Row, Section},
};

/// The state of the view.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The section that is shown; none for all of them.
    pub tab: Option<Kind>,
    sorting: [Sorting; Kind::ALL.len()],
    pub filter: String,
    /// The row that is meant, by what it is about: it stays meant wherever it is sorted to.
    pub selected: Option<(Kind, String)>,
    pub is_paused: bool,
    pub mode: Mode,
    /// What became of the last deed.
    pub message: Option<Result<String, String>>,
}

/// How a section is sorted.
#[derive(Clone, Copy, Debug, Default)]
struct Sorting {
    /// The column; none for the section's own.
    column: Option<usize>,
    reversed: bool,
}

/// What a key asks of whoever holds the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    None,
    Quit,
    Suspend,
    Redraw,
    Do(Deed),
}

/// A direction and how far.
#[derive(Clone, Copy)]
enum Step {
    Up(usize),
    Down(usize),
    First,
    Last,
}

impl Screen {
    /// Filters and sorts sections as the operator wants them.
    pub(super) fn apply(&self, sections: &mut [Section]) {
        for section in sections {
            if !self.filter.is_empty() {
                section.filter(&self.filter);
            }
            match self.sorted_by(section) {
                Some(column) => section.sort(column, self.sorting(section.kind).reversed),
                // Among all sections there may be no room for rows that are well.
                None if self.tab.is_none() => section.put_bad_first(),
                None => {}
            }
        }
    }

    /// The column that a section is sorted by; none for the order of the service.
    pub(super) fn sorted_by(&self, section: &Section) -> Option<usize> {
        let own = || {
            section
                .kind
                .sorted_by()
                .and_then(|name| section.column(name))
        };
        self.sorting(section.kind).column.or_else(own)
    }

    fn sorting(&self, kind: Kind) -> Sorting {
        self.sorting[kind as usize]
    }

    /// Obeys a key. `parts` is what is on the screen.
    pub(super) fn press(&mut self, key: Key, parts: &[Part]) -> Action {
        match key {
            Key::Interrupt => return Action::Quit,
            Key::Suspend => return Action::Suspend,
            Key::Redraw => return Action::Redraw,
            _ => self.message = None,
        }
        match &self.mode {
            Mode::Browse => self.browse(key, parts),
            Mode::Help => {
                self.mode = Mode::Browse;
                Action::None
            }
            Mode::Filter => {
                self.edit_filter(key, parts);
                Action::None
            }
            Mode::Ask(entry) => {
                let (mode, outcome) = entry.clone().press(key);
                self.mode = mode;
                match outcome {
                    entry::Outcome::Open => Action::None,
                    entry::Outcome::Decided(deed) => Action::Do(deed),
                    entry::Outcome::Dropped => {
                        self.message = Some(Ok("nothing was done".to_owned()));
                        Action::None
                    }
                }
            }
        }
    }

    fn browse(&mut self, key: Key, parts: &[Part]) -> Action {
        match key {
            Key::Letter('q') => return Action::Quit,
            Key::Letter('?' | 'h') => self.mode = Mode::Help,
            Key::Letter('/') => self.mode = Mode::Filter,
            Key::Letter('p' | ' ') => self.is_paused = !self.is_paused,
            Key::Letter('s') => self.sort_by_next(parts),
            Key::Letter('r') => self.reverse(parts),
            Key::Letter('b') => self.mode = Mode::Ask(Entry::to_block(self.source(parts))),
            Key::Letter('u') => self.unblock(parts),
            Key::Letter(digit @ '0'..='9') => self.show(digit),
            Key::Tab | Key::Right => self.turn(1),
            Key::BackTab | Key::Left => self.turn(Kind::ALL.len()),
            Key::Escape if self.selected.is_some() => self.selected = None,
            Key::Escape => self.filter.clear(),
            key => self.walk(key, parts),
        }
        Action::None
    }

    fn edit_filter(&mut self, key: Key, parts: &[Part]) {
        match key {
            Key::Enter => self.mode = Mode::Browse,
            Key::Escape => {
                self.filter.clear();
                self.mode = Mode::Browse;
            }
            Key::Erase => self.filter.clear(),
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Letter(letter) => self.filter.push(letter),
            key => self.walk(key, parts),
        }
    }

    /// Moves the selection.
    fn walk(&mut self, key: Key, parts: &[Part]) {
        let page = parts.iter().map(Part::rows_shown).max().unwrap_or(1).max(1);
        let step = match key {
            Key::Up | Key::Letter('k') => Step::Up(1),
            Key::Down | Key::Letter('j') => Step::Down(1),
            Key::PageUp => Step::Up(page),
            Key::PageDown => Step::Down(page),
            Key::Home | Key::Letter('g') => Step::First,
            Key::End | Key::Letter('G') => Step::Last,
            _ => return,
        };
        // Of one section every row can be reached; of all of them, what is on the screen.
        let all = |part: &'_ Part| -> Vec<(Kind, String)> {
            let rows = if self.tab.is_some() {
                &part.section.rows[..]
            } else {
                part.visible()
            };
            let ids = rows.iter().map(|row| (part.section.kind, row.id.clone()));
            ids.collect()
        };
        let rows: Vec<(Kind, String)> = parts.iter().flat_map(all).collect();
        let now = self.selected.as_ref();
        let now = now.and_then(|now| rows.iter().position(|row| row == now));
        let last = rows.len().saturating_sub(1);
        let next = match (step, now) {
            (Step::Up(_) | Step::Down(_), None) | (Step::First, _) => 0,
            (Step::Last, _) => last,
            (Step::Up(rows), Some(now)) => now.saturating_sub(rows),
            (Step::Down(rows), Some(now)) => (now + rows).min(last),
        };
        self.selected = rows.into_iter().nth(next);
    }

    /// Shows the section with this number, or all of them.
    fn show(&mut self, digit: char) {
        let number = digit
            .to_digit(10)
            .and_then(|digit| usize::try_from(digit).ok());
        match number.and_then(|number| number.checked_sub(1)) {
            None => self.tab = None,
            Some(at) if at < Kind::ALL.len() => self.tab = Some(Kind::ALL[at]),
            Some(_) => {}
        }
    }

    /// Shows the section so many further on, with all of them before the first.
    fn turn(&mut self, by: usize) {
        let now = self.tab.map_or(0, |kind| kind as usize + 1);
        let next = (now + by) % (Kind::ALL.len() + 1);
        self.tab = next.checked_sub(1).map(|at| Kind::ALL[at]);
    }

    /// The section that sorting is about: the one that is shown, or the one with the selected row.
    fn sortable<'p>(&mut self, parts: &'p [Part]) -> Option<&'p Section> {
        let kind = self.tab.or(self.selected.as_ref().map(|(kind, _)| *kind));
        let part = parts.iter().find(|part| Some(part.section.kind) == kind);
        if part.is_none() {
            let words = "which section? Show one (1 to 7), or select a row of it";
            self.message = Some(Err(words.to_owned()));
        }
        part.map(|part| &part.section)
    }

    fn sort_by_next(&mut self, parts: &[Part]) {
        let Some(section) = self.sortable(parts) else {
            return;
        };
        let next = self.sorted_by(section).map_or(0, |column| column + 1);
        let column = Some(next % section.columns.len().max(1));
        self.sorting[section.kind as usize] = Sorting {
            column,
            reversed: false,
        };
    }

    fn reverse(&mut self, parts: &[Part]) {
        if let Some(section) = self.sortable(parts) {
            let sorting = &mut self.sorting[section.kind as usize];
            sorting.reversed = !sorting.reversed;
        }
    }

    /// The source that the selected row is about.
    fn source(&self, parts: &[Part]) -> Option<String> {
        let (kind, id) = self.selected.as_ref()?;
        let part = parts.iter().find(|part| part.section.kind == *kind)?;
        let row: Option<&Row> = part.section.rows.iter().find(|row| row.id == *id);
        row?.source.clone()
    }

    fn unblock(&mut self, parts: &[Part]) {
        self.mode = Mode::Ask(Entry::to_unblock(self.source(parts)));
    }
}

#[cfg(test)]
mod tests;
