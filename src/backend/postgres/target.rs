//! Where a contender's database is, from its URL.

use std::net::{SocketAddr, ToSocketAddrs as _};

use crate::error::{Error, Result};
use crate::postgres::Server;

const HELP: &str = "write it as postgres://USER:PASSWORD@127.0.0.1:5432/DATABASE";

/// The address of the server and what to say to it.
///
/// # Errors
/// No URL of PostgreSQL, or a host without an address. No message repeats a password.
pub(crate) fn target(text: &str) -> Result<(SocketAddr, Server)> {
    let wrong = |what: &str| Error::usage(format!("the database's URL {what}")).help(HELP);
    let server = Server::read(text).map_err(wrong)?;
    let host = match server.hostaddr.as_ref().unwrap_or(&server.host).as_str() {
        "" => "127.0.0.1",
        host if host.starts_with('/') => return Err(wrong("names a socket in the file system")),
        host => host,
    };
    let mut addresses = (host, server.port)
        .to_socket_addrs()
        .map_err(|error| wrong(&format!("names a host that is not known: {error}")))?;
    let address = addresses.next().ok_or_else(|| wrong("names a host without an address"))?;
    Ok((address, server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_an_address() {
        for (text, address) in [
            ("postgres://me@127.0.0.1:6000/shop", "127.0.0.1:6000"),
            ("postgresql://[::1]", "[::1]:5432"),
            ("postgres:///shop", "127.0.0.1:5432"),
            ("postgres://nowhere/shop?hostaddr=127.0.0.2", "127.0.0.2:5432"),
        ] {
            assert_eq!(target(text).unwrap().0, address.parse().unwrap(), "{text}");
        }
        for text in ["shop", "postgres://u:hunter2@127.0.0.1:99999/x", "postgres://%2Ftmp/hunter2"]
        {
            let error = target(text).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
