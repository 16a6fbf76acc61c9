//! The resource `ffe_environment`: where the application lives.
//!
//! The story, in the order of its modules: what a user writes (`model`); what the configuration settles by
//! itself (`presets`, `settle`, `values`); what is refused (`validate`, `refusals`); the objects as they
//! should be (`spec`, `objects`); whose is what stands in their place (`claim`); making them (`apply`);
//! looking at them (`read`, `drift`); finding an existing environment (`import`); and taking it down
//! (`delete`).
//!
//! The first half of the resource. Not here yet, and so not in the schema either: network isolation, backups of the
//! database, Vault, and databases of more than one instance. The presets' table says already what will hold for them.

mod apply;
mod checks;
mod claim;
mod connection;
mod credentials;
mod delete;
mod drift;
mod function;
mod image;
mod import;
mod kinds;
mod model;
mod names;
mod objects;
mod plan;
mod presets;
mod probe;
mod read;
mod refusals;
mod resource;
mod settle;
mod spec;
mod validate;
mod values;

pub use credentials::{DatabaseCredentials, DatabaseCredentialsResource};
pub use function::PresetFunction;
pub use model::{Database, DatabaseStatus, Drift, Environment, Quota, Storage, TlsDefaults};
pub use presets::{Bounds, DEV, DatabaseDefaults, PRESETS, PRODUCTION, Preset, Probes, QuotaDefaults, STAGING};
pub use resource::EnvironmentResource;
pub use settle::Defaults;
