//! `zm.conf`: its grammar, and the way to the database that it describes.

mod connection;
mod origin;
mod zm_conf;

pub use connection::{
    ConnectionFault, DatabaseAddress, DatabaseConfig, DatabaseTls, PAIR_HINT, ServerIdentity, UrlFault,
};
pub use origin::{DatabaseOrigin, ValuePlace};
pub use zm_conf::{Continuation, ZmConf, ZmValue};
