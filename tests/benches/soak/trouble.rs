//! Faults: one kind per round, fixed in the same round.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;
use zmes_tests::standin::{Behaviour, Fcm};
use zmes_tests::{Certificate, Ctl, Validity, World};

use crate::strikes::FICKLE;

/// How long a trouble lasts.
const LASTING: Duration = Duration::from_secs(3);

/// One kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    ProviderRefuses,
    ProviderBusy,
    ProviderHangs,
    DatabaseStopped,
    DatabaseFrozen,
    Reload,
    Certificate,
    CameraGone,
}

/// In the order of the rounds.
const ALL: [Trouble; 9] = [
    Trouble::None,
    Trouble::Reload,
    Trouble::ProviderRefuses,
    Trouble::DatabaseStopped,
    Trouble::Certificate,
    Trouble::ProviderBusy,
    Trouble::CameraGone,
    Trouble::DatabaseFrozen,
    Trouble::ProviderHangs,
];

impl Trouble {
    pub(crate) fn of_round(number: usize) -> Self {
        ALL[number % ALL.len()]
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ProviderRefuses => "provider refuses",
            Self::ProviderBusy => "provider says 503",
            Self::ProviderHangs => "provider hangs",
            Self::DatabaseStopped => "database stopped",
            Self::DatabaseFrozen => "database frozen",
            Self::Reload => "reload",
            Self::Certificate => "new certificate",
            Self::CameraGone => "camera gone",
        }
    }
}

/// Causes the trouble, and ends it.
#[derive(Debug)]
pub(crate) struct Troublemaker {
    ctl: Ctl,
    turns: u64,
}

impl Troublemaker {
    pub(crate) fn new(world: &World) -> Self {
        Self { ctl: world.ctl(), turns: 0 }
    }

    pub(crate) async fn make(&mut self, trouble: Trouble, world: &mut World, fcm: &Fcm) -> Result<()> {
        self.turns += 1;
        self.act(trouble, world, fcm).await.with_context(|| format!("trouble: {}", trouble.as_str()))
    }

    async fn act(&self, trouble: Trouble, world: &mut World, fcm: &Fcm) -> Result<()> {
        match trouble {
            Trouble::None => {}
            Trouble::ProviderRefuses => {
                fcm.messages.refuse().await?;
                sleep(LASTING).await;
                fcm.messages.resume().await?;
            }
            Trouble::ProviderBusy => Self::answers(fcm, Behaviour::status(503, "")).await,
            Trouble::ProviderHangs => Self::answers(fcm, Behaviour::Hang).await,
            Trouble::DatabaseStopped => {
                world.database.stop().await?;
                sleep(LASTING).await;
                world.database.resume().await?;
            }
            Trouble::DatabaseFrozen => {
                world.database.freeze().await?;
                sleep(LASTING).await;
                world.database.thaw()?;
            }
            Trouble::Reload => {
                world.settings.set_text("auth", "timeout", &format!("{}s", 20 + self.turns % 2));
                self.reload(world).await?;
            }
            Trouble::Certificate => {
                let name = format!("cert-{}", self.turns);
                let renewed = Certificate::write(world.directory(), &name, Validity::Long)?;
                world.settings.set_path("server.tls", "certificate", &renewed.certificate);
                world.settings.set_path("server.tls", "key", &renewed.key);
                self.reload(world).await?;
                world.certificate = renewed;
            }
            Trouble::CameraGone => {
                let camera = world.shm(FICKLE)?;
                camera.stop()?;
                sleep(LASTING).await;
                camera.start()?;
            }
        }
        Ok(())
    }

    async fn answers(fcm: &Fcm, behaviour: Behaviour) {
        fcm.messages.always(behaviour);
        sleep(LASTING).await;
        fcm.messages.always(Behaviour::Accept);
    }

    async fn reload(&self, world: &World) -> Result<()> {
        world.write_settings()?;
        self.ctl.run(&["reload"]).await?.expect_code(0).map(drop)
    }
}
