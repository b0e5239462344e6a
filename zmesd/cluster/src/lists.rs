//! Statements over lists of any length.
//!
//! A statement that is prepared for one use is closed afterwards, and the server does not answer to that. sqlx leaves
//! Nagle's algorithm on, so over TCP the next statement then waits for the server's delayed acknowledgement: 40 ms. So lists
//! get one of few lengths, and all statements stay prepared.

/// Most items of one statement.
pub(crate) const MOST: usize = 256;

/// Repeats the last item until there are 1, 4, 16, 64 or 256. Statements must be such that repeating does nothing.
pub(crate) fn padded<T>(items: &[T]) -> impl Iterator<Item = &T> {
    let mut length = 1;
    while length < items.len() {
        length *= 4;
    }
    items.iter().chain(items.last().into_iter().cycle()).take(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_few_lengths_and_lose_nothing() {
        assert_eq!(padded::<u8>(&[]).count(), 0);
        assert_eq!(padded(&[1, 2, 3]).copied().collect::<Vec<_>>(), [1, 2, 3, 3]);
        let lengths: std::collections::BTreeSet<_> =
            (1..=MOST).map(|length| padded(&vec![0; length]).count()).collect();
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 4, 16, 64, 256]);
    }
}
