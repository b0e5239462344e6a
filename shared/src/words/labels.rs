//! Words about labels.

words! {
    /// How the wait of a push for labels ended.
    LabelWait {
        /// Labels were found.
        Found = "found",
        /// The wait was over, and there were none.
        None = "none",
        /// The wait was over, and ZoneMinder's database could not be read.
        Unread = "unread",
    }
}
