//! `zmesctl pictures test` and `pictures rotate`.

use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use zmes_shared::EventId;
use zmes_shared::control::Request;
use zmes_shared::views::{Done, PictureTested};

use super::ask::Confirmation;
use crate::context::{Context, Outcome};
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean, time};

/// The daemon waits for the picture, for a disk that hangs, and for a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl pictures test 32910\n  zmesctl pictures rotate"
)]
pub enum PicturesCommand {
    /// Read the picture of an event as for a phone, or say why there is none
    Test(TestArgs),
    /// Replace the key, so that all links sent so far stop working
    Rotate(RotateArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl pictures test 32910
  zmesctl pictures test 32910 --json | jq .bytes

Exit codes: 0 there is a picture, 1 there is none.")]
pub struct TestArgs {
    /// ZoneMinder's event id
    event: EventId,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl pictures rotate
  zmesctl pictures rotate --yes       without confirmation, for scripts

Phones show no picture in pushes that they have already received. Pushes to come
have links that work.")]
pub struct RotateArgs {
    /// No confirmation: for scripts
    #[arg(short, long)]
    yes: bool,
}

pub(crate) async fn run(command: PicturesCommand, context: &mut Context) -> Outcome {
    match command {
        PicturesCommand::Test(TestArgs { event }) => {
            context.ask_within::<PictureTested>(Request::PicturesTest { event }, PATIENCE).await
        }
        PicturesCommand::Rotate(RotateArgs { yes }) => {
            let confirmation = Confirmation {
                what: "ending all links",
                command: "zmesctl pictures rotate --yes",
                about: "",
                question: "End all links in notifications that were sent so far?",
            };
            confirmation.ask(yes, context)?;
            context.ask::<Done>(Request::PicturesRotate).await
        }
    }
}

impl View for PictureTested {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let (event, took) = (self.event_id, time::milliseconds(self.took_ms));
        if !self.found {
            let line = out.paint(Tone::Bad, &format!("No picture of event {event}: {}.", clean(&self.error)));
            out.hanging(&line, 2)?;
            if !self.hint.is_empty() {
                let line = out.paint(Tone::Faint, &format!("hint: {}", clean(&self.hint)));
                out.hanging(&line, 2)?;
            }
            return Ok(());
        }
        let picture = clean(self.picture.as_deref().unwrap_or("picture")).into_owned();
        let bytes = self.bytes.unwrap_or_default();
        out.line(&format!("Event {event}: {picture}, {bytes} bytes, read in {took}."))?;
        if self.links {
            Ok(())
        } else {
            out.line("Pushes hold no links to pictures: picture.base-url is empty.")
        }
    }

    fn exit(&self) -> Exit {
        if self.found { Exit::Done } else { Exit::Negative }
    }
}
