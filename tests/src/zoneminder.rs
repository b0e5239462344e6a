//! Rows of ZoneMinder's tables, as its web interface and `zmc` would write them.

use std::fmt::Write;

use crate::database::Schema;
use crate::shm_layout::{Layout, Numbering};

/// A camera.
#[derive(Debug, Clone)]
pub struct MonitorRow {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) function: &'static str,
    pub(crate) layout: Layout,
    pub(crate) numbering: Numbering,
    pub(crate) shared_memory: bool,
}

impl MonitorRow {
    /// Returns a monitor with motion detection on ZoneMinder 1.36.33.
    pub fn new(id: u32, name: &str) -> Self {
        let layout = Layout::of(760);
        Self {
            id,
            name: name.to_owned(),
            function: "Modect",
            layout,
            numbering: layout.numbering(),
            shared_memory: true,
        }
    }

    /// Sets its function, in the words used up to 1.36: `Nodect`, `Mocord`, …
    #[must_use]
    pub fn function(mut self, function: &'static str) -> Self {
        self.function = function;
        self
    }

    /// Writes its shared memory in another layout.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self.numbering = layout.numbering();
        self
    }

    /// Uses a different numbering of states.
    #[must_use]
    pub fn numbered(mut self, numbering: Numbering) -> Self {
        self.numbering = numbering;
        self
    }

    /// Has no `zmc`: no file is written.
    #[must_use]
    pub fn without_shared_memory(mut self) -> Self {
        self.shared_memory = false;
        self
    }

    pub(crate) fn insert(&self, schema: Schema) -> String {
        let (id, name) = (self.id, text(&self.name));
        match schema {
            Schema::V1_36 => format!(
                "INSERT INTO Monitors SET Id={id}, Name={name}, Type='Ffmpeg', `Function`='{}', Enabled=1;",
                self.function
            ),
            Schema::V1_38 => {
                let (analysing, recording) = match self.function {
                    "Nodect" => ("None", "OnMotion"),
                    "Mocord" => ("Always", "Always"),
                    "Record" => ("None", "Always"),
                    "Monitor" => ("Always", "None"),
                    _ => ("Always", "OnMotion"),
                };
                format!(
                    "INSERT INTO Monitors SET Id={id}, Name={name}, Type='Ffmpeg', Capturing='Always', \
                     Analysing='{analysing}', Recording='{recording}', Deleted=0;"
                )
            }
        }
    }
}

/// A ZoneMinder user.
#[derive(Debug, Clone)]
pub struct UserRow {
    pub(crate) name: String,
    /// SQL expression of the column `Password`.
    password: String,
    enabled: bool,
    api_enabled: bool,
    events: &'static str,
    monitors: &'static str,
    monitor_ids: String,
    token_min_expiry: i64,
}

impl UserRow {
    /// Returns a user with all rights whose password is stored as by ZoneMinder up to 1.32 (`*HEX`): cheap to verify.
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: format!("PASSWORD({})", text(password)),
            enabled: true,
            api_enabled: true,
            events: "View",
            monitors: "View",
            monitor_ids: String::new(),
            token_min_expiry: 0,
        }
    }

    /// Sets the column `Password` unchanged.
    #[must_use]
    pub fn stored(mut self, column: &str) -> Self {
        self.password = text(column);
        self
    }

    /// `Users.MonitorIds`: the monitors this user may see ("" is all).
    #[must_use]
    pub fn monitor_ids(mut self, ids: &str) -> Self {
        ids.clone_into(&mut self.monitor_ids);
        self
    }

    /// `Enabled=0`
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// `APIEnabled=0`
    #[must_use]
    pub fn without_api(mut self) -> Self {
        self.api_enabled = false;
        self
    }

    /// `Events='None'`
    #[must_use]
    pub fn without_events(mut self) -> Self {
        self.events = "None";
        self
    }

    /// `Monitors='None'`
    #[must_use]
    pub fn without_monitors(mut self) -> Self {
        self.monitors = "None";
        self
    }

    /// `TokenMinExpiry`: tokens issued before (seconds since 1970) are revoked.
    #[must_use]
    pub fn tokens_since(mut self, epoch: i64) -> Self {
        self.token_min_expiry = epoch;
        self
    }

    pub(crate) fn insert(&self, schema: Schema) -> String {
        let Self { password, events, monitors, token_min_expiry, .. } = self;
        let (name, enabled, api) = (text(&self.name), u8::from(self.enabled), u8::from(self.api_enabled));
        let mut row = format!(
            "INSERT INTO Users SET Username={name}, Password={password}, Enabled={enabled}, APIEnabled={api}, \
             Stream='View', Events='{events}', Monitors='{monitors}', TokenMinExpiry={token_min_expiry}"
        );
        if schema == Schema::V1_36 {
            row.push_str(", MonitorIds=");
            row.push_str(&text(&self.monitor_ids));
        }
        row.push(';');
        row
    }
}

/// A recorded event.
#[derive(Debug, Clone)]
pub struct EventRow {
    id: u64,
    monitor: u32,
    cause: String,
    alarm_frames: u32,
    age: u32,
    closed: bool,
}

impl EventRow {
    /// Returns an event that has just begun because of motion.
    pub fn new(id: u64, monitor: u32) -> Self {
        Self { id, monitor, cause: "Motion".to_owned(), alarm_frames: 1, age: 0, closed: false }
    }

    /// `Cause`
    #[must_use]
    pub fn cause(mut self, cause: &str) -> Self {
        cause.clone_into(&mut self.cause);
        self
    }

    /// Makes it a section of a continuous recording, without an alarm.
    #[must_use]
    pub fn continuous(mut self) -> Self {
        self.alarm_frames = 0;
        self.cause("Continuous")
    }

    /// Makes it begin this many seconds ago.
    #[must_use]
    pub fn aged(mut self, seconds: u32) -> Self {
        self.age = seconds;
        self
    }

    /// Makes it an ended event.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.closed = true;
        self
    }

    /// Returns the SQL statement that inserts it.
    pub fn insert(&self) -> String {
        let Self { id, monitor, alarm_frames, age, .. } = self;
        let end = if self.closed { "NOW()" } else { "NULL" };
        format!(
            "INSERT INTO Events SET Id={id}, MonitorId={monitor}, Name='New Event', Cause={}, Notes='', \
             StartDateTime=NOW() - INTERVAL {age} SECOND, EndDateTime={end}, Frames=10, AlarmFrames={alarm_frames}, \
             TotScore={alarm_frames}, AvgScore={alarm_frames}, MaxScore={alarm_frames};",
            text(&self.cause)
        )
    }
}

/// Returns a SQL literal for any text.
fn text(value: &str) -> String {
    let mut sql = String::from("_utf8mb4 x'");
    for byte in value.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}
