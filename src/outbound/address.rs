//! Which addresses of the internet may be spoken to: public unicast ones.
//!
//! The tables follow IANA's registries of special-purpose addresses (RFC 6890 and those after it).
//! Of IPv6 only `2000::/3` is given out, so everything else is refused, known or not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address isn't public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// The host itself.
    Loopback,
    /// A network of somebody's own (RFC 1918, unique local, site local).
    Private,
    /// One cable or one radio.
    LinkLocal,
    /// A cloud's description of the machine, with its credentials.
    Metadata,
    /// A provider's own network before its customers (RFC 6598).
    Shared,
    /// Many receivers at once.
    Multicast,
    /// No address at all, or all of them.
    Unspecified,
    /// Documentation and benchmarks.
    Example,
    /// A way into IPv4 by somebody's relay: 6to4, Teredo, IPv4-compatible.
    Tunnel,
    /// Given out to nobody, or for protocols.
    Reserved,
}

impl Special {
    /// As an error names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Shared => "shared",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Example => "example",
            Self::Tunnel => "tunnel",
            Self::Reserved => "reserved",
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// The first row that fits decides.
const V4: [(Ipv4Net, Special); 21] = [
    (v4(169, 254, 169, 254, 32), Special::Metadata), // AWS, Azure, Google and others
    (v4(169, 254, 170, 2, 32), Special::Metadata),   // AWS, containers
    (v4(100, 100, 100, 200, 32), Special::Metadata), // Alibaba
    (v4(168, 63, 129, 16, 32), Special::Metadata),   // Azure; lies among public addresses
    (v4(192, 0, 0, 192, 32), Special::Metadata),     // Oracle
    (v4(0, 0, 0, 0, 8), Special::Unspecified),
    (v4(10, 0, 0, 0, 8), Special::Private),
    (v4(100, 64, 0, 0, 10), Special::Shared),
    (v4(127, 0, 0, 0, 8), Special::Loopback),
    (v4(169, 254, 0, 0, 16), Special::LinkLocal),
    (v4(172, 16, 0, 0, 12), Special::Private),
    (v4(192, 0, 0, 0, 24), Special::Reserved),
    (v4(192, 0, 2, 0, 24), Special::Example),
    (v4(192, 88, 99, 0, 24), Special::Tunnel),
    (v4(192, 168, 0, 0, 16), Special::Private),
    (v4(198, 18, 0, 0, 15), Special::Example),
    (v4(198, 51, 100, 0, 24), Special::Example),
    (v4(203, 0, 113, 0, 24), Special::Example),
    (v4(224, 0, 0, 0, 4), Special::Multicast),
    (v4(255, 255, 255, 255, 32), Special::Unspecified),
    (v4(240, 0, 0, 0, 4), Special::Reserved),
];

/// Likewise.
const V6: [(Ipv6Net, Special); 12] = [
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128),
        Special::Metadata,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
        Special::Metadata,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128),
        Special::Unspecified,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128),
        Special::Loopback,
    ),
    (v6(0, 0, 0, 96), Special::Tunnel),
    (v6(0xfc00, 0, 0, 7), Special::Private),
    (v6(0xfec0, 0, 0, 10), Special::Private),
    (v6(0xfe80, 0, 0, 10), Special::LinkLocal),
    (v6(0xff00, 0, 0, 8), Special::Multicast),
    (v6(0x2002, 0, 0, 16), Special::Tunnel),
    (v6(0x2001, 0xdb8, 0, 32), Special::Example),
    (v6(0x3fff, 0, 0, 20), Special::Example),
];

const TEREDO: Ipv6Net = v6(0x2001, 0, 0, 32);
/// Protocol assignments: benchmarks, ORCHID and the like.
const PROTOCOLS: Ipv6Net = v6(0x2001, 0, 0, 23);
const GLOBAL: Ipv6Net = v6(0x2000, 0, 0, 3);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// What is special about `address`; `None` for a public one. An IPv4 address within an IPv6 one
/// (mapped, or behind the well-known NAT64 prefix) is judged as what it is.
pub fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// Whether `address` may be spoken to: it is public, or in one of the networks `exempt`.
pub fn check(address: IpAddr, exempt: &[IpNet]) -> Result<(), Special> {
    let address = address.to_canonical();
    match special(address) {
        Some(special) if !exempt.iter().any(|net| net.contains(&address)) => Err(special),
        Some(_) | None => Ok(()),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let row = V4.iter().find(|(net, _)| net.contains(&address));
    row.map(|(_, special)| *special)
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    let row = V6.iter().find(|(net, _)| net.contains(&address));
    if let Some((_, special)) = row {
        return Some(*special);
    }
    if TEREDO.contains(&address) {
        return Some(Special::Tunnel);
    }
    let given_out = GLOBAL.contains(&address) && !PROTOCOLS.contains(&address);
    (!given_out).then_some(Special::Reserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        special(text.parse().unwrap()).map(Special::name)
    }

    #[test]
    fn special_addresses_are_known() {
        for (name, addresses) in [
            (
                "loopback",
                &[
                    "127.0.0.1",
                    "127.255.255.255",
                    "::1",
                    "::ffff:127.0.0.1",
                    "64:ff9b::7f00:1",
                ][..],
            ),
            (
                "private",
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "fc00::1",
                    "fdff::1",
                    "fec0::1",
                    "::ffff:10.0.0.1",
                    "64:ff9b::10.1.2.3",
                ],
            ),
            (
                "link-local",
                &[
                    "169.254.0.1",
                    "169.254.255.255",
                    "fe80::1",
                    "febf::1",
                    "::ffff:169.254.1.1",
                ],
            ),
            (
                "metadata",
                &[
                    "169.254.169.254",
                    "169.254.170.2",
                    "100.100.100.200",
                    "168.63.129.16",
                    "192.0.0.192",
                    "fd00:ec2::254",
                    "fd20:ce::254",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                ],
            ),
            ("shared", &["100.64.0.1", "100.127.255.255"]),
            ("multicast", &["224.0.0.1", "239.255.255.255", "ff02::1"]),
            (
                "unspecified",
                &["0.0.0.0", "0.1.2.3", "::", "255.255.255.255"],
            ),
            (
                "example",
                &[
                    "192.0.2.1",
                    "198.51.100.1",
                    "203.0.113.1",
                    "198.18.0.1",
                    "198.19.255.255",
                    "2001:db8::1",
                    "3fff::1",
                ],
            ),
            (
                "tunnel",
                &[
                    "::127.0.0.1",
                    "::10.0.0.1",
                    "2002:7f00:1::",
                    "2002:808:808::1",
                    "2001::1",
                    "2001:0:7f00:1::",
                    "192.88.99.1",
                ],
            ),
            (
                "reserved",
                &[
                    "240.0.0.1",
                    "255.255.255.254",
                    "192.0.0.1",
                    "100::1",
                    "64:ff9b:1::1",
                    "::ffff:0:10.0.0.1",
                    "2001:2::1",
                    "2001:20::1",
                    "4000::1",
                    "5f00::1",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(of(address), Some(name), "{address}");
            }
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }

    #[test]
    fn a_network_can_be_exempt_and_no_other() {
        let exempt = ["10.1.0.0/16".parse().unwrap(), "fd12::/16".parse().unwrap()];
        for (address, fits) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("8.8.8.8", true),
            ("10.2.0.1", false),
            ("fd13::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                check(address.parse().unwrap(), &exempt).is_ok(),
                fits,
                "{address}"
            );
        }
    }
}
