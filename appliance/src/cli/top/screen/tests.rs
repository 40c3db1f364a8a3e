use floodwall_limiter::Nanos;

use super::*;
use crate::cli::top::{layout, sample};

/// What a screen of this height shows, as the terminal's side would ask.
fn parts(screen: &Screen) -> Vec<Part> {
    let sample = sample(1.0, |_| {});
    let mut sections = Section::all(&sample, None, std::time::Duration::ZERO);
    screen.apply(&mut sections);
    match screen.tab {
        None => layout::all(sections, 30),
        Some(kind) => {
            let one = sections.into_iter().find(|section| section.kind == kind);
            vec![layout::one(one.unwrap(), screen.selected.as_ref(), 30)]
        }
    }
}

fn press(screen: &mut Screen, keys: &[Key]) -> Action {
    let mut action = Action::None;
    for key in keys {
        action = screen.press(*key, &parts(screen));
    }
    action
}

fn type_in(screen: &mut Screen, text: &str) -> Action {
    let keys: Vec<Key> = text.chars().map(Key::Letter).collect();
    press(screen, &keys)
}

fn ids(screen: &Screen) -> Vec<String> {
    let parts = parts(screen);
    let rows = parts.iter().flat_map(|part| &part.section.rows);
    rows.map(|row| row.id.clone()).collect()
}

#[test]
fn numbers_and_tabs_go_through_the_sections() {
    let mut screen = Screen::default();
    type_in(&mut screen, "2");
    assert_eq!(screen.tab, Some(Kind::Keys));
    press(&mut screen, &[Key::Tab]);
    assert_eq!(screen.tab, Some(Kind::Blocks));
    press(&mut screen, &[Key::BackTab, Key::Left, Key::Left]);
    assert_eq!(screen.tab, None);
    press(&mut screen, &[Key::Left]);
    assert_eq!(screen.tab, Some(Kind::Drops));
    press(&mut screen, &[Key::Right]);
    assert_eq!(screen.tab, None);
    type_in(&mut screen, "9");
    assert_eq!(screen.tab, None);
}

#[test]
fn a_row_stays_selected_wherever_it_is_sorted_to() {
    let mut screen = Screen::default();
    type_in(&mut screen, "2");
    let hottest = "per-client client=198.51.100.9";
    assert_eq!(ids(&screen)[0], hottest);
    press(&mut screen, &[Key::Down]);
    assert_eq!(screen.selected, Some((Kind::Keys, hottest.to_owned())));
    type_in(&mut screen, "r");
    assert_eq!(ids(&screen)[2], hottest);
    assert_eq!(screen.selected, Some((Kind::Keys, hottest.to_owned())));
    press(&mut screen, &[Key::Up]);
    assert_eq!(
        screen.selected.as_ref().unwrap().1,
        "per-path path=/checkout"
    );
    press(&mut screen, &[Key::End, Key::Down]);
    assert_eq!(screen.selected.as_ref().unwrap().1, hottest);
    press(&mut screen, &[Key::Home, Key::Up]);
    assert_eq!(
        screen.selected.as_ref().unwrap().1,
        "per-client client=192.0.2.7"
    );
    press(&mut screen, &[Key::Escape]);
    assert_eq!(screen.selected, None);
}

#[test]
fn sorting_goes_from_column_to_column_and_begins_again() {
    let mut screen = Screen::default();
    type_in(&mut screen, "2s");
    // From REQUESTS to REFUSED, to LEFT, to LIMIT, to KEY.
    type_in(&mut screen, "sss");
    assert_eq!(ids(&screen)[0], "per-client client=192.0.2.7");
    type_in(&mut screen, "s");
    assert_eq!(ids(&screen)[0], "per-client client=198.51.100.9");
    type_in(&mut screen, "0s");
    assert!(screen.message.as_ref().unwrap().is_err());
}

#[test]
fn a_filter_is_typed_kept_and_cleared() {
    let mut screen = Screen::default();
    type_in(&mut screen, "/CHECKq");
    assert_eq!(screen.filter, "CHECKq");
    press(&mut screen, &[Key::Backspace, Key::Enter]);
    assert_eq!(ids(&screen), ["per-path path=/checkout"]);
    press(&mut screen, &[Key::Escape]);
    assert!(ids(&screen).len() > 5);
    type_in(&mut screen, "/x");
    press(&mut screen, &[Key::Escape]);
    assert_eq!((screen.filter.as_str(), &screen.mode), ("", &Mode::Browse));
}

#[test]
fn a_block_takes_a_duration_and_a_yes() {
    let mut screen = Screen::default();
    type_in(&mut screen, "2jjb");
    let Mode::Ask(entry) = &screen.mode else {
        panic!("{:?}", screen.mode);
    };
    // The second hottest key is a path, which nobody can block.
    assert_eq!(entry.prompt(), "block which source? ");
    press(&mut screen, &[Key::Escape]);
    assert_eq!(screen.message, Some(Ok("nothing was done".to_owned())));

    type_in(&mut screen, "kb");
    press(&mut screen, &[Key::Erase]);
    type_in(&mut screen, "soon");
    press(&mut screen, &[Key::Enter]);
    let Mode::Ask(entry) = &screen.mode else {
        panic!("{:?}", screen.mode);
    };
    assert!(entry.complaint.is_some());
    press(&mut screen, &[Key::Erase]);
    type_in(&mut screen, "90s");
    press(&mut screen, &[Key::Enter]);
    let deed = Deed::Block {
        source: "198.51.100.9".to_owned(),
        duration: Nanos::from_secs(90),
    };
    assert_eq!(type_in(&mut screen, "y"), Action::Do(deed));
    assert_eq!(screen.mode, Mode::Browse);
}

#[test]
fn whatever_is_no_yes_does_nothing() {
    for no in [Key::Letter('n'), Key::Enter, Key::Escape, Key::Letter(' ')] {
        let mut screen = Screen::default();
        type_in(&mut screen, "3ju");
        assert_eq!(press(&mut screen, &[no]), Action::None, "{no:?}");
        assert_eq!(screen.mode, Mode::Browse);
        assert_eq!(screen.message, Some(Ok("nothing was done".to_owned())));
    }
    let mut screen = Screen::default();
    let deed = Deed::Unblock {
        source: "198.51.100.9".to_owned(),
    };
    assert_eq!(type_in(&mut screen, "3juy"), Action::Do(deed));
}

#[test]
fn help_pause_and_the_end() {
    let mut screen = Screen::default();
    type_in(&mut screen, "?");
    assert_eq!(screen.mode, Mode::Help);
    assert_eq!(type_in(&mut screen, "q"), Action::None);
    assert_eq!(screen.mode, Mode::Browse);
    type_in(&mut screen, "p");
    assert!(screen.is_paused);
    type_in(&mut screen, "p");
    assert!(!screen.is_paused);
    assert_eq!(press(&mut screen, &[Key::Suspend]), Action::Suspend);
    assert_eq!(press(&mut screen, &[Key::Redraw]), Action::Redraw);
    assert_eq!(type_in(&mut screen, "q"), Action::Quit);
    type_in(&mut screen, "b");
    assert_eq!(press(&mut screen, &[Key::Interrupt]), Action::Quit);
}
