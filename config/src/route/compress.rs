//! `routes[].compress`: responses that are made smaller on their way to the client.

use crate::read::{Cursor, Fields, choice, counted, flag, size_between, text, unique_list};
use crate::section::{Key, ONE, SIZE, Section, Shape};

/// Which responses are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    pub types: Vec<MediaType>,
    /// A response that announces fewer bytes stays as it is.
    pub min_bytes: u64,
    /// In the order of preference, where the client has none.
    pub algorithms: Vec<Algorithm>,
    pub level: Level,
}

/// A media type in lower case, without parameters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    Exact(String),
    /// Every subtype: `text/*` is kept as `text/`.
    Kind(String),
}

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Zstd,
    Br,
    Gzip,
}

/// What a smaller body may cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    Fast,
    #[default]
    Balanced,
    Best,
}

pub(crate) const SHAPE: Shape = Shape::Either(&[Shape::Flag, Shape::Section(&SECTION)]);

static SECTION: Section = Section {
    name: "routes[].compress",
    keys: &[
        Key::new(
            "types",
            Shape::List(&Shape::Text(TYPE_PATTERN), ONE),
            "media types; text, scripts, JSON, XML, SVG and fonts by default",
        ),
        Key::new("min_bytes", SIZE, "what is smaller stays; default 1KiB"),
        Key::new(
            "algorithms",
            Shape::List(&Shape::Choice(ALGORITHMS), ONE),
            "what is preferred comes first; default zstd, br, gzip",
        ),
        Key::new(
            "level",
            Shape::Choice(LEVELS),
            "what a smaller body may cost; default balanced",
        ),
    ],
    one_of: &[],
};

const TYPE_PATTERN: &str = r"[A-Za-z0-9!#$&^_.+-]+/([A-Za-z0-9!#$&^_.+-]+|\*)";
/// In the order of [`ALGORITHMS_MEAN`].
const ALGORITHMS: &[&str] = &["zstd", "br", "gzip"];
const ALGORITHMS_MEAN: &[Algorithm] = &[Algorithm::Zstd, Algorithm::Br, Algorithm::Gzip];
const LEVELS: &[&str] = &["fast", "balanced", "best"];
const LEVELS_MEAN: &[Level] = &[Level::Fast, Level::Balanced, Level::Best];

/// What is worth it. Streams of events are not among them: whoever wants those names the type.
const USUAL: [&str; 19] = [
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/rss+xml",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/plain",
    "text/xml",
];

impl Default for Compress {
    fn default() -> Self {
        Self {
            types: USUAL
                .iter()
                .map(|usual| MediaType::Exact((*usual).to_owned()))
                .collect(),
            min_bytes: 1 << 10,
            algorithms: ALGORITHMS_MEAN.to_vec(),
            level: Level::Balanced,
        }
    }
}

impl Compress {
    /// Reads `true`, `false` for none, or how.
    #[expect(clippy::option_option, reason = "wrong, none, some")]
    pub(crate) fn read(value: Cursor<'_>) -> Option<Option<Self>> {
        if !value.is_map() {
            return Some(flag(value)?.then(Self::default));
        }
        let fields = Fields::open(value, &SECTION)?;
        let usual = Self::default();
        let types = fields.or("types", types, usual.types);
        let min_bytes = fields.or("min_bytes", size_between(0, 1 << 30), usual.min_bytes);
        let algorithms = fields.or("algorithms", algorithms, usual.algorithms);
        let level = fields.or("level", choice(LEVELS, LEVELS_MEAN), usual.level);
        Some(Some(Self {
            types: types?,
            min_bytes: min_bytes?,
            algorithms: algorithms?,
            level: level?,
        }))
    }

    /// Whether bodies of a media type are compressed; parameters are passed over.
    pub fn takes(&self, content_type: &str) -> bool {
        let named = content_type.split(';').next().unwrap_or_default().trim();
        let named = named.to_ascii_lowercase();
        self.types.iter().any(|wanted| match wanted {
            MediaType::Exact(exact) => *exact == named,
            // A stream would wait for its next part at every step on the way.
            MediaType::Kind(kind) => named.starts_with(kind.as_str()) && named != EVENTS,
        })
    }
}

const EVENTS: &str = "text/event-stream";

fn types(list: Cursor<'_>) -> Option<Vec<MediaType>> {
    let types = unique_list(list, "type", MediaType::read)?;
    counted(list, types, 1, 100)
}

fn algorithms(list: Cursor<'_>) -> Option<Vec<Algorithm>> {
    let read = choice(ALGORITHMS, ALGORITHMS_MEAN);
    counted(list, unique_list(list, "algorithm", read)?, 1, usize::MAX)
}

impl MediaType {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let named = text(value)?.to_ascii_lowercase();
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c))
        };
        match named.split_once('/') {
            Some((kind, "*")) if token(kind) => Some(Self::Kind(format!("{kind}/"))),
            Some((kind, subtype)) if token(kind) && token(subtype) => Some(Self::Exact(named)),
            _ => value.refuse("a media type without parameters, such as text/html or text/*"),
        }
    }
}
