//! The daemon's long-lived tasks, by name; notices when one ends.

use tokio::task::JoinSet;
use tracing::{debug, error};

/// A set of named tasks. If one ends before it is told to, the daemon ends.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    running: JoinSet<&'static str>,
}

impl Tasks {
    pub(super) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(async move {
            task.await;
            name
        });
    }

    /// Returns the name of the first task that ends; never returns if there are no tasks. Cancel-safe.
    pub(super) async fn first_end(&mut self) -> &'static str {
        match self.running.join_next().await {
            Some(Ok(name)) => name,
            // Not reached: a panic aborts the process, and these tasks are never aborted.
            Some(Err(problem)) => {
                error!(error = %problem, "a task failed");
                "unknown"
            }
            None => std::future::pending().await,
        }
    }

    /// Waits until all tasks have ended, after they were told to.
    pub(super) async fn drain(&mut self) {
        while let Some(ended) = self.running.join_next().await {
            debug!(task = ended.unwrap_or("unknown"), "ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_task_is_heard_by_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("endless", std::future::pending());
        tasks.spawn("brief", std::future::ready(()));
        assert_eq!(tasks.first_end().await, "brief");
    }
}
