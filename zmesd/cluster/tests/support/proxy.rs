//! A TCP proxy between a node and the database, which cuts, holds back and delays.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::nodes::beside;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// They pass after this time.
    Fine(Duration),
    /// Those to the database are held back, as by a network that vanished; nothing is closed.
    Silent,
    /// Those from the database are lost: what is asked is done, and nobody hears of it.
    Deaf,
    /// Connections are closed.
    Cut,
}

/// The proxy; dropped, it is gone.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and passes all to that port.
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (weather, _) = watch::channel(Weather::Fine(Duration::ZERO));
        let forecast = Arc::new(weather.clone());
        let task = beside(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (one, other) = (forecast.subscribe(), forecast.subscribe());
                beside(async move {
                    if *one.borrow() == Weather::Cut {
                        return;
                    }
                    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
                    // Else small packets wait for an acknowledgement, 40 ms each.
                    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
                        return;
                    }
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::join!(
                        pass(from_client, to_server, one, Weather::Silent),
                        pass(from_server, to_client, other, Weather::Deaf)
                    );
                });
            }
        });
        Self { port, weather, task }
    }

    /// Changes what happens to bytes from now on, also on connections that exist.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.weather.send_replace(Weather::Cut);
        self.task.abort();
    }
}

/// Passes bytes in one direction. In the weather `stops` they are held back (to the database) or lost (from it).
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut weather: watch::Receiver<Weather>,
    stops: Weather,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or_default(),
            gone = weather.wait_for(|weather| *weather == Weather::Cut) => { drop(gone); 0 }
        };
        if read == 0 {
            return;
        }
        let now = *weather.borrow();
        if let Weather::Fine(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if now == stops {
            if stops == Weather::Deaf {
                continue;
            }
            drop(weather.wait_for(|weather| *weather != stops).await.map(|_| ()));
        }
        if *weather.borrow() == Weather::Cut || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
