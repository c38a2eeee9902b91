//! Where a server is and who asks which of its databases, from a URL.

use std::fmt;

#[derive(Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// A name or an address; with a slash at its start the folder of a socket. Empty where the URL has none.
    pub host: String,
    /// The address that counts, where it is not the host's own.
    pub hostaddr: Option<String>,
    /// Of TCP; a part of the socket's name, too.
    pub port: u16,
    pub user: String,
    /// What the server may want to know.
    pub password: Option<String>,
    pub database: String,
    /// Settings of the session, as `-c search_path=x`.
    pub options: Option<String>,
}

/// Passwords do not belong in logs.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.database)
    }
}

const UNREADABLE: &str = "cannot be read";

impl Server {
    /// Reads `postgres://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE][?OPTION=VALUE&..]`.
    ///
    /// # Errors
    /// What is wrong with it, without a word of it: there may be a password among them.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|it| text.strip_prefix(it));
        let (rest, query) = cut(rest.ok_or("does not start with postgres://")?, '?');
        let (rest, database) = cut(rest, '/');
        let (who, place) = rest.split_once('@').unwrap_or(("", rest));
        let (user, password) = cut(who, ':');
        // The colons of `[::1]` are its own.
        let name = place.find(']').unwrap_or(0);
        let (host, port) =
            place.split_at(place[name..].find(':').map_or(place.len(), |at| name + at));
        let mut server = Self {
            host: decoded(host.trim_matches(['[', ']']))?,
            hostaddr: None,
            port: port.strip_prefix(':').map_or(Ok(5_432), str::parse).map_err(|_| UNREADABLE)?,
            user: decoded(user)?,
            password: password.map(decoded).transpose()?,
            database: decoded(database.unwrap_or_default())?,
            options: None,
        };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(UNREADABLE)?;
            server.set(name, decoded(value)?)?;
        }
        if server.user.is_empty() {
            server.user = "postgres".into();
        }
        if server.database.is_empty() {
            server.database.clone_from(&server.user);
        }
        Ok(server)
    }

    fn set(&mut self, option: &str, value: String) -> Result<(), &'static str> {
        match option {
            "user" => self.user = value,
            "password" => self.password = Some(value),
            "dbname" => self.database = value,
            "hostaddr" => self.hostaddr = Some(value),
            "options" => self.options = Some(value),
            // A connection has a name and a bound of ours.
            "application_name" | "connect_timeout" => {}
            "sslmode" if ["disable", "allow", "prefer"].contains(&value.as_str()) => {}
            "sslmode" => return Err("asks for TLS, which bakeoff does not speak"),
            _ => return Err("has an option that bakeoff does not know"),
        }
        Ok(())
    }
}

/// What is before `at`, and what is behind it.
fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

/// `text` with every `%XX` as the byte that it stands for. A zero byte would end a text of the protocol.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2).ok_or(UNREADABLE)?;
        bytes.push(u8::from_str_radix(code, 16).map_err(|_| UNREADABLE)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or(UNREADABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let read = |text| Server::read(text).unwrap();
        let server = read(
            "postgres://m%40e:s%20%3Acret@127.0.0.1:6000/sh%2Fop?options=-c%20search_path%3Dx&sslmode=disable",
        );
        assert_eq!((server.host.as_str(), server.port), ("127.0.0.1", 6_000));
        assert_eq!((server.user.as_str(), server.database.as_str()), ("m@e", "sh/op"));
        assert_eq!(server.password.as_deref(), Some("s :cret"));
        assert_eq!(server.options.as_deref(), Some("-c search_path=x"));
        assert_eq!(format!("{server:?}"), "m@e@sh/op", "no password");
        for (text, host, port) in [
            ("postgresql://[::1]", "::1", 5_432),
            ("postgres://[::1]:6000/x", "::1", 6_000),
            ("postgres://%2Ftmp/x", "/tmp", 5_432),
            ("postgres:///x?hostaddr=::1", "", 5_432),
        ] {
            let server = read(text);
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.user, "postgres");
        }
        assert_eq!(read("postgres://me@[::1]").database, "me");
        let asked = read("postgres://h/?user=me&password=s3cret&dbname=shop&hostaddr=127.0.0.1");
        assert_eq!((asked.user.as_str(), asked.database.as_str()), ("me", "shop"));
        assert_eq!(asked.password.as_deref(), Some("s3cret"));
        assert_eq!(asked.hostaddr.as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn what_is_no_url_is_told_without_a_word_of_it() {
        for (text, why) in [
            ("", "does not start"),
            ("http://127.0.0.1/", "does not start"),
            ("postgres://u:hunter2@127.0.0.1:99999/x", UNREADABLE),
            ("postgres://u:hunter2@127.0.0.1:/x", UNREADABLE),
            ("postgres://u:hunter2%0@127.0.0.1/x", UNREADABLE),
            ("postgres://u:hunter2%zz@127.0.0.1/x", UNREADABLE),
            ("postgres://u:hunter2%00@127.0.0.1/x", UNREADABLE),
            ("postgres://u:hunter2%ff@127.0.0.1/x", UNREADABLE),
            ("postgres://u@127.0.0.1/x?hunter2", UNREADABLE),
            ("postgres://u@127.0.0.1/x?hunter2=1", "does not know"),
            ("postgres://u@127.0.0.1/x?host=10.0.0.1", "does not know"),
            ("postgres://u@127.0.0.1/x?sslmode=require", "TLS"),
        ] {
            let said = Server::read(text).unwrap_err();
            assert!(said.contains(why) && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
