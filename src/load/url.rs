//! The URLs that are driven: HTTP, with TLS or without, and unix sockets, of this machine.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::peer::{Address, Peer};
use super::tls::{Tls, TlsOptions};
use crate::error::{Error, Result};
use crate::files;

/// Where to send, and what to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Always on this machine.
    pub target: Address,
    /// Whether TLS is spoken there.
    pub https: bool,
    /// As written, with the port; `localhost` of a unix socket.
    pub host: String,
    /// With the query, from the slash on.
    pub path: String,
}

impl Url {
    /// Reads `http[s]://HOST[:PORT][/PATH][?QUERY]` and `unix:/SOCKET[:/PATH[?QUERY]]`.
    ///
    /// # Errors
    /// Another scheme, another machine, or no URL at all.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            let shown = without_userinfo(text);
            Error::usage(format!("`{shown}` {why}")).help("write it as http://127.0.0.1:8080/path")
        };
        let after = |scheme: &str| {
            let (start, rest) = text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        if let Some(rest) = after("unix:") {
            return Self::of_socket(rest).ok_or_else(|| {
                bad("names no socket")
                    .help("write it as unix:/run/app.sock, or unix:/run/app.sock:/path")
            });
        }
        let https = after("https://").is_some();
        let rest = after("https://").or(after("http://"));
        let rest = rest.ok_or_else(|| bad("does not start with http://, https:// or unix:"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}") };
        if host.contains('@') {
            return Err(bad("has a user in it")
                .help("write the header that a browser would make of it: authorization = \"Basic {env:LOGIN}\""));
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (
                name,
                port.parse()
                    .ok()
                    .filter(|&port| port > 0)
                    .ok_or_else(|| bad("has no port that could be"))?,
            ),
            _ => (host, if https { 443 } else { 80 }),
        };
        let of_this_machine = addresses(name);
        if of_this_machine.is_empty() {
            return Err(bad("is not on this machine").help(
                "load goes only to 127.0.0.1, [::1], localhost, this machine's own name and addresses, and names that \
                 /etc/hosts gives to these addresses: run it where the server is",
            ));
        }
        let target = Address::Tcp(first_that_answers(&of_this_machine, port));
        Ok(Self { target, https, host: host.into(), path })
    }

    /// `/run/app.sock`, and behind a colon the path of the request.
    fn of_socket(text: &str) -> Option<Self> {
        let (socket, path) = text.split_once(":/").unwrap_or((text, ""));
        let is_path = socket.starts_with('/') && !socket.ends_with('/') && !socket.contains('\0');
        is_path.then(|| Self {
            target: Address::Unix(socket.into()),
            https: false,
            host: "localhost".into(),
            path: format!("/{path}"),
        })
    }

    /// The server, spoken to as `options` say, under the name in the `host` header.
    ///
    /// # Errors
    /// Usage: options of TLS for a URL without it; a file that cannot be read.
    pub fn peer(&self, options: TlsOptions, host: &str) -> Result<Peer> {
        let tls = match self.https {
            true => Some(Tls::new(options, host)?),
            false if options == TlsOptions::default() => None,
            false => {
                return Err(Error::usage(format!(
                    "{} is not https, and has no certificate",
                    self.target
                ))
                .help("write https://, or leave out what is said of certificates"));
            }
        };
        Ok(Peer { at: self.target.clone(), tls })
    }
}

/// Where user and password of a URL stand in it, if it has any. All of it is a secret: a token often stands alone there.
/// An unencoded password may have any character in it, so it ends at the last `@`.
pub(crate) fn userinfo(url: &str) -> Option<Range<usize>> {
    let start = url.find("://")? + 3;
    let end = start + url[start..].rfind('@')?;
    Some(start..end)
}

/// A URL as messages show it.
fn without_userinfo(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some(range) = userinfo(url) {
        shown.replace_range(range, "***");
    }
    shown
}

/// The addresses of this machine that a name may mean, the likelier first; none of another machine's name.
fn addresses(name: &str) -> Vec<IpAddr> {
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    if let Some(ip) = address(name) {
        return match ip.to_canonical() {
            // What a server says that listens everywhere.
            ip if ip.is_unspecified() => vec![both[usize::from(ip.is_ipv6())]],
            ip if is_of_this_machine(ip) => vec![ip],
            _ => Vec::new(),
        };
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return both.to_vec();
    }
    if name.is_empty() {
        return Vec::new();
    }
    if Some(&name) != own_name().as_ref() {
        let hosts = files::read(Path::new("/etc/hosts"), HOSTS_BYTES_MAX).unwrap_or_default();
        return of_hosts(&String::from_utf8_lossy(&hosts), &name);
    }
    // Its servers listen where its name leads to, or on the loopback.
    let named = (name.as_str(), 0).to_socket_addrs().into_iter().flatten().map(|at| at.ip());
    both.into_iter().chain(named.filter(|ip| !both.contains(ip) && is_own(*ip))).collect()
}

/// Lists that block the names of advertisers are the longest.
const HOSTS_BYTES_MAX: u64 = 16 << 20;

/// The addresses of this machine that lines of /etc/hosts give to `name`. No server of names is asked: what it says may be
/// another by the time of the load.
fn of_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        let ip = ip.to_canonical();
        let is_named = words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name));
        // 0.0.0.0 is what a blocked name has.
        let is_here = || !ip.is_unspecified() && is_of_this_machine(ip);
        if is_named && !found.contains(&ip) && is_here() {
            found.push(ip);
        }
    }
    found
}

/// As `hostname` prints it, in lower case.
fn own_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_ascii_lowercase())
}

fn address(name: &str) -> Option<IpAddr> {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        // A zone says by which interface; of the loopback there is one.
        Some(v6) => v6.split('%').next()?.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => name.parse::<Ipv4Addr>().ok().or_else(|| short_v4(name)).map(IpAddr::from),
    }
}

/// `127.1`: the last number fills what is left (inet_aton).
fn short_v4(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = name.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [first, middle @ .., last] = &parts[..] else { return None };
    if middle.len() > 2 || *first > 255 || middle.iter().any(|part| *part > 255) {
        return None;
    }
    let shift = |place: usize| 24 - 8 * place as u32;
    if u64::from(*last) >= 1 << shift(middle.len()) {
        return None;
    }
    let head = middle.iter().zip(1..).fold(first << 24, |sum, (part, at)| sum | part << shift(at));
    Some(Ipv4Addr::from(head | last))
}

/// Whether load may go there.
pub(crate) fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || is_own(ip)
}

/// Whether an address belongs to this machine: no other can be bound.
fn is_own(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The first of them at which something listens, else the first.
fn first_that_answers(all: &[IpAddr], port: u16) -> SocketAddr {
    let targets = || all.iter().map(|ip| SocketAddr::new(*ip, port));
    let answers = |at: &SocketAddr| TcpStream::connect_timeout(at, Duration::from_secs(1)).is_ok();
    let found = if all.len() > 1 { targets().find(answers) } else { None };
    found.unwrap_or_else(|| SocketAddr::new(all[0], port))
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
            ("HTTP://LOCALHOST.:1/x", "127.0.0.1:1", "LOCALHOST.:1", "/x"),
            ("http://app.localhost:1/x", "127.0.0.1:1", "app.localhost:1", "/x"),
            ("http://0.0.0.0:1/x", "127.0.0.1:1", "0.0.0.0:1", "/x"),
            ("http://[::]:1/x", "[::1]:1", "[::]:1", "/x"),
            ("http://[::ffff:127.0.0.1]:1/x", "127.0.0.1:1", "[::ffff:127.0.0.1]:1", "/x"),
            ("http://127.1:1/x", "127.0.0.1:1", "127.1:1", "/x"),
            ("https://localhost", "127.0.0.1:443", "localhost", "/"),
        ] {
            let target = Address::Tcp(target.parse().unwrap());
            let https = text.starts_with("https");
            let expected = Url { target, https, host: host.into(), path: path.into() };
            assert_eq!(Url::parse(text).unwrap(), expected, "{text}");
        }
        for (text, path) in [("unix:/run/app.sock", "/"), ("unix:/run/app.sock:/a?b=c", "/a?b=c")] {
            let (target, host) = (Address::Unix("/run/app.sock".into()), "localhost".into());
            let expected = Url { target, https: false, host, path: path.into() };
            assert_eq!(Url::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        for (text, why) in [
            ("ftp://127.0.0.1/", "https://"),
            ("unix:app.sock", "names no socket"),
            ("unix:/run/", "names no socket"),
            ("127.0.0.1:80", "http://"),
            ("http://example.com/", "not on this machine"),
            // Addresses of documentation (RFC 5737), which no interface has.
            ("http://192.0.2.1/", "not on this machine"),
            ("http://192.2/", "not on this machine"),
            ("http://localhost.example/", "not on this machine"),
            ("http://[2001:db8::1]/", "not on this machine"),
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

    #[test]
    fn the_machine_s_own_name_is_this_machine() {
        let url = format!("http://{}:1/x", own_name().unwrap());
        assert_eq!(Url::parse(&url).unwrap().path, "/x");
    }

    #[test]
    fn names_that_the_hosts_file_gives_to_this_machine_are_its_own() {
        let hosts = "# 127.0.0.1 comment\n127.0.0.1\tlocalhost\n\
            127.0.1.1 Shop.test shop # 127.0.0.1 cut\n::1 shop.test.\n127.0.1.1 shop\n\
            192.0.2.1 elsewhere shop\n0.0.0.0 blocked\nnonsense shop\n::ffff:127.0.0.9 mapped\n";
        let of = |name: &str| -> Vec<String> {
            of_hosts(hosts, name).iter().map(IpAddr::to_string).collect()
        };
        assert_eq!(of("shop"), ["127.0.1.1"], "once, and without the other machine's");
        assert_eq!(of("shop.test"), ["127.0.1.1", "::1"]);
        assert_eq!(of("mapped"), ["127.0.0.9"]);
        for name in ["comment", "cut", "elsewhere", "blocked", "127.0.1.1", "sho", ""] {
            assert!(of(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_user_or_password_is_never_shown() {
        for url in [
            "http://u:s3cret@127.0.0.1/",
            "https://u:s3c@ret@h/",
            "http://u:s3cret@example.com/",
            "http://s3cret@127.0.0.1:29201",
            "ftp://s3cret@127.0.0.1/",
            "http://s3c/ret@127.0.0.1/",
        ] {
            let error = Url::parse(url).unwrap_err().to_string();
            assert!(error.contains("://***@") && !error.contains("s3c"), "{error}");
        }
    }
}
