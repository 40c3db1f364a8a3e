//! `upstreams.NAME.health`: asking the servers whether they are well.

use floodwall_limiter::Nanos;

use crate::StatusRange;
use crate::read::{Cursor, Fields, counted, flag, share, span, text, unique_list, whole_u32};
use crate::section::{DURATION, Key, ONE, SHARE, Section, Shape, TEXT};
use crate::status_set::STATUS;
use crate::units::Share;

/// How an upstream's servers are asked whether they are well. One that was never asked is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub check: Check,
    /// From one check of a server to the next; at least 100 ms.
    pub interval: Nanos,
    /// Each interval is longer or shorter by up to this part of it, so that checks do not come all at once.
    pub jitter: Share,
    /// For a whole check, at least 1 ms.
    pub timeout: Nanos,
    /// So many good checks in a row make a server well again; at least 1.
    pub healthy: u32,
    /// So many bad checks in a row make it unhealthy; at least 1.
    pub unhealthy: u32,
    /// While a smaller part of the servers is well, all are asked, whatever the checks say. If none is, all are
    /// asked anyway.
    pub panic: Share,
}

/// What a server must do to be well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Accept a connection, and complete the handshake of TLS if it is spoken to with TLS.
    Tcp,
    /// Answer a GET request.
    Http {
        /// With its query.
        path: String,
        /// What the request says; the server's name when absent.
        host: Option<String>,
        /// At least one.
        status: Vec<StatusRange>,
    },
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.health",
    keys: &[
        Key::new("path", Shape::Text("/.*"), "what is asked for, by GET"),
        Key::new(
            "tcp",
            Shape::Flag,
            "true: a connection is all that is asked for",
        ),
        Key::new(
            "host",
            TEXT,
            "the Host of the request; default: the server's",
        ),
        Key::new(
            "status",
            Shape::List(&STATUS, ONE),
            "good answers; default [2xx]",
        ),
        Key::new("interval", DURATION, "between checks; default 5s"),
        Key::new(
            "jitter",
            SHARE,
            "the part of an interval by which it varies; default 10%",
        ),
        Key::new("timeout", DURATION, "for a whole check; default 2s"),
        Key::new(
            "healthy",
            COUNT,
            "good checks in a row that make a server well again; default 2",
        ),
        Key::new(
            "unhealthy",
            COUNT,
            "bad checks in a row that make it unhealthy; default 3",
        ),
        Key::new(
            "panic",
            SHARE,
            "while a smaller part of the servers is well, all are asked; default 0%, when none is",
        ),
    ],
    one_of: &["path", "tcp"],
};

const COUNT: Shape = Shape::Whole { min: 1, max: MOST };
const MOST: u64 = 100;

/// Checks are no flood.
const SHORTEST_INTERVAL: Nanos = Nanos::from_millis(100);

impl Health {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let check = Check::read(&fields);
        let interval = fields.or("interval", span(SHORTEST_INTERVAL), Nanos::from_secs(5));
        let jitter = fields.or(
            "jitter",
            share(Share::NOTHING),
            Share::of_millionths(100_000),
        );
        let timeout = fields.or("timeout", span(Nanos::from_millis(1)), Nanos::from_secs(2));
        let healthy = fields.or("healthy", whole_u32(1, MOST), 2);
        let unhealthy = fields.or("unhealthy", whole_u32(1, MOST), 3);
        let panic = fields.or("panic", share(Share::NOTHING), Share::NOTHING);
        Some(Self {
            check: check?,
            interval: interval?,
            jitter: jitter?,
            timeout: timeout?,
            healthy: healthy?,
            unhealthy: unhealthy?,
            panic: panic?,
        })
    }
}

impl Check {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let path = fields.optional("path", target);
        let tcp = fields.optional("tcp", |value| {
            if flag(value)? {
                Some(())
            } else {
                value.refuse("true, or `path` instead")
            }
        });
        let host = fields.optional("host", authority);
        let status = fields.optional("status", |list| {
            let ranges = unique_list(list, "status", StatusRange::read)?;
            counted(list, ranges, 1, usize::MAX)
        });
        let (path, tcp, host, status) = (path?, tcp?, host?, status?);
        if let (Some(()), Some(key)) = (
            tcp,
            host.is_some()
                .then_some("host")
                .or(status.is_some().then_some("status")),
        ) {
            return fields.refuse(key, format!("`{key}` beside `tcp`"), "it with `path`");
        }
        match path {
            Some(path) => Some(Self::Http {
                path,
                host,
                status: status.unwrap_or_else(|| vec![StatusRange::SUCCESS]),
            }),
            None => tcp.map(|()| Self::Tcp),
        }
    }
}

/// Reads a path, with its query if it has one.
fn target(value: Cursor<'_>) -> Option<String> {
    let text = text(value)?;
    let visible = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if text.starts_with('/') && visible {
        Some(text.to_owned())
    } else {
        value.refuse("a path such as /healthz, with its query if it has one")
    }
}

/// Reads what may stand in a `Host` field.
fn authority(value: Cursor<'_>) -> Option<String> {
    let text = text(value)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if text.bytes().all(allowed) {
        Some(text.to_owned())
    } else {
        value.refuse("a host, such as www.example.org")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn read(health: &str) -> Result<Health, String> {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:80' }} }}\n\
             upstreams: {{ app: {{ servers: ['127.0.0.1:90'], health: {health} }} }}\n\
             routes: [{{ name: all, upstream: app }}]\n"
        );
        let config = Config::from_text(&text, "f").map_err(|problems| problems.to_string())?;
        Ok(config.upstreams[0].health.clone().unwrap())
    }

    #[test]
    fn a_check_is_a_request_or_a_connection() {
        let health = read("{ path: /healthz, status: [200, 3xx] }").unwrap();
        assert_eq!((health.healthy, health.unhealthy), (2, 3));
        let Check::Http { path, host, status } = health.check else {
            panic!("a path was given");
        };
        assert_eq!((path.as_str(), host, status.len()), ("/healthz", None, 2));
        assert_eq!(read("{ tcp: true }").unwrap().check, Check::Tcp);
    }

    #[test]
    fn what_makes_no_check_is_refused() {
        for (health, said) in [
            ("{}", "exactly one of path, tcp"),
            ("{ tcp: true, path: / }", "exactly one of path, tcp"),
            ("{ tcp: false }", "`path` instead"),
            ("{ tcp: true, status: [200] }", "`status` beside `tcp`"),
            ("{ tcp: true, host: a }", "`host` beside `tcp`"),
            ("{ path: healthz }", "a path such as"),
            ("{ path: '/a b' }", "a path such as"),
            ("{ path: /, host: 'a b' }", "a host, such as"),
            ("{ path: /, status: [] }", "at least 1"),
            ("{ path: /, interval: 99ms }", "at least 100ms"),
            ("{ path: /, healthy: 0 }", "from 1 to 100"),
        ] {
            let problem = read(health).unwrap_err();
            assert!(problem.contains(said), "{health}: {problem}");
        }
    }
}
