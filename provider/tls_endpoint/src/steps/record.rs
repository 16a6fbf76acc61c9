//! What was superseded goes, and the record says that all is done, with the inputs.

use ffe_cluster::{Mark, MarkState};

use crate::objects;
use crate::remove;
use crate::run::{Run, Stop, failed};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let kept = remove::superseded(run).await?;
    run.done.warnings.extend(kept);
    let records = match &run.spec.dns {
        Some(dns) => run.done.dns_records.keys().map(|host| (host.clone(), dns.zone.clone())).collect(),
        None => Default::default(),
    };
    let record = objects::record(&run.spec.names, Some(&run.inputs), &records);
    let record = record.map_err(failed("The record could not be written"))?;
    let mark = Mark { state: MarkState::Complete, ..run.mark(&record.reference) };
    run.marks.insert(record.reference.clone(), mark);
    run.apply(&record).await
}
