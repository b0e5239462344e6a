//! The transports against real TLS servers on loopback, which speak what the providers speak.

#[cfg(test)]
#[path = "providers/apns.rs"]
mod apns;

#[cfg(test)]
#[path = "providers/check.rs"]
mod check;

#[cfg(test)]
#[path = "providers/fcm.rs"]
mod fcm;

#[cfg(test)]
#[path = "providers/proxy.rs"]
mod proxy;

#[cfg(test)]
#[path = "providers/roots.rs"]
mod roots;

#[cfg(test)]
#[path = "providers/server.rs"]
mod server;

#[cfg(test)]
#[path = "providers/targets.rs"]
mod targets;

#[cfg(test)]
#[path = "providers/world.rs"]
mod world;
