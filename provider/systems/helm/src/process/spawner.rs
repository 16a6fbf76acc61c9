//! The thread that starts children.
//!
//! Linux sends the parent-death signal when the *thread* that started the child ends, not when the process does. The
//! runtime's threads come and go (a blocking section moves a worker elsewhere and lets the old thread expire), so every
//! child is started from one thread that lives as long as the process.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();

/// Starts `command` from the lasting thread. The child belongs to the caller's runtime.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts child processes is gone");
    let (reply, answer) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), reply };
    sender()?.send(order).map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn sender() -> io::Result<&'static mpsc::Sender<Order>> {
    if let Some(sender) = SPAWNER.get() {
        return Ok(sender);
    }
    let (sender, orders) = mpsc::channel();
    // Of two that race here one thread finds its channel closed and ends at once.
    std::thread::Builder::new().name("ffe-children".into()).spawn(move || serve(&orders))?;
    Ok(SPAWNER.get_or_init(|| sender))
}

fn serve(orders: &mpsc::Receiver<Order>) {
    while let Ok(Order { mut command, runtime, reply }) = orders.recv() {
        let child = {
            let _inside = runtime.enter();
            command.spawn()
        };
        // A caller that gave up meanwhile drops the child here, which kills it (`kill_on_drop`).
        drop(reply.send(child));
    }
}
