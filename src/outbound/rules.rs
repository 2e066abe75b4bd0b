//! What a URL may look like: scheme, host, port. Its addresses are checked later, in `client`.

use ipnet::IpNet;
use url::{Host, Url};

use super::config::HostPattern;
use super::error::OutboundError;

/// Most bytes of a URL.
const LONGEST_URL: usize = 4096;

/// The rules of one section of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Whether anything may be spoken to.
    pub(super) enabled: bool,
    pub(super) section: &'static str,
    pub(super) hosts: Vec<HostPattern>,
    pub(super) ports: Vec<u16>,
    pub(super) allow_http: bool,
    pub(super) exempt: Vec<IpNet>,
}

/// Where a URL that keeps the rules leads.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) host: Host<String>,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Rules {
    pub(super) fn require_enabled(&self) -> Result<(), OutboundError> {
        if self.enabled {
            return Ok(());
        }
        Err(OutboundError::Off {
            section: self.section,
        })
    }

    /// Reads and checks a URL that somebody sent.
    pub(super) fn parse(&self, text: &str) -> Result<Url, OutboundError> {
        if text.len() > LONGEST_URL {
            return Err(refused("has more than 4096 bytes"));
        }
        let url = Url::parse(text).map_err(|_| refused("can't be read"))?;
        self.target(&url)?;
        Ok(url)
    }

    /// Checks a URL.
    pub(super) fn target(&self, url: &Url) -> Result<Target, OutboundError> {
        self.require_enabled()?;
        let tls = match url.scheme() {
            "https" => true,
            "http" if self.allow_http => false,
            "http" => return Err(refused("must begin with https:")),
            _ => return Err(refused("is of another scheme than https")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("has a user name or a password"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(refused("has no host"));
        };
        if !self.hosts.iter().any(|pattern| pattern.fits(&host)) {
            return Err(OutboundError::Host {
                host: host.to_string(),
            });
        }
        if !self.ports.contains(&port) {
            return Err(OutboundError::Port { port });
        }
        Ok(Target {
            host: host.to_owned(),
            port,
            tls,
        })
    }
}

pub(super) fn refused(fault: &'static str) -> OutboundError {
    OutboundError::Url { fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(hosts: &[&str], allow_http: bool) -> Rules {
        Rules {
            enabled: true,
            section: "fetch",
            hosts: hosts.iter().map(|h| h.parse().unwrap()).collect(),
            ports: vec![443, 80],
            allow_http,
            exempt: Vec::new(),
        }
    }

    fn told(rules: &Rules, url: &str) -> String {
        rules
            .parse(url)
            .map_or_else(|e| e.to_string(), |url| url.to_string())
    }

    #[test]
    fn a_url_is_https_without_credentials_on_a_listed_port_of_a_listed_host() {
        let listed = rules(&["videos.example.org", "*.cdn.example"], false);
        for fine in [
            "https://videos.example.org/a?b=c",
            "https://VIDEOS.example.org./",
            "https://a.cdn.example/",
            "https://a.b.cdn.example:443/",
            "https://videos.example.org:80/",
        ] {
            assert!(listed.parse(fine).is_ok(), "{fine}");
        }
        for (url, expected) in [
            (
                "http://videos.example.org/",
                "the URL must begin with https:",
            ),
            (
                "file:///etc/passwd",
                "the URL is of another scheme than https",
            ),
            (
                "gopher://videos.example.org/",
                "the URL is of another scheme than https",
            ),
            ("//videos.example.org/", "the URL can't be read"),
            ("https://", "the URL can't be read"),
            (
                "https://u@videos.example.org/",
                "the URL has a user name or a password",
            ),
            (
                "https://:p@videos.example.org/",
                "the URL has a user name or a password",
            ),
            (
                "https://videos.example.org:8443/",
                "the port 8443 is not among those that this server may speak to",
            ),
            (
                "https://cdn.example/",
                "the host cdn.example is not among those that this server may speak to",
            ),
            (
                "https://xcdn.example/",
                "the host xcdn.example is not among those that this server may speak to",
            ),
            (
                "https://videos.example.org.evil.example/",
                "the host videos.example.org.evil.example is not among those that this server may speak to",
            ),
            (
                "https://videos.example.org@evil.example/",
                "the URL has a user name or a password",
            ),
            (
                "https://evil.example\\@videos.example.org/",
                "the host evil.example is not among those that this server may speak to",
            ),
            (
                "https://127.0.0.1/",
                "the host 127.0.0.1 is not among those that this server may speak to",
            ),
        ] {
            assert_eq!(told(&listed, url), expected, "{url}");
        }
        let long = format!("https://videos.example.org/{}", "a".repeat(LONGEST_URL));
        assert_eq!(told(&listed, &long), "the URL has more than 4096 bytes");
    }

    #[test]
    fn no_host_is_listed_unless_one_is() {
        assert!(rules(&[], false).parse("https://a.example/").is_err());
        assert!(rules(&["*"], false).parse("https://a.example/").is_ok());
        assert!(rules(&["*"], true).parse("http://a.example/").is_ok());
    }

    #[test]
    fn every_way_to_write_an_address_is_that_address() {
        let all = rules(&["*"], true);
        for written in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.1",
            "127.0.0.1.",
        ] {
            let url = all.parse(&format!("http://{written}/")).unwrap();
            assert_eq!(url.host_str(), Some("127.0.0.1"), "{written}");
            assert!(matches!(all.target(&url).unwrap().host, Host::Ipv4(_)));
        }
        let one = rules(&["[2606:4700::1111]", "1.1.1.1"], false);
        assert!(one.parse("https://[2606:4700:0::1111]/").is_ok());
        assert!(one.parse("https://0x01010101/").is_ok());
        assert!(one.parse("https://[2606:4700::1112]/").is_err());
    }
}
