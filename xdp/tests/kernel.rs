//! The program in the kernel. Every test needs root, and says so when it is skipped.

#[cfg(test)]
mod kernel {
    mod agreement;
    mod bogus;
    mod budgets;
    mod costs;
    mod harness;
    mod life_cycle;
    mod lists;
    mod matching;
    mod namespace;
    mod packet;
    mod parsing;
    mod probe;
    mod records;
    mod resets;
    mod samples;
    mod verdicts;
}
