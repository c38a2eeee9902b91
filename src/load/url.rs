//! The URLs that are driven: plain HTTP to this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::{Error, Result};

/// Where to send, and what to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// A loopback address.
    pub target: SocketAddr,
    /// As written, with the port.
    pub host: String,
    /// With the query, from the slash on.
    pub path: String,
}

impl Url {
    /// Reads `http://HOST[:PORT][/PATH][?QUERY]`.
    ///
    /// # Errors
    /// Another scheme, another machine, or no URL at all.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::usage(format!("`{text}` {why}")).help("write it as http://127.0.0.1:8080/path")
        };
        if text.starts_with("https://") {
            return Err(bad("is https, which would measure the encryption too"));
        }
        let rest =
            text.strip_prefix("http://").ok_or_else(|| bad("does not start with http://"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}") };
        if host.contains('@') {
            return Err(bad("has a user in it"));
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (
                name,
                port.parse()
                    .ok()
                    .filter(|&port| port > 0)
                    .ok_or_else(|| bad("has no port that could be"))?,
            ),
            _ => (host, 80),
        };
        let target = match address(name) {
            Some(ip) if ip.is_loopback() => SocketAddr::new(ip, port),
            None if name.eq_ignore_ascii_case("localhost") => localhost(port),
            _ => {
                return Err(bad("is not on this machine")
                    .help("drive sends load to 127.0.0.1, [::1] and localhost only: run it where the server is"));
            }
        };
        Ok(Self { target, host: host.into(), path })
    }
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => name.parse::<Ipv4Addr>().ok().map(IpAddr::from),
    }
}

/// Whichever of both answers, 127.0.0.1 first and by default.
fn localhost(port: u16) -> SocketAddr {
    let [v4, v6] = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::new(ip, port));
    let answers = |target| TcpStream::connect_timeout(target, Duration::from_secs(1)).is_ok();
    if !answers(&v4) && answers(&v6) { v6 } else { v4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_this_machine_are_read() {
        for (text, target, host, path) in [
            ("http://127.0.0.1:8080/a?b=c#d", "127.0.0.1:8080", "127.0.0.1:8080", "/a?b=c"),
            ("http://127.0.0.1", "127.0.0.1:80", "127.0.0.1", "/"),
            ("http://127.1.2.3:9?x", "127.1.2.3:9", "127.1.2.3:9", "/?x"),
            ("http://[::1]:8080/", "[::1]:8080", "[::1]:8080", "/"),
            ("http://[::1]", "[::1]:80", "[::1]", "/"),
            ("http://localhost:1/x", "127.0.0.1:1", "localhost:1", "/x"),
        ] {
            let target = target.parse().unwrap();
            let expected = Url { target, host: host.into(), path: path.into() };
            assert_eq!(Url::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        for (text, why) in [
            ("https://127.0.0.1/", "https"),
            ("127.0.0.1:80", "http://"),
            ("http://example.com/", "not on this machine"),
            ("http://10.0.0.1/", "not on this machine"),
            ("http://0.0.0.0:80/", "not on this machine"),
            ("http://[fe80::1]/", "not on this machine"),
            ("http:///", "not on this machine"),
            ("http://a@127.0.0.1/", "user"),
            ("http://127.0.0.1:99999/", "port"),
            ("http://127.0.0.1:0/", "port"),
            ("http://127.0.0.1:/", "port"),
        ] {
            let error = Url::parse(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
