//! One listening socket for whatever serves here: the same options, the same backlog, the same first line on stdout.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::error::{Error, Result};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Port 0 lets the system choose.
///
/// # Errors
/// A port that is taken or may not be had, an address that is not this machine's (2), a machine that is out of something
/// (1).
pub(crate) fn listen(at: SocketAddr) -> Result<TcpListener> {
    open(at, false, true)
}

/// Listens on a port that other processes of the same user may listen on too: the kernel deals connections out.
pub(crate) fn listen_beside(at: SocketAddr) -> Result<TcpListener> {
    open(at, true, true)
}

/// Has a port for several processes and does not listen on it: as long as this lives, no other user gets the port.
pub(crate) fn reserve(at: SocketAddr) -> Result<TcpListener> {
    open(at, true, false)
}

fn open(at: SocketAddr, beside: bool, listens: bool) -> Result<TcpListener> {
    let (address, port) = (at.ip(), at.port());
    let bound = || -> io::Result<TcpListener> {
        let flags = SocketFlags::CLOEXEC;
        let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if beside {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        rustix::net::bind(&socket, &at)?;
        if listens {
            rustix::net::listen(&socket, BACKLOG)?;
        }
        Ok(socket.into())
    };
    bound().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::usage(format!("port {port} is in use on {address}"))
            .help("end what listens there, or give --port 0 to have one chosen"),
        io::ErrorKind::PermissionDenied => {
            Error::usage(format!("port {port} may not be listened on without privileges"))
                .help("give a --port of 1024 or more, or 0 to have one chosen")
        }
        io::ErrorKind::AddrNotAvailable => {
            Error::usage(format!("{address} is not an address of this machine"))
        }
        _ => Error::internal(format!("cannot listen on {at}: {error}")),
    })
}

/// Reports our address to the parent process, if it listens.
pub(crate) fn announce(at: SocketAddr) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening {at}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_reserved_port_can_be_listened_on_by_several() {
        let reserved = reserve(local(0)).unwrap();
        let port = reserved.local_addr().unwrap().port();
        let both = [listen_beside(local(port)).unwrap(), listen_beside(local(port)).unwrap()];
        assert_eq!(both[0].local_addr().unwrap(), both[1].local_addr().unwrap());
        assert_eq!(listen(local(port)).unwrap_err().exit_code(), 2, "only by those who say so");
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = listen(local(0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let error = listen(local(port)).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(&format!("port {port} is in use")), "{error}");
    }
}
