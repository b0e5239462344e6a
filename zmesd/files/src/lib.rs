//! Files that an admin hands over: read with a bound, certificates and keys.
//!
//! - [`read_bounded`] reads a regular file up to a limit. A FIFO does not block it, and a device or a file that is too
//!   large is an error that says so ([`FileError`]).
//! - [`pemfile`] reads certificates and private keys. Where a file holds something else, its error names what the file
//!   holds and the command that converts it ([`pemfile::PemError`]).
//!
//! No message quotes the content of a file. This crate knows no configuration and no TLS.
//!
//! ```no_run
//! use std::path::Path;
//!
//! match zmes_files::pemfile::certificates(Path::new("/etc/zmesd/cert.pem")) {
//!     Ok(chain) => println!("{} certificates", chain.len()),
//!     Err(error) => eprintln!("{}\nhint: {}", error.told(), error.hint()),
//! }
//! ```

#![warn(missing_docs)]

mod bounded;
pub mod pemfile;

pub use bounded::{FileError, read_bounded, readable, user_name, without_bom};
