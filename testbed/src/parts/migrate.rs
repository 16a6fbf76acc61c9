//! golang-migrate's command.

use super::Component;
use crate::go::{Unit, no_variables};

pub(super) struct Migrate;

static UNIT: Unit = Unit {
    name: "migrate",
    graph: "migrate",
    binaries: &[("migrate", "github.com/golang-migrate/migrate/v4/cmd/migrate")],
    version_of: "github.com/golang-migrate/migrate/v4",
    tags: "postgres",
    variables: no_variables,
    seconds: 30,
};

static UNITS: &[&Unit] = &[&UNIT];

impl Component for Migrate {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }
}
