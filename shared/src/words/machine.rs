//! The words of the messages for programs.

words! {
    /// Kind of a [`MachineMessage`](crate::machine::MachineMessage): its member `event_type`.
    MachineKind {
        /// An alarm has begun.
        AlarmStart = "alarm_start",
        /// More is known about an alarm that was announced.
        AlarmUpdate = "alarm_update",
        /// An alarm is over.
        AlarmEnd = "alarm_end",
        /// Something keeps zmesd from seeing or sending alarms.
        Trouble = "trouble",
        /// A trouble is over.
        Resolved = "resolved",
        /// `zmesctl alarm test`: not a real alarm.
        Test = "test",
        /// A snooze that withheld alarms is over.
        SnoozeEnd = "snooze_end",
    }
}
