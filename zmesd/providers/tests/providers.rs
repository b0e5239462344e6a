//! The transports against real TLS servers on loopback, which speak what the providers speak.

#[cfg(test)]
#[path = "push/apns.rs"]
mod apns;

#[cfg(test)]
#[path = "push/check.rs"]
mod check;

#[cfg(test)]
#[path = "push/fcm.rs"]
mod fcm;

#[cfg(test)]
#[path = "push/proxy.rs"]
mod proxy;

#[cfg(test)]
#[path = "push/roots.rs"]
mod roots;

#[cfg(test)]
#[path = "push/server.rs"]
mod server;

#[cfg(test)]
#[path = "push/world.rs"]
mod world;
