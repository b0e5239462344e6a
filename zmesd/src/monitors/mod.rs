//! The catalog: monitors, users and rights as last read from ZoneMinder's database.

mod catalog;
mod task;

pub use catalog::{Catalog, CatalogHandle, Refresh};
pub use task::CatalogTask;
