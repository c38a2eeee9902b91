//! The URL of a PostgreSQL server on this machine, whose password nobody gets to see.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use postgres::config::{Config, Host};

use crate::error::{Error, Result};

/// A URL as it was typed, before it is known to be one. Shows nothing of itself.
#[derive(Clone)]
pub struct Typed(String);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://..")
    }
}

/// `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?OPTION=VALUE&..]` with a host of this machine.
///
/// Shown without its password and options; [`Url::reveal`] has all of it.
#[derive(Clone)]
pub struct Url {
    text: String,
    config: Config,
    host: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// No URL, or one of another machine. The message does not repeat what was typed.
    pub fn read(Typed(text): &Typed) -> Result<Self> {
        let bad = |why: &str| {
            Error::usage(format!("the URL of PostgreSQL {why}"))
                .help("write it as postgres://USER@127.0.0.1:5432/DATABASE, and %-encode : / ? @ in a password")
        };
        let schemes = ["postgres://", "postgresql://"];
        let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else {
            return Err(bad("does not start with postgres://"));
        };
        // Clients differ on these, and the query below would not begin where it seems to.
        if rest.split_once('@').is_some_and(|(user, _)| user.contains(['/', '?', '#'])) {
            return Err(bad("has a / ? or # in its user or password"));
        }
        // The parser's own message may quote a part of the password.
        let config = Config::from_str(text).map_err(|_| bad("cannot be read"))?;
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            [Host::Unix(_)] => return Err(bad("has a socket's path: contenders connect by TCP")),
            _ => return Err(bad("does not name one host")),
        };
        let here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if !here || !config.get_hostaddrs().iter().all(IpAddr::is_loopback) {
            return Err(bad("is not of this machine").help(
                "bakeoff sends load to 127.0.0.1, ::1 and localhost only: run it where the server is",
            ));
        }
        Ok(Self { text: text.clone(), config, host })
    }

    /// The same with settings of the session, as `-c search_path=x`, for a URL that has none yet.
    ///
    /// # Errors
    /// When it has some.
    pub(super) fn with_options(&self, options: &str) -> Result<Self> {
        if self.config.get_options().is_some() {
            return Err(Error::usage(format!("the URL {self} has `options`"))
                .help("leave them out: bakeoff sets the search path there"));
        }
        let (path, query) = self.text.split_once('?').unwrap_or((&self.text, ""));
        let more = if query.is_empty() { String::new() } else { format!("&{query}") };
        let options = options.replace(' ', "%20").replace('=', "%3D");
        Self::read(&Typed(format!("{path}?options={options}{more}")))
    }

    /// The whole of it, with the password: for the environment of a contender and for nothing else.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What a client needs.
    pub(super) fn config(&self) -> Config {
        let mut config = self.config.clone();
        config.application_name("bakeoff").connect_timeout(super::CONNECTS_WITHIN);
        config
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.config.get_ports().first().unwrap_or(&5432);
        let user = self.config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "postgres://{user}{host}:{port}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<Url> {
        Url::read(&Typed(text.into()))
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://me:s3cret@127.0.0.1:5433/shop?sslmode=disable",
            "postgresql://me@localhost:5433/shop?password=s3cret",
            "postgres://me:s3cret@[::1]:5433/shop",
        ] {
            let url = url(text).unwrap();
            for shown in [format!("{url}"), format!("{url:?}"), format!("{:?}", Typed(text.into()))]
            {
                assert!(!shown.contains("s3cret"), "{shown}");
            }
            assert!(url.to_string().ends_with(":5433/shop") && url.reveal().contains("s3cret"));
        }
        let spoilt = url("postgres://me:s3?cret=1@127.0.0.1/shop").unwrap_err();
        assert!(!spoilt.to_string().contains("cret"), "{spoilt}");
    }

    #[test]
    fn other_machines_are_refused() {
        for (text, why) in [
            ("postgres://me@db.example.com/shop", "not of this machine"),
            ("postgres://me@10.0.0.1/shop", "not of this machine"),
            ("postgres://me@0.0.0.0/shop", "not of this machine"),
            ("postgres://me@localhost/shop?hostaddr=10.0.0.1", "not of this machine"),
            ("postgres://me@127.0.0.1,10.0.0.1/shop", "one host"),
            ("postgres:///shop", "one host"),
            ("postgres://%2Ftmp/shop", "by TCP"),
            ("host=127.0.0.1 user=me", "postgres://"),
            ("postgres://me@127.0.0.1:port/shop", "cannot be read"),
        ] {
            let error = url(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_search_path_is_added_once() {
        let options = "-c search_path=bakeoff_1";
        let added = |text| url(text).unwrap().with_options(options);
        assert_eq!(
            added("postgres://me@127.0.0.1/shop").unwrap().reveal(),
            "postgres://me@127.0.0.1/shop?options=-c%20search_path%3Dbakeoff_1"
        );
        let kept = added("postgres://me@127.0.0.1/shop?sslmode=disable").unwrap();
        assert!(kept.reveal().ends_with("bakeoff_1&sslmode=disable"));
        assert_eq!(kept.config.get_options(), Some(options));
        assert!(kept.with_options(options).is_err());
    }
}
