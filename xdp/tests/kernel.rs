//! The program in the kernel. Every test needs root, and says so when it is skipped.

mod kernel {
    mod harness;
    mod packet;
    mod verdicts;
}
