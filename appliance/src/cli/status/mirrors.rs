//! The routes whose requests are copied.

use crate::{cli::table::Table, mirror::MirrorStatus};

pub(super) fn table(mirrors: &[MirrorStatus]) -> Table<6> {
    let mut table = Table::new([
        "MIRROR",
        "ANSWERED>",
        "FAILED>",
        "TOO LARGE>",
        "TOO MANY>",
        "UPSTREAM",
    ]);
    for mirror in mirrors {
        table.row([
            mirror.route.clone(),
            mirror.answered.to_string(),
            mirror.failed.to_string(),
            mirror.too_large.to_string(),
            mirror.too_many.to_string(),
            mirror.upstream.clone(),
        ]);
    }
    table
}
