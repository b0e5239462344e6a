//! The catalog: monitors, users and rights as last read from ZoneMinder's database.

mod catalog;
mod orphans;
mod task;

pub use catalog::{Catalog, CatalogHandle, Refresh};
pub use orphans::Orphans;
pub use task::CatalogTask;
