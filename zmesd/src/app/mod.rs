//! The root: connects the rooms, starts their tasks and ends them in order. It owns nothing else.

mod command;
mod config_file;
mod descriptors;
mod exit;
mod inherited;
mod parts;
mod rehearsal;
mod reload;
mod start;
mod start_error;
mod supervise;
mod tasks;
mod wiring;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

pub use command::main;
pub use exit::Exit;
pub use inherited::{InheritError, ListenVariables};
pub use parts::Parts;
pub use start_error::StartError;

use crate::lifecycle::{Lifecycle, Vitals};
use supervise::Tasks;

/// How long sessions may take to close. The whole shutdown must take less than the 10 s after which ZoneMinder's zmdc
/// sends SIGKILL.
const SESSIONS_DEADLINE: Duration = Duration::from_secs(4);
/// How long router, dispatcher, state and control socket may each take.
const STEP_DEADLINE: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct App {
    conductor: Conductor,
    vitals: Vitals,
}

/// One token for each step of the shutdown.
#[derive(Debug, Default)]
struct StopTokens {
    soft: CancellationToken,
    router: CancellationToken,
    push: CancellationToken,
    store: CancellationToken,
    control: CancellationToken,
}

impl App {
    async fn run(self, lifecycle: Lifecycle) -> Exit {
        let conducted = lifecycle.tracker().spawn(self.conductor.run());
        let ended = lifecycle.run(self.vitals).await;
        if !ended.in_time {
            warn!("shutdown timed out; tasks were aborted");
            return Exit::Internal;
        }
        match conducted.await {
            Ok(None) => Exit::Ok,
            Ok(Some(_)) | Err(_) => Exit::Internal,
        }
    }
}

/// Ends the tasks in the order of their dependencies: senders first, receivers last.
#[derive(Debug, Default)]
struct Conductor {
    /// Tasks that find alarms and accept clients: end first.
    front: Tasks,
    core: Tasks,
    push: Tasks,
    store: Tasks,
    /// The control socket: answers until the end.
    control: Tasks,
    sessions: TaskTracker,
    tokens: StopTokens,
}

impl Conductor {
    fn new(soft: CancellationToken) -> Self {
        let tokens = StopTokens { soft, ..StopTokens::default() };
        Self { tokens, ..Self::default() }
    }

    /// Runs until the shutdown is complete. Returns the name of the task whose unexpected end caused it, if any.
    async fn run(mut self) -> Option<&'static str> {
        // In this order: after a stop every task ends, and that is not a crash.
        let crashed = tokio::select! {
            biased;
            () = self.tokens.soft.cancelled() => None,
            name = self.front.first_end() => Some(name),
            name = self.core.first_end() => Some(name),
            name = self.push.first_end() => Some(name),
            name = self.store.first_end() => Some(name),
            name = self.control.first_end() => Some(name),
        };
        if let Some(task) = crashed {
            error!(task, "task ended unexpectedly; stopping");
            self.tokens.soft.cancel();
        }
        self.front.drain().await;
        self.sessions.close();
        if tokio::time::timeout(SESSIONS_DEADLINE, self.sessions.wait()).await.is_err() {
            warn!(sessions = self.sessions.len(), "shutdown timed out; closing remaining clients");
        }
        for (token, tasks) in [
            (&self.tokens.router, &mut self.core),
            (&self.tokens.push, &mut self.push),
            (&self.tokens.store, &mut self.store),
            (&self.tokens.control, &mut self.control),
        ] {
            token.cancel();
            // A disk that hangs must not block the control socket or the exit.
            if tokio::time::timeout(STEP_DEADLINE, tasks.drain()).await.is_err() {
                warn!("shutdown step timed out");
            }
        }
        info!("stopped");
        crashed
    }
}
