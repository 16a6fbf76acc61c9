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
const MANIFEST: &str = include_str!("script/manifest.sh");
const VOLUME: &str = include_str!("script/volume.sh");
const REMOTE: &str = include_str!("script/remote.sh");
/// What the container beside runs, in which rclone is.
pub(crate) const RCLONE: &str = include_str!("script/rclone.sh");
const RETENTION: &str = include_str!("script/retention.sh");
const TAKE: &str = include_str!("script/take.sh");
const LIST: &str = include_str!("script/list.sh");
const PRUNE: &str = include_str!("script/prune.sh");
const RESTORE: &str = include_str!("script/restore.sh");
const EMPTY: &str = include_str!("script/empty.sh");
const SWAP: &str = include_str!("script/swap.sh");
const IN_PLACE: &str = include_str!("script/in_place.sh");
const RESTORE_END: &str = "if [ -z \"$why\" ]; then swap; else in_place; fi\n";
/// Programs of awk, which the scripts find as `$TMP/<name>.awk`.
const AWK: [(&str, &str); 2] =
    [("compare", include_str!("script/compare.awk")), ("statements", include_str!("script/statements.awk"))];

/// What the shell is given.
pub(crate) fn script(work: Work, storage: &Storage) -> String {
    let storage = match storage {
        Storage::Volume(_) => VOLUME,
        Storage::S3(_) | Storage::Rclone(_) => REMOTE,
    };
    match work {
        Work::Take => [COMMON, DATABASE, MANIFEST, storage, RETENTION, TAKE].concat(),
        Work::List => [COMMON, storage, LIST].concat(),
        Work::Prune => [COMMON, storage, RETENTION, PRUNE].concat(),
        Work::Restore => {
            let programs: String = AWK.iter().map(|(name, program)| written(name, program)).collect();
            [COMMON, DATABASE, MANIFEST, &programs, storage, RESTORE, EMPTY, SWAP, IN_PLACE, RESTORE_END].concat()
        }
    }
}

fn written(name: &str, program: &str) -> String {
    format!("cat > \"$TMP/{name}.awk\" << 'AWK'\n{program}AWK\n")
}

#[cfg(test)]
mod tests;
