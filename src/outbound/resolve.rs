//! From a name to its addresses.

use std::fmt::Debug;
use std::io;
use std::net::IpAddr;

use futures_util::future::BoxFuture;

/// Something that knows names.
pub trait Resolve: Debug + Send + Sync {
    /// All addresses of `host`. It is asked once a connection, and what it answers is what is
    /// checked and what is connected to.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// As the system is set up: its files and its name servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
