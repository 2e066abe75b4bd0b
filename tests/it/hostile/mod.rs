//! Files and requests made to do harm, and faults of the machine: what is answered is what the
//! documents promise, and the server goes on.

mod corpus;
mod faults;
mod mutants;
mod properties;
mod requests;
mod service;
mod witness;
