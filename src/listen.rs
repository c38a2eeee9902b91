//! One listening socket for whatever serves here: the same options, the same backlog, the same first line on stdout.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::error::{Error, Result};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Listens on 127.0.0.1; port 0 lets the system choose.
///
/// # Errors
/// A port that is taken or may not be had (2), a machine that is out of something (1).
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    open(port, false, true)
}

/// Listens on a port that other processes of the same user may listen on too: the kernel deals connections out.
pub(crate) fn listen_beside(port: u16) -> Result<TcpListener> {
    open(port, true, true)
}

/// Has a port for several processes and does not listen on it: as long as this lives, no other user gets the port.
pub(crate) fn reserve(port: u16) -> Result<TcpListener> {
    open(port, true, false)
}

fn open(port: u16, beside: bool, listens: bool) -> Result<TcpListener> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let bound = || -> io::Result<TcpListener> {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if beside {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        rustix::net::bind(&socket, &address)?;
        if listens {
            rustix::net::listen(&socket, BACKLOG)?;
        }
        Ok(socket.into())
    };
    bound().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::usage(format!("port {port} is in use on 127.0.0.1"))
            .help("end what listens there, or give --port 0 to have one chosen"),
        io::ErrorKind::PermissionDenied => {
            Error::usage(format!("port {port} may not be listened on without privileges"))
                .help("give a --port of 1024 or more, or 0 to have one chosen")
        }
        _ => Error::internal(format!("cannot listen on {address}: {error}")),
    })
}

/// Reports our address to the parent process, if it listens.
pub(crate) fn announce(port: u16) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening 127.0.0.1:{port}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_can_be_listened_on_by_several() {
        let reserved = reserve(0).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let both = [listen_beside(port).unwrap(), listen_beside(port).unwrap()];
        assert_eq!(both[0].local_addr().unwrap(), both[1].local_addr().unwrap());
        assert_eq!(listen(port).unwrap_err().exit_code(), 2, "only by those who say so");
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = listen(0).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(port).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(&format!("port {port} is in use")), "{error}");
    }
}
