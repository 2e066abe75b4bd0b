//! What goes out: real connections to real servers on this machine.

mod fetch;
mod site;
mod webhook;
