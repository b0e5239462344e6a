//! Ways to phones.
