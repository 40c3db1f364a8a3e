//! The parser against a second one, on frames of every kind.

#[cfg(test)]
mod reference {
    mod agreement;
    mod compare;
    mod frames;
    mod parser;
}
