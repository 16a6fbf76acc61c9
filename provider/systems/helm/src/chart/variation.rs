//! Whether a chart may render differently each time.
//!
//! Helm's template language has a closed set of functions, and few of them answer differently to the same question. A
//! chart in which none of their names occurs is rendered once; otherwise a second rendering shows what differs. The scan
//! errs to the side of rendering again: it looks for names, not for calls.

use super::files::{self, Files};

/// How the renderings of one chart may differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Varies {
    /// They do not.
    #[default]
    No,
    /// Each may be different: random numbers, keys, the order of a map's keys.
    EachTime,
    /// They depend on the clock too, which moves by seconds.
    WithTheClock,
}

const CLOCK: &[&str] = &["now", "ago", "date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone", "unixEpoch"];
const RANDOM: &[&str] = &[
    "shuffle",
    "uuidv4",
    "htpasswd",
    "bcrypt",
    "encryptAES",
    "getHostByName",
    "keys",
    "values",
    "genPrivateKey",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "genSignedCertificate",
];

impl Varies {
    /// What the actions (`{{ … }}`) in a text may do. Values count as well as templates: `tpl` renders them.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let mut found = Self::No;
        for action in text.split("{{").skip(1) {
            let action = action.split_once("}}").map_or(action, |(inside, _)| inside);
            for word in words(action) {
                if CLOCK.contains(&word) {
                    return Self::WithTheClock;
                }
                if RANDOM.contains(&word) || word.starts_with("rand") {
                    found = Self::EachTime;
                }
            }
        }
        found
    }

    /// The same of all files of a chart, those of charts in it too.
    pub(super) fn of_files(all: &Files) -> Self {
        // What cannot be unpacked here cannot be judged.
        let of_file = |name: &String, content: &Vec<u8>| match contained(name, content) {
            Some(inner) => inner.map_or(Self::WithTheClock, |inner| Self::of_files(&inner)),
            None => Self::of_text(&String::from_utf8_lossy(content)),
        };
        all.iter().map(|(name, content)| of_file(name, content)).max().unwrap_or_default()
    }
}

/// Whether what the files render depends on what is in the cluster: `lookup`, and which kinds are served.
pub(super) fn asks_the_cluster(all: &Files) -> bool {
    let asks = |text: &str| {
        text.split("{{").skip(1).any(|action| {
            let action = action.split_once("}}").map_or(action, |(inside, _)| inside);
            action.contains(".Capabilities") || words(action).any(|word| word == "lookup")
        })
    };
    all.iter().any(|(name, content)| match contained(name, content) {
        Some(inner) => inner.is_none_or(|inner| asks_the_cluster(&inner)),
        None => asks(&String::from_utf8_lossy(content)),
    })
}

/// The files of a packed chart within a chart; `None` inside for one that cannot be unpacked.
fn contained(name: &str, content: &[u8]) -> Option<Option<Files>> {
    (name.starts_with("charts/") && name.ends_with(".tgz")).then(|| files::read_archive(content).ok())
}

/// The names in an action, fields (`.Values.now`) not among them.
fn words(action: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
    action.split(move |c| !is_word(c)).filter(|word| !word.is_empty() && !word.contains(['.', '$']))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn functions_that_answer_differently_are_known() {
        for (text, expected) in [
            ("{{ .Values.now }} {{ $now }} now {{ include \"x.now\" . | quote }}", Varies::No),
            ("a: {{ randAlphaNum 8 | b64enc }}", Varies::EachTime),
            ("{{- $ca := genCA \"x\" 365 -}}", Varies::EachTime),
            ("{{ range (keys .Values.x) }}{{ end }}", Varies::EachTime),
            ("{{ .Values.x | default (now | date \"2006\") }}", Varies::WithTheClock),
            ("{{ uuidv4 }}{{\n  now\n}}", Varies::WithTheClock),
            ("{{ toYaml .Values.resources | nindent 2 }}", Varies::No),
        ] {
            assert_eq!(Varies::of_text(text), expected, "{text}");
        }
    }

    #[test]
    fn every_file_of_a_chart_counts() {
        let mut all = Files::new();
        all.insert("templates/a.yaml".into(), b"{{ .Values.a }}".to_vec());
        assert_eq!(Varies::of_files(&all), Varies::No);
        all.insert("files/b.txt".into(), b"{{ randInt 0 5 }}".to_vec());
        assert_eq!(Varies::of_files(&all), Varies::EachTime);
        assert!(!asks_the_cluster(&all));
        all.insert("charts/x-1.tgz".into(), b"not an archive".to_vec());
        assert_eq!(Varies::of_files(&all), Varies::WithTheClock);
        assert!(asks_the_cluster(&all));
    }

    #[test]
    fn what_the_cluster_is_asked_for_is_known() {
        let asks = |text: &str| asks_the_cluster(&Files::from([("templates/a.yaml".to_owned(), text.into())]));
        assert!(asks("{{ (lookup \"v1\" \"Secret\" \"a\" \"b\").data }}"));
        assert!(asks("{{- if $.Capabilities.APIVersions.Has \"x/v1\" }}{{ end }}"));
        assert!(!asks("lookup {{ .Values.lookup }} .Capabilities"));
    }
}
