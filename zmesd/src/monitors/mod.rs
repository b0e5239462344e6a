//! The catalog: monitors, users and rights as ZoneMinder's database had them last.

mod catalog;
mod task;

pub use catalog::{Catalog, CatalogHandle, Refresh};
pub use task::CatalogTask;
