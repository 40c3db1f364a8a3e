//! The program in the kernel. Every test needs root, and says so when it is skipped.

#[cfg(test)]
mod kernel {
    mod agreement;
    mod answer;
    mod bogus;
    mod budgets;
    mod cookies;
    mod costs;
    mod essential;
    #[path = "../../abi/tests/reference/frames.rs"]
    mod frames;
    mod generated;
    mod harness;
    mod interfaces;
    mod life_cycle;
    mod lists;
    mod matching;
    mod namespace;
    mod packet;
    #[path = "../../abi/tests/reference/parser.rs"]
    mod parser;
    mod parsing;
    mod probe;
    mod records;
    mod resets;
    mod rows;
    mod samples;
    mod verdicts;
}
