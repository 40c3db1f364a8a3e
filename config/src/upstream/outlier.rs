//! `upstreams.NAME.outlier`: which servers are left out for a while.

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, count, share, span, whole_u32};
use crate::section::{COUNT, DURATION, Key, SHARE, Section, Shape};
use crate::units::{Share, format_duration};
use crate::yaml::ScalarKind;

/// Outlier detection. An answer is bad that has a status of 5xx, or does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlier {
    /// So many bad answers in a row. None: they are not counted.
    pub consecutive: Option<u32>,
    pub success_rate: Option<SuccessRate>,
    /// How often success rates are compared; at least 100 ms.
    pub interval: Nanos,
    /// The first time out, the file's `for`; each further one is longer by this.
    pub duration: Nanos,
    /// Not less than `duration`.
    pub max: Nanos,
    /// The part of the servers that may be out at one time; one always may, if there is another.
    pub max_share: Share,
}

/// When a server's share of good answers is too low beside that of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessRate {
    /// At least 2.
    pub min_servers: u32,
    /// Answers of a server in an interval; at least 1.
    pub min_requests: u64,
    /// Standard deviations below the mean, in thousandths; at least 1.
    pub deviations: u32,
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.outlier",
    keys: &[
        Key::new(
            "consecutive",
            Shape::Whole { min: 0, max: MOST },
            "bad answers in a row; 0 does not count them; default 5",
        ),
        Key::new(
            "success_rate",
            Shape::Section(&SUCCESS_RATE),
            "when a server does worse than the others",
        ),
        Key::new(
            "interval",
            DURATION,
            "how often success rates are compared; default 10s",
        ),
        Key::new(
            "for",
            DURATION,
            "the first time out; each further one is longer by this; default 30s",
        ),
        Key::new(
            "max",
            DURATION,
            "the longest time out; default 5m, or `for` if that is longer",
        ),
        Key::new(
            "max_share",
            SHARE,
            "the part of the servers that may be out; one always may; default 10%",
        ),
    ],
    one_of: &[],
};

static SUCCESS_RATE: Section = Section {
    name: "upstreams.NAME.outlier.success_rate",
    keys: &[
        Key::new(
            "min_servers",
            Shape::Whole { min: 2, max: MOST },
            "fewer are not compared; default 5",
        ),
        Key::new(
            "min_requests",
            COUNT,
            "a server with fewer answers in an interval is not compared; default 100",
        ),
        Key::new(
            "deviations",
            Shape::Scalar,
            "standard deviations below the mean, such as 1.9, which is the default",
        ),
    ],
    one_of: &[],
};

const MOST: u64 = 1_000_000;

impl Outlier {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let consecutive = fields.or("consecutive", whole_u32(0, MOST), 5);
        let success_rate = fields.optional("success_rate", SuccessRate::read);
        let interval = fields.or(
            "interval",
            span(Nanos::from_millis(100)),
            Nanos::from_secs(10),
        );
        let duration = fields.or("for", span(Nanos::from_millis(1)), Nanos::from_secs(30));
        let max = fields.optional("max", span(Nanos::from_millis(1)));
        let max_share = fields.or(
            "max_share",
            share(Share::NOTHING),
            Share::of_millionths(100_000),
        );
        let (consecutive, success_rate, duration) = (consecutive?, success_rate?, duration?);
        let max = max?.unwrap_or(duration.max(Nanos::from_secs(300)));
        if max < duration {
            let found = format!("{}, less than `for`", format_duration(max));
            return fields.refuse(
                "max",
                found,
                format!("at least {}", format_duration(duration)),
            );
        }
        if consecutive == 0 && success_rate.is_none() {
            return fields.refuse(
                "consecutive",
                "0 without `success_rate`: nothing would be looked at",
                "at least 1, or `success_rate` beside it",
            );
        }
        Some(Self {
            consecutive: (consecutive > 0).then_some(consecutive),
            success_rate,
            interval: interval?,
            duration,
            max,
            max_share: max_share?,
        })
    }
}

impl SuccessRate {
    fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SUCCESS_RATE)?;
        let min_servers = fields.or("min_servers", whole_u32(2, MOST), 5);
        let min_requests = fields.or("min_requests", count(1, MOST), 100);
        let deviations = fields.or("deviations", deviations, 1_900);
        Some(Self {
            min_servers: min_servers?,
            min_requests: min_requests?,
            deviations: deviations?,
        })
    }
}

/// Reads a number such as 2 or 1.9 in thousandths.
fn deviations(value: Cursor<'_>) -> Option<u32> {
    let thousandths = |text: &str| {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(decimals) || decimals.len() > 3 {
            return None;
        }
        let decimals: u32 = format!("{decimals:0<3}").parse().ok()?;
        whole
            .parse::<u32>()
            .ok()?
            .checked_mul(1_000)?
            .checked_add(decimals)
    };
    let number = match value.kind() {
        Some(ScalarKind::Integer(_) | ScalarKind::Float) => value.written().and_then(thousandths),
        _ => None,
    };
    number
        .filter(|thousandths| (1..=100_000).contains(thousandths))
        .or_else(|| value.refuse("a number from 0.001 to 100, such as 1.9"))
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn read(outlier: &str) -> Result<super::Outlier, String> {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:80' }} }}\n\
             upstreams: {{ app: {{ servers: ['127.0.0.1:90'], outlier: {outlier} }} }}\n\
             routes: [{{ name: all, upstream: app }}]\n"
        );
        let config = Config::from_text(&text, "f").map_err(|problems| problems.to_string())?;
        Ok(config.upstreams[0].outlier.clone().unwrap())
    }

    #[test]
    fn deviations_are_decimal_numbers() {
        for (written, thousandths) in [
            ("1.9", 1_900),
            ("2", 2_000),
            ("0.125", 125),
            ("100", 100_000),
        ] {
            let outlier =
                read(&format!("{{ success_rate: {{ deviations: {written} }} }}")).unwrap();
            assert_eq!(outlier.success_rate.unwrap().deviations, thousandths);
        }
        for written in ["0", "-1", "1.2345", "1e3", "two", "101", "''", ".inf"] {
            let problem =
                read(&format!("{{ success_rate: {{ deviations: {written} }} }}")).unwrap_err();
            assert!(problem.contains("such as 1.9"), "{problem}");
        }
    }

    #[test]
    fn what_would_never_put_anybody_out_is_refused() {
        assert!(read("{ consecutive: 0 }").is_err());
        assert_eq!(
            read("{ consecutive: 0, success_rate: {} }")
                .unwrap()
                .consecutive,
            None
        );
        assert!(
            read("{ for: 10m, max: 5m }")
                .unwrap_err()
                .contains("less than `for`")
        );
    }
}
