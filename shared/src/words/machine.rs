//! The words of the messages for programs.

words! {
    /// Kind of a [`MachineMessage`](crate::machine::MachineMessage): its member `event_type`.
    MachineKind {
        /// An alarm has begun.
        AlarmStart = "alarm_start",
        /// More is known of an alarm that was announced.
        AlarmUpdate = "alarm_update",
        /// An alarm is over.
        AlarmEnd = "alarm_end",
        /// Something keeps zmesd from seeing alarms or from telling of them.
        Trouble = "trouble",
        /// A trouble is over.
        Resolved = "resolved",
        /// `zmesctl alarm test`: nothing happened.
        Test = "test",
        /// A snooze is over that has withheld alarms.
        SnoozeEnd = "snooze_end",
    }
}
