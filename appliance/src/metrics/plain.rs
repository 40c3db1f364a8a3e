//! The page for those who do not ask for `OpenMetrics`: the text format of Prometheus, version 0.0.4.
//!
//! The samples are the same. There counters are called as their samples are, and units and an end are not said.

/// The media type of [`from_open_metrics`].
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes a page of `OpenMetrics` in the older format.
pub(super) fn from_open_metrics(page: &str) -> String {
    let mut plain = String::with_capacity(page.len());
    let mut help = None;
    for line in page.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), Some(text)) => help = Some((name, text)),
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                    plain.extend(["# HELP ", name, suffix, " ", text, "\n"]);
                }
                plain.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
            }
            (Some("#"), ..) => {}
            _ => {
                plain.push_str(line);
                plain.push('\n');
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_called_as_their_samples_are() {
        let page = "# HELP a_requests All of them.\n# TYPE a_requests counter\na_requests_total{b=\"# c\"} 1\n\
                    # HELP a_age_seconds How old.\n# TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\n\
                    a_age_seconds 2.5\n# EOF\n";
        assert_eq!(
            from_open_metrics(page),
            "# HELP a_requests_total All of them.\n# TYPE a_requests_total counter\na_requests_total{b=\"# c\"} 1\n\
             # HELP a_age_seconds How old.\n# TYPE a_age_seconds gauge\na_age_seconds 2.5\n"
        );
    }
}
