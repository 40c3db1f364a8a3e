//! The page in the light and in the dark, on a phone and on a wall, by keyboard and for screen readers.

use std::time::Duration;

use floodwall_tests::{Floodwall, Loopback, Origin, Repeat, Screen, needs_browser};
use serde_json::{Value, json};

use crate::{ask, front, open};

#[test]
fn it_can_be_read_on_every_screen() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let mut turn = 0;
    let _traffic = Repeat::every(Duration::from_millis(15), move || {
        turn += 1;
        let path = ["/app/", "/app/slow/20", "/narrow", "/sale"][turn % 4];
        ask(web, path, ["anna", "ben", "cleo"][turn % 3])
    });
    let browser = open(admin);
    let drawn = "return document.querySelector('#plot path.refused').getAttribute('d').length";
    browser.wait_for(drawn, |length| length.as_u64() > Some(100));
    let paper = || browser.run("return getComputedStyle(document.body).backgroundColor");
    let mut papers = Vec::new();
    for (name, width, height, dark) in [
        ("page-light.png", 1440, 900, false),
        ("page-dark.png", 1440, 900, true),
        ("page-phone.png", 360, 780, false),
        ("page-wall.png", 3840, 2160, true),
    ] {
        browser.show_on(Screen {
            width,
            height,
            dark,
        });
        // Nothing is cut off at the side.
        let wide = "return document.documentElement.scrollWidth";
        browser.wait_for(wide, |found| found.as_u64() <= Some(width.into()));
        browser.screenshot(name);
        papers.push(paper());
    }
    assert_eq!(papers[0], papers[2]);
    assert_ne!(papers[0], papers[1]);
    assert_eq!(
        browser.run(CONTRAST),
        json!([]),
        "texts that are hard to read"
    );
    browser.show_on(Screen {
        width: 1440,
        height: 900,
        dark: false,
    });
    assert_eq!(
        browser.run(CONTRAST),
        json!([]),
        "texts that are hard to read"
    );
}

/// Texts whose contrast with what is behind them is below 4.5, as WCAG 2 counts it.
const CONTRAST: &str = "
const luminance = (colour) => {
  const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number)
    .map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const behind = (element) => {
  const colour = element && getComputedStyle(element).backgroundColor;
  return !element ? 'rgb(255, 255, 255)' : colour === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : colour;
};
return [...document.querySelectorAll('body *')].flatMap((element) => {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest('noscript, .skip')) return [];
  const style = getComputedStyle(element);
  const [a, b] = [element instanceof SVGElement ? style.fill : style.color, behind(element)].map(luminance).sort().reverse();
  const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  return contrast < 4.5 ? [`${element.tagName} ${element.textContent.slice(0, 40)}: ${contrast.toFixed(2)}`] : [];
});";

/// Everything that is there for those who cannot see it, or use no mouse.
#[test]
fn keys_and_screen_readers_find_everything() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    for user in ["anna", "anna", "ben"] {
        ask(web, "/app/", user);
    }
    let browser = open(admin);
    browser.wait_for(
        "return document.querySelectorAll('#hottest tbody tr').length",
        |rows| rows == 2,
    );

    // The first thing that the tabulator finds leads past the head.
    browser.press("\u{e004}");
    assert_eq!(
        browser.run("return document.activeElement.className"),
        "skip"
    );
    browser.press("\u{e007}");
    assert_eq!(browser.run("return document.activeElement.id"), "main");

    // A table is sorted by a button, and says so.
    let sort = |title: &str| {
        let focus = "[...document.querySelectorAll('#hottest thead button')].find((each) => each.textContent === 'TITLE').focus()";
        browser.run(&focus.replace("TITLE", title));
        browser.press("\u{e007}");
    };
    let keys = || {
        browser.run("return [...document.querySelectorAll('#hottest tbody th')].map((each) => each.textContent)")
    };
    let order = || {
        browser.run("return document.querySelector('#hottest [aria-sort]')?.getAttribute('aria-sort') ?? ''")
    };
    let (anna, ben) = ("header(x-user)=anna", "header(x-user)=ben");
    sort("Requests");
    assert_eq!((order(), keys()), (json!("descending"), json!([anna, ben])));
    sort("Requests");
    assert_eq!((order(), keys()), (json!("ascending"), json!([ben, anna])));
    sort("Key");
    assert_eq!((order(), keys()), (json!("ascending"), json!([anna, ben])));

    // The plot is read by keys: each step back tells its values.
    browser.run("document.getElementById('scrubber').focus()");
    browser.press("\u{e012}");
    let told =
        browser.run("return document.getElementById('scrubber').getAttribute('aria-valuetext')");
    assert!(
        told.as_str()
            .is_some_and(|told| told.starts_with("1\u{202f}s ago: ")),
        "{told}"
    );
    let faults = browser.run(FAULTS);
    assert_eq!(faults, Value::Array(Vec::new()));
}

/// What a screen reader would stumble over.
const FAULTS: &str = "
const faults = [];
const check = (good, what) => good || faults.push(what);
check(document.documentElement.lang === 'en', 'the language');
for (const landmark of ['header', 'main', 'footer', 'nav'])
  check(document.querySelectorAll(landmark).length === 1, landmark);
check(document.querySelectorAll('h1').length === 1, 'h1');
for (const section of document.querySelectorAll('section'))
  check(document.getElementById(section.getAttribute('aria-labelledby'))?.textContent, `the name of ${section.id}`);
for (const table of document.querySelectorAll('table')) {
  check(table.caption?.textContent, 'a caption');
  check([...table.querySelectorAll('th')].every((head) => head.scope), `scopes of ${table.caption.textContent}`);
}
for (const each of document.querySelectorAll('button, a, summary')) check(each.textContent.trim(), each.outerHTML);
for (const each of document.querySelectorAll('input, progress, [role=region]'))
  check(each.getAttribute('aria-label'), each.outerHTML);
check(document.querySelectorAll('[aria-live=polite]').length === 1, 'one place for news');
return faults;";
