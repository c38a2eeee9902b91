//! The URL of a PostgreSQL server on this machine, whose password is never printed.

use std::fmt;
use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::postgres::Server;

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
    server: Server,
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
        // Clients differ on these, and the query below would not begin where it seems to.
        let who = text.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
        if who.is_some_and(|(user, _)| user.contains(['/', '?', '#'])) {
            return Err(bad("has a / ? or # in its user or password"));
        }
        let server = Server::read(text).map_err(bad)?;
        match server.host.as_str() {
            host if host.starts_with('/') => {
                return Err(bad("has a socket's path: contenders connect by TCP"));
            }
            host if host.is_empty() || host.contains(',') => {
                return Err(bad("does not name one host"));
            }
            _ => {}
        }
        let here = |host: &String| {
            host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        };
        if ![&server.host].into_iter().chain(&server.hostaddr).all(here) {
            return Err(bad("is not of this machine").help(
                "bakeoff sends load to 127.0.0.1, ::1 and localhost only: run it where the server is",
            ));
        }
        Ok(Self { text: text.clone(), server })
    }

    /// The same with settings of the session, as `-c search_path=x`, for a URL that has none yet.
    pub(crate) fn with_options(&self, options: &str) -> Result<Self> {
        if self.server.options.is_some() {
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

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Server { host, port, user, database, .. } = &self.server;
        match host.contains(':') {
            true => write!(f, "postgres://{user}@[{host}]:{port}/{database}"),
            false => write!(f, "postgres://{user}@{host}:{port}/{database}"),
        }
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
        let broken = url("postgres://me:s3?cret=1@127.0.0.1/shop").unwrap_err();
        assert!(!broken.to_string().contains("cret"), "{broken}");
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
        assert_eq!(kept.server.options.as_deref(), Some(options));
        assert!(kept.with_options(options).is_err());
    }
}
