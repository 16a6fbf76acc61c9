//! The cases, by what they are about.

mod bad_input;
mod clusters;
mod environment;
mod examples;
mod failures;
mod foreign;
mod interrupts;
mod kills;
mod lifecycle;
mod pipeline;
mod plugin;
mod secrets;
mod sources;

use crate::Case;

/// All cases.
pub fn all() -> Vec<Case> {
    let groups: [&[Case]; 13] = [
        lifecycle::CASES,
        kills::CASES,
        interrupts::CASES,
        failures::CASES,
        pipeline::CASES,
        environment::CASES,
        foreign::CASES,
        clusters::CASES,
        secrets::CASES,
        sources::CASES,
        bad_input::CASES,
        plugin::CASES,
        examples::CASES,
    ];
    groups.into_iter().flatten().map(|case| Case { name: case.name, when: case.when, run: case.run }).collect()
}
