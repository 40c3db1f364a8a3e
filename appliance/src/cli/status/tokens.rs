//! The tokens in words; never what they are.

use crate::{
    cli::table::{Table, span},
    tokens::status::TokenStatus,
};

pub(super) fn table(tokens: &[TokenStatus]) -> Table<5> {
    let mut table = Table::new(["TOKEN", "AGE>", "FETCHES>", "FAILURES>", "LAST ERROR"]);
    for token in tokens {
        table.row([
            token.name.clone(),
            token
                .age_seconds
                .map_or_else(|| "none yet".to_owned(), span),
            token.fetches.to_string(),
            token.failures.to_string(),
            token.last_error.clone().unwrap_or_default(),
        ]);
    }
    table
}
