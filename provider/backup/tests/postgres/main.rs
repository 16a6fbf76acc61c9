//! The scripts on a real PostgreSQL: a backup is taken, the database spoilt, the backup restored, and everything in the
//! database compared with what was there. Where no server is installed (`/usr/lib/postgresql/*/bin`, or the folder that
//! FFE_POSTGRES_BIN names) the trials are ignored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod server;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use crate::server::Server;

fn main() -> ExitCode {
    let bin = server::programs();
    let shared: Arc<OnceLock<Server>> = Arc::new(OnceLock::new());
    let trials = cases::ALL
        .iter()
        .map(|(name, case)| {
            let (shared, bin) = (Arc::clone(&shared), bin.clone());
            let run = move || {
                let bin = bin.ok_or("no PostgreSQL")?;
                case(&world::World::new(shared.get_or_init(|| Server::start(&bin)), name));
                Ok(())
            };
            Trial::test(*name, run).with_ignored_flag(server::programs().is_none())
        })
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Some(server) = shared.get() {
        server.stop();
    }
    conclusion.exit_code()
}
