//! The kinds of troubles.

words! {
    /// Kind of a trouble: the first part of its id, and the label of `zmesd_troubles`.
    TroubleKind {
        /// A monitor delivers nothing in which alarms could be detected.
        Camera = "camera",
        /// Most monitors were lost at the same time.
        Zoneminder = "zoneminder",
        /// Pushes through a transport fail.
        Push = "push",
        /// A push provider does not accept the configured credentials.
        Credentials = "credentials",
        /// The quota of a push provider is used up.
        Quota = "quota",
        /// A push provider cannot be reached: found by a check that sends nothing.
        Probe = "probe",
        /// Pushes to one phone are given up, and none was accepted for a day.
        Silent = "silent",
        /// The last token of a user was reported dead by its provider.
        Deaf = "deaf",
        /// ZoneMinder's database does not answer.
        Database = "database",
        /// The state file cannot be written, or its disk is almost full.
        Store = "store",
        /// The MQTT broker cannot be reached, or refuses the connection.
        Mqtt = "mqtt",
        /// The cluster's ledger does not answer, a node of it is silent, or no node sends pushes.
        Cluster = "cluster",
        /// The certificate for apps expires soon, or apps refuse it.
        Certificate = "certificate",
    }
}
