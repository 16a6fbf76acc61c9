//! Where the client finds us: a Unix socket, or a local TCP port where there are none.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::handshake::Invitation;

/// Any connection's two directions.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Where the client finds us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Path of a Unix socket.
    Unix(PathBuf),
    /// Local address and port.
    Tcp(SocketAddr),
}

impl Address {
    /// The network's name in the handshake line.
    pub(crate) fn network(&self) -> &'static str {
        match self {
            Address::Unix(_) => "unix",
            Address::Tcp(_) => "tcp",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// The socket cannot be made.
    #[error("Cannot listen on {place} for Terraform: {cause}")]
    Listen {
        /// Where it was tried.
        place: String,
        /// The system's reason.
        #[source]
        cause: io::Error,
    },
    /// The group that was asked for does not exist or cannot be given the socket.
    #[error("Cannot give the socket to the group {group} that PLUGIN_UNIX_SOCKET_GROUP names: {cause}")]
    Group {
        /// As it was written.
        group: String,
        /// The system's reason.
        #[source]
        cause: io::Error,
    },
}

/// An address together with the files that it consists of, which are removed when this is dropped.
pub(crate) struct Place {
    address: Address,
    // Fields drop in this order: the socket before its directory.
    _socket: Option<tempfile::TempPath>,
    _dir: Option<tempfile::TempDir>,
}

impl Place {
    fn new(address: Address) -> Place {
        Place { address, _socket: None, _dir: None }
    }

    /// What to tell the client.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }
}

/// A listening socket.
pub(crate) enum Listener {
    /// A Unix socket.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
    /// A local TCP port.
    Tcp(tokio::net::TcpListener),
}

impl Listener {
    /// Listens as the invitation says. Must be called within a tokio runtime.
    pub(crate) fn bind(invitation: &Invitation) -> Result<(Listener, Place), ListenError> {
        #[cfg(unix)]
        return unix::bind(invitation.socket_dir.as_deref(), invitation.socket_group.as_deref())
            .map(|(listener, place)| (Listener::Unix(listener), place));
        #[cfg(not(unix))]
        Listener::bind_tcp(invitation)
    }

    /// Listens on the first free port of the invitation's range, or any free port without one.
    #[cfg_attr(unix, allow(dead_code, reason = "the way of systems without Unix sockets"))]
    pub(crate) fn bind_tcp(invitation: &Invitation) -> Result<(Listener, Place), ListenError> {
        let ports = invitation.ports.clone().unwrap_or(0..=0);
        let place = format!("127.0.0.1, ports {} to {}", ports.start(), ports.end());
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for port in ports {
            let bound = std::net::TcpListener::bind(("127.0.0.1", port)).and_then(|listener| {
                listener.set_nonblocking(true)?;
                let address = Address::Tcp(listener.local_addr()?);
                Ok((tokio::net::TcpListener::from_std(listener)?, address))
            });
            match bound {
                Ok((listener, address)) => return Ok((Listener::Tcp(listener), Place::new(address))),
                Err(error) => last = error,
            }
        }
        Err(ListenError::Listen { place, cause: last })
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<Box<dyn Wire>> {
        match self {
            #[cfg(unix)]
            Listener::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small messages go both ways; waiting to fill packets only delays them.
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

#[cfg(unix)]
pub(crate) mod unix {
    //! Unix sockets: permissions, group, removal.

    use std::fs::Permissions;
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use rustix::fs::Gid;
    use tempfile::TempDir;
    use tokio::net::UnixListener;

    use super::{Address, ListenError, Place};

    /// Listens in `dir`, or in a new directory that only this user can enter.
    ///
    /// Without a group the socket is this user's alone (0600), with one the group's too (0660).
    pub(super) fn bind(dir: Option<&Path>, group: Option<&str>) -> Result<(UnixListener, Place), ListenError> {
        let own_dir = if dir.is_none() { Some(private_dir()?) } else { None };
        let dir = dir.or(own_dir.as_ref().map(TempDir::path)).unwrap_or(Path::new("/tmp"));
        let failed = |cause| ListenError::Listen { place: format!("a socket in {}", dir.display()), cause };
        let socket =
            tempfile::Builder::new().prefix("plugin").make_in(dir, |path| UnixListener::bind(path)).map_err(failed)?;
        let mut mode = 0o600;
        if let Some(group) = group {
            rustix::fs::chown(socket.path(), None, Some(gid_of(group)?))
                .map_err(|errno| ListenError::Group { group: group.to_owned(), cause: errno.into() })?;
            mode = 0o660;
        }
        std::fs::set_permissions(socket.path(), Permissions::from_mode(mode)).map_err(failed)?;
        let (listener, path) = socket.into_parts();
        Ok((listener, Place { address: Address::Unix(path.to_path_buf()), _socket: Some(path), _dir: own_dir }))
    }

    fn private_dir() -> Result<TempDir, ListenError> {
        tempfile::Builder::new()
            .prefix("plugin-dir")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|cause| ListenError::Listen { place: std::env::temp_dir().display().to_string(), cause })
    }

    /// The number of a group that is given by number or by its name in `/etc/group`.
    fn gid_of(group: &str) -> Result<Gid, ListenError> {
        if let Ok(number) = group.parse() {
            return Ok(Gid::from_raw(number));
        }
        let failed = |cause| ListenError::Group { group: group.to_owned(), cause };
        let groups = std::fs::read_to_string("/etc/group").map_err(failed)?;
        find_group(&groups, group).map(Gid::from_raw).ok_or_else(|| {
            failed(io::Error::new(io::ErrorKind::NotFound, "it is not in /etc/group; its number works too"))
        })
    }

    fn find_group(groups: &str, name: &str) -> Option<u32> {
        groups.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (found, _password, gid) = (fields.next()?, fields.next()?, fields.next()?);
            if found == name { gid.parse().ok() } else { None }
        })
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]
        use super::*;
        use std::os::unix::fs::MetadataExt as _;

        #[test]
        fn groups_are_found_by_their_whole_name() {
            let groups = "root:x:0:\nstaffers:x:51:a\nstaff:x:50:b,c\nbroken\n";
            assert_eq!(find_group(groups, "staff"), Some(50));
            assert_eq!(find_group(groups, "sta"), None);
            assert_eq!(find_group(groups, "broken"), None);
        }

        fn path(place: &Place) -> std::path::PathBuf {
            match place.address() {
                Address::Unix(path) => path.clone(),
                Address::Tcp(address) => unreachable!("a TCP address: {address}"),
            }
        }

        #[tokio::test]
        async fn the_socket_is_private_and_leaves_nothing_behind() {
            let (listener, place) = bind(None, None).unwrap();
            let path = path(&place);
            let dir = path.parent().unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            assert_eq!(std::fs::metadata(dir).unwrap().mode() & 0o777, 0o700);
            drop(place);
            assert!(!path.exists() && !dir.exists(), "whoever still holds the listener");
            drop(listener);
        }

        #[tokio::test]
        async fn directory_and_group_are_honoured() {
            let dir = tempfile::tempdir().unwrap();
            // One's own group may be given by anyone, whoever runs the test.
            let own = std::fs::metadata(dir.path()).unwrap().gid();
            let (_listener, place) = bind(Some(dir.path()), Some(&own.to_string())).unwrap();
            let path = path(&place);
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(path.parent(), Some(dir.path()));
            assert_eq!((metadata.mode() & 0o777, metadata.gid()), (0o660, own));
            drop(place);
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }

        #[tokio::test]
        async fn an_unknown_group_is_named() {
            let error = bind(None, Some("no-such-group")).err().unwrap();
            assert!(error.to_string().contains("no-such-group"), "{error}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn tcp_takes_a_port_of_the_range_and_says_when_there_is_none() {
        let (_listener, place) = Listener::bind_tcp(&Invitation::for_debugging()).unwrap();
        let Address::Tcp(taken) = *place.address() else { unreachable!("a TCP listener") };
        assert!(taken.ip().is_loopback());
        let full = Invitation { ports: Some(taken.port()..=taken.port()), ..Invitation::for_debugging() };
        let error = Listener::bind_tcp(&full).err().unwrap();
        assert!(error.to_string().contains(&taken.port().to_string()), "{error}");
    }
}
