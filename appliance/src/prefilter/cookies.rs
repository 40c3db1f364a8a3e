//! Whether this host's listeners give SYN cookies to the kernel's program.

use std::fs;

use floodwall_config::{Over, Prefilter};
use floodwall_xdp as xdp;

/// Says in a network namespace when its sockets give cookies: never, when their queue is full, or always.
const SYSCTL: &str = "/proc/sys/net/ipv4/tcp_syncookies";

/// Why limits that say `over: cookie` drop SYNs, if there are such limits and a reason.
///
/// With less than `always` most SYNs would be dropped after a vain question; and whether an answered client's
/// connection opens, would hang on how long ago the queue was full.
pub(crate) fn lacking(prefilter: &Prefilter) -> Option<String> {
    let asked = prefilter
        .limits
        .iter()
        .any(|limit| limit.over == Over::Cookie);
    if !asked {
        return None;
    }
    let helper = xdp::features()
        .into_iter()
        .find(|feature| feature.name == "syncookies");
    if let Some(helper) = helper
        && helper.present == Some(false)
    {
        let since = helper.since;
        return Some(format!(
            "this kernel lacks syncookies, which came with {since}"
        ));
    }
    of_sysctl(fs::read_to_string(SYSCTL).ok().as_deref().map(str::trim))
}

fn of_sysctl(value: Option<&str>) -> Option<String> {
    match value {
        Some("2") => None,
        Some(other) => Some(format!(
            "net.ipv4.tcp_syncookies is {other}: set it to 2 (sysctl -w net.ipv4.tcp_syncookies=2) and reload"
        )),
        None => Some("this kernel has no net.ipv4.tcp_syncookies (CONFIG_SYN_COOKIES)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_give_cookies_when_they_always_do() {
        assert_eq!(of_sysctl(Some("2")), None);
        let one = of_sysctl(Some("1"));
        assert!(
            one.is_some_and(|why| why.starts_with("net.ipv4.tcp_syncookies is 1: set it to 2"))
        );
        assert!(of_sysctl(None).is_some());
    }
}
