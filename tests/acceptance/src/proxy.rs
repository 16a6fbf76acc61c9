//! A TCP forwarder before the API server, to cut the provider off from it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

/// Forwards until it is cut.
pub struct Proxy {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Listens on a free port of this machine and forwards to `target` (`host:port`).
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(target: &str) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Proxy { address: listener.local_addr()?, cut: Arc::default(), open: Arc::default() };
        let (target, cut, open) = (target.to_owned(), Arc::clone(&proxy.cut), Arc::clone(&proxy.open));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if cut.load(Ordering::SeqCst) {
                    // While cut, a connection is accepted and dropped: the other end sees it closed.
                    drop(client);
                    continue;
                }
                if let Ok(server) = TcpStream::connect(&target) {
                    join(&client, &server, &open);
                }
            }
        });
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection and accepts none until [`Proxy::mend`].
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }

    /// Forwards again.
    pub fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn join(client: &TcpStream, server: &TcpStream, open: &Mutex<Vec<TcpStream>>) {
    let mut kept = open.lock().unwrap_or_else(PoisonError::into_inner);
    for (from, to) in [(client, server), (server, client)] {
        let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
        if let Ok(copy) = from.try_clone() {
            kept.push(copy);
        }
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count) = from.read(&mut buffer) {
                if count == 0 || to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _closed = to.shutdown(Shutdown::Both);
        });
    }
}
