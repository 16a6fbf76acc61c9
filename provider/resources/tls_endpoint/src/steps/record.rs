//! What was superseded goes, now that what took its place was seen to work; and the record says that all is done, with the
//! inputs.

use ffe_cluster::{Mark, MarkState};

use crate::former;
use crate::objects::{self, Memory};
use crate::remove;
use crate::run::{Run, Stop, failed};
use crate::steps::{dns, route};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    route::leave_former(run).await?;
    dns::release_former(run).await?;
    let kept = remove::superseded(run).await?;
    run.done.warnings.extend(kept);
    let records = match &run.spec.dns {
        Some(dns) => run.done.dns_records.keys().map(|host| (host.clone(), dns.zone.clone())).collect(),
        None => Default::default(),
    };
    let mut memory = Memory {
        records,
        provider: run.spec.dns.as_ref().map(|dns| dns.provider.clone()),
        gateways: route::managed_gateway(run.spec).into_iter().collect(),
        taken_off: run.record.memory.taken_off.clone(),
        also_named: run.record.memory.also_named.clone(),
    };
    if !run.former.is_empty() {
        // Whatever comes of what has the former name, there is an endpoint of this one.
        write(run, &memory).await?;
        former::leave(run).await?;
    }
    memory.also_named.clear();
    write(run, &memory).await
}

async fn write(run: &mut Run<'_>, memory: &Memory) -> Result<(), Stop> {
    let record = objects::record(&run.spec.names, Some(&run.inputs), memory);
    let record = record.map_err(failed("The record could not be written"))?;
    let mark = Mark { state: MarkState::Complete, ..run.mark(&record.reference) };
    run.marks.insert(record.reference.clone(), mark);
    run.apply(&record).await
}
