//! Why the daemon did not start, with a hint and an exit code.

use std::io;

use zmes_providers::TransportProblem;

use super::exit::Exit;
use super::inherited::InheritError;
use crate::cluster::JoinError;
use crate::sockets::BindError;
use crate::telemetry::log::Chain;
use crate::{state, tls};

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error(transparent)]
    Push(#[from] TransportProblem),
    #[error(transparent)]
    State(#[from] state::OpenError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Inherit(#[from] InheritError),
    #[error(transparent)]
    Cluster(#[from] JoinError),
    #[error("cannot {what}")]
    System {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}

impl StartError {
    /// Returns the exit code: systemd does not retry errors that cannot resolve by themselves.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Tls(_) | Self::Push(_) | Self::Inherit(_) | Self::Cluster(_) => Exit::Config,
            Self::State(problem) => match problem.fault() {
                state::StoreFault::File => Exit::Config,
                state::StoreFault::Surroundings => Exit::Unavailable,
                // SQLite does not say why it cannot open a file; the cause is almost always a permission.
                state::StoreFault::Permission => Exit::Permission,
            },
            Self::Bind(problem) if problem.is_permission() => Exit::Permission,
            Self::Bind(_) => Exit::Unavailable,
            Self::System { .. } => Exit::Internal,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tls(problem) => Some(problem.hint()),
            Self::Push(problem) => Some(problem.hint()),
            Self::State(problem) => Some(problem.hint()),
            Self::Bind(problem) => Some(problem.hint()),
            Self::Inherit(_) => Some(InheritError::HINT.to_owned()),
            Self::Cluster(_) => Some(JoinError::HINT.to_owned()),
            Self::System { .. } => None,
        }
    }

    /// Returns the error with its causes and its hint, for people.
    pub fn report(&self) -> String {
        let mut text = format!("zmesd: {}", Chain(self));
        if let Some(hint) = self.hint() {
            text.push_str("\n       hint: ");
            text.push_str(&hint);
        }
        text
    }
}
