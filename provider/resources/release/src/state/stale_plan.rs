//! A plan that is out of date before it is made: what was refreshed is not what the plan is made from.
//!
//! Terraform plans a second time at apply, and can only say that both plans differ, not why. So the refresh notes what a rendering is
//! made from: Helm's newest record, and the chart where it is on this machine. Each plan compares that note with what is there; where
//! one of them is another, its error names it.

use ffe_helm::records::RecordKey;
use tfplugin::{Diagnostic, Refreshed};

use crate::rendering::local_chart::{self, LocalChart};
use crate::rendering::promise::changed_since_plan;
use crate::settings::model::Release;
use crate::state::seen::Seen;

/// Notes the chart on this machine in the answer of a refresh.
pub(crate) async fn note_local_chart(mut answer: Refreshed<Release>) -> Refreshed<Release> {
    let Some(state) = &answer.state else { return answer };
    let mut seen = Seen::load(&answer.private);
    let local = local_chart(state, &seen).await;
    let chart = local.as_ref().map(|chart| chart.digest.clone()).unwrap_or_default();
    let local = local.unwrap_or_default();
    if seen.chart != chart || seen.local_chart != local {
        (seen.chart, seen.local_chart) = (chart, local);
        seen.store(&mut answer.private);
    }
    answer
}

/// The chart on this machine, read only where its files are others than those noted.
pub(crate) async fn local_chart(model: &Release, seen: &Seen) -> Option<LocalChart> {
    local_chart::read_if_changed(local_chart::path(model)?, seen.local_chart.clone()).await
}

/// The error for what has changed since the refresh: it stops a plan that would be out of date, and so the apply of one that is.
pub(crate) fn changed_since_read(
    seen: &Seen,
    prior: &Release,
    config: &Release,
    newest: Option<&RecordKey>,
    chart_digest: &str,
) -> Option<Diagnostic> {
    let mut found = Vec::new();
    match newest {
        Some(key) if !seen.record_uid.is_empty() && !seen.is_current(key) => {
            let before = prior
                .revision
                .known()
                .map_or_else(String::new, |revision| format!("revision {revision} was the newest, "));
            found.push(format!("the release itself: {before}now it is revision {} ({})", key.revision, key.status));
        }
        _ => {}
    }
    if !seen.chart.is_empty() && prior.chart == config.chart && seen.chart != chart_digest {
        found.push(format!("the content of the chart {}", config.chart.as_str().unwrap_or_default()));
    }
    let release =
        format!("{}/{}", config.namespace.as_str().unwrap_or_default(), config.name.as_str().unwrap_or_default());
    (!found.is_empty()).then(|| changed_since_plan(&release, &found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ffe_helm::records::Status;
    use tfplugin::{Attr, Field as _, Model as _, Path};

    fn key(uid: &str, revision: u32) -> RecordKey {
        RecordKey {
            name: "one".into(),
            namespace: "ffe".into(),
            revision,
            status: Status::Deployed,
            object: "o".into(),
            uid: uid.into(),
            resource_version: "1".into(),
            written: None,
        }
    }

    #[test]
    fn what_changed_after_it_was_read_is_named() {
        let mut config = Release::from_value(&Release::schema().empty(), &Path::root()).unwrap();
        (config.namespace, config.name, config.chart) = (Attr::from("ffe"), Attr::from("one"), Attr::from("./chart"));
        let mut seen = Seen { chart: "sha256:1".into(), ..Seen::default() };
        seen.note(&key("a", 3));
        let prior = Release { revision: Attr::Known(3), ..config.clone() };
        assert!(changed_since_read(&seen, &prior, &config, Some(&key("a", 3)), "sha256:1").is_none());
        let error = changed_since_read(&seen, &prior, &config, Some(&key("b", 4)), "sha256:2").unwrap();
        assert!(error.summary.contains("has changed since plan"), "{error:?}");
        assert!(error.detail.contains("revision 3 was the newest, now it is revision 4 (deployed)"), "{error:?}");
        assert!(error.detail.contains("the content of the chart ./chart"), "{error:?}");
        // Another chart was chosen: that is what the plan is about.
        let other = Release { chart: Attr::from("./other"), ..config.clone() };
        assert!(changed_since_read(&seen, &prior, &other, Some(&key("a", 3)), "sha256:2").is_none());
        // Nothing was noted, with -refresh=false.
        assert!(changed_since_read(&Seen::default(), &prior, &config, Some(&key("b", 4)), "sha256:2").is_none());
    }
}
