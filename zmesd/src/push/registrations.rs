//! Registers devices with their provider (only the PushProxy needs that).

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{debug, info, warn};
use zmes_providers::{PushError, PushTransport};

use super::retry;
use crate::domain::Token;

const AT_ONCE: usize = 4;
/// Attempts to register a token with a provider that cannot be reached.
const ATTEMPTS: u32 = 5;
/// Registrations that wait. More are dropped: phones register again at each start of their app.
const WAITING: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Registrations {
    waiting: VecDeque<(Arc<dyn PushTransport>, Arc<Token>)>,
    running: JoinSet<()>,
}

impl Registrations {
    pub(super) fn add(&mut self, transport: Arc<dyn PushTransport>, token: &Arc<Token>) {
        if self.waiting.len() >= WAITING {
            debug!(token = %token.token, "registration dropped: too many wait for the provider");
            return;
        }
        self.waiting.push_back((transport, Arc::clone(token)));
        self.proceed();
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.running.abort_all();
    }

    /// Returns when one has ended, and starts the next; never returns if none is under way. Cancel-safe.
    pub(super) async fn one_ended(&mut self) {
        if self.running.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
        self.proceed();
    }

    fn proceed(&mut self) {
        while self.running.len() < AT_ONCE
            && let Some((transport, token)) = self.waiting.pop_front()
        {
            self.running.spawn(register(transport, token));
        }
    }
}

async fn register(transport: Arc<dyn PushTransport>, token: Arc<Token>) {
    for attempt in 1..=ATTEMPTS {
        match transport.register(&token.token, token.platform).await {
            Ok(()) if transport.name() == "proxy" => {
                info!(token = %token.token, "Pushproxy registration success");
                return;
            }
            Ok(()) => return,
            Err(error @ PushError::Transport(_)) if attempt < ATTEMPTS => {
                debug!(token = %token.token, %error, "registration failed; trying again");
                tokio::time::sleep(retry::wait(attempt, None, fastrand::f64())).await;
            }
            Err(error) => {
                warn!(token = %token.token, %error, "Push Proxy Token registration Error");
                return;
            }
        }
    }
}
