//! How a Job answers: lines `MARK fact value` in its log, one fact a line, and as the last `MARK end COUNT`.
//!
//! The mark is made from the run's id and is not known to the application, so that nothing it prints is taken for an
//! answer. An answer that does not end, or whose count does not fit, is no answer: what it would have said is not known.

const END: &str = "end";

/// The facts of a whole answer, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts(Vec<(String, String)>);

impl Facts {
    /// Reads a log to the letter.
    ///
    /// # Errors
    /// With what is wrong, when there is not exactly one whole answer in it.
    pub(crate) fn read(log: &str, mark: &str) -> Result<Facts, String> {
        let mut facts = Vec::new();
        let mut counted = None;
        for line in log.lines() {
            let Some(told) = line.strip_prefix(mark).and_then(|rest| rest.strip_prefix(' ')) else { continue };
            if counted.is_some() {
                return Err("its answer goes on behind its end".to_owned());
            }
            let (fact, value) = told.trim_end().split_once(' ').unwrap_or((told.trim_end(), ""));
            if fact == END {
                counted = Some(value.parse::<usize>().map_err(|_| format!("its answer ends with \"{value}\""))?);
            } else {
                facts.push((fact.to_owned(), value.to_owned()));
            }
        }
        match counted {
            Some(count) if count == facts.len() => Ok(Facts(facts)),
            Some(count) => Err(format!("of its answer's {count} lines {} were found", facts.len())),
            None if facts.is_empty() => Err("it gave no answer".to_owned()),
            None => Err(format!("its answer breaks off after {} lines", facts.len())),
        }
    }

    /// The values told of one fact.
    pub(crate) fn of<'a>(&'a self, fact: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == fact).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(log: &str) -> Result<Vec<String>, String> {
        Facts::read(log, "ffe:0a").map(|facts| facts.of("line").map(str::to_owned).collect())
    }

    #[test]
    fn an_answer_is_found_between_what_an_application_prints() {
        let log = "Done\n----------\nffe:0a line a\nno end of lineffe:0a line x\n\n ffe:0a line y\nffe:0b line z\nffe:0a line b c\r\nffe:0a end 2\nbye\n";
        assert_eq!(read(log), Ok(vec!["a".to_owned(), "b c".to_owned()]));
        assert_eq!(read("ffe:0a end 0"), Ok(vec![]), "nothing is an answer too");
    }

    #[test]
    fn what_is_not_whole_is_no_answer() {
        for (log, why) in [
            ("", "no answer"),
            ("Done\n0003 (head)\n", "no answer"),
            ("unable to retrieve container logs for containerd://0123", "no answer"),
            ("ffe:0a line a\n", "breaks off after 1"),
            ("ffe:0a line a\nffe:0a end 2\n", "2 lines 1 were found"),
            ("ffe:0a line a\nffe:0a line a\nffe:0a end 1\n", "1 lines 2 were found"),
            ("ffe:0a end 0\nffe:0a line a\n", "behind its end"),
            ("ffe:0a end 0\nffe:0a end 0\n", "behind its end"),
            ("ffe:0a end\n", "ends with"),
            ("ffe:0a end 1…\n", "ends with"),
        ] {
            let error = read(log).unwrap_err();
            assert!(error.contains(why), "{log:?}: {error}");
        }
    }
}
