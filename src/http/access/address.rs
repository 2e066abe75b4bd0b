//! Which address a request comes from, through the proxies that are trusted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::http::config::ForwardedHeader;

/// Most proxies that a request may have passed.
const MOST_HOPS: usize = 16;

/// The proxies whose word is taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    pub(super) trusted: Vec<IpNet>,
    pub(super) header: ForwardedHeader,
}

impl Proxies {
    /// The client's address: that of the connection, or, where that is a trusted proxy's, the
    /// last in the header that is no trusted proxy. What stands before it anybody could have sent.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let lines = headers.get_all(self.header.name()).iter().rev();
        // As bytes: a line that is no text must not vanish, or the one before it would be believed.
        let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        for hop in hops.take(MOST_HOPS) {
            let Some(address) = str::from_utf8(hop).ok().and_then(|hop| self.parse(hop)) else {
                return client;
            };
            client = address.to_canonical();
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|net| net.contains(&address))
    }

    fn parse(&self, hop: &str) -> Option<IpAddr> {
        match self.header {
            ForwardedHeader::XForwardedFor => node(hop.trim()),
            ForwardedHeader::Forwarded => hop.split(';').find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                let for_whom = name.eq_ignore_ascii_case("for");
                for_whom.then(|| node(value.trim_matches('"'))).flatten()
            }),
        }
    }
}

/// An address, with a port or without.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let plain = bare.unwrap_or(text).parse().ok();
    plain.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What counts as one caller: an IPv4 address, or the /64 that an IPv6 network hands to one site.
pub(super) fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(trusted: &[&str], header: ForwardedHeader, peer: &str, lines: &[&str]) -> String {
        let proxies = Proxies {
            trusted: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            header,
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append("x-forwarded-for", value.clone());
            headers.append("forwarded", value);
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        let by = |trusted: &[&str], lines: &[&str]| {
            client(trusted, ForwardedHeader::XForwardedFor, "10.0.0.1", lines)
        };
        assert_eq!(by(&[], &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(by(&["10.9.0.0/16"], &["1.2.3.4"]), "10.0.0.1");
        let trusted = &["10.0.0.0/8"];
        assert_eq!(by(trusted, &[]), "10.0.0.1");
        assert_eq!(by(trusted, &["1.2.3.4"]), "1.2.3.4");
        // What the client itself wrote stands on the left.
        assert_eq!(by(trusted, &["9.9.9.9, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(by(trusted, &["9.9.9.9", "1.2.3.4, 10.0.0.7"]), "1.2.3.4");
        assert_eq!(by(trusted, &["9.9.9.9, rubbish"]), "10.0.0.1");
        assert_eq!(by(trusted, &["9.9.9.9", "ä, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(by(trusted, &["9.9.9.9", "1.2.3.4, ä"]), "10.0.0.1");
        assert_eq!(by(trusted, &["9.9.9.9", ""]), "10.0.0.1");
        assert_eq!(by(trusted, &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(by(trusted, &["1.2.3.4:5678"]), "1.2.3.4");
        assert_eq!(by(trusted, &["::ffff:1.2.3.4"]), "1.2.3.4");
        assert_eq!(by(trusted, &[&"10.0.0.2,".repeat(40)]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_where_it_is_asked_for() {
        let by = |lines: &[&str]| client(&["::1/128"], ForwardedHeader::Forwarded, "::1", lines);
        assert_eq!(
            by(&["for=9.9.9.9, For=\"[2001:db8::7]:1\";proto=https"]),
            "2001:db8::7"
        );
        assert_eq!(by(&["proto=https;for=1.2.3.4"]), "1.2.3.4");
        assert_eq!(by(&["for=unknown"]), "::1");
    }

    #[test]
    fn an_ipv6_site_is_one_caller() {
        let site = |text: &str| site(text.parse().unwrap()).to_string();
        assert_eq!(site("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(site("::ffff:1.2.3.4"), "1.2.3.4");
    }
}
