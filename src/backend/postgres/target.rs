//! Where a database is and who asks, from a URL.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};

use postgres::config::{Config, Host};

use crate::error::{Error, Result};

/// What a connection says of itself at its start.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::backend) struct Target {
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
    /// Settings of the session, as `-c search_path=x`.
    pub(super) options: String,
}

/// Passwords do not belong in logs.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.database)
    }
}

const HELP: &str = "write it as postgres://USER:PASSWORD@127.0.0.1:5432/DATABASE";

/// The address of the server and what to say to it.
///
/// # Errors
/// No URL of PostgreSQL, or a host without an address. No message repeats a password.
pub(in crate::backend) fn target(text: &str) -> Result<(SocketAddr, Target)> {
    let wrong = |what: &str| Error::usage(format!("the database's URL {what}")).help(HELP);
    if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Err(wrong("does not start with postgres://"));
    }
    let config: Config = text.parse().map_err(|_| wrong("cannot be read"))?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.trim_matches(['[', ']']),
        Some(Host::Unix(_)) => return Err(wrong("names a socket in the file system")),
        None => "127.0.0.1",
    };
    let port = config.get_ports().first().copied().unwrap_or(5_432);
    let mut addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| wrong(&format!("names a host that is not known: {error}")))?;
    let address = addresses.next().ok_or_else(|| wrong("names a host without an address"))?;
    let user = config.get_user().unwrap_or("postgres");
    let password = config.get_password().map(|it| String::from_utf8_lossy(it).into_owned());
    let target = Target {
        user: user.into(),
        password,
        database: config.get_dbname().unwrap_or(user).into(),
        options: config.get_options().unwrap_or_default().into(),
    };
    let texts = [&target.user, &target.database, &target.options];
    if texts.into_iter().chain(&target.password).any(|text| text.contains('\0')) {
        return Err(wrong("holds a zero byte"));
    }
    Ok((address, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let (address, target) =
            target("postgres://me:s%20cret@127.0.0.1:6000/shop?options=-c%20search_path%3Dx")
                .unwrap();
        assert_eq!(address, "127.0.0.1:6000".parse().unwrap());
        assert_eq!(target.password.as_deref(), Some("s cret"));
        assert_eq!((target.user.as_str(), target.database.as_str()), ("me", "shop"));
        assert_eq!(target.options, "-c search_path=x");
        assert_eq!(format!("{target:?}"), "me@shop", "no password");
        let (address, target) = super::target("postgresql://[::1]").unwrap();
        assert_eq!(address, "[::1]:5432".parse().unwrap());
        assert_eq!((target.user.as_str(), target.database.as_str()), ("postgres", "postgres"));
    }

    #[test]
    fn what_is_no_url_is_told_without_its_password() {
        for text in ["", "shop", "http://127.0.0.1/", "postgres://u:hunter2@127.0.0.1:99999/x"] {
            let error = target(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
