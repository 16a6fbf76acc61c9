//! How long it is looked again: until the time is over, or nothing will change any more.

use std::time::Duration;

use ffe_https::CheckResult;
use tokio::time::Instant;

/// How long the same answer is borne with. Controllers that take up changes at once need seconds.
const LONG_ENOUGH: Duration = Duration::from_secs(120);

/// Why it is not looked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enough {
    /// What is wrong does not heal.
    Hopeless,
    /// The same was answered for so long.
    Settled(Duration),
    /// The time is over.
    Late,
}

/// What was wrong so far.
pub(super) struct Patience {
    ends: Instant,
    /// Whether the controller takes up what it is told at once.
    prompt: bool,
    /// What is wrong, and since when it is just that.
    same: Option<(String, Instant)>,
}

impl Patience {
    pub(super) fn new(ends: Instant, prompt: bool) -> Patience {
        Patience { ends, prompt, same: None }
    }

    /// After a look at which these were wrong, which is told in words: whether it is enough. `prompt` says that nobody else
    /// than the controller has to take anything up.
    pub(super) fn after(&mut self, wrong: &[&[CheckResult]], prompt: bool, told: &str, now: Instant) -> Option<Enough> {
        let settled = self.prompt && prompt && wrong.iter().all(|results| CheckResult::is_settled(results));
        self.same = match self.same.take() {
            _ if !settled => None,
            Some((before, since)) if before == told => Some((before, since)),
            _ => Some((told.to_owned(), now)),
        };
        let since = self.same.as_ref().map(|(_, since)| now.duration_since(*since));
        if !wrong.iter().all(|results| CheckResult::worth_waiting(results)) {
            Some(Enough::Hopeless)
        } else if now >= self.ends {
            Some(Enough::Late)
        } else {
            since.filter(|since| *since >= LONG_ENOUGH).map(|_| Enough::Settled(LONG_ENOUGH))
        }
    }

    /// Something has changed.
    pub(super) fn begin_anew(&mut self) {
        self.same = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(settled: bool, can_heal: bool) -> Vec<CheckResult> {
        vec![CheckResult { settled, ..CheckResult::unreachable("why", can_heal) }]
    }

    fn after(patience: &mut Patience, results: &[CheckResult], told: &str, now: Instant) -> Option<Enough> {
        patience.after(&[results], true, told, now)
    }

    #[test]
    fn the_same_answer_is_borne_with_for_two_minutes() {
        let (start, later) = (Instant::now(), |seconds| Instant::now() + Duration::from_secs(seconds));
        let mut patience = Patience::new(later(600), true);
        assert_eq!(after(&mut patience, &wrong(true, true), "404", start), None);
        assert_eq!(after(&mut patience, &wrong(true, true), "404", later(100)), None);
        assert_eq!(after(&mut patience, &wrong(true, true), "404", later(130)), Some(Enough::Settled(LONG_ENOUGH)));
        // Another answer, or none, is progress.
        assert_eq!(after(&mut patience, &wrong(true, true), "certificate", later(131)), None);
        assert_eq!(after(&mut patience, &wrong(false, true), "503", later(260)), None);
        assert_eq!(after(&mut patience, &wrong(true, true), "certificate", later(261)), None);
        patience.begin_anew();
        assert_eq!(after(&mut patience, &wrong(true, true), "certificate", later(390)), None);
        assert_eq!(after(&mut patience, &wrong(true, true), "certificate", later(601)), Some(Enough::Late));
        assert_eq!(after(&mut patience, &wrong(true, false), "401", start), Some(Enough::Hopeless));
    }

    #[test]
    fn who_takes_things_up_slowly_has_all_the_time() {
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let mut cloud = Patience::new(later(600), false);
        let mut edge = Patience::new(later(600), true);
        for seconds in [0, 300, 599] {
            assert_eq!(after(&mut cloud, &wrong(true, true), "404", later(seconds)), None);
            assert_eq!(edge.after(&[&wrong(true, true)], false, "404", later(seconds)), None);
        }
    }
}
