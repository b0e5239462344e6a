//! `zmesctl top`: shows live in the terminal what happens, until `q`.

mod feed;
mod page;
mod screen;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};

use self::feed::Snapshot;
use self::page::PageStyle;
use self::screen::Screen;
use crate::context::{Context, Outcome};
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::Format;

/// Maximum number of keys waiting to be handled.
const KEYS: usize = 16;
/// The keys that end it: `q`, Ctrl-C, Ctrl-D.
const QUIT: [u8; 4] = [b'q', b'Q', 3, 4];

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl top
  ssh -t zm.example.org zmesctl top
  NO_COLOR=1 zmesctl top

Shows for each monitor the alarms of the last 24 hours, one column an hour, and
above them clients, phones, providers and the worst finding. Reads every 2 s and
at each alarm; reconnects after a restart of zmesd. q or Ctrl-C ends it.")]
pub struct TopArgs {}

pub(crate) async fn run(_: TopArgs, context: &Context) -> Outcome {
    let terminals = context.environment.terminals;
    if !terminals.stdin || !terminals.stdout || context.out.format() != Format::Human {
        return Err(CliError::Usage {
            message: "top needs a terminal".to_owned(),
            hint: "zmesctl status --json".to_owned(),
        });
    }
    // An error at the start stays readable: the screen has not been changed yet.
    drop(context.connect().await?);
    let listen = |kind| signal(kind).map_err(CliError::Terminal);
    let mut resized = listen(SignalKind::window_change())?;
    let [mut terminated, mut hung_up, mut interrupted] =
        [listen(SignalKind::terminate())?, listen(SignalKind::hangup())?, listen(SignalKind::interrupt())?];
    let (sender, mut snapshots) = mpsc::channel(1);
    let alarmed = Notify::new();
    let poll = feed::poll(context, &sender, &alarmed);
    let watch = feed::watch(context, &alarmed);
    tokio::pin!(poll, watch);
    let mut screen = Screen::open().map_err(CliError::Terminal)?;
    let mut keys = screen::keys(KEYS);
    let style = PageStyle {
        color: context.out.look().color,
        unicode: context.environment.unicode,
        zone: context.environment.zone.clone(),
    };
    let mut snapshot = Snapshot::default();
    loop {
        tokio::select! {
            biased;
            key = keys.recv() => match key {
                Some(key) if !QUIT.contains(&key) => continue,
                // `None`: the terminal is gone.
                Some(_) | None => return Ok(Exit::Done),
            },
            _ = terminated.recv() => return Ok(Exit::Done),
            _ = hung_up.recv() => return Ok(Exit::Done),
            _ = interrupted.recv() => return Ok(Exit::Done),
            _ = resized.recv() => screen.resized(),
            Some(taken) = snapshots.recv() => snapshot.take(taken),
            // Neither of these ever ends.
            () = &mut poll => {}
            () = &mut watch => {}
        }
        let (width, height) = screen::size();
        let lines = page::lines(&snapshot, &style, width, height);
        screen.draw(&lines).map_err(CliError::Output)?;
    }
}
