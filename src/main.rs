//! `jaga`: the server and the command line.

use std::process::ExitCode;

use clap::Parser;
use jaga::cli::{self, args::Cli};

fn main() -> ExitCode {
    give_back_large_blocks();
    cli::run(Cli::parse())
}

/// Has glibc give blocks of 16 MiB and more, such as 4K pictures, back to the system when they are
/// freed. Left alone it learns from the first of them to keep such blocks, in each thread's own
/// heap. What the default models compute with in one run stays below that: to get it from the
/// system anew for each frame would cost the int8 one 5 ms (`docs/benchmarks.md`).
///
/// `MALLOC_MMAP_THRESHOLD_` in the environment comes first.
#[allow(unsafe_code, reason = "a setting of the C library")]
fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    if std::env::var_os("MALLOC_MMAP_THRESHOLD_").is_none() {
        // SAFETY: it sets a number, and no other thread runs yet.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, 16 << 20) };
    }
}
