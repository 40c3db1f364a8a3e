//! The whole file, checked.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::ops::Index;
use std::path::{Path, PathBuf};

use crate::net::Bound;
use crate::problem::{Fault, Problem, Problems};
use crate::read::{Cursor, Fields, Names, Report, counted, text};
use crate::route::Known;
use crate::section::{ANY, Key, ONE, Section, Shape, TEXT};
use crate::{
    Admin, Clients, ErrorPages, Gate, Limit, Listener, Log, Prefilter, Protection, Route,
    ServerSettings, Token, Upstream,
};
use crate::{
    admin, clients, error_page, gate, limit, listener, log, prefilter, protection, route, server,
    socket, token, upstream, yaml,
};

/// A configuration in which every value is in range and every name that is used exists.
///
/// Lists keep the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// At least one; names and addresses are unique.
    pub listeners: Vec<Listener>,
    pub clients: Clients,
    pub upstreams: Vec<Upstream>,
    /// At least one; the first that matches a request takes it, and a request without a match gets 404.
    pub routes: Vec<Route>,
    pub limits: Vec<Limit>,
    /// What is fetched in the background and put into headers.
    pub tokens: Vec<Token>,
    pub gates: Vec<Gate>,
    /// What is shown instead of errors; a route's own come first.
    pub errors: ErrorPages,
    /// None: nothing is shed.
    pub protection: Option<Protection>,
    /// None: no packet filter is asked for.
    pub prefilter: Option<Prefilter>,
    pub admin: Admin,
    pub log: Log,
    /// The folder for what must survive a restart.
    pub state: Option<PathBuf>,
    pub server: ServerSettings,
}

/// The place of a limit in [`Config::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitIndex(pub usize);

/// The place of a gate in [`Config::gates`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateIndex(pub usize);

/// The place of an upstream in [`Config::upstreams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamIndex(pub usize);

impl Index<LimitIndex> for Config {
    type Output = Limit;

    fn index(&self, index: LimitIndex) -> &Limit {
        &self.limits[index.0]
    }
}

impl Index<GateIndex> for Config {
    type Output = Gate;

    fn index(&self, index: GateIndex) -> &Gate {
        &self.gates[index.0]
    }
}

impl Index<UpstreamIndex> for Config {
    type Output = Upstream;

    fn index(&self, index: UpstreamIndex) -> &Upstream {
        &self.upstreams[index.0]
    }
}

pub(crate) static SECTION: Section = Section {
    name: "",
    keys: &[
        Key::required(
            "listeners",
            Shape::Named(&listener::SECTION, ONE),
            "a mapping of at least one listener",
        ),
        Key::new(
            "clients",
            Shape::Section(&clients::SECTION),
            "who is asking",
        ),
        Key::new(
            "upstreams",
            Shape::Named(&upstream::SECTION, ANY),
            "the servers behind the door",
        ),
        Key::required(
            "routes",
            Shape::List(&Shape::Section(&route::SECTION), ONE),
            "a list of at least one route",
        ),
        Key::new(
            "limits",
            Shape::Named(&limit::SECTION, ANY),
            "budgets for requests",
        ),
        Key::new(
            "tokens",
            Shape::Named(&token::SECTION, ANY),
            "what is fetched in the background and put into headers",
        ),
        Key::new(
            "gates",
            Shape::Named(&gate::SECTION, ANY),
            "who is let in when there is less than is asked for",
        ),
        Key::new(
            "errors",
            Shape::Named(&error_page::SECTION, ANY),
            "what is shown instead of errors, by status",
        ),
        Key::new(
            "protection",
            Shape::Section(&protection::SECTION),
            "what is shed when the machine has too much to do",
        ),
        Key::new(
            "prefilter",
            Shape::Section(&prefilter::SECTION),
            "what the kernel drops",
        ),
        Key::new(
            "admin",
            Shape::Section(&admin::SECTION),
            "where the running service is asked",
        ),
        Key::new(
            "log",
            Shape::Section(&log::SECTION),
            "what is written where",
        ),
        Key::new("state", TEXT, "the folder for what must survive a restart"),
        Key::new(
            "server",
            Shape::Section(&server::SECTION),
            "the process itself",
        ),
    ],
    one_of: &[],
};

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// Everything that is wrong with the file, at once.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Problems> {
        let path = path.as_ref();
        let text = Self::text_at(path)?;
        Self::from_text(&text, path)
    }

    /// Checks a text as if it were the file at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at once.
    pub fn from_text(text: &str, path: impl AsRef<Path>) -> Result<Self, Problems> {
        let path = path.as_ref();
        let root = yaml::read(text).map_err(|(place, fault)| Problem {
            file: path.into(),
            place,
            path: String::new(),
            fault,
        })?;
        let report = Report::new(path);
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = Self::read(Cursor::root(&root, &report), folder);
        report.conclude(config)
    }

    /// Reads the text of a file, but checks nothing of it except that it is a text of a reasonable size.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn text_at(path: impl AsRef<Path>) -> Result<String, Problems> {
        let path = path.as_ref();
        text_of(path).map_err(|fault| {
            let (file, place, at) = (path.into(), None, String::new());
            Problem {
                file,
                place,
                path: at,
                fault,
            }
            .into()
        })
    }

    /// The control socket of the service that runs the file at `path`, though the file may be wrong by now:
    /// what it says of `admin` counts if that much can be read, and what a file without `admin` means if not.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn socket_of(path: impl AsRef<Path>) -> Result<PathBuf, Problems> {
        let path = path.as_ref();
        let text = Self::text_at(path)?;
        Ok(socket::named_in(&text, path))
    }

    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let known = Known {
            limits: Names::new("limit", fields.names_in("limits")),
            upstreams: Names::new("upstream", fields.names_in("upstreams")),
            tokens: Names::new("token", fields.names_in("tokens")),
            gates: Names::new("gate", fields.names_in("gates")),
            folder,
        };
        let named_routes = Names::new("route", fields.names_of_items("routes"));
        let mut bound = Bound::default();
        let clients = fields.or("clients", Clients::read, Clients::default());
        let mut around = listener::Around {
            folder,
            bound: &mut bound,
            has_trusted_proxies: clients
                .as_ref()
                .is_none_or(|clients| !clients.trusted_proxies.is_empty()),
        };
        let listeners = fields.required("listeners", |map| listeners(map, &mut around));
        let upstreams = fields.or(
            "upstreams",
            |map| upstreams(map, &known, folder),
            Vec::new(),
        );
        let routes = fields.required("routes", |list| routes(list, &known, upstreams.as_deref()));
        let for_limits = limit::Known {
            limits: &known.limits,
            routes: &named_routes,
        };
        let read_limit = |name: &str, value: Cursor<'_>| Limit::read(name, value, &for_limits);
        let limits = fields.or("limits", |map| map.pairs(read_limit), Vec::new());
        let tokens = fields.or("tokens", |map| tokens(map, &known), Vec::new());
        let gates = fields.or("gates", |map| map.pairs(Gate::read), Vec::new());
        let errors = fields.or(
            "errors",
            |map| ErrorPages::read(map, folder),
            ErrorPages::default(),
        );
        let protection = fields.optional("protection", Protection::read);
        let prefilter = fields.optional("prefilter", |value| Prefilter::read(value, folder));
        let admin = fields.or(
            "admin",
            |value| Admin::read(value, folder, &mut bound),
            Admin::default_in(folder),
        );
        let log = fields.or("log", |value| Log::read(value, folder), Log::default());
        let state = fields.optional("state", |value| Some(folder.join(text(value)?)));
        let server = fields.or("server", ServerSettings::read, ServerSettings::default());
        Some(Self {
            listeners: listeners?,
            clients: clients?,
            upstreams: upstreams?,
            routes: routes?,
            limits: limits?,
            tokens: tokens?,
            gates: gates?,
            errors: errors?,
            protection: protection?,
            prefilter: prefilter?,
            admin: admin?,
            log: log?,
            state: state?,
            server: server?,
        })
    }
}

fn listeners(map: Cursor<'_>, around: &mut listener::Around<'_>) -> Option<Vec<Listener>> {
    counted(
        map,
        map.pairs(|name, value| Listener::read(name, value, around))?,
        1,
        usize::MAX,
    )
}

fn upstreams(map: Cursor<'_>, known: &Known<'_>, folder: &Path) -> Option<Vec<Upstream>> {
    map.pairs(|name, value| Upstream::read(name, value, &known.upstreams, folder))
}

fn tokens(map: Cursor<'_>, known: &Known<'_>) -> Option<Vec<Token>> {
    map.pairs(|name, value| Token::read(name, value, &known.upstreams))
}

fn routes(
    list: Cursor<'_>,
    known: &Known<'_>,
    upstreams: Option<&[Upstream]>,
) -> Option<Vec<Route>> {
    let mut names = HashSet::new();
    let routes = list.items(|item| {
        let route = Route::read(item, known)?;
        if !names.insert(route.name.clone()) {
            return item.refuse_as(
                format!("another route of the name `{}`", route.name),
                "a name of its own",
            );
        }
        speakable(item, &route, upstreams.unwrap_or_default())?;
        Some(route)
    })?;
    counted(list, routes, 1, usize::MAX)
}

/// Refuses a route of gRPC calls whose upstream is asked with HTTP/1: their status is in trailers.
fn speakable(item: Cursor<'_>, route: &Route, upstreams: &[Upstream]) -> Option<()> {
    if !route.matches.means_grpc() {
        return Some(());
    }
    let mut asked = route
        .action
        .upstreams()
        .filter_map(|index| upstreams.get(index.0));
    match asked.find(|upstream| !upstream.http2) {
        None => Some(()),
        Some(upstream) => item.refuse_as(
            format!("gRPC for `{}`, which is asked with HTTP/1", upstream.name),
            "an upstream with `http2: true`",
        ),
    }
}

/// Reads a file, but no more of it than a configuration may have.
fn text_of(path: &Path) -> Result<String, Fault> {
    let unreadable = |error: std::io::Error| Fault::Unreadable {
        message: error.to_string(),
    };
    let mut bytes = Vec::new();
    let most = yaml::MAX_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() > yaml::MAX_BYTES {
        return Err(Fault::Value {
            found: "a larger file".into(),
            allowed: "at most 32 MiB".into(),
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Fault::Value {
            found: format!("a byte at offset {at} that is not UTF-8"),
            allowed: "UTF-8 text".into(),
        }
    })
}
