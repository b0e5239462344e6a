//! Words about labels.

words! {
    /// How the wait of a push for labels ended.
    LabelWait {
        /// Labels were found.
        Found = "found",
        /// The wait ended without labels.
        None = "none",
        /// The wait ended, and ZoneMinder's database could not be read.
        Unread = "unread",
    }
}
