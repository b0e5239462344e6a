//! The terminal: taken over at the start, and restored on every way out.

use std::io::{self, Read, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use tokio::sync::mpsc;

/// Switches to the alternate screen and hides the cursor, or back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const HOME: &str = "\u{1b}[H";
const TO_END_OF_LINE: &str = "\u{1b}[K";
const TO_END_OF_SCREEN: &str = "\u{1b}[J";
/// The size to assume if the terminal does not report one.
const USUAL: (u16, u16) = (80, 24);

type PanicHook = dyn Fn(&PanicHookInfo<'_>) + Send + Sync;

pub(super) struct Screen {
    /// The panic hook to restore.
    hook: Arc<PanicHook>,
    /// The lines on the screen: over a slow connection, only changes are sent.
    drawn: Vec<String>,
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on, dropping this value restores the terminal.
        let hook: Arc<PanicHook> = Arc::from(std::panic::take_hook());
        let before = Arc::clone(&hook);
        let screen = Self { hook, drawn: Vec::new() };
        std::panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
        write(ENTER)?;
        Ok(screen)
    }

    /// The terminal may have changed its content: the next page is drawn even if it is the same.
    pub(super) fn resized(&mut self) {
        self.drawn.clear();
    }

    /// Shows exactly these lines, which must fit.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        if self.drawn == lines {
            return Ok(());
        }
        self.drawn = lines.to_vec();
        let mut text = String::from(HOME);
        text.push_str(&lines.join(&format!("{TO_END_OF_LINE}\r\n")));
        text.push_str(TO_END_OF_LINE);
        text.push_str(TO_END_OF_SCREEN);
        write(&text)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        let before = Arc::clone(&self.hook);
        if !std::thread::panicking() {
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

fn restore() {
    // If this fails, the terminal is gone.
    write(LEAVE).ok();
    disable_raw_mode().ok();
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Returns columns and lines of the terminal.
pub(super) fn size() -> (usize, usize) {
    let (width, height) = crossterm::terminal::size().unwrap_or(USUAL);
    let of = |size: u16, usual: u16| usize::from(if size == 0 { usual } else { size });
    (of(width, USUAL.0), of(height, USUAL.1))
}

/// Returns the typed keys. The thread that reads them ends with the process: reading a terminal cannot be interrupted.
pub(super) fn keys(bound: usize) -> mpsc::Receiver<u8> {
    let (sender, keys) = mpsc::channel(bound);
    std::thread::spawn(move || {
        let mut bytes = [0; 32];
        loop {
            let count = match io::stdin().lock().read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            for key in bytes.iter().take(count) {
                if sender.blocking_send(*key).is_err() {
                    return;
                }
            }
        }
    });
    keys
}
