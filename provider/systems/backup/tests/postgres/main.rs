//! The scripts on a real PostgreSQL: a backup is taken, the database spoilt, the backup restored, and everything in the
//! database compared with what was there. Where no server is installed (`/usr/lib/postgresql/*/bin`, or the folder that
//! FFE_POSTGRES_BIN names) the trials are ignored, and fail where
//! FFE_REQUIRE says that they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod server;
mod storages;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use ffe_surroundings::Needs;
use libtest_mimic::Arguments;

use crate::server::Server;

fn main() -> ExitCode {
    let bin = server::programs();
    let there = |there: bool, what: &str| if there { Ok(()) } else { Err(format!("{what} is not installed")) };
    let postgres = Needs::variables(&[]).and("postgresql", there(bin.is_some(), "PostgreSQL's server"));
    let program = |needs: &Needs, path: &'static str| needs.clone().and(path, there(Path::new(path).exists(), path));
    let rclone = program(&postgres, "/usr/bin/rclone");
    // The same, where a variable leads to something: who leaves it out does not need what runs it.
    let by_variable = |name: &'static str, runs_it: &'static str| {
        let needs = Needs::variables(&[name]);
        if needs.get(name).is_empty() {
            return needs;
        }
        let needs = needs.and("postgresql", there(bin.is_some(), "PostgreSQL's server"));
        program(&program(&needs, "/usr/bin/rclone"), runs_it)
    };
    let ssh = program(&program(&rclone, "/usr/bin/ssh-keygen"), "/usr/bin/ssh-keyscan");
    let openssl = program(&rclone, "/usr/bin/openssl");
    let gcs = by_variable("FFE_GCS", "/usr/bin/python3");
    let more = [
        (rclone, cases::RCLONE),
        (program(&postgres, "/usr/sbin/pgbouncer"), cases::POOLER),
        (ssh, storages::SFTP),
        (openssl, storages::WEBDAV),
        (program(&program(&gcs, "/usr/bin/openssl"), "/usr/bin/curl"), storages::GOOGLE_CLOUD_STORAGE),
        (by_variable("FFE_AZURITE", "/usr/bin/node"), storages::AZURE_BLOB_STORAGE),
    ];
    let shared: Arc<OnceLock<Server>> = Arc::new(OnceLock::new());
    let trials = cases::ALL
        .iter()
        .map(|case| (postgres.clone(), *case))
        .chain(more)
        .map(|(needs, (name, case))| {
            let (shared, bin) = (Arc::clone(&shared), bin.clone());
            needs.trial(name, move || {
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
