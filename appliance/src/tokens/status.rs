//! How the tokens stand, for people. Nothing here is secret.

use serde::{Deserialize, Serialize};

use super::{Token, Tokens};

/// One token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenStatus {
    pub name: String,
    /// Since the token that is used was fetched; absent when there is none yet.
    pub age_seconds: Option<f64>,
    /// Why the last fetch failed; absent when it did not.
    pub last_error: Option<String>,
    pub fetches: u64,
    pub failures: u64,
}

/// All tokens, in the order of the file.
pub fn all(tokens: &Tokens) -> Vec<TokenStatus> {
    tokens.iter().map(|token| of(token)).collect()
}

fn of(token: &Token) -> TokenStatus {
    let standing = token.slot.standing();
    TokenStatus {
        name: token.name.clone(),
        age_seconds: standing.age.map(|age| age.as_secs_f64()),
        last_error: standing.error,
        fetches: standing.fetches,
        failures: standing.failures,
    }
}
