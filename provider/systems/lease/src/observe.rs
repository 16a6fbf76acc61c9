//! What one who wants a lease makes of looking at it again and again: decisions without IO.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::{Holder, record};

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Create or swap: it is absent, released, ours, or expired
    Take {
        /// The holder that renewed it no more
        expired: Option<Holder>,
    },
    /// Its holder lives
    Held(Holder),
    /// Look again, at the latest when it expires
    Wait {
        /// Who holds it
        by: Holder,
        /// When it may be taken over if it stays as it is
        until: Instant,
    },
}

/// What changes when a lease is taken, renewed or released, and not when somebody labels its object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Record {
    holder: Option<String>,
    acquired: Option<Timestamp>,
    renewed: Option<Timestamp>,
    transitions: Option<i32>,
}

impl Record {
    fn of(lease: Option<&Lease>) -> Self {
        let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else { return Self::default() };
        Self {
            holder: spec.holder_identity.clone().filter(|holder| !holder.is_empty()),
            acquired: spec.acquire_time.as_ref().map(|time| time.0),
            renewed: spec.renew_time.as_ref().map(|time| time.0),
            transitions: spec.lease_transitions,
        }
    }
}

/// One observer's knowledge of one lease.
pub(super) struct Observation {
    me: Holder,
    /// For records that do not say how long they last
    duration: Duration,
    /// The last record, and when it was seen first
    known: Option<(Record, Instant)>,
}

impl Observation {
    pub(super) fn new(me: Holder, duration: Duration) -> Self {
        Self { me, duration, known: None }
    }

    /// Takes in what a look found (None: no object) and decides. `now` is read after the answer came:
    /// what was read cannot be younger, so that nobody's time is cut short.
    pub(super) fn look(&mut self, lease: Option<&Lease>, now: Instant) -> Verdict {
        let found = Record::of(lease);
        let (since, changed) = match &self.known {
            Some((known, since)) if *known == found => (*since, false),
            known => (now, known.is_some()),
        };
        self.known = Some((found, since));

        let Some((holder, lease)) = lease.and_then(|lease| Some((record::holder(lease)?, lease))) else {
            return Verdict::Take { expired: None };
        };
        if holder.is(&self.me) {
            return Verdict::Take { expired: None };
        }
        let until = since + record::duration(lease).unwrap_or(self.duration);
        if now >= until {
            return Verdict::Take { expired: Some(holder) };
        }
        // somebody wrote while we watched: it lives, whoever it is. What lives in this process will
        // come to its end without anybody's doing.
        if changed && !holder.in_process_of(&self.me) {
            return Verdict::Held(holder);
        }
        Verdict::Wait { by: holder, until }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::tests::{holder, later, object, seconds};

    fn lease(by: &Holder) -> Lease {
        record::taken(None, &object("l"), by, seconds(15))
    }

    fn observer() -> (Observation, Instant) {
        (Observation::new(holder("me"), seconds(15)), Instant::now())
    }

    #[test]
    fn what_is_absent_released_or_ours_is_taken_at_once() {
        let (mut me, now) = observer();
        assert_eq!(me.look(None, now), Verdict::Take { expired: None });
        assert_eq!(me.look(Some(&Lease::default()), now), Verdict::Take { expired: None });
        let released = record::emptied(&lease(&holder("other")));
        assert_eq!(me.look(Some(&released), now), Verdict::Take { expired: None });
        assert_eq!(me.look(Some(&lease(&holder("me"))), now), Verdict::Take { expired: None });
    }

    #[test]
    fn the_same_run_in_another_process_is_somebody_else() {
        let (mut me, now) = observer();
        let elsewhere = Holder { process: 2, ..holder("me") };
        assert!(matches!(me.look(Some(&lease(&elsewhere)), now), Verdict::Wait { by, .. } if by == elsewhere));
        let other_host = Holder { host: "else".into(), ..holder("me") };
        assert!(matches!(observer().0.look(Some(&lease(&other_host)), now), Verdict::Wait { .. }));
    }

    #[test]
    fn a_dead_holder_is_waited_out_for_exactly_the_duration_in_its_record() {
        let (mut me, start) = observer();
        let mut dead = lease(&holder("dead"));
        dead.spec.as_mut().unwrap().lease_duration_seconds = Some(40);
        // how long ago it says it was renewed does not count: clocks differ
        dead.spec.as_mut().unwrap().renew_time = Some(later(-3600));
        let until = start + seconds(40);
        for at in [0, 2, 15, 39] {
            let verdict = me.look(Some(&dead), start + seconds(at));
            assert_eq!(verdict, Verdict::Wait { by: record::holder(&dead).unwrap(), until }, "after {at} s");
        }
        assert!(matches!(me.look(Some(&dead), until), Verdict::Take { expired: Some(by) } if by.identity == "dead"));
    }

    #[test]
    fn a_record_without_a_usable_duration_lasts_as_long_as_ours() {
        for unusable in [None, Some(0), Some(-3)] {
            let (mut me, start) = observer();
            let mut dead = lease(&holder("dead"));
            dead.spec.as_mut().unwrap().lease_duration_seconds = unusable;
            let Verdict::Wait { until, .. } = me.look(Some(&dead), start) else { panic!("not waited for") };
            assert_eq!(until, start + seconds(15));
        }
    }

    #[test]
    fn a_renewal_is_a_sign_of_life_and_a_label_is_none() {
        let (mut me, start) = observer();
        let mut other = lease(&holder("other"));
        me.look(Some(&other), start);
        other.metadata.resource_version = Some("77".into());
        other.metadata.labels = None;
        let verdict = me.look(Some(&other), start + seconds(14));
        assert!(matches!(verdict, Verdict::Wait { until, .. } if until == start + seconds(15)), "{verdict:?}");
        let renewed = record::renewed(&other);
        assert!(matches!(me.look(Some(&renewed), start + seconds(14)), Verdict::Held(by) if by.identity == "other"));
    }

    #[test]
    fn whoever_was_faster_lives() {
        for before in [None, Some(record::emptied(&lease(&holder("old")))), Some(lease(&holder("old")))] {
            let (mut me, start) = observer();
            me.look(before.as_ref(), start);
            let faster = record::taken(before.as_ref(), &object("l"), &holder("faster"), seconds(15));
            assert!(matches!(me.look(Some(&faster), start + seconds(1)), Verdict::Held(by) if by.identity == "faster"));
        }
    }

    #[test]
    fn another_run_of_this_process_is_waited_for_while_it_renews() {
        let (mut me, start) = observer();
        let sibling = Holder { identity: "sibling".into(), ..holder("me") };
        let mut theirs = lease(&sibling);
        for at in [0, 10, 20, 30] {
            let until = start + seconds(at + 15);
            assert!(
                matches!(me.look(Some(&theirs), start + seconds(at)), Verdict::Wait { until: found, .. } if found == until)
            );
            theirs = record::renewed(&theirs);
        }
        assert_eq!(me.look(Some(&record::emptied(&theirs)), start + seconds(31)), Verdict::Take { expired: None });
    }
}
