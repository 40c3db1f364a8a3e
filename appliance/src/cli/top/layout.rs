//! Which rows have room.

use super::sections::{Kind, Section};

/// A section, and which of its rows are on the screen. Its heading takes one line.
#[derive(Debug)]
pub(super) struct Part {
    pub section: Section,
    first: usize,
    shown: usize,
}

impl Part {
    /// The rows that are on the screen.
    pub(super) fn visible(&self) -> &[crate::cli::top::sections::Row] {
        &self.section.rows[self.first..self.first + self.shown]
    }

    /// How many rows are on the screen.
    pub(super) fn rows_shown(&self) -> usize {
        self.shown
    }

    /// How many rows are above and below the screen.
    pub(super) fn hidden(&self) -> (usize, usize) {
        (
            self.first,
            self.section.rows.len() - self.first - self.shown,
        )
    }
}

/// Lays one section out, so that the selected row is on the screen.
pub(super) fn one(section: Section, selected: Option<&(Kind, String)>, height: usize) -> Part {
    let shown = section.rows.len().min(height.saturating_sub(1));
    let selected = selected.filter(|(kind, _)| *kind == section.kind);
    let at = selected.and_then(|(_, id)| section.rows.iter().position(|row| row.id == *id));
    // As far down as it must be for the selected row, in whole screens, so that rows do not slide under the eye.
    let first = at.map_or(0, |at| at / shown.max(1) * shown);
    let first = first.min(section.rows.len() - shown);
    Part {
        section,
        first,
        shown,
    }
}

/// Lays all sections out one below the other. Those without rows get no room, and the others as much alike as may be;
/// those that find none at all are left out from the end.
pub(super) fn all(sections: Vec<Section>, height: usize) -> Vec<Part> {
    let filled = sections
        .into_iter()
        .filter(|section| !section.rows.is_empty());
    let filled: Vec<Section> = filled.take(height / 2).collect();
    let mut shares = vec![1; filled.len()];
    let mut left = height - 2 * filled.len();
    // A row for each in turn, until nobody wants another.
    while left > 0 {
        let mut wants: Vec<&mut usize> = (shares.iter_mut().zip(&filled))
            .filter(|(share, section)| **share < section.rows.len())
            .map(|(share, _)| share)
            .collect();
        if wants.is_empty() {
            break;
        }
        for share in wants.iter_mut().take(left) {
            **share += 1;
        }
        left -= wants.len().min(left);
    }
    let parts = filled.into_iter().zip(shares);
    parts
        .map(|(section, shown)| Part {
            section,
            first: 0,
            shown,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::sections::rows_named;

    fn section(kind: Kind, rows: usize) -> Section {
        let names: Vec<String> = (0..rows).map(|row| format!("row {row}")).collect();
        rows_named(kind, &names)
    }

    fn shares(rows: &[usize], height: usize) -> Vec<usize> {
        let sections = rows.iter().zip(Kind::ALL);
        let sections = sections.map(|(rows, kind)| section(kind, *rows)).collect();
        all(sections, height).iter().map(Part::rows_shown).collect()
    }

    #[test]
    fn room_is_shared_alike_and_what_one_does_not_want_goes_to_the_others() {
        assert_eq!(shares(&[10, 10], 10), [4, 4]);
        assert_eq!(shares(&[10, 1], 10), [7, 1]);
        assert_eq!(shares(&[1, 0, 2], 20), [1, 2]);
        assert_eq!(shares(&[5, 5, 5], 7), [2, 1, 1]);
    }

    #[test]
    fn no_screen_is_too_small() {
        assert_eq!(shares(&[5, 5, 5], 5), [2, 1]);
        assert!(shares(&[5, 5], 1).is_empty());
        assert!(shares(&[5], 0).is_empty());
        assert_eq!(one(section(Kind::Keys, 5), None, 0).rows_shown(), 0);
    }

    #[test]
    fn the_selected_row_is_on_the_screen() {
        for (selected, first) in [(0, 0), (8, 0), (9, 9), (19, 16), (24, 16)] {
            let selected = (Kind::Keys, format!("row {selected}"));
            let part = one(section(Kind::Keys, 25), Some(&selected), 10);
            assert_eq!(part.visible()[0].id, format!("row {first}"), "{selected:?}");
            assert!(part.visible().iter().any(|row| row.id == selected.1));
            assert_eq!(part.hidden(), (first, 25 - 9 - first));
        }
        let elsewhere = (Kind::Limits, "row 20".to_owned());
        let part = one(section(Kind::Keys, 25), Some(&elsewhere), 10);
        assert_eq!(part.hidden(), (0, 16));
    }
}
