//! The cases, by what they are about.

mod backups;
mod bad_input;
mod clusters;
mod commands;
mod confined;
mod data;
mod diagnosis;
mod drift;
mod environment;
mod examples;
mod failures;
mod foreign;
mod going_back;
mod guide;
mod interrupts;
mod kill_points;
mod kills;
mod language;
mod lifecycle;
mod moves;
mod pipeline;
mod plugin;
mod promise;
mod record;
mod remedies;
mod replaced;
mod secrets;
mod sources;
mod supply;
mod tls;
mod tls_causes;
mod tls_kills;
mod together;
mod whose;

use crate::Case;

/// All cases.
pub fn all() -> Vec<Case> {
    let groups: &[&[Case]] = &[
        lifecycle::CASES,
        kills::CASES,
        interrupts::CASES,
        kill_points::CASES,
        failures::CASES,
        going_back::CASES,
        remedies::CASES,
        confined::CASES,
        guide::CASES,
        diagnosis::CASES,
        pipeline::CASES,
        drift::CASES,
        data::CASES,
        record::CASES,
        replaced::CASES,
        backups::CASES,
        environment::CASES,
        foreign::CASES,
        whose::CASES,
        clusters::CASES,
        commands::CASES,
        secrets::CASES,
        sources::CASES,
        supply::CASES,
        promise::CASES,
        together::CASES,
        moves::CASES,
        language::CASES,
        bad_input::CASES,
        plugin::CASES,
        examples::CASES,
        tls::CASES,
        tls_kills::CASES,
        // The last ones of them wait until they are alone.
        tls_causes::CASES,
    ];
    groups.iter().copied().flatten().map(|case| Case { name: case.name, when: case.when, run: case.run }).collect()
}
