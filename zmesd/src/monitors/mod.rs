//! The catalog: monitors, users and rights as ZoneMinder's database had them last.

mod catalog;

pub use catalog::{Catalog, CatalogHandle, Refresh};
