//! The table at the end, to be pasted into the README.

/// Rows in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Row>);

/// One measured thing. An empty cell is something that was not measured, or cannot be.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) floodwall: String,
    pub(crate) nginx: String,
    pub(crate) haproxy: String,
    pub(crate) envoy: String,
    /// Ratios, each beside what it is a ratio to.
    pub(crate) ratio: String,
    pub(crate) goal: &'static str,
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        println!(
            "\n| what | Floodwall | nginx | HAProxy | Envoy | Floodwall against them | goal |"
        );
        println!("|---|---|---|---|---|---|---|");
        for row in &self.0 {
            let cells = [
                row.what,
                &row.floodwall,
                &row.nginx,
                &row.haproxy,
                &row.envoy,
                &row.ratio,
                row.goal,
            ];
            println!("| {} |", cells.join(" | "));
        }
    }
}

/// `0.93 x nginx, 0.88 x HAProxy`: ours over theirs.
pub(crate) fn ratios(floodwall: f64, nginx: f64, haproxy: f64) -> String {
    format!(
        "{:.2} x nginx, {:.2} x HAProxy",
        floodwall / nginx,
        floodwall / haproxy
    )
}
