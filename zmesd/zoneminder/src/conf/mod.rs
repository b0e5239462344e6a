//! `zm.conf`: its grammar, and the way to the database that it describes.
//!
//! ```
//! use std::path::Path;
//! use zmes_zoneminder::conf::{Continuation, DatabaseAddress, DatabaseConfig, ZmConf};
//!
//! let mut conf = ZmConf::default();
//! conf.add(b"ZM_DB_HOST = localhost:/run/mysqld/mysqld.sock\nZM_DB_USER=zmuser\n", Path::new("zm.conf"), Continuation::Guess);
//! let database = DatabaseConfig::from_zmconf(&conf).expect("complete");
//! assert_eq!(database.address, DatabaseAddress::Socket("/run/mysqld/mysqld.sock".into()));
//! assert_eq!(database.origin.of("ZM_DB_USER"), "ZM_DB_USER in zm.conf:2");
//! ```

mod connection;
mod origin;
mod zm_conf;

pub use connection::{ConnectionFault, DatabaseConfig, ServerIdentity, ServerScope};
pub use origin::{DatabaseOrigin, ValuePlace};
pub use zm_conf::{Continuation, ZmConf, ZmValue};
pub use zmes_shared::database::{DatabaseAddress, DatabaseTls, PAIR_HINT, UrlFault};
