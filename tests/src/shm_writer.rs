//! Writes `zm.mmap.N` as `zmc` does: plain stores to a file that readers have open.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shm_layout::{Layout, Numbering, Order, State};
use crate::wall_clock::epoch_seconds;

/// `sizeof(TriggerData)` in every version.
const TRIGGER_SIZE: u32 = 560;
/// Real files are megabytes of pictures; readers need the first 1448 bytes.
const FILE_LENGTH: u64 = 64 * 1024;
const CAUSE_LENGTH: usize = 256;

/// The content of a monitor's trigger area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// 0 cancel, 1 on, 2 off.
    pub state: u32,
    /// Score of a forced alarm; 0 does nothing.
    pub score: u32,
    /// The cause, up to 31 bytes.
    pub cause: String,
}

/// The shared memory of one monitor. Each write opens the file again, as a restarted `zmc` would.
#[derive(Debug, Clone)]
pub struct ShmFile {
    path: PathBuf,
    layout: Layout,
    numbering: Numbering,
}

impl ShmFile {
    /// Returns the (not yet written) file of `monitor` in `directory`.
    pub fn new(directory: &Path, monitor: u32, layout: Layout) -> Self {
        let path = directory.join(format!("zm.mmap.{monitor}"));
        Self { path, layout, numbering: layout.numbering() }
    }

    /// Sets the numbering of states (1.36.0 to 1.36.15 write layout 760 with IDLE as 0).
    #[must_use]
    pub fn numbered(mut self, numbering: Numbering) -> Self {
        self.numbering = numbering;
        self
    }

    /// Returns where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts as `zmc` does if there is no file: a new inode, idle, no event yet.
    ///
    /// The content is complete when the name appears. For the steps in between see [`Self::appear_empty`].
    pub fn start(&self) -> Result<()> {
        let new = self.path.with_extension("new");
        let file = File::create(&new).with_context(|| new.display().to_string())?;
        file.set_len(FILE_LENGTH)?;
        self.fill(&file)?;
        fs::rename(&new, &self.path).with_context(|| self.path.display().to_string())
    }

    /// Starts as `zmc` does after it was killed: the same inode, zeroed and filled again.
    pub fn start_in_place(&self) -> Result<()> {
        let file = self.open()?;
        file.write_all_at(&[0; 4096], 0)?;
        self.fill(&file)
    }

    /// Creates the file as it is for some milliseconds during a start: a new inode of zeros.
    pub fn appear_empty(&self) -> Result<()> {
        let new = self.path.with_extension("new");
        File::create(&new)?.set_len(FILE_LENGTH)?;
        Ok(fs::rename(&new, &self.path)?)
    }

    /// Stops as `zmc` does: first removes the name, then clears `valid`; the state keeps its last value.
    pub fn stop(&self) -> Result<()> {
        let file = self.open()?;
        fs::remove_file(&self.path)?;
        Ok(file.write_all_at(&[0], self.layout.valid)?)
    }

    /// Writes any `bytes` at any offset.
    pub fn poke(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.open()?.write_all_at(bytes, offset).with_context(|| self.path.display().to_string())
    }

    /// Writes `valid`.
    pub fn set_valid(&self, valid: bool) -> Result<()> {
        self.poke(&[u8::from(valid)], self.layout.valid)
    }

    /// Writes the state.
    pub fn set_state(&self, state: State) -> Result<()> {
        self.poke(&state.number(self.numbering).to_le_bytes(), self.layout.state)
    }

    /// Writes the id of the last opened event.
    pub fn set_last_event(&self, event: u64) -> Result<()> {
        let bytes = event.to_le_bytes();
        let width = if self.layout.narrow_event { 4 } else { 8 };
        self.poke(&bytes[..width], self.layout.last_event)
    }

    /// Writes the cause, if this layout has one. Takes bytes, because real causes are not always text.
    pub fn set_cause(&self, cause: &[u8]) -> Result<()> {
        let Some(offset) = self.layout.alarm_cause else { return Ok(()) };
        let mut field = [0; CAUSE_LENGTH];
        let length = cause.len().min(CAUSE_LENGTH - 1);
        field[..length].copy_from_slice(&cause[..length]);
        self.poke(&field, offset)
    }

    /// Writes the time of the last captured frame, in seconds since 1970, if this layout has it.
    pub fn set_heartbeat(&self, at: i64) -> Result<()> {
        let Some(offset) = self.layout.heartbeat_time else { return Ok(()) };
        self.poke(&at.to_le_bytes(), offset)?;
        self.poke(&at.to_le_bytes(), self.layout.last_write_time)
    }

    /// Writes the start of an alarm in the order of this version; `insert` is its `INSERT INTO Events`.
    pub async fn alarm(
        &self,
        event: u64,
        cause: &str,
        insert: impl AsyncFnOnce() -> Result<()>,
    ) -> Result<()> {
        match self.layout.order {
            Order::StateFirst => {
                self.set_state(State::Alarm)?;
                insert().await?;
                self.set_last_event(event)?;
                self.set_cause(cause.as_bytes())
            }
            Order::StateLast => {
                self.set_cause(format!("{cause} All").as_bytes())?;
                insert().await?;
                self.set_last_event(event)?;
                self.set_cause(cause.as_bytes())?;
                self.set_state(State::Alarm)
            }
        }
    }

    /// Returns the requested trigger of this monitor.
    pub fn trigger(&self) -> Result<Trigger> {
        let bytes = fs::read(&self.path)?;
        let start = usize::try_from(self.layout.size)?;
        let area = bytes.get(start..start + 48).context("no trigger area")?;
        let word = |at: usize| u32::from_le_bytes([area[at], area[at + 1], area[at + 2], area[at + 3]]);
        let cause = area[16..48].split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Trigger { state: word(4), score: word(8), cause: String::from_utf8_lossy(cause).into_owned() })
    }

    fn open(&self) -> Result<File> {
        File::options()
            .read(true)
            .write(true)
            .open(&self.path)
            .with_context(|| self.path.display().to_string())
    }

    /// Fills the header as `Monitor::connect` does, with `valid` last.
    fn fill(&self, file: &File) -> Result<()> {
        let now = epoch_seconds().to_le_bytes();
        let layout = &self.layout;
        let times = [layout.startup_time, layout.heartbeat_time, Some(layout.last_write_time)];
        for offset in times.into_iter().flatten() {
            file.write_all_at(&now, offset)?;
        }
        if let Some(recording) = layout.recording {
            file.write_all_at(&[3, 2, 2], recording - 2)?; // capturing, analysing, recording: always, always, on motion
        }
        file.write_all_at(&State::Idle.number(self.numbering).to_le_bytes(), layout.state)?;
        file.write_all_at(&TRIGGER_SIZE.to_le_bytes(), u64::from(layout.size))?;
        file.write_all_at(&layout.size.to_le_bytes(), 0)?;
        file.write_all_at(&[1], layout.signal)?;
        Ok(file.write_all_at(&[1], layout.valid)?)
    }
}
