//! The scripts on a real PostgreSQL: a backup is taken, the database spoilt, the backup restored, and everything in the
//! database compared with what was there. Where no server is installed (`/usr/lib/postgresql/*/bin`, or the folder that
//! FFE_POSTGRES_BIN names) the trials are ignored, and fail where
//! FFE_REQUIRE says that they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod server;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use ffe_surroundings::Needs;
use libtest_mimic::Arguments;

use crate::server::Server;

fn main() -> ExitCode {
    let bin = server::programs();
    let rclone = std::path::Path::new("/usr/bin/rclone").exists();
    let there = |there: bool, what: &str| if there { Ok(()) } else { Err(format!("{what} is not installed")) };
    let postgres = Needs::variables(&[]).and("postgresql", there(bin.is_some(), "PostgreSQL's server"));
    let both = postgres.clone().and("rclone", there(rclone, "rclone"));
    let shared: Arc<OnceLock<Server>> = Arc::new(OnceLock::new());
    let trials = cases::ALL
        .iter()
        .map(|case| (&postgres, case))
        .chain([(&both, &cases::RCLONE)])
        .map(|(needs, (name, case))| {
            let (shared, bin) = (Arc::clone(&shared), bin.clone());
            needs.trial(*name, move || {
                let bin = bin.ok_or("no PostgreSQL")?;
                case(&world::World::new(shared.get_or_init(|| Server::start(&bin)), name));
                Ok(())
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Some(server) = shared.get() {
        server.stop();
    }
    conclusion.exit_code()
}
