//! `jaga`: the server and the command line.

use std::process::ExitCode;

use clap::Parser;
use jaga::cli::{self, args::Cli};

fn main() -> ExitCode {
    cli::run(Cli::parse())
}
