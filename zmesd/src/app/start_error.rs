//! Why the daemon does not start, with what to do and how to exit.

use std::error::Error;
use std::io;

use zmes_providers::TransportProblem;

use super::exit::Exit;
use super::inherited::InheritError;
use crate::sockets::BindError;
use crate::{state, tls};

/// Why the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// A transport of pushes cannot be set up.
    #[error(transparent)]
    Push(#[from] TransportProblem),
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] state::OpenError),
    /// A port or a Unix socket cannot be served.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A socket that was handed over cannot be served.
    #[error(transparent)]
    Inherit(#[from] InheritError),
    /// The operating system refuses something.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Returns the exit code: systemd does not try again what will not get better by itself.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Tls(_) | Self::Push(_) | Self::Inherit(_) => Exit::Config,
            Self::State(problem) => match problem.fault() {
                state::StoreFault::File => Exit::Config,
                state::StoreFault::Surroundings => Exit::Unavailable,
                // SQLite does not say why it cannot open a file; it is hardly ever anything else.
                state::StoreFault::Permission => Exit::Permission,
            },
            Self::Bind(problem) if problem.is_permission() => Exit::Permission,
            Self::Bind(_) => Exit::Unavailable,
            Self::System { .. } => Exit::Internal,
        }
    }

    /// Says what an admin can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tls(problem) => Some(problem.hint()),
            Self::Push(problem) => Some(problem.hint()),
            Self::State(problem) => Some(problem.hint()),
            Self::Bind(problem) => Some(problem.hint()),
            Self::Inherit(_) => Some(InheritError::HINT.to_owned()),
            Self::System { .. } => None,
        }
    }

    /// Returns the error with its causes and its hint, as a person should read it.
    pub fn report(&self) -> String {
        let mut text = format!("zmesd: {self}");
        let mut cause = self.source();
        while let Some(problem) = cause {
            text.push_str(": ");
            text.push_str(&problem.to_string());
            cause = problem.source();
        }
        if let Some(hint) = self.hint() {
            text.push_str("\n       hint: ");
            text.push_str(&hint);
        }
        text
    }
}
