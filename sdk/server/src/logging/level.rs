//! How much is logged.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;

/// Libraries below us that log every frame and poll. They are heard from `info` up, whatever the level.
const CHATTY: [&str; 9] = ["h2", "hyper", "hyper_util", "mio", "rustls", "tokio", "tokio_rustls", "tonic", "tower"];

/// Libraries that quote the whole answer of a server which they cannot read, a list of Secrets perhaps. They are heard in errors only.
const QUOTING: [&str; 1] = ["kube_client"];

/// The level that the environment asks for; `variable` is [`std::env::var`] or a test's stand-in.
pub(super) fn from_env(provider: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", provider.to_uppercase().replace('-', "_"));
    [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        .map_or(LevelFilter::WARN, |value| parse(&value))
}

/// As Terraform reads it: `JSON` means everything, and so does a word that is none of the levels.
fn parse(value: &str) -> LevelFilter {
    match value.to_uppercase().as_str() {
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        "OFF" => LevelFilter::OFF,
        _ => LevelFilter::TRACE,
    }
}

/// Whether what `metadata` describes is logged at `level`.
pub(super) fn enabled(level: LevelFilter, metadata: &Metadata<'_>) -> bool {
    let source = metadata.target().split("::").next().unwrap_or_default();
    let level = match source {
        source if CHATTY.contains(&source) => level.min(LevelFilter::INFO),
        source if QUOTING.contains(&source) => level.min(LevelFilter::ERROR),
        _ => level,
    };
    *metadata.level() <= level
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(set: &[(&str, &str)]) -> LevelFilter {
        from_env("my-ffe", |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_most_particular_variable_decides() {
        assert_eq!(level(&[]), LevelFilter::WARN);
        assert_eq!(level(&[("TF_LOG", "info")]), LevelFilter::INFO);
        assert_eq!(level(&[("TF_LOG", "info"), ("TF_LOG_PROVIDER", "ERROR")]), LevelFilter::ERROR);
        let all = [("TF_LOG", "info"), ("TF_LOG_PROVIDER", "ERROR"), ("TF_LOG_PROVIDER_MY_FFE", "debug")];
        assert_eq!(level(&all), LevelFilter::DEBUG);
        assert_eq!(level(&[("TF_LOG", "info"), ("TF_LOG_PROVIDER", "")]), LevelFilter::INFO);
    }

    #[test]
    fn words_are_read_as_terraform_reads_them() {
        assert_eq!(level(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
        assert_eq!(level(&[("TF_LOG", "1")]), LevelFilter::TRACE);
        assert_eq!(level(&[("TF_LOG", "off")]), LevelFilter::OFF);
    }
}
