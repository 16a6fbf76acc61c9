//! The scripts, put together of parts that follow one another.

use crate::place::Storage;

/// What a Job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Take,
    List,
    Prune,
    Restore,
}

const COMMON: &str = include_str!("script/common.sh");
const DATABASE: &str = include_str!("script/database.sh");
const VOLUME: &str = include_str!("script/volume.sh");
const S3: &str = include_str!("script/s3.sh");
const RETENTION: &str = include_str!("script/retention.sh");
const TAKE: &str = include_str!("script/take.sh");
const LIST: &str = include_str!("script/list.sh");
const PRUNE: &str = include_str!("script/prune.sh");
const RESTORE: &str = include_str!("script/restore.sh");

/// What the shell is given.
pub(crate) fn script(work: Work, storage: &Storage) -> String {
    let storage = match storage {
        Storage::Volume(_) => VOLUME,
        Storage::S3(_) => S3,
    };
    match work {
        Work::Take => [COMMON, DATABASE, storage, RETENTION, TAKE].concat(),
        Work::List => [COMMON, storage, LIST].concat(),
        Work::Prune => [COMMON, storage, RETENTION, PRUNE].concat(),
        Work::Restore => [COMMON, DATABASE, storage, RESTORE].concat(),
    }
}

#[cfg(test)]
mod tests;
