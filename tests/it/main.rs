//! The one integration test binary.

mod inference;
