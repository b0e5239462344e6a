//! Listening sockets: ports and Unix sockets, bound with errors that say what to do, and a pause after a failed accept.

mod accept;
mod bind_error;
mod port;
mod unix;

pub use accept::{AcceptPause, is_broken};
pub use bind_error::{BindError, BindFault, Endpoint};
pub use port::{bind_all, bind_port};
pub use unix::{SocketFile, replacing_stale};
