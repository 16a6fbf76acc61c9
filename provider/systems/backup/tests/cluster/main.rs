//! Backups of a real database in a real cluster: the testbed's, with FFE_TEST_KUBECONFIG naming its kubeconfig and the
//! S3 server running (`Part::S3`). Without the variable the tests are ignored, and fail where FFE_REQUIRE says that they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bucket;
mod trouble;
mod volume;
mod world;

use std::process::ExitCode;

use ffe_surroundings::Needs;
use libtest_mimic::{Arguments, Trial};

/// A test on a runtime of its own.
macro_rules! trial {
    ($needs:expr, $module:ident :: $name:ident) => {
        $needs.trial(concat!(stringify!($module), "::", stringify!($name)), || {
            tokio::runtime::Runtime::new()?.block_on($module::$name());
            Ok(())
        })
    };
}

fn trials() -> Vec<Trial> {
    let cluster = Needs::variables(&["FFE_TEST_KUBECONFIG"]);
    vec![
        trial!(cluster, volume::a_backup_is_taken_once_and_restored_by_the_printed_command),
        trial!(cluster, bucket::a_bucket_keeps_backups_and_gives_them_back),
        trial!(cluster, trouble::a_failure_names_its_cause_and_leaves_no_backup),
        trial!(cluster, trouble::a_cancel_leaves_the_job_and_the_next_take_attaches_to_it),
    ]
}

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}
