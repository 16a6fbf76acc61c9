//! Backups of a real database in a real cluster: the testbed's, with FFE_TEST_KUBECONFIG naming its kubeconfig and the
//! S3 server running (`Part::S3`). Without the variable there is nothing to try, and the tests say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod bucket;
mod trouble;
mod volume;
mod world;
